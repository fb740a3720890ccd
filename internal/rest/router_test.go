package rest

import (
	"net/http"
	"strings"
	"testing"
)

// TestFind looks up paths as a real node does: what is empty between slashes is a parameter, and the first place with handlers counts.
func TestFind(t *testing.T) {
	var rt Router
	for _, r := range []string{"GET /", "HEAD /", "GET /{index}", "DELETE /{index}", "POST /{index}/_close", "GET /_snapshot", "GET /_snapshot/{repository}", "DELETE /_snapshot/{repository}",
		"DELETE /_snapshot/{repository}/{snapshot}", "GET /_snapshot/_status", "GET /_snapshot/{repository}/_status", "GET /_snapshot/{repository}/{snapshot}/_status"} {
		method, path, _ := strings.Cut(r, " ")
		rt.Handle(method, path, func(*Request) (*Response, error) { return nil, nil })
	}
	for request, want := range map[string]string{
		"GET /":                          "/",
		"HEAD /_snapshot":                "GET", // refused, with what is allowed
		"DELETE /":                       "GET,HEAD",
		"DELETE //":                      "GET,HEAD",
		"DELETE /_snapshot":              "GET",
		"DELETE /_snapshot/":             "GET",
		"DELETE /x":                      "/{index} index=x",
		"DELETE //x":                     "",
		"POST //_close":                  "",
		"DELETE /_snapshot/r//":          "/_snapshot/{repository} repository=r",
		"DELETE /_snapshot//s":           "/_snapshot/{repository}/{snapshot} repository= snapshot=s",
		"DELETE /_snapshot/a%2Fb":        "/_snapshot/{repository} repository=a/b",
		"DELETE /_snapshot/_status":      "GET",
		"DELETE /_snapshot/r/_status":    "GET",
		"GET /_snapshot/_status/_status": "/_snapshot/{repository}/_status repository=_status",
		"GET /_snapshot//_status":        "/_snapshot/{repository}/_status repository=",
		"DELETE /_snapshot/_status/s":    "/_snapshot/{repository}/{snapshot} repository=_status snapshot=s",
		"GET /_snapshot/r/s/x":           "",
	} {
		method, path, _ := strings.Cut(request, " ")
		target, params, allowed := rt.find(method, path)
		got := strings.Join(allowed, ",")
		if target != nil {
			got = target.pattern
			for _, name := range target.names {
				got += " " + name + "=" + params[name]
			}
		}
		if got != want {
			t.Errorf("%s finds %q, not %q", request, got, want)
		}
	}
	if resp := noHandler(&http.Request{Method: http.MethodOptions, RequestURI: "/x/y/z"}, nil); resp.Status != http.StatusOK {
		t.Errorf("OPTIONS of a path without handlers: %d", resp.Status)
	}
}
