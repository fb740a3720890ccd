package snapshot

import (
	"context"
	"sync/atomic"

	"github.com/varve-search/varve/blob/storecheck"
	"github.com/varve-search/varve/internal/apierr"
)

// Analysis tries out whether the store of a repository can be trusted with one.
type Analysis struct {
	opened *opened
	opts   storecheck.Options
	check  atomic.Pointer[string]
}

// OpenAnalysis prepares to try out the store of a repository; nothing is sent yet.
func (s *Service) OpenAnalysis(name string, opts storecheck.Options) (*Analysis, error) {
	rec := s.store.View().Repository(name)
	if rec == nil {
		return nil, apierr.RepositoryMissing(name)
	}
	if readOnly(rec) {
		return nil, apierr.IllegalArgument("repository [%s] is read-only", name)
	}
	o, err := s.open(name)
	if err != nil {
		return nil, err
	}
	a := &Analysis{opened: o, opts: opts}
	a.opts.Step = func(check string) { a.check.Store(&check) }
	return a, nil
}

// Check is what is being tried out; "" before it begins.
func (a *Analysis) Check() string {
	if p := a.check.Load(); p != nil {
		return *p
	}
	return ""
}

// Run tries the store out. The error is the cause of the context's end; what is wrong with the store is in the report.
func (a *Analysis) Run(ctx context.Context) (*storecheck.Report, error) {
	return storecheck.Run(ctx, a.opened.store, a.opts)
}
