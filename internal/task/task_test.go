package task

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestProgressAndResult(t *testing.T) {
	r := NewRegistry("n")
	step := make(chan struct{})
	tk, err := r.Go(context.Background(), Spec{Action: "a:b/c", Description: "d", Owner: "me", Headers: map[string]string{"X-Opaque-Id": "x"}}, func(ctx context.Context, tk *Task) (any, error) {
		c := tk.Counter("files")
		c.SetTotal(10)
		c.Add(3)
		tk.SetStatus(func() any { return "going" })
		step <- struct{}{}
		<-step
		return 42, nil
	})
	check(t, err)
	<-step
	in, err := r.Get(tk.ID())
	check(t, err)
	if in.Completed || in.Owner != "me" || in.Status != "going" || len(in.Progress) != 1 || in.Progress[0] != (Progress{"files", 3, 10}) {
		t.Fatalf("%+v", in)
	}
	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := r.Wait(short, tk.ID()); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	step <- struct{}{}
	in, err = r.Wait(context.Background(), tk.ID())
	check(t, err)
	if !in.Completed || in.Result != 42 || in.Err != nil || in.Status != "going" || len(r.List(Filter{})) != 0 {
		t.Fatalf("%+v", in)
	}
	check(t, r.Close(context.Background()))
}

func TestCancelReachesDescendants(t *testing.T) {
	r := NewRegistry("n")
	top, ctx, err := r.Start(context.Background(), Spec{Action: "top", Cancellable: true})
	check(t, err)
	child, cctx, err := r.Start(ctx, Spec{Action: "child"})
	check(t, err)
	far, fctx, err := r.Start(context.Background(), Spec{Action: "far", Parent: child.ID()})
	check(t, err)
	other, octx, err := r.Start(context.Background(), Spec{Action: "other", Parent: ID{"m", 7}})
	check(t, err)
	if err := r.Cancel(context.Background(), child.ID(), "x"); !errors.Is(err, ErrNotCancellable) {
		t.Fatal(err)
	}
	if got := r.List(Filter{Parent: top.ID()}); len(got) != 1 || got[0].ID != child.ID() {
		t.Fatalf("%+v", got)
	}
	if got := r.List(Filter{Actions: []string{"*a*"}}); len(got) != 1 || got[0].ID != far.ID() {
		t.Fatalf("%+v", got)
	}
	check(t, r.Cancel(context.Background(), top.ID(), "by the user"))
	for _, c := range []context.Context{ctx, cctx, fctx} {
		if cause := context.Cause(c); !errors.Is(cause, ErrCancelled) || cause.Error() != "task cancelled [by the user]" {
			t.Fatalf("cause %v", cause)
		}
	}
	late, lctx, err := r.Start(context.Background(), Spec{Parent: top.ID()})
	check(t, err)
	if lctx.Err() == nil || octx.Err() != nil {
		t.Fatal("a late child runs, or a stranger was cancelled")
	}
	r.Ban(ID{"m", 7}, "gone")
	if octx.Err() == nil {
		t.Fatal("a child of a banned parent runs")
	}
	r.Unban(ID{"m", 7})
	for _, tk := range []*Task{late, other, far, child, top} {
		tk.Finish(nil, tk.Cancelled())
		tk.Finish("twice", nil)
	}
	if in, _ := r.Get(top.ID()); !in.Completed || !in.Cancelled || !errors.Is(in.Err, ErrCancelled) || in.Result != nil {
		t.Fatalf("%+v", in)
	}
}

func TestCloseAndBounds(t *testing.T) {
	r := NewRegistry("n")
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range keepFinished {
				tk, _, err := r.Start(context.Background(), Spec{Action: "short"})
				if err != nil {
					t.Error(err)
					return
				}
				tk.Counter("x").Add(1)
				tk.Info()
				tk.Finish(nil, nil)
			}
		}()
	}
	wg.Wait()
	if len(r.finished) != keepFinished {
		t.Fatalf("%d finished tasks are remembered", len(r.finished))
	}
	if _, err := r.Get(ID{"n", 1}); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	tk, err := r.Go(context.Background(), Spec{Action: "long"}, func(ctx context.Context, _ *Task) (any, error) {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	})
	check(t, err)
	check(t, r.Close(context.Background()))
	if in := tk.Info(); !in.Completed || !errors.Is(in.Err, ErrCancelled) {
		t.Fatalf("%+v", in)
	}
	if _, _, err := r.Start(context.Background(), Spec{}); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

func TestID(t *testing.T) {
	for _, id := range []ID{{}, {"abc", 12}} {
		if got, err := ParseID(id.String()); err != nil || got != id {
			t.Errorf("%v %v", got, err)
		}
	}
	for _, bad := range []string{"x", ":1", "x:", "x:y"} {
		if _, err := ParseID(bad); err == nil || err.Error() != fmt.Sprintf("malformed task id %s", bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestOnCancel lets a task decide itself what a cancel does.
func TestOnCancel(t *testing.T) {
	bg := context.Background()
	r := NewRegistry("n")
	began := time.Now().Add(-time.Hour)
	tk, ctx, err := r.Start(bg, Spec{Action: "a", Cancellable: true, Started: began})
	check(t, err)
	refusal, asked := errors.New("too late"), ""
	check(t, tk.OnCancel(func(_ context.Context, reason string) error {
		asked = reason
		return refusal
	}))
	if err := r.Cancel(bg, tk.ID(), "why"); !errors.Is(err, refusal) || asked != "why" || tk.Cancelled() != nil {
		t.Fatalf("a refused cancel: %v, %q, %v", err, asked, tk.Cancelled())
	}
	if done, refused := r.CancelMatching(bg, Filter{}, "why"); len(done) != 0 || len(refused) != 1 || refused[0].ID != tk.ID() || !errors.Is(refused[0].Err, refusal) {
		t.Fatalf("%v %v", done, refused)
	}
	refusal = nil
	check(t, r.Cancel(bg, tk.ID(), "why"))
	if in := tk.Info(); !in.Cancelled || in.Running < time.Hour || ctx.Err() != nil {
		t.Fatalf("after the cancel: %+v, its context: %v", in, ctx.Err())
	}
	tk.Finish(nil, tk.Cancelled())
	if err := r.Cancel(bg, tk.ID(), "again"); !errors.Is(err, ErrNotFound) {
		t.Errorf("the cancel of what is over: %v", err)
	}

	late, _, err := r.Start(bg, Spec{Action: "b", Cancellable: true})
	check(t, err)
	check(t, r.Cancel(bg, late.ID(), "early"))
	if err := late.OnCancel(func(context.Context, string) error { return nil }); !errors.Is(err, ErrCancelled) {
		t.Errorf("a task that was cancelled before: %v", err)
	}

	// The end of the process is no cancel of the work.
	end, ectx, err := r.Start(bg, Spec{Action: "c", Cancellable: true})
	check(t, err)
	check(t, end.OnCancel(func(context.Context, string) error { t.Error("it was asked"); return nil }))
	check(t, r.Close(bg))
	if ectx.Err() == nil {
		t.Error("the context lives on")
	}
}
