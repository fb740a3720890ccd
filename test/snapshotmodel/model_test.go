package snapshotmodel

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/faulty"
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/task"
	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/repository"
)

var (
	sequencesFlag = flag.Int("sequences", 200, "how many random sequences are run")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// span is between which moments of a shard's history a snapshot was taken.
type span struct{ from, to int }

type place struct {
	index string
	shard int
}

// taken is a snapshot that was asked for.
type taken struct {
	name, uuid string
	spans      map[place]span
	success    bool // it was reported
	err        error
	info       *repository.SnapshotInfo
}

// model knows what a sequence of operations may have led to.
type model struct {
	t       *testing.T
	n       *node
	rnd     *rand.Rand
	repo    string
	history map[place]*history

	mu       sync.Mutex
	byUUID   map[string]*taken
	names    []string        // of all that was asked for
	deleted  map[string]int  // how many deletions of a name were asked for and not cancelled
	aborted  map[string]bool // names whose deletion was asked for: a snapshot that is being taken then stays aborted
	canceled int             // operations that were told to be cancelled
	count    int
	pending  sync.WaitGroup
	restored int
	flawless bool // no fault was injected: every snapshot must succeed that nobody deletes
}

func (m *model) places(index string) []place {
	var out []place
	for s := range indices[index] {
		out = append(out, place{index, s})
	}
	return out
}

func allPlaces() []place {
	var out []place
	for name, shards := range indices {
		for s := range shards {
			out = append(out, place{name, s})
		}
	}
	slices.SortFunc(out, func(a, b place) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return out
}

// mutate writes some documents.
func (m *model) mutate() {
	for range 1 + m.rnd.Intn(3) {
		places := allPlaces()
		p := places[m.rnd.Intn(len(places))]
		d := m.history[p].last()
		ids := universe(p.shard)
		id := ids[m.rnd.Intn(len(ids))]
		value := fmt.Sprint(m.rnd.Int31())
		if m.rnd.Intn(4) == 0 {
			value = ""
			delete(d, id)
		} else {
			d[id] = `{"v":"` + value + `"}`
		}
		// A snapshot may see the write before it is noted, so it is noted before.
		m.history[p].add(d)
		check(m.t, m.n.write(p.index, p.shard, id, value))
		m.history[p].written()
	}
}

func (m *model) newName(kind string) string {
	m.count++
	return fmt.Sprintf("%s%d", kind, m.count)
}

func (m *model) anyName() string {
	if len(m.names) == 0 {
		return "none"
	}
	return m.names[m.rnd.Intn(len(m.names))]
}

// background runs an operation beside the others.
func (m *model) background(do func(ctx context.Context)) {
	m.pending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		do(ctx)
	})
}

func (m *model) create() {
	name := m.newName("s")
	m.names = append(m.names, name)
	req := snapshot.CreateRequest{Repository: m.repo, Snapshot: name, Options: wildcard.StrictExpandOpen, IncludeGlobalState: m.rnd.Intn(2) == 0, Indices: []string{"one", "two"}}
	if m.rnd.Intn(3) == 0 {
		req.Indices = req.Indices[m.rnd.Intn(2):][:1]
	}
	s := m.n.svc()
	m.background(func(ctx context.Context) {
		k := &taken{name: name, spans: map[place]span{}}
		for _, ix := range req.Indices {
			for _, p := range m.places(ix) {
				k.spans[p] = span{from: m.history[p].acknowledged(), to: -1}
			}
		}
		uuid, err := s.Create(ctx, req)
		if err != nil && uuid == "" {
			return
		}
		k.uuid = uuid
		m.mu.Lock()
		m.byUUID[uuid] = k
		m.mu.Unlock()
		info, err := s.Wait(ctx, m.repo, uuid)
		m.cancelled(err)
		m.mu.Lock()
		defer m.mu.Unlock()
		k.err, k.info = err, info
		k.success = err == nil && info.State == repository.StateSuccess
	})
}

func (m *model) clone() {
	source, target := m.anyName(), m.newName("c")
	m.names = append(m.names, target)
	s := m.n.svc()
	m.background(func(ctx context.Context) {
		err := s.Clone(ctx, snapshot.CloneRequest{Repository: m.repo, Source: source, Target: target, Indices: []string{"*"}}) // the end looks at what is there
		m.cancelled(err)
	})
}

func (m *model) remove() {
	name := m.anyName()
	names := []string{name}
	if m.rnd.Intn(3) == 0 {
		names = append(names, m.anyName())
	}
	m.mu.Lock()
	for _, name := range names { // names are not used twice
		m.deleted[name]++
		m.aborted[name] = true
	}
	m.mu.Unlock()
	s := m.n.svc()
	m.background(func(ctx context.Context) {
		_, err := s.Delete(ctx, m.repo, names) // the end looks at what is there
		if m.cancelled(err) {                  // then it deleted nothing
			m.mu.Lock()
			defer m.mu.Unlock()
			for _, name := range names {
				m.deleted[name]--
			}
		}
	})
}

// cancelled says whether an operation ended by a cancel.
func (m *model) cancelled(err error) bool {
	is := apierr.Is(err, "task_cancelled_exception")
	if is {
		m.mu.Lock()
		m.canceled++
		m.mu.Unlock()
	}
	return is
}

// cancel cancels one of the operations in progress, whatever it is.
func (m *model) cancel() {
	if list := m.n.tasks.List(task.Filter{Actions: []string{"cluster:admin/*"}}); len(list) > 0 {
		_ = m.n.tasks.Cancel(context.Background(), list[m.rnd.Intn(len(list))].ID, "by the model") // it may be too late
	}
}

func (m *model) cleanup() {
	s, deep := m.n.svc(), m.rnd.Intn(2) == 0
	m.background(func(ctx context.Context) {
		_, err := s.Cleanup(ctx, m.repo, deep) // refused beside others, and may fail
		m.cancelled(err)
	})
}

// faults returns a hook that lets requests fail in all ways now and then.
func (m *model) faults() faulty.Hook {
	var mu sync.Mutex
	rnd := rand.New(rand.NewSource(m.rnd.Int63()))
	p := []float64{0, 0.005, 0.03}[rnd.Intn(3)]
	lists, slow := rnd.Intn(3) == 0, rnd.Intn(2) == 0
	m.flawless = m.flawless && p == 0
	return func(o faulty.Op) faulty.Fault {
		mu.Lock()
		defer mu.Unlock()
		if lists && o.Kind == "list" && rnd.Intn(4) == 0 && !strings.HasPrefix(o.Name, "index-") {
			return faulty.Fault{Lag: int64(rnd.Intn(20))}
		}
		if rnd.Float64() >= p {
			if slow && o.Kind == "put" && strings.Contains(o.Name, "/1/") { // of one index shard 1 alone: others overtake it
				return faulty.Fault{Delay: time.Duration(rnd.Intn(8)) * time.Millisecond}
			}
			if rnd.Intn(20) == 0 {
				return faulty.Fault{Delay: time.Duration(rnd.Intn(3)) * time.Millisecond}
			}
			return faulty.Fault{}
		}
		data := strings.Contains(o.Name, "/__")
		switch rnd.Intn(7) {
		case 0:
			return faulty.Fault{Before: faulty.Fail(blob.KindThrottled)}
		case 1:
			return faulty.Fault{After: faulty.Fail(blob.KindUnavailable)}
		case 2:
			return faulty.Fault{Cut: true, Truncate: int64(rnd.Intn(200))}
		case 3:
			return faulty.Fault{Forget: o.Kind == "put" && data}
		case 4:
			return faulty.Fault{Twice: o.Kind == "put"}
		case 5:
			return faulty.Fault{Flip: o.Kind == "get", FlipAt: int64(rnd.Intn(50))}
		}
		return faulty.Fault{Before: faulty.Fail(blob.KindUnavailable)}
	}
}

func (m *model) step() {
	switch m.rnd.Intn(18) {
	case 0, 1, 2, 3, 4:
		m.create()
	case 5, 6:
		m.remove()
	case 7, 8:
		m.clone()
	case 9:
		m.cleanup()
	case 10:
		h := m.faults()
		m.flawless = false
		m.n.crash(m.rnd)
		m.n.hook.Store(&h)
	case 11, 12:
		m.mutate()
	case 13:
		time.Sleep(time.Duration(m.rnd.Intn(10)) * time.Millisecond)
	case 14, 15:
		time.Sleep(time.Duration(m.rnd.Intn(6)) * time.Millisecond)
		m.cancel()
	default:
		m.pending.Wait()
		m.note()
	}
}

// note closes the spans of snapshots whose operations are all over.
func (m *model) note() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.byUUID {
		for p, s := range k.spans {
			if s.to < 0 {
				s.to = m.history[p].now()
				k.spans[p] = s
			}
		}
	}
}

// settle waits until nothing is in progress any more.
func (m *model) settle() {
	m.n.calm()
	done := make(chan struct{})
	go func() { m.pending.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		m.t.Fatalf("operations hang: %s", m.inProgress())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_, err := m.n.store.WaitFor(ctx, func(v *state.View) bool {
		return len(v.SnapshotJobs())+len(v.SnapshotDeletions()) == 0 && v.Repository(m.repo).Cleanup == nil
	})
	if err != nil {
		m.t.Fatalf("jobs hang: %v: %s", err, m.inProgress())
	}
	m.note()
}

func (m *model) inProgress() string {
	v := m.n.store.View()
	var b strings.Builder
	for _, j := range v.SnapshotJobs() {
		fmt.Fprintf(&b, "job %+v\n", *j)
		for _, p := range v.SnapshotShards(j.UUID) {
			fmt.Fprintf(&b, "  part %+v\n", *p)
		}
	}
	for _, d := range v.SnapshotDeletions() {
		fmt.Fprintf(&b, "deletion %+v\n", *d)
	}
	return b.String()
}

// verify compares the repository with the model.
func (m *model) verify() {
	m.t.Helper()
	ctx := context.Background()
	m.settle()
	repo, err := repository.Open(ctx, m.n.memory(m.repo), repository.Options{})
	check(m.t, err)
	data, err := repo.LoadData(ctx)
	check(m.t, err)
	there := map[string]bool{}
	for _, e := range data.Snapshots {
		there[e.UUID] = true
		if k := m.byUUID[e.UUID]; e.State == repository.StateSuccess && (k == nil || !k.success || m.rnd.Intn(3) == 0) {
			m.restore(data, e, k)
		}
	}
	for _, k := range m.byUUID {
		if m.flawless && !k.success && !m.aborted[k.name] && !apierr.Is(k.err, "task_cancelled_exception") {
			m.t.Fatalf("snapshot %s/%s failed without a fault: %v %+v", k.name, k.uuid, k.err, k.info)
		}
		if k.success && m.deleted[k.name] == 0 && !there[k.uuid] {
			m.t.Fatalf("snapshot %s/%s was reported successful and is gone", k.name, k.uuid)
		}
		if there[k.uuid] && apierr.Is(k.err, "task_cancelled_exception") && !m.deletionFailed(k.name) {
			m.t.Fatalf("snapshot %s/%s was cancelled and is there", k.name, k.uuid)
		}
	}
	if _, err := m.n.svc().Cleanup(ctx, m.repo, false); err != nil {
		m.t.Fatalf("clean up: %v", err)
	}
	_, err = repo.Verify(ctx, repository.VerifyOptions{Deep: true}, func(f repository.Finding) { m.t.Errorf("after a clean-up: %s", f) })
	check(m.t, err)
}

// deletionFailed tells whether a deletion of a snapshot failed, as faults let it: what was cancelled stays then, until somebody deletes it.
func (m *model) deletionFailed(name string) bool {
	return slices.ContainsFunc(m.n.store.View().OperationCosts(), func(c *state.OperationCost) bool {
		return c.Repository == m.repo && c.Operation == "deletion" && c.Result == "failed" && slices.Contains(c.Snapshots, name)
	})
}

// restore brings a snapshot back under other names and compares documents.
func (m *model) restore(data *repository.Data, e repository.SnapshotEntry, k *taken) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	m.restored++
	res, err := m.n.svc().Restore(ctx, snapshot.RestoreRequest{Repository: m.repo, Snapshot: e.Name, RenamePattern: "(.+)", RenameReplacement: "back_$1"})
	if err == nil {
		err = m.n.svc().WaitRestore(ctx, res)
	}
	if err != nil || res.Failed > 0 {
		m.t.Fatalf("restore %s: %v %v", e.Name, err, res)
	}
	defer func() {
		check(m.t, m.n.node.DeleteIndices(context.Background(), res.Indices))
	}()
	for _, name := range res.Indices {
		index := strings.TrimPrefix(name, "back_")
		for _, p := range m.places(index) {
			if _, err := m.n.node.WaitFor(ctx, 20*time.Second, func(v *state.View) bool {
				ix := v.Index(name)
				return ix != nil && v.Shard(ix.UUID, p.shard).Primary().State == state.ShardStarted
			}); err != nil {
				m.t.Fatal(err)
			}
			got, err := m.n.read(name, p.shard)
			if err != nil {
				m.t.Fatalf("read %s of %s: %v", name, e.Name, err)
			}
			s := span{0, m.history[p].now()} // of a clone the moment is not known
			if k != nil {
				s = k.spans[p]
			}
			if !m.history[p].held(got, s.from, s.to) {
				m.t.Fatalf("snapshot %s: shard %v has %v, which it did not hold between %d and %d: %v", e.Name, p, got, s.from, s.to, m.history[p].states[s.from:s.to+1])
			}
		}
	}
}

func TestRandomSequences(t *testing.T) {
	if os.Getenv("VARVE_LONG") != "" {
		*sequencesFlag *= 10
	}
	seed := testseed.Of(t)
	n := startNode(t)
	hist := map[place]*history{}
	for _, p := range allPlaces() {
		hist[p] = &history{states: []docs{{}}}
	}
	restored, snapshots, canceled := 0, 0, 0
	for i := range *sequencesFlag {
		rnd := rand.New(rand.NewSource(seed + int64(i)))
		m := &model{t: t, n: n, rnd: rnd, repo: fmt.Sprintf("repo%d", i), history: hist, byUUID: map[string]*taken{}, deleted: map[string]int{}, aborted: map[string]bool{}, flawless: true}
		ok := t.Run(fmt.Sprint(seed+int64(i)), func(t *testing.T) {
			m.t = t
			check(t, n.svc().PutRepository(context.Background(), m.repo, "fs", settings.Settings{"location": m.repo, "max_snapshot_bytes_per_sec": "0"}, false))
			h := m.faults()
			n.hook.Store(&h)
			for range 6 + rnd.Intn(10) {
				m.step()
			}
			m.verify()
		})
		if !ok {
			t.Fatalf("sequence %d: repeat it with -seed %d -sequences 1", i, seed+int64(i))
		}
		restored += m.restored
		canceled += m.canceled
		for _, k := range m.byUUID {
			if k.success {
				snapshots++
			}
		}
		n.calm()
		if err := n.svc().DeleteRepositories(context.Background(), m.repo); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d snapshots succeeded, %d were restored, %d operations were cancelled", snapshots, restored, canceled)
	if snapshots == 0 || restored == 0 || canceled == 0 && *sequencesFlag > 20 {
		t.Fatal(errors.New("nothing was proved"))
	}
}
