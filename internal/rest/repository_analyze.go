package rest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/blob/storecheck"
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/task"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeAnalysis(rt *Router) {
	rt.Handle("POST", "/_snapshot/{repository}/_analyze", a.analyzeRepository)
}

// storeAnalysis is a request to try out a store. Its parameters are Elasticsearch's.
type storeAnalysis struct {
	repository       string
	opts             storecheck.Options
	readers, earlies int
	timeout          time.Duration
}

// Bounds of an analysis: what is above them is a slip of the pen, or would exhaust this server.
const (
	mostAnalysisBlobs       = 100_000
	mostAnalysisConcurrency = 256
	mostAnalysisContests    = 10_000
)

func analysisRequest(r *Request) (storeAnalysis, error) {
	q := storeAnalysis{repository: r.Param("repository")}
	var err error
	note := func(e error) {
		if err == nil {
			err = e
		}
	}
	number := func(name string, def, least, most int) int {
		n, e := r.Int(name, def)
		if e == nil && (n < least || n > most) {
			e = apierr.IllegalArgument("[%s] must be at least %d and at most %d, but was [%d]", name, least, most, n)
		}
		note(e)
		return n
	}
	size := func(name, def string) int64 {
		n, e := settings.ParseBytes(r.ParamOr(name, def), name)
		if e != nil {
			e = apierr.IllegalArgument("%v", e)
		} else if n <= 0 {
			e = apierr.IllegalArgument("[%s] must be greater than zero, but was [%s]", name, r.Param(name))
		}
		note(e)
		return n
	}
	yes := func(name string, def bool) bool {
		b, e := r.Bool(name, def)
		note(e)
		return b
	}
	q.opts.Blobs = number("blob_count", 100, 1, mostAnalysisBlobs)
	q.opts.Concurrency = number("concurrency", 10, 1, mostAnalysisConcurrency)
	q.opts.Contests = number("register_operation_count", 10, 1, mostAnalysisContests)
	q.readers = number("read_node_count", 10, 1, 1<<30)
	q.earlies = number("early_read_node_count", 2, 0, 1<<30)
	q.opts.EarlyReads = q.earlies > 0
	q.opts.MaxSize = size("max_blob_size", "10mb")
	q.opts.MaxTotal = size("max_total_data_size", "1gb")
	q.opts.Detailed = yes("detailed", false)
	q.opts.NoAborts = !yes("rarely_abort_writes", true)
	q.opts.Rare = 0.02
	if r.Has("rare_action_probability") {
		text := r.Param("rare_action_probability")
		p, e := strconv.ParseFloat(text, 64)
		if e != nil || !(p >= 0 && p <= 1) {
			note(apierr.IllegalArgument("[rare_action_probability] must be between 0 and 1, but was [%s]", text))
		}
		q.opts.Rare = p
	}
	seed, e := r.Int64("seed", rand.Int64()) //nolint:gosec // test data
	note(e)
	q.opts.Seed = seed
	q.timeout, e = r.Time("timeout", 30*time.Second)
	if e == nil && q.timeout <= 0 {
		e = apierr.IllegalArgument("[timeout] must be greater than zero, but was [%s]", r.Param("timeout"))
	}
	note(e)
	return q, err
}

// analyzeRepository tries out the store of a repository as a task.
func (a *API) analyzeRepository(r *Request) (*Response, error) {
	q, err := analysisRequest(r)
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
	run, err := a.Snapshots.OpenAnalysis(q.repository, q.opts)
	if err != nil {
		return nil, err
	}
	spec := task.Spec{Action: "cluster:admin/repository/analyze", Cancellable: true,
		Description: fmt.Sprintf("analyze repository [%s] with %d blobs of up to %d bytes, seed %d", q.repository, q.opts.Blobs, q.opts.MaxSize, q.opts.Seed)}
	if id := r.HTTP.Header.Get("X-Opaque-Id"); id != "" {
		spec.Headers = map[string]string{"X-Opaque-Id": id}
	}
	t, ctx, err := a.Tasks.Start(r.Context(), spec)
	if err != nil {
		return nil, err
	}
	t.SetStatus(func() any { return xcontent.Obj("check", run.Check()) })
	ctx, cancel := context.WithTimeoutCause(ctx, q.timeout, errAnalysisTimeout)
	defer cancel()
	rep, err := run.Run(ctx)
	if cancelled := t.Cancelled(); cancelled != nil {
		err = apierr.New(http.StatusBadRequest, "task_cancelled_exception", "%s", cancelled)
	}
	failed := a.analysisFailure(q, run, rep, err)
	t.Finish(nil, failed)
	if failed != nil && (rep == nil || len(rep.Issues) == 0) {
		return nil, failed
	}
	o := a.analysisObject(q, rep, human)
	if failed != nil {
		resp := renderError(failed)
		if e, ok := resp.Body.(*xcontent.Object); ok {
			o.Members = append(e.Members, o.Members...)
		}
		return &Response{Status: resp.Status, Body: o}, nil
	}
	return OK(o)
}

var errAnalysisTimeout = errors.New("the time was up")

// analysisFailure is the error that an analysis ends with, nil if the store is fit.
func (a *API) analysisFailure(q storeAnalysis, run *snapshot.Analysis, rep *storecheck.Report, err error) error {
	verification := func(format string, args ...any) *apierr.Error {
		return apierr.New(http.StatusInternalServerError, "repository_verification_exception", "[%s] %s", q.repository, fmt.Sprintf(format, args...))
	}
	switch {
	case errors.Is(err, errAnalysisTimeout):
		return verification("analysis timed out after [%s] at [%s]; give it a longer timeout, or fewer and smaller blobs", settings.FormatDuration(q.timeout), run.Check())
	case err != nil:
		return err
	case len(rep.Issues) == 0:
		return nil
	}
	var what []string
	for _, i := range rep.Issues {
		what = append(what, i.Check+": "+i.Problem+" ("+i.Advice+")")
	}
	return verification("analysis found what a repository cannot live with: %s", strings.Join(what, "; "))
}

// analysisObject renders a report in Elasticsearch's shape. What was found stands in issues_detected.
func (a *API) analysisObject(q storeAnalysis, rep *storecheck.Report, human bool) *xcontent.Object {
	nodeObject := xcontent.Obj("id", a.Store.NodeID())
	if n := a.view().Node(a.Store.NodeID()); n != nil {
		nodeObject.Add("name", n.Name)
	}
	sized := func(o *xcontent.Object, name string, n int64) {
		if human {
			o.Add(name, settings.FormatBytes(n))
		}
		o.Add(name+"_bytes", n)
	}
	timed := func(o *xcontent.Object, name string, d time.Duration) {
		if human {
			o.Add(name, d.String())
		}
		o.Add(name+"_nanos", d.Nanoseconds())
	}
	o := xcontent.Obj("coordinating_node", nodeObject, "repository", q.repository, "blob_count", q.opts.Blobs, "concurrency", q.opts.Concurrency,
		"read_node_count", q.readers, "early_read_node_count", q.earlies)
	sized(o, "max_blob_size", q.opts.MaxSize)
	sized(o, "max_total_data_size", q.opts.MaxTotal)
	o.Add("seed", q.opts.Seed).Add("rare_action_probability", q.opts.Rare).Add("blob_path", rep.Path)
	issues := []any{}
	for _, i := range rep.Issues {
		issues = append(issues, xcontent.Obj("check", i.Check, "problem", i.Problem, "advice", i.Advice))
	}
	o.Add("issues_detected", issues).Add("checks", rep.Checks)
	write, read := xcontent.Obj("count", rep.BlobsWritten), xcontent.Obj("count", rep.BlobsRead)
	sized(write, "total_size", rep.BytesWritten)
	timed(write, "total_elapsed", rep.WriteTime)
	sized(read, "total_size", rep.BytesRead)
	timed(read, "total_elapsed", rep.ReadTime)
	o.Add("summary", xcontent.Obj("write", write, "read", read))
	if q.opts.Detailed {
		details := []any{}
		for _, d := range rep.Details {
			b := xcontent.Obj("name", d.Name, "overwritten", d.Overwritten, "read_early", d.EarlyRead)
			sized(b, "size", d.Size)
			e := xcontent.Obj("blob", b, "writer_node", nodeObject)
			if d.Overwrite > 0 {
				timed(e, "overwrite_elapsed", d.Overwrite)
			}
			timed(e, "write_elapsed", d.Write)
			reads := []any{}
			if d.EarlyRead {
				reads = append(reads, xcontent.Obj("node", nodeObject, "before_write_complete", true, "found", d.EarlyFound))
			}
			if d.Read > 0 {
				rd := xcontent.Obj("node", nodeObject, "found", true)
				timed(rd, "first_byte_time", d.FirstByte)
				timed(rd, "elapsed", d.Read)
				reads = append(reads, rd)
			}
			details = append(details, e.Add("reads", reads))
		}
		o.Add("details", details)
	}
	timed(o, "listing_elapsed", rep.ListTime)
	timed(o, "delete_elapsed", rep.DeleteTime)
	return o
}
