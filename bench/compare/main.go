package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	docs     = flag.Int("docs", 250000, "documents to index")
	repeat   = flag.Int("repeat", 100, "how often each query is asked")
	warm     = flag.Int("warm", 200, "how often each query is asked before that, so that a virtual machine has compiled what it runs")
	packages = flag.String("packages", "", "a Packages file of Debian")
	repo     = flag.String("repo", "", "folder that both servers may use for repositories")
)

// side is one of the two servers.
type side struct {
	name, url, data string
	pid             int
}

func main() {
	ours, peer := &side{name: "varve"}, &side{name: "opensearch"}
	for _, s := range []*side{ours, peer} {
		flag.StringVar(&s.url, map[string]string{"varve": "varve", "opensearch": "peer"}[s.name], "", "URL of "+s.name)
		flag.IntVar(&s.pid, map[string]string{"varve": "varve-pid", "opensearch": "peer-pid"}[s.name], 0, "process id of "+s.name)
		flag.StringVar(&s.data, map[string]string{"varve": "varve-data", "opensearch": "peer-data"}[s.name], "", "data folder of "+s.name)
	}
	flag.Parse()
	if err := run(ours, peer); err != nil {
		fmt.Fprintln(os.Stderr, "compare: "+err.Error())
		os.Exit(1)
	}
}

func run(ours, peer *side) error {
	all, err := load(*packages, *docs)
	if err != nil {
		return err
	}
	fmt.Printf("%d documents, %.1f MB of JSON\n\n| what | varve | opensearch | ratio (above 1: varve is better) |\n|---|---:|---:|---:|\n", len(all), float64(size(all))/1e6)
	row("idle anonymous memory, MB", anon(ours.pid), anon(peer.pid), false)
	both := func(what string, f func(*side) (float64, error)) error {
		a, err := f(ours)
		if err != nil {
			return fmt.Errorf("%s: varve: %w", what, err)
		}
		b, err := f(peer)
		if err != nil {
			return fmt.Errorf("%s: opensearch: %w", what, err)
		}
		row(what, a, b, false)
		return nil
	}
	steps := []struct {
		what string
		f    func(*side) (float64, error)
	}{
		{"bulk indexing, s", func(s *side) (float64, error) { return index(s, all) }},
		{"anonymous memory after indexing, MB", func(s *side) (float64, error) { return anon(s.pid), nil }},
		{"force merge to 1 segment, s", func(s *side) (float64, error) { return timed(s, "POST", "/bench/_forcemerge?max_num_segments=1", "") }},
		{"bytes of the index, MB", indexSize},
		{"snapshot, s", func(s *side) (float64, error) { return snapshot(s, "first") }},
		{"change of 1 %, s", func(s *side) (float64, error) { return index(s, all[:len(all)/100]) }},
		{"snapshot after 1 % changed, s", func(s *side) (float64, error) { return snapshot(s, "second") }},
	}
	for _, st := range steps {
		if err := both(st.what, st.f); err != nil {
			return err
		}
	}
	if err := queries(ours, peer); err != nil {
		return err
	}
	return both("restore until the first query, s", restore)
}

func row(what string, a, b float64, higher bool) {
	ratio := b / a
	if higher {
		ratio = a / b
	}
	fmt.Printf("| %s | %.3f | %.3f | %.2f |\n", what, a, b, ratio)
}

// load reads stanzas of a Packages file and repeats them with other versions until there are n.
func load(file string, n int) ([][]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var base []map[string]any
	cur := map[string]any{}
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		line := sc.Text()
		if line == "" {
			if len(cur) > 0 {
				base = append(base, cur)
				cur = map[string]any{}
			}
			continue
		}
		key, value, ok := strings.Cut(line, ": ")
		if !ok || line[0] == ' ' {
			continue
		}
		switch key {
		case "Package", "Version", "Maintainer", "Architecture", "Description", "Section", "Priority", "Homepage", "Depends":
			cur[strings.ToLower(key)] = value
		case "Installed-Size", "Size":
			if v, err := strconv.ParseInt(value, 10, 64); err == nil {
				cur[strings.ToLower(strings.ReplaceAll(key, "-", "_"))] = v
			}
		case "Tag":
			cur["tags"] = strings.Split(value, ", ")
		}
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	if len(base) == 0 {
		return nil, fmt.Errorf("%s holds no packages", file)
	}
	out := make([][]byte, n)
	for i := range out {
		d := base[i%len(base)]
		d["round"] = i / len(base)
		d["seq"] = i
		d["built"] = time.Unix(1600000000+int64(i)*613, 0).UTC().Format(time.RFC3339)
		if out[i], err = json.Marshal(d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func size(all [][]byte) (n int) {
	for _, d := range all {
		n += len(d)
	}
	return n
}

func call(s *side, method, path, body string) ([]byte, error) {
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %d %.400s", method, path, resp.StatusCode, b)
	}
	return b, err
}

func timed(s *side, method, path, body string) (float64, error) {
	start := time.Now()
	_, err := call(s, method, path, body)
	return time.Since(start).Seconds(), err
}

const mapping = `{"settings":{"number_of_shards":1,"number_of_replicas":0,"index.requests.cache.enable":false},"mappings":{"properties":{
"package":{"type":"keyword"},"version":{"type":"keyword"},"maintainer":{"type":"text","fields":{"raw":{"type":"keyword"}}},"architecture":{"type":"keyword"},"description":{"type":"text"},
"section":{"type":"keyword"},"priority":{"type":"keyword"},"homepage":{"type":"keyword"},"depends":{"type":"text"},"installed_size":{"type":"long"},"size":{"type":"long"},"tags":{"type":"keyword"},
"round":{"type":"integer"},"seq":{"type":"integer"},"built":{"type":"date"}}}}`

// index sends the documents with two clients, 1,000 a request, and refreshes.
func index(s *side, all [][]byte) (float64, error) {
	if _, err := call(s, "HEAD", "/bench", ""); err != nil {
		if _, err := call(s, "PUT", "/bench", mapping); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	const step = 1000
	next := make(chan int)
	errs := make(chan error, 2)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for at := range next {
				var b bytes.Buffer
				for i := at; i < min(at+step, len(all)); i++ {
					fmt.Fprintf(&b, "{\"index\":{\"_id\":\"%d\"}}\n%s\n", i, all[i])
				}
				answer, err := call(s, "POST", "/bench/_bulk?filter_path=errors", b.String())
				if err == nil && !bytes.Contains(answer, []byte("false")) {
					err = fmt.Errorf("bulk: %s", answer)
				}
				if err != nil {
					select {
					case errs <- err:
					default:
					}
				}
			}
		})
	}
	for at := 0; at < len(all); at += step {
		next <- at
	}
	close(next)
	wg.Wait()
	select {
	case err := <-errs:
		return 0, err
	default:
	}
	_, err := call(s, "POST", "/bench/_refresh", "")
	return time.Since(start).Seconds(), err
}

func indexSize(s *side) (float64, error) {
	if _, err := call(s, "POST", "/bench/_flush", ""); err != nil {
		return 0, err
	}
	b, err := call(s, "GET", "/bench/_stats/store", "")
	if err != nil {
		return 0, err
	}
	var r struct {
		All struct {
			Primaries struct {
				Store struct {
					Bytes float64 `json:"size_in_bytes"`
				}
			}
		} `json:"_all"`
	}
	err = json.Unmarshal(b, &r)
	return r.All.Primaries.Store.Bytes / 1e6, err
}

func snapshot(s *side, name string) (float64, error) {
	body := fmt.Sprintf(`{"type":"fs","settings":{"location":%q,"max_snapshot_bytes_per_sec":"0","max_restore_bytes_per_sec":"0"}}`, filepath.Join(*repo, s.name))
	if _, err := call(s, "PUT", "/_snapshot/bench", body); err != nil {
		return 0, err
	}
	return timed(s, "PUT", "/_snapshot/bench/"+name+"?wait_for_completion=true", `{"indices":"bench"}`)
}

func restore(s *side) (float64, error) {
	if _, err := call(s, "DELETE", "/bench", ""); err != nil {
		return 0, err
	}
	start := time.Now()
	if _, err := call(s, "POST", "/_snapshot/bench/first/_restore?wait_for_completion=true", `{"indices":"bench"}`); err != nil {
		return 0, err
	}
	_, err := call(s, "POST", "/bench/_search", kinds[0].body)
	return time.Since(start).Seconds(), err
}

// anon returns the anonymous memory of a process in MB.
func anon(pid int) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return math.NaN()
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, _ := strconv.ParseFloat(strings.Fields(v)[0], 64)
			return n / 1024
		}
	}
	return math.NaN()
}

func queries(ours, peer *side) error {
	product, n, worst := 0.0, 0, math.Inf(1)
	for _, k := range kinds {
		var p [2][2]float64
		var times [2][]float64
		if err := sameAnswers(ours, peer, k.body); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
		for j := range *warm + *repeat { // in turns, so that both meet the same disturbances
			for i, s := range []*side{ours, peer} {
				start := time.Now()
				if _, err := call(s, "POST", "/bench/_search", k.body); err != nil {
					return fmt.Errorf("%s: %s: %w", k.name, s.name, err)
				}
				if j >= *warm {
					times[i] = append(times[i], time.Since(start).Seconds()*1000)
				}
			}
		}
		for i := range times {
			slices.Sort(times[i])
			p[i] = [2]float64{times[i][len(times[i])/2], times[i][len(times[i])*99/100]}
		}
		row("query "+k.name+", p50 ms", p[0][0], p[1][0], false)
		row("query "+k.name+", p99 ms", p[0][1], p[1][1], false)
		r := p[1][0] / p[0][0]
		product += math.Log(r)
		worst = min(worst, r)
		n++
	}
	fmt.Printf("| **queries, geometric mean of p50 ratios** | | | **%.2f** |\n| **worst kind** | | | **%.2f** |\n", math.Exp(product/float64(n)), worst)
	return nil
}

var kinds = []struct{ name, body string }{
	{"term", `{"query":{"term":{"package":"bash"}}}`},
	{"match one word", `{"query":{"match":{"description":"library"}}}`},
	{"match two words", `{"query":{"match":{"description":"python library"}}}`},
	{"match all words", `{"query":{"match":{"description":{"query":"development files","operator":"and"}}}}`},
	{"match many words", `{"query":{"match":{"description":"fast small tool for network data files"}}}`},
	{"phrase", `{"query":{"match_phrase":{"description":"shared library"}}}`},
	{"bool filter", `{"query":{"bool":{"must":[{"match":{"description":"server"}}],"filter":[{"term":{"section":"net"}}]}}}`},
	{"bool must_not", `{"query":{"bool":{"must":[{"match":{"description":"data"}}],"must_not":[{"term":{"section":"libs"}}]}}}`},
	{"range long", `{"query":{"range":{"installed_size":{"gte":1000,"lt":2000}}}}`},
	{"range date", `{"query":{"range":{"built":{"gte":"2021-01-01","lt":"2021-06-01"}}}}`},
	{"prefix", `{"query":{"prefix":{"package":"lib"}}}`},
	{"wildcard", `{"query":{"wildcard":{"package":"*-dev"}}}`},
	{"regexp", `{"query":{"regexp":{"package":"lib[a-c].*"}}}`},
	{"fuzzy", `{"query":{"fuzzy":{"package":"pythn3"}}}`},
	{"terms", `{"query":{"terms":{"section":["net","web","mail","database"]}}}`},
	{"exists", `{"query":{"exists":{"field":"homepage"}}}`},
	{"query string", `{"query":{"query_string":{"query":"description:(python OR perl) AND section:python"}}}`},
	{"multi match", `{"query":{"multi_match":{"query":"debian python","fields":["description","maintainer^2"]}}}`},
	{"sort long", `{"query":{"match":{"description":"library"}},"sort":[{"size":"desc"}]}`},
	{"sort date", `{"sort":[{"built":"desc"}]}`},
	{"sort keyword", `{"query":{"term":{"section":"net"}},"sort":[{"package":"asc"}]}`},
	{"match all", `{"query":{"match_all":{}}}`},
	{"deep page", `{"query":{"match":{"description":"library"}},"from":5000,"size":10}`},
	{"agg terms", `{"size":0,"aggs":{"a":{"terms":{"field":"section"}}}}`},
	{"agg terms many", `{"size":0,"aggs":{"a":{"terms":{"field":"package","size":100}}}}`},
	{"agg terms stats", `{"size":0,"aggs":{"a":{"terms":{"field":"section"},"aggs":{"s":{"stats":{"field":"installed_size"}}}}}}`},
	{"agg histogram", `{"size":0,"aggs":{"a":{"histogram":{"field":"installed_size","interval":10000}}}}`},
	{"agg date histogram", `{"size":0,"aggs":{"a":{"date_histogram":{"field":"built","calendar_interval":"month"}}}}`},
	{"agg cardinality", `{"size":0,"aggs":{"a":{"cardinality":{"field":"package"}}}}`},
	{"agg range filtered", `{"size":0,"query":{"match":{"description":"library"}},"aggs":{"a":{"range":{"field":"size","ranges":[{"to":10000},{"from":10000,"to":1000000},{"from":1000000}]}},"m":{"avg":{"field":"size"}}}}`},
}
