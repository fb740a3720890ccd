package repotool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/node"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// ServeOptions of Serve.
type ServeOptions struct {
	Location string
	Snapshot string // "" takes the newest that is not FAILED
	Indices  []string
	// Port to listen on; 0 takes a free one.
	Port int
	// Cache bounds the blocks of the repository that are kept on the disk, in bytes; 0: as much as a server takes.
	Cache   int64
	Version string // of this program
	Log     *slog.Logger
}

// Served says where a repository is served.
type Served struct {
	URL        string   `json:"url"`
	Snapshot   string   `json:"snapshot"`
	Indices    []string `json:"indices"`
	Repository string   `json:"repository"` // its name in the server
}

// servedAs is the name that the repository has in the server.
const servedAs = "repo"

// stopServer is how long the server may take to stop.
const stopServer = 20 * time.Second

// Serve starts a server on a temporary folder with the repository registered read-only, and the indices of a snapshot
// readable where they lie: nothing of them is copied beforehand. It prints where it answers, ready is called (if it is set), and
// when ctx ends everything is taken away.
func Serve(ctx context.Context, p *Printer, o ServeOptions, ready func(Served)) (err error) {
	r, err := Open(ctx, o.Location)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, blob.Close(r.Store)) }()
	snapshot, err := r.newest(ctx, o.Snapshot)
	if err != nil {
		return err
	}
	chosen, err := r.chooseIndices(snapshot, o.Indices)
	if err != nil {
		return err
	}
	if err := r.reachable(ctx, snapshot, chosen); err != nil {
		return err
	}
	data, err := os.MkdirTemp("", "varve-open-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	cfg := settings.Settings{"path.data": data, "http.port": fmt.Sprint(o.Port), "cluster.name": "varve-open", "node.name": "varve-open"}
	if o.Cache > 0 {
		cfg["node.search.cache.size"] = fmt.Sprintf("%db", o.Cache)
	}
	s, err := node.StartOn(ctx, cfg, o.Version, o.Log, node.Stores{Open: r.onlyThis, Remote: options(ctx).RemoteStore, RemoteTranslog: remoteTranslog(options(ctx))})
	if err != nil {
		return err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopServer)
		defer cancel()
		err = errors.Join(err, s.Stop(stopCtx))
	}()
	out := Served{URL: s.URL(), Snapshot: snapshot.Name, Repository: servedAs, Indices: []string{}}
	whole, err := r.lackOperations(ctx, snapshot, chosen)
	if err != nil {
		return err
	}
	if err := mount(ctx, s.URL(), o.Location, snapshot.Name, o.Indices, whole); err != nil {
		return err
	}
	for _, ix := range chosen {
		out.Indices = append(out.Indices, ix.Name)
	}
	if err := p.served(&out, len(o.Indices) == 0); err != nil {
		return err
	}
	if ready != nil {
		ready(out)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.Failed():
		return err
	}
}

func (p *Printer) served(s *Served, all bool) error {
	if p.JSON {
		return p.object(s)
	}
	index := "INDEX"
	if len(s.Indices) > 0 {
		index = s.Indices[0]
	}
	what := plural(len(s.Indices), "index", "indices")
	if all {
		what = "the " + what
	}
	return p.printf(`%s
shows %s of snapshot %s, read-only. Ctrl-C ends it and leaves nothing behind.

  curl '%s/_cat/indices?v'
  curl '%s/%s/_search?size=3&pretty'
  curl '%s/_snapshot/%s/_all?pretty'
`, p.paint(green, s.URL), what, s.Snapshot, s.URL, s.URL, url.PathEscape(index), s.URL, s.Repository)
}

// newest returns the snapshot of that name, or the newest of which something can be restored.
func (r *Repo) newest(ctx context.Context, name string) (repository.SnapshotID, error) {
	if name != "" {
		s, err := r.named(name)
		return s.SnapshotID, err
	}
	var best *repository.SnapshotInfo
	for _, s := range r.Data.Snapshots {
		i, err := r.SnapshotInfo(ctx, s.SnapshotID)
		if err != nil && ofOneBlob(err) {
			continue // of the others something may be restored
		}
		if err != nil {
			return repository.SnapshotID{}, err
		}
		if i.State != repository.StateSuccess && i.State != repository.StatePartial {
			continue
		}
		if best == nil || i.StartTime >= best.StartTime {
			best = i
		}
	}
	if best == nil {
		return repository.SnapshotID{}, fmt.Errorf("%s has no snapshot of which something could be restored", r.Location)
	}
	return best.SnapshotID, nil
}

// onlyThis is how the server opens its repositories: there is one, and it is read-only whatever its settings say.
func (r *Repo) onlyThis(rec *state.Repository) (blob.Container, error) {
	if rec.Name != servedAs {
		return nil, apierr.New(http.StatusBadRequest, "repository_exception", "[%s] this server shows %s as [%s] and has no other repository", rec.Name, r.Location, servedAs)
	}
	return r.Store, nil
}

// remoteTranslog is where the operations are that files lack: beside the files, if nothing else was said.
func remoteTranslog(o repository.Options) repository.RemoteStore {
	if o.RemoteTranslog != nil {
		return o.RemoteTranslog
	}
	return o.RemoteStore
}

// lackOperations tells whether the files of a shard are not all that the snapshot has of it, so that they cannot be searched where they lie.
func (r *Repo) lackOperations(ctx context.Context, id repository.SnapshotID, indices []repository.IndexEntry) (bool, error) {
	info, err := r.SnapshotInfo(ctx, id)
	if err != nil || info.PinnedTimestamp == 0 {
		return false, err
	}
	for _, ix := range indices {
		n, err := r.ShardCount(ctx, r.Data, id, ix.Name)
		if err != nil {
			return false, err
		}
		for n := range n {
			sh, err := r.Shard(ctx, ix.IndexID, n)
			if err != nil {
				return false, err
			}
			if _, ops, err := sh.State(ctx, id); err != nil || ops != nil {
				return ops != nil, withHint(err)
			}
		}
	}
	return false, nil
}

// mount registers the repository and restores a snapshot: in place, or whole, into the server's own folder, where nothing can be written
// to the indices either.
func mount(ctx context.Context, base, location, snapshot string, indices []string, whole bool) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	call := func(method, path string, body any) error {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(b))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		if err == nil && res.StatusCode/100 != 2 {
			err = fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text)
		}
		return err
	}
	scheme, _, _ := strings.Cut(location, ":")
	if err := call("PUT", "/_snapshot/"+servedAs, map[string]any{"type": scheme, "settings": map[string]any{"location": location, "readonly": true}}); err != nil {
		return err
	}
	want := "*"
	if len(indices) > 0 {
		want = strings.Join(indices, ",")
	}
	restore := map[string]any{"indices": want, "include_global_state": false, "partial": true, "storage_type": "remote_snapshot"}
	if whole {
		delete(restore, "storage_type")
		restore["index_settings"] = map[string]any{"index.blocks.write": true}
	}
	return call("POST", "/_snapshot/"+servedAs+"/"+url.PathEscape(snapshot)+"/_restore?wait_for_completion=true", restore)
}
