package rest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"path"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/task"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/repository"
)

func (a *API) routeIntegrity(rt *Router) {
	rt.Handle("POST", "/_snapshot/{repository}/_verify_integrity", a.verifyIntegrity)
}

// integrityRequest reads the parameters, which are Elasticsearch's.
func integrityRequest(r *Request) (snapshot.IntegrityRequest, error) {
	req := snapshot.IntegrityRequest{Repository: r.Param("repository")}
	var err error
	if req.Contents, err = r.Bool("verify_blob_contents", false); err != nil {
		return req, err
	}
	if req.MaxBytesPerSec, err = settings.ParseBytes(r.ParamOr("max_bytes_per_sec", "40mb"), "max_bytes_per_sec"); err != nil {
		return req, apierr.IllegalArgument("%v", err)
	}
	number := func(name string, def int) int {
		n, nerr := r.Int(name, def)
		if nerr == nil && n < 0 {
			nerr = apierr.IllegalArgument("[%s] must not be negative", name)
		}
		if err == nil {
			err = nerr
		}
		return n
	}
	req.MaxFailedShards = number("max_failed_shard_snapshots", 10000)
	req.Blobs = number("blob_thread_pool_concurrency", 1)
	// All of these bound requests for metadata, of which here is one kind; 0 leaves it to the server.
	for _, name := range []string{"meta_thread_pool_concurrency", "snapshot_verification_concurrency", "index_verification_concurrency", "index_snapshot_verification_concurrency"} {
		req.Metadata = max(req.Metadata, number(name, 0))
	}
	const most = 64
	req.Metadata, req.Blobs = min(req.Metadata, most), min(req.Blobs, most)
	return req, err
}

// verifyIntegrity looks at all of a repository as a task, and streams what it finds.
func (a *API) verifyIntegrity(r *Request) (*Response, error) {
	req, err := integrityRequest(r)
	if err != nil {
		return nil, err
	}
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	look, err := a.Snapshots.OpenIntegrity(req)
	if err != nil {
		return nil, err
	}
	spec := task.Spec{Action: "cluster:admin/repository/verify_integrity", Description: "verify integrity of repository [" + req.Repository + "]", Cancellable: true}
	if id := r.HTTP.Header.Get("X-Opaque-Id"); id != "" {
		spec.Headers = map[string]string{"X-Opaque-Id": id}
	}
	stream := func(w io.Writer) error {
		t, ctx, err := a.Tasks.Start(r.Context(), spec)
		if err != nil {
			return err
		}
		t.SetStatus(func() any { return integrityStatus(look.Status()) })
		e := &integrityLog{w: w, human: human}
		res, err := look.Run(ctx, e.anomaly)
		if cancelled := t.Cancelled(); cancelled != nil {
			err = apierr.New(http.StatusBadRequest, "task_cancelled_exception", "%s", cancelled)
		}
		t.Finish(nil, err)
		return e.end(look, res, err)
	}
	// What changes the whole answer needs all of it.
	if r.wantsWhole() {
		var b bytes.Buffer
		if err := stream(&b); err != nil {
			return nil, err
		}
		return OK(json.RawMessage(b.Bytes()))
	}
	return &Response{Status: http.StatusOK, Stream: stream}, nil
}

// integrityLog writes the answer: {"log":[…],"results":{…}}.
type integrityLog struct {
	w     io.Writer
	human bool
	some  bool
}

// entry writes one entry of the log.
func (e *integrityLog) entry(fill func(o *xcontent.Object)) error {
	now := time.Now()
	o := xcontent.Obj("timestamp_in_millis", now.UnixMilli())
	if e.human {
		o.Add("timestamp", isoMillis(now.UnixMilli()))
	}
	fill(o)
	var b bytes.Buffer
	b.WriteString(map[bool]string{false: `{"log":[`, true: ","}[e.some])
	e.some = true
	if err := xcontent.Append(&b, o); err != nil {
		return err
	}
	_, err := e.w.Write(b.Bytes())
	return err
}

func (e *integrityLog) anomaly(f repository.Finding) error {
	return e.entry(func(o *xcontent.Object) {
		o.Add("anomaly", f.Problem).Add("severity", f.Severity.String())
		if f.Snapshot != "" {
			o.Add("snapshot", xcontent.Obj("snapshot", f.Snapshot))
		}
		if f.Index != "" {
			o.Add("index", xcontent.Obj("name", f.Index))
		}
		if f.Shard >= 0 {
			o.Add("shard_id", f.Shard)
		}
		o.Add("blob_name", path.Base(f.Blob)).Add("blob", f.Blob)
		if f.File != "" {
			o.Add("physical_file_name", f.File)
		}
		if f.Err != nil {
			o.Add("exception", xcontent.Obj("type", "repository_exception", "reason", f.Err.Error()))
		}
	})
}

// end writes what can be restored, index by index and snapshot by snapshot, and the results.
func (e *integrityLog) end(look *snapshot.Integrity, res *snapshot.IntegrityResult, failed error) error {
	if err := e.restorable(res.Restorable); err != nil {
		return err
	}
	st := look.Status()
	results := xcontent.Obj("status", integrityStatus(st), "final_repository_generation", res.FinalGeneration, "total_anomalies", res.Anomalies)
	switch {
	case failed != nil:
		ae := apierr.As(translate(failed))
		reason := xcontent.Obj("type", "repository_verification_exception", "reason", failed.Error())
		if ae != nil {
			reason = xcontent.Obj("type", ae.Type, "reason", ae.Reason)
		}
		results.Add("result", "incomplete").Add("exception", reason)
	case res.FinalGeneration != st.Generation && st.TotalSnapshots > 0:
		results.Add("result", "inconclusive: the repository changed meanwhile")
	case res.Anomalies > 0:
		results.Add("result", "fail")
	default:
		results.Add("result", "pass")
	}
	if len(res.Unsupported) > 0 {
		o := &xcontent.Object{}
		for _, reason := range sortedKeys(res.Unsupported) {
			o.Add(reason, res.Unsupported[reason])
		}
		results.Add("checksums_only", o)
	}
	var b bytes.Buffer
	if !e.some {
		b.WriteString(`{"log":[`)
	}
	b.WriteString(`],"results":`)
	if err := xcontent.Append(&b, results); err != nil {
		return err
	}
	b.WriteString("}")
	_, err := e.w.Write(b.Bytes())
	return err
}

func (e *integrityLog) restorable(list []repository.Restorability) error {
	type count struct{ all, good int }
	indices := map[string]*count{}
	for _, s := range list {
		bad := map[string]bool{}
		lost := []any{}
		for _, p := range s.Parts {
			bad[p.Index] = true
			part := xcontent.Obj("problem", p.Problem)
			if p.Index != "" {
				part.Add("index", p.Index)
			}
			if p.Shard >= 0 {
				part.Add("shard_id", p.Shard)
			}
			lost = append(lost, part)
		}
		for _, name := range s.Indices {
			if indices[name] == nil {
				indices[name] = &count{}
			}
			indices[name].all++
			if !bad[name] && !bad[""] {
				indices[name].good++
			}
		}
		if err := e.entry(func(o *xcontent.Object) {
			o.Add("snapshot", xcontent.Obj("snapshot", s.Snapshot.Name, "uuid", s.Snapshot.UUID, "state", s.State.String()))
			o.Add("restorability", xcontent.Obj("restorable", s.Restorable, "total_shard_count", s.Shards, "lost_shard_count", s.Lost, "lost", lost))
		}); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(indices) {
		c := indices[name]
		if err := e.entry(func(o *xcontent.Object) {
			o.Add("index", xcontent.Obj("name", name))
			o.Add("snapshot_restorability", xcontent.Obj("total_snapshot_count", c.all, "restorable_snapshot_count", c.good))
		}); err != nil {
			return err
		}
	}
	return nil
}

func integrityStatus(s snapshot.IntegrityStatus) *xcontent.Object {
	pair := func(done, total int64) *xcontent.Object { return xcontent.Obj("verified", done, "total", total) }
	return xcontent.Obj("repository", xcontent.Obj("name", s.Repository, "uuid", s.UUID, "generation", s.Generation),
		"snapshots", pair(s.Snapshots, s.TotalSnapshots), "indices", pair(s.Indices, s.TotalIndices),
		"index_snapshots", pair(s.IndexSnapshots, s.TotalIndexSnapshots), "blobs", xcontent.Obj("verified", s.Blobs, "bytes_verified", s.Bytes))
}
