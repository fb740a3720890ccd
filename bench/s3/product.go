package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const productBucket = "product"

// node is a search server under measurement.
type node struct {
	name, url string
	pid       int
}

// call sends a request and decodes the answer into v, if there is one.
func (n *node) call(ctx context.Context, method, path, body string, v any) error {
	req, err := http.NewRequestWithContext(ctx, method, n.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s %s: %d %.600s", n.name, method, path, resp.StatusCode, b)
	}
	if err == nil && v != nil {
		err = json.Unmarshal(b, v)
	}
	return err
}

// products compares snapshots and restores of an index.
func (b *bench) products(ctx context.Context, docs int) (err error) {
	if err := b.server.bucket(productBucket); err != nil {
		return err
	}
	varve, stop, err := b.startVarve(ctx)
	if err != nil {
		return err
	}
	defer stop()
	peer, stopPeer, err := b.startPeer(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopPeer()) }()
	if err := index(ctx, varve, docs); err != nil {
		return err
	}
	// Both hold the same files: the peer restores ours.
	if err := varve.take(ctx, "seed", "one", "bench"); err != nil {
		return err
	}
	if err := peer.register(ctx, "seed"); err != nil {
		return err
	}
	if err := peer.restore(ctx, "seed", "one", "bench", ""); err != nil {
		return err
	}
	files, bytes, count, err := b.shardFiles(filepath.Join(b.work, "varve"))
	if err != nil {
		return err
	}
	took := map[string][]float64{}
	note := func(what string, start time.Time) { took[what] = append(took[what], time.Since(start).Seconds()) }
	for round := range b.rounds {
		steps := []func() error{
			func() error { return b.productRound(ctx, varve, round, note) },
			func() error { return b.productRound(ctx, peer, round, note) },
			func() error {
				up, down, err := b.upAndDown(ctx, "varve", "index"+strconv.Itoa(round), files, "", count, func(remove func() error) error { return remove() })
				took["raw snapshot"], took["raw restore"] = append(took["raw snapshot"], up.wall), append(took["raw restore"], down.wall)
				return err
			},
		}
		mathrand.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		fmt.Fprintf(os.Stderr, "index, round %d\n", round+1)
	}
	fmt.Fprintf(b.out, "\n## An index of %d files, %.0f MiB\n\n| | varve s | OpenSearch 3.8 s | its time over ours | blob/s3 alone s | that over ours |\n|---|---:|---:|---:|---:|---:|\n", count, float64(bytes)/mib)
	for _, what := range []string{"snapshot", "restore"} {
		v, p, r := took["varve "+what], took["opensearch "+what], took["raw "+what]
		fmt.Fprintf(b.out, "| %s | %.2f (%.2f to %.2f) | %.2f (%.2f to %.2f) | %.2f | %.2f | %.2f |\n", what, median(v), slices.Min(v), slices.Max(v), median(p), slices.Min(p), slices.Max(p),
			median(ratios(p, v)), median(r), median(ratios(r, v)))
	}
	return b.requests(ctx, varve)
}

// ratios divides round by round.
func ratios(a, b []float64) []float64 {
	out := make([]float64, min(len(a), len(b)))
	for i := range out {
		out[i] = a[i] / b[i]
	}
	return out
}

// requests says what the last snapshot and restore of varve sent to the store.
func (b *bench) requests(ctx context.Context, varve *node) error {
	var stats struct {
		Repositories map[string]struct {
			Requests struct {
				ByKind map[string]int `json:"by_kind"`
			}
		}
	}
	repo := fmt.Sprint("varve-", b.rounds-1)
	if err := varve.call(ctx, "GET", "/_snapshot/"+repo+"/_stats", "", &stats); err != nil {
		return err
	}
	kinds := stats.Repositories[repo].Requests.ByKind
	var text []string
	for k, n := range kinds {
		text = append(text, fmt.Sprintf("%s %d", k, n))
	}
	slices.Sort(text)
	_, err := fmt.Fprintf(b.out, "\nRequests of varve's registration, snapshot and restore: %s.\n", strings.Join(text, ", "))
	return err
}

// productRound takes a snapshot into a fresh repository, and restores it.
func (b *bench) productRound(ctx context.Context, n *node, round int, note func(string, time.Time)) error {
	repo := fmt.Sprintf("%s-%d", n.name, round)
	if err := n.register(ctx, repo); err != nil {
		return err
	}
	b.calm(ctx)
	start := time.Now()
	if err := n.snapshot(ctx, repo, "one", "bench"); err != nil {
		return err
	}
	note(n.name+" snapshot", start)
	b.calm(ctx)
	start = time.Now()
	if err := n.restore(ctx, repo, "one", "bench", "again-"); err != nil {
		return err
	}
	note(n.name+" restore", start)
	return n.call(ctx, "DELETE", "/again-bench", "", nil)
}

func (n *node) register(ctx context.Context, repo string) error {
	return n.call(ctx, "PUT", "/_snapshot/"+repo, `{"type":"s3","settings":{"bucket":"`+productBucket+`","base_path":"`+repo+
		`","server_side_encryption_type":"bucket_default","max_snapshot_bytes_per_sec":"0","max_restore_bytes_per_sec":"0"}}`, nil)
}

func (n *node) take(ctx context.Context, repo, name, index string) error {
	if err := n.register(ctx, repo); err != nil {
		return err
	}
	return n.snapshot(ctx, repo, name, index)
}

func (n *node) snapshot(ctx context.Context, repo, name, index string) error {
	var out struct{ Snapshot struct{ State string } }
	err := n.call(ctx, "PUT", "/_snapshot/"+repo+"/"+name+"?wait_for_completion=true", `{"indices":"`+index+`","include_global_state":false}`, &out)
	if err == nil && out.Snapshot.State != "SUCCESS" {
		err = fmt.Errorf("%s: the snapshot ended as %s", n.name, out.Snapshot.State)
	}
	return err
}

// restore brings an index back under another name, and waits until all of it is there.
func (n *node) restore(ctx context.Context, repo, name, index, prefix string) error {
	var out struct {
		Snapshot struct{ Shards struct{ Total, Failed int } }
	}
	err := n.call(ctx, "POST", "/_snapshot/"+repo+"/"+name+"/_restore?wait_for_completion=true",
		`{"indices":"`+index+`","include_global_state":false,"rename_pattern":"(.+)","rename_replacement":"`+prefix+`$1"}`, &out)
	if sh := out.Snapshot.Shards; err == nil && (sh.Total == 0 || sh.Failed > 0) {
		err = fmt.Errorf("%s: %d of %d shards were not restored", n.name, sh.Failed, sh.Total)
	}
	return err
}

func (b *bench) startVarve(ctx context.Context) (*node, func(), error) {
	bin, portFile := filepath.Join(b.work, "varve-bin"), filepath.Join(b.work, "port")
	if err := command(ctx, ".", "go", "build", "-o", bin, "./cmd/varve"); err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, bin, "serve", "--log-level", "warn", "-E", "path.data="+filepath.Join(b.work, "varve"), "-E", "http.port=0", "-E", "http.port_file="+portFile)
	cmd.Env, cmd.Stderr = append(os.Environ(), b.server.env...), os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop := func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		_ = cmd.Wait()                       // by the signal
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if port, err := os.ReadFile(portFile); err == nil && len(port) > 0 {
			return &node{"varve", "http://127.0.0.1:" + strings.TrimSpace(string(port)), cmd.Process.Pid}, stop, nil
		}
	}
	stop()
	return nil, nil, errors.New("varve did not start within a minute")
}

func (b *bench) startPeer(ctx context.Context) (*node, func() error, error) {
	port, err := freePort()
	if err != nil {
		return nil, nil, err
	}
	script, data, s := filepath.Join(b.shared, "oracle", "opensearch"), filepath.Join(b.work, "peer"), b.server
	stop := func() error { return exec.Command(script, "stop", data).Run() }
	args := []string{"start", "3", "--port", port, "--data", data, "--repo", filepath.Join(b.work, "peer-repo"), "--heap", "1g", "--with", "repository-s3",
		"--set", "indices.recovery.max_bytes_per_sec=0", "--set", "s3.client.default.endpoint=" + s.endpoint, "--set", "s3.client.default.region=us-east-1",
		"--set", "s3.client.default.path_style_access=true", "--set", "secure:s3.client.default.access_key=" + s.secret("AWS_ACCESS_KEY_ID"),
		"--set", "secure:s3.client.default.secret_key=" + s.secret("AWS_SECRET_ACCESS_KEY")}
	if out, err := exec.CommandContext(ctx, script, args...).CombinedOutput(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("start OpenSearch: %w: %.600s", err, out), stop())
	}
	return &node{name: "opensearch", url: "http://127.0.0.1:" + port}, stop, nil
}

// index fills the index bench, of two shards, with documents of 10 kB of which most does not become smaller.
func index(ctx context.Context, n *node, docs int) error {
	err := n.call(ctx, "PUT", "/bench", `{"settings":{"number_of_shards":2,"number_of_replicas":0},"mappings":{"properties":{"n":{"type":"long"},"word":{"type":"keyword"},
"noise":{"type":"keyword","index":false,"doc_values":false}}}}`, nil)
	noise := make([]byte, 7200)
	for at := 0; err == nil && at < docs; {
		var body strings.Builder
		for range 250 {
			if _, err := io.ReadFull(rand.Reader, noise); err != nil {
				return err
			}
			fmt.Fprintf(&body, "{\"index\":{\"_id\":\"%d\"}}\n{\"n\":%d,\"word\":\"w%d\",\"noise\":%q}\n", at, at, at%997, base64.StdEncoding.EncodeToString(noise))
			at++
		}
		err = n.call(ctx, "POST", "/bench/_bulk", body.String(), nil)
	}
	if err != nil {
		return err
	}
	return n.call(ctx, "POST", "/bench/_flush", "", nil)
}

// shardFiles links the files of all shards of a data folder into folders of their own, as blob/s3 alone is to move them.
func (b *bench) shardFiles(data string) (dir string, bytes int64, count int, err error) {
	dir = filepath.Join(b.work, "files")
	err = filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || filepath.Base(filepath.Dir(path)) != "index" || strings.HasSuffix(path, ".lock") {
			return err
		}
		to := filepath.Join(dir, filepath.Base(filepath.Dir(filepath.Dir(path))))
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		bytes += st.Size()
		count++
		return os.Link(path, filepath.Join(to, d.Name()))
	})
	if err == nil && count == 0 {
		err = fmt.Errorf("no files of shards below %s", data)
	}
	return dir, bytes, count, err
}
