package restore

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// methodPaths are the paths of the snapshot API and near it, each with the methods that do something there, which other tests send.
var methodPaths = []struct{ path, except string }{
	{"/_snapshot", "GET"}, {"/_snapshot/", "GET"}, {"/_snapshot//", "GET"}, // which show different places
	{"/_snapshot/r", "GET PUT DELETE"}, {"/_snapshot/r/", "GET PUT DELETE"}, {"/_snapshot//r", ""},
	{"//_snapshot/r", "GET PUT POST DELETE PATCH TRACE"}, // refused by both; a real node shows another uri
	{"/_snapshot/nope/s", ""}, {"/_snapshot/nope/s/", ""}, {"/_snapshot//s", ""}, {"/_snapshot/r/%20", ""}, {"/_snapshot/r%2Fs", ""}, {"/_snapshot/%2e%2e", ""},
	{"/_snapshot/nope/s/_restore", ""}, {"/_snapshot/r//_restore", ""}, {"/_snapshot/nope/_restore", ""},
	{"/_snapshot/r/s/_clone", ""}, {"/_snapshot/r/s/_clone/t", ""},
	{"/_snapshot/_status", "GET"}, {"/_snapshot/r/_status", "GET"}, {"/_snapshot/nope/s/_status", ""}, {"/_snapshot/nope/s/i/_status", ""},
	{"/_snapshot/_status/x", ""}, {"/_snapshot/r/s/x", ""}, {"/_snapshot/r/s/_status/x", ""}, {"/_snapshot/r/s/i/j/_status", ""},
	{"/_snapshot/nope/_cleanup", ""}, {"/_snapshot/_cleanup", "PUT DELETE"}, {"/_snapshot/nope/_verify", ""}, {"/_snapshot/_verify", "PUT DELETE"},
	{"/_cluster/health", "GET"}, {"/_cat/indices", "GET"}, {"/_search", "GET POST"}, {"/_nope/x/y", ""},
}

// sortedMethods orders methods in brackets, which a real node shows in the order of its hash table.
func sortedMethods(text string) string {
	return regexp.MustCompile(`allowed: \[([A-Z, ]+)\]`).ReplaceAllStringFunc(text, func(s string) string {
		list := strings.Split(strings.TrimSuffix(strings.TrimPrefix(s, "allowed: ["), "]"), ", ")
		slices.Sort(list)
		return "allowed: [" + strings.Join(list, ", ") + "]"
	})
}

// sameMethods sends each method to each path, without a body, to a real node and to us: status, methods that are allowed, kind and content of the answers are the same.
func sameMethods(t *testing.T, theirs, ours string) {
	send := func(base, method, path string) string {
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, nil)
		check(t, err)
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		check(t, err)
		allow := strings.Split(resp.Header.Get("Allow"), ",")
		slices.Sort(allow)
		return resp.Status + " allow " + strings.Join(allow, ",") + " " + resp.Header.Get("Content-Type") + " " + sortedMethods(string(body))
	}
	for _, p := range methodPaths {
		for _, method := range []string{"GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"} {
			if slices.Contains(strings.Fields(p.except), method) {
				continue
			}
			if want, got := send(theirs, method, p.path), send(ours, method, p.path); got != want {
				t.Errorf("%s %s\nthe real node: %.600s\nours:          %.600s", method, p.path, want, got)
			}
		}
	}
}
