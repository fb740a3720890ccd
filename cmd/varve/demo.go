package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	_ "embed" // the demo's data
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/varve-search/varve/internal/node"
	"github.com/varve-search/varve/internal/settings"
)

//go:embed demodata/cities.ndjson.gz
var cities []byte

const citiesMapping = `{"settings":{"number_of_shards":2,"number_of_replicas":0},"mappings":{"properties":{
"name":{"type":"text","fields":{"raw":{"type":"keyword"}}},"other_names":{"type":"text"},"country":{"type":"keyword"},"country_code":{"type":"keyword"},
"continent":{"type":"keyword"},"currency":{"type":"keyword"},"timezone":{"type":"keyword"},"population":{"type":"long"},"geonameid":{"type":"long"},"location":{"type":"geo_point"}}}}`

func demoCommand() *cobra.Command {
	var file, dir, port string
	var exit, asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See the main job: index, snapshot, restore",
		Long: `Start a server with a data folder of its own, index 6,204 real cities (GeoNames, CC BY 4.0)
or your own documents, take a snapshot, change the index, take another, delete the index,
restore both snapshots side by side, and prove that each holds what it should.

The server keeps running until you press Ctrl-C, unless --exit is given.`,
		Example: `  varve demo
  varve demo --data my.ndjson
  varve demo --exit`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &demo{ctx: cmd.Context(), out: cmd.OutOrStdout(), json: asJSON}
			return d.run(file, dir, port, exit)
		},
	}
	cmd.Flags().StringVar(&file, "data", "", "documents to index instead: a file with one JSON object a line")
	cmd.Flags().StringVar(&dir, "dir", "", "folder for the server's data and its repository (default: a new temporary one)")
	cmd.Flags().StringVar(&port, "port", "9200-9300", "port of the server, or a range to choose from")
	cmd.Flags().BoolVar(&exit, "exit", false, "stop when everything is proved")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print each step as JSON on a line")
	return cmd
}

// demo runs the steps against a server over HTTP, as any client would.
type demo struct {
	ctx  context.Context //nolint:containedctx // of the command
	out  io.Writer
	json bool
	url  string
	step int
}

// say tells what was done, in one line.
func (d *demo) say(format string, args ...any) {
	d.step++
	text := fmt.Sprintf(format, args...)
	if d.json {
		_ = json.NewEncoder(d.out).Encode(map[string]any{"step": d.step, "text": text}) // nobody reads if this fails
		return
	}
	fmt.Fprintf(d.out, "%2d  %s\n", d.step, text)
}

func (d *demo) run(file, dir, port string, exit bool) (err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "varve-demo-"); err != nil {
			return err
		}
		if exit {
			defer os.RemoveAll(dir)
		}
	}
	docs, what, err := demoDocuments(file)
	if err != nil {
		return err
	}
	repo := filepath.Join(dir, "repository")
	start := time.Now()
	s, err := node.Start(d.ctx, settings.Settings{"path.data": filepath.Join(dir, "data"), "path.repo": repo, "http.port": port,
		"cluster.name": "varve-demo", "node.name": "demo"}, version, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), stopWithin)
		defer cancel()
		err = errors.Join(err, s.Stop(ctx))
	}()
	d.url = s.URL()
	d.say("The server answers at %s after %s; its data and repository are in %s.", d.url, since(start), dir)
	if err := d.story(docs, what, file == ""); err != nil {
		return err
	}
	if exit {
		return nil
	}
	d.farewell(repo, file == "")
	select {
	case <-d.ctx.Done():
		return nil
	case err := <-s.Failed():
		return err
	}
}

func since(t time.Time) string { return time.Since(t).Round(time.Millisecond).String() }

// story is what the demo proves.
func (d *demo) story(docs [][]byte, what string, cities bool) error {
	for _, name := range []string{"demo", "demo-before", "demo-after"} {
		if _, err := d.call("DELETE", "/"+name+"?ignore_unavailable=true", nil); err != nil {
			return err
		}
	}
	mapping := `{"settings":{"number_of_shards":2,"number_of_replicas":0}}`
	if cities {
		mapping = citiesMapping
	}
	if _, err := d.call("PUT", "/demo", []byte(mapping)); err != nil {
		return err
	}
	start := time.Now()
	if err := d.index(docs); err != nil {
		return err
	}
	before, err := d.count("demo")
	if err != nil {
		return err
	}
	if before != len(docs) {
		return fmt.Errorf("%d documents were indexed and %d are found", len(docs), before)
	}
	d.say("Indexed %d documents (%s) in %s.", before, what, since(start))
	if _, err := d.call("PUT", "/_snapshot/demo", []byte(`{"type":"fs","settings":{"location":"demo","max_snapshot_bytes_per_sec":"0"}}`)); err != nil {
		return err
	}
	if err := d.snapshot("before"); err != nil {
		return err
	}
	after, err := d.change(docs)
	if err != nil {
		return err
	}
	if err := d.snapshot("after"); err != nil {
		return err
	}
	if _, err := d.call("DELETE", "/demo", nil); err != nil {
		return err
	}
	d.say("Deleted the index.")
	if err := d.restore("after", `{"indices":"demo","include_global_state":false}`, "demo", after); err != nil {
		return err
	}
	if err := d.restore("before", `{"indices":"demo","include_global_state":false,"rename_pattern":"(.+)","rename_replacement":"$1-before"}`, "demo-before", before); err != nil {
		return err
	}
	return d.prove(before, after)
}

// index sends the documents in bulks of 2,000, with their line as id.
func (d *demo) index(docs [][]byte) error {
	for at := 0; at < len(docs); at += 2000 {
		var b bytes.Buffer
		for i, doc := range docs[at:min(at+2000, len(docs))] {
			fmt.Fprintf(&b, "{\"index\":{\"_id\":\"%d\"}}\n", at+i)
			b.Write(doc)
			b.WriteByte('\n')
		}
		if err := d.bulk(b.Bytes()); err != nil {
			return err
		}
	}
	_, err := d.call("POST", "/demo/_refresh", nil)
	return err
}

func (d *demo) bulk(body []byte) error {
	answer, err := d.call("POST", "/demo/_bulk", body)
	if err != nil {
		return err
	}
	var res struct {
		Errors bool
		Items  []map[string]struct{ Error any }
	}
	if err := json.Unmarshal(answer, &res); err != nil {
		return err
	}
	if res.Errors {
		for _, it := range res.Items {
			for _, op := range it {
				if op.Error != nil {
					return fmt.Errorf("a document was refused: %v", op.Error)
				}
			}
		}
	}
	return nil
}

// change deletes every tenth document, marks every seventh, and returns how many are left.
func (d *demo) change(docs [][]byte) (int, error) {
	var b bytes.Buffer
	deleted, marked := 0, 0
	for i := range docs {
		switch {
		case i%10 == 0:
			fmt.Fprintf(&b, "{\"delete\":{\"_id\":\"%d\"}}\n", i)
			deleted++
		case i%7 == 0:
			fmt.Fprintf(&b, "{\"update\":{\"_id\":\"%d\"}}\n{\"doc\":{\"demo_changed\":true}}\n", i)
			marked++
		}
	}
	if err := d.bulk(b.Bytes()); err != nil {
		return 0, err
	}
	if _, err := d.call("POST", "/demo/_refresh", nil); err != nil {
		return 0, err
	}
	left, err := d.count("demo")
	if err == nil && left != len(docs)-deleted {
		err = fmt.Errorf("%d documents should be left after deleting %d, and %d are found", len(docs)-deleted, deleted, left)
	}
	d.say("Deleted %d documents and changed %d.", deleted, marked)
	return left, err
}

func (d *demo) snapshot(name string) error {
	start := time.Now()
	if _, err := d.call("DELETE", "/_snapshot/demo/"+name, nil); err != nil && !strings.Contains(err.Error(), "snapshot_missing_exception") {
		return err
	}
	answer, err := d.call("PUT", "/_snapshot/demo/"+name+"?wait_for_completion=true", []byte(`{"indices":"demo","include_global_state":false}`))
	if err != nil {
		return err
	}
	var res struct{ Snapshot struct{ State string } }
	if err := json.Unmarshal(answer, &res); err != nil {
		return err
	}
	if res.Snapshot.State != "SUCCESS" {
		return fmt.Errorf("snapshot %s ended as %s: %s", name, res.Snapshot.State, answer)
	}
	answer, err = d.call("GET", "/_snapshot/demo/"+name+"/_status", nil)
	if err != nil {
		return err
	}
	var status struct {
		Snapshots []struct {
			Stats struct {
				Incremental, Total struct {
					Files int   `json:"file_count"`
					Bytes int64 `json:"size_in_bytes"`
				}
			}
		}
	}
	if err := json.Unmarshal(answer, &status); err != nil || len(status.Snapshots) != 1 {
		return fmt.Errorf("the status of snapshot %s cannot be read: %w", name, err)
	}
	st := status.Snapshots[0].Stats
	d.say("Took the snapshot %q in %s: %d of its %d files were new (%s of %s).", name, since(start), st.Incremental.Files, st.Total.Files,
		settings.FormatBytes(st.Incremental.Bytes), settings.FormatBytes(st.Total.Bytes))
	return nil
}

func (d *demo) restore(snapshot, body, index string, want int) error {
	start := time.Now()
	answer, err := d.call("POST", "/_snapshot/demo/"+snapshot+"/_restore?wait_for_completion=true", []byte(body))
	if err != nil {
		return err
	}
	var res struct {
		Snapshot struct{ Shards struct{ Failed int } }
	}
	if err := json.Unmarshal(answer, &res); err != nil {
		return err
	}
	if res.Snapshot.Shards.Failed > 0 {
		return fmt.Errorf("the restore of %s failed: %s", snapshot, answer)
	}
	got, err := d.count(index)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("index %s holds %d documents after the restore, not %d", index, got, want)
	}
	d.say("Restored %q as the index %s in %s: %d documents, as there were.", snapshot, index, since(start), got)
	return nil
}

// prove asks both restored indices for what changed between the snapshots.
func (d *demo) prove(before, after int) error {
	changed, err := d.search("demo", `{"query":{"term":{"demo_changed":true}}}`)
	if err != nil {
		return err
	}
	none, err := d.search("demo-before", `{"query":{"exists":{"field":"demo_changed"}}}`)
	if err != nil {
		return err
	}
	if none != 0 || changed == 0 {
		return fmt.Errorf("%d changed documents are in the later snapshot and %d in the earlier one", changed, none)
	}
	d.say("Proved: the later snapshot has %d documents, %d of them changed; the earlier one has %d, none changed.", after, changed, before)
	return nil
}

func (d *demo) search(index, body string) (int, error) {
	answer, err := d.call("POST", "/"+index+"/_search?size=0&track_total_hits=true", []byte(body))
	if err != nil {
		return 0, err
	}
	var res struct {
		Hits struct{ Total struct{ Value int } }
	}
	err = json.Unmarshal(answer, &res)
	return res.Hits.Total.Value, err
}

func (d *demo) count(index string) (int, error) {
	answer, err := d.call("GET", "/"+index+"/_count", nil)
	if err != nil {
		return 0, err
	}
	var res struct{ Count int }
	err = json.Unmarshal(answer, &res)
	return res.Count, err
}

func (d *demo) call(method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(d.ctx, method, d.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s answered %d: %s", method, path, resp.StatusCode, answer)
	}
	return answer, nil
}

// demoDocuments returns the documents to index, and what they are.
func demoDocuments(file string) ([][]byte, string, error) {
	var in io.Reader
	what := "cities of the world: GeoNames, CC BY 4.0"
	if file == "" {
		gz, err := gzip.NewReader(bytes.NewReader(cities))
		if err != nil {
			return nil, "", err
		}
		in = gz
	} else {
		f, err := os.Open(file)
		if err != nil {
			return nil, "", err
		}
		defer f.Close()
		in, what = f, file
	}
	var docs [][]byte
	sc := bufio.NewScanner(in)
	sc.Buffer(nil, 64<<20)
	for n := 1; sc.Scan(); n++ {
		line := bytes.TrimSpace(sc.Bytes())
		if len(line) == 0 {
			continue
		}
		if line[0] != '{' || !json.Valid(line) {
			return nil, "", fmt.Errorf("line %d of %s is not a JSON object", n, file)
		}
		docs = append(docs, bytes.Clone(line))
	}
	if err := sc.Err(); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", file, err)
	}
	if len(docs) == 0 {
		return nil, "", fmt.Errorf("%s holds no documents", file)
	}
	return docs, what, nil
}

// farewell tells what to try next.
func (d *demo) farewell(repo string, cities bool) {
	if d.json {
		return
	}
	query := `{"query":{"match_all":{}}}`
	if cities {
		query = `{"query":{"match":{"name":"san"}},"sort":[{"population":"desc"}],"aggs":{"countries":{"terms":{"field":"country"}}}}`
	}
	fmt.Fprintf(d.out, `
The server keeps running until you press Ctrl-C. Try:

  curl '%[1]s/_cat/indices?v'
  curl -H 'Content-Type: application/json' '%[1]s/demo/_search?pretty' -d '%[3]s'
  curl '%[1]s/_snapshot/demo/_all?pretty'
  varve repo ls fs:%[2]s/demo
  varve repo cat fs:%[2]s/demo before demo | head -n 3
`, d.url, repo, query)
}
