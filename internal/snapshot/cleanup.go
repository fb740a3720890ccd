package snapshot

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/telemetry"
	"github.com/varve-search/varve/repository"
)

// Cleanup removes blobs that nothing refers to. Nothing else of this cluster may write to the repository meanwhile. It looks into the
// folders of shards where work of this cluster was given up since the last clean-up that did, or if deep is set: then it finds what
// others left there, too. It goes on when ctx ends; it is a task that can be cancelled.
func (s *Service) Cleanup(ctx context.Context, name string, deep bool) (*repository.CleanupReport, error) {
	o, err := s.open(name)
	if err != nil {
		return nil, err
	}
	if readOnly(o.record) {
		return nil, refuseWrite(o.record, "cannot run cleanup on readonly repository")
	}
	me := &state.RepositoryCleanup{UUID: state.NewUUID(), Node: s.store.NodeID(), Started: time.Now().UTC(), State: jobStarted}
	err = s.record(ctx, me.UUID, opCleanup, name, func(tx *state.Tx) error {
		rec := tx.Repository(name)
		if rec == nil {
			return apierr.RepositoryMissing(name)
		}
		if n := tx.Node(me.Node); n != nil {
			me.Process = n.EphemeralID
		}
		if err := refuseCleanup(tx.View, rec); err != nil {
			return err
		}
		next := *rec
		next.Cleanup = me
		tx.Put(&next)
		return nil
	})
	if err != nil {
		return nil, err
	}
	// From here on nobody else changes the root: the record keeps the others away, and the next process finds it abandoned.
	type end struct {
		report *repository.CleanupReport
		err    error
	}
	ended := make(chan end, 1)
	err = s.begins(func() {
		report, err := s.runCleanup(ctx, name, o, me, deep)
		ended <- end{report, err}
	})
	if err != nil { // the service has ended: nothing was begun
		s.unmeter(me.UUID)
		return nil, errors.Join(err, s.endCleanup(context.WithoutCancel(ctx), name, me.UUID, cleanupEnd{}))
	}
	select {
	case e := <-ended:
		return e.report, e.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// recordPatience is how long the end of a clean-up is tried to be recorded when the service has ended.
const recordPatience = 3 * time.Second

// runCleanup does a clean-up that is recorded. ctx only gives values.
func (s *Service) runCleanup(ctx context.Context, name string, o *opened, me *state.RepositoryCleanup, deep bool) (*repository.CleanupReport, error) {
	rctx, forget := context.WithCancel(context.WithoutCancel(ctx)) // for what must be recorded
	defer forget()
	defer context.AfterFunc(s.ctx, func() { time.AfterFunc(recordPatience, forget) })()
	wctx, done := s.stoppable(rctx, me.UUID)
	defer done()
	wctx, stop := context.WithCancel(wctx)
	defer stop()
	defer context.AfterFunc(s.ctx, stop)()
	sctx, span := s.cfg.Tracer.Below(s.metered(wctx, me.UUID), opCleanup, telemetry.String("varve.repository", name))
	report, deep, err := s.cleanUpNow(sctx, name, o, me, deep)
	span.End(err)
	result := resultOf(nil, err)
	if rec := s.store.View().Repository(name); err != nil && rec != nil && rec.Cleanup != nil && rec.Cleanup.UUID == me.UUID && rec.Cleanup.Cancelled != "" {
		err, result = cleanupCancelled(name, rec.Cleanup.Cancelled), resultCancelled
	}
	end := cleanupEnd{deep: deep, leaves: s.takeAbandoned(name) || deep && err != nil, cost: noted(s.costOf(me.UUID, opCleanup, name, me.Started), err, nil), result: result}
	defer s.unmeter(me.UUID)
	if report != nil {
		end.data = report.Data
		end.leaves = end.leaves || len(report.Warnings)+len(report.Kept) > 0
	}
	if uerr := s.endCleanup(rctx, name, me.UUID, end); err == nil {
		err = uerr
	}
	if err != nil {
		return nil, s.describe(name, err)
	}
	for _, w := range report.Warnings {
		s.log.Warn("a clean-up left blobs behind", "repository", name, "error", w)
	}
	return report, nil
}

// cleanUpNow returns too whether it looked into the folders of shards.
func (s *Service) cleanUpNow(ctx context.Context, name string, o *opened, me *state.RepositoryCleanup, deep bool) (*repository.CleanupReport, bool, error) {
	var report *repository.CleanupReport
	deep = s.takeAbandoned(name) || deep
	if !deep {
		if report = s.tidy(ctx, name, o); report != nil {
			return report, false, nil
		}
	}
	err := s.onRoot(ctx, name, o, func(data *repository.Data, _ int64) (err error) {
		rec := s.store.View().Repository(name) // as settle left it
		deep = s.takeAbandoned(name) || deep || rec == nil || rec.Untidy
		report, err = o.repo.Cleanup(s.deleting(ctx), data, repository.CleanupOptions{RootOnly: !deep, Commit: func(ctx context.Context) error { return s.commitCleanup(ctx, name, me.UUID) }})
		return err
	})
	return report, deep, err
}

// tidy returns the report of a clean-up that has nothing to do, or nil where one must look closer. It needs a root that this process has seen as the
// newest, and that is this cluster's.
func (s *Service) tidy(ctx context.Context, name string, o *opened) *repository.CleanupReport {
	rec := s.store.View().Repository(name)
	data, _ := o.kept()
	if rec == nil || rec.Untidy || rec.Blocked != "" || data == nil || data.Generation != rec.Generation {
		return nil
	}
	if d := differenceOf(rec.Known, data); !d.none() {
		return nil
	}
	if ok, err := o.repo.Tidy(ctx, data); err != nil || !ok {
		return nil
	}
	return &repository.CleanupReport{Result: repository.Result{Data: data}}
}

// commitCleanup records that a clean-up is about to write the root, unless it was cancelled.
func (s *Service) commitCleanup(ctx context.Context, name, uuid string) error {
	return s.store.Update(ctx, func(tx *state.Tx) error {
		rec := tx.Repository(name)
		if rec == nil || rec.Cleanup == nil || rec.Cleanup.UUID != uuid || rec.Cleanup.Cancelled != "" {
			return errStopped
		}
		next, c := *rec, *rec.Cleanup
		c.State = jobFinalizing
		next.Cleanup = &c
		tx.Put(&next)
		return nil
	})
}

// cleanupEnd is what a clean-up leaves in the records.
type cleanupEnd struct {
	data   *repository.Data // the root, if it is known
	deep   bool             // the folders of shards were looked into
	leaves bool             // and something may still be there
	cost   *state.OperationCost
	result string
}

// refuseCleanup refuses a clean-up beside anything else.
func refuseCleanup(v *state.View, rec *state.Repository) error {
	refuse := func(format string, args ...any) error {
		return apierr.New(http.StatusInternalServerError, "illegal_state_exception", format, args...)
	}
	switch q := queueOf(v, rec.Name); {
	case rec.Cleanup != nil:
		return refuse("Cannot cleanup [%s] - a repository cleanup is already in-progress in [%s]", rec.Name, rec.Cleanup.UUID)
	case len(q) > 0 && q[0].deletion != nil:
		return refuse("Cannot cleanup [%s] - a snapshot is currently being deleted in [%v]", rec.Name, q[0].deletion.Names)
	case len(q) > 0:
		var names []string
		for _, op := range q {
			if op.job != nil {
				names = append(names, op.job.Name)
			}
		}
		return refuse("Cannot cleanup [%s] - a snapshot is currently running in [SnapshotsInProgress[%s]]", rec.Name, strings.Join(names, ","))
	}
	return nil
}

// abandoned says that a clean-up's process is gone.
func (s *Service) abandoned(v *state.View, c *state.RepositoryCleanup) bool {
	n := v.Node(c.Node)
	return n == nil || n.EphemeralID != c.Process
}

// endCleanup removes the record of a clean-up and notes what it left, and what it cost if that is known.
func (s *Service) endCleanup(ctx context.Context, name, uuid string, end cleanupEnd) error {
	return s.store.Update(ctx, func(tx *state.Tx) error {
		rec := tx.Repository(name)
		if rec == nil || rec.Cleanup == nil || rec.Cleanup.UUID != uuid {
			return nil
		}
		next := *rec
		if end.data != nil {
			next = *remember(rec, end.data)
		}
		next.Cleanup, next.Untidy = nil, end.leaves || next.Untidy && !end.deep
		tx.Put(&next)
		if end.cost != nil {
			putCost(tx, end.cost, end.result)
		}
		return nil
	})
}

// clusterName is what the repository's root names as who wrote it.
func (s *Service) clusterName() string {
	if c := s.store.View().Cluster(); c != nil {
		return c.Name + "/" + c.UUID
	}
	return ""
}
