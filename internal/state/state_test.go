package state

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/internal/wildcard"
)

func TestOpenJoinReopen(t *testing.T) {
	dir := t.TempDir()
	begin := time.Now()
	s := open(t, dir)
	t.Logf("first start took %v", time.Since(begin))
	ctx := testContext(t)
	begin = time.Now()
	check(t, s.Join(ctx, Node{Name: "one"}))
	t.Logf("joining took %v", time.Since(begin))
	v := s.View()
	if v.Cluster() == nil || v.Cluster().Name != "test" || v.Manager() != "node-1" || v.Node("node-1").Name != "one" {
		t.Fatalf("%+v %s", v.Cluster(), v.Manager())
	}
	uuid := v.Cluster().UUID
	begin = time.Now()
	check(t, s.Close())
	t.Logf("closing took %v", time.Since(begin))
	begin = time.Now()
	s = open(t, dir)
	check(t, s.Join(ctx, Node{Name: "one"}))
	t.Logf("second start with joining took %v", time.Since(begin))
	if s.View().Cluster().UUID != uuid {
		t.Fatal("another cluster")
	}
}

// second connects another node to the first one's etcd, over its socket.
func second(t testing.TB, first *Store, id string) *Store {
	t.Helper()
	s, err := Open(testContext(t), Config{ClusterName: "test", Endpoints: []string{"unix://" + filepath.Join(first.embedded.sockets, "c")}, NodeID: id, LeaseTTL: time.Second})
	check(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close %s: %v", id, err)
		}
	})
	return s
}

func pipeline(name string, n int) *Pipeline {
	return &Pipeline{Stored{Name: name, Body: json.RawMessage(strconv.Itoa(n))}}
}

func value(p *Pipeline) int {
	if p == nil {
		return 0
	}
	n, _ := strconv.Atoi(string(p.Body))
	return n
}

// TestConcurrentUpdates lets two nodes update the same records at random. Each update moves an amount
// between two of them, and counts itself; a lost update would change the sum, a torn one the order.
func TestConcurrentUpdates(t *testing.T) {
	seed := uint64(testseed.Of(t))
	a := open(t, t.TempDir())
	b := second(t, a, "node-2")
	ctx := testContext(t)
	const workers, each, names = 8, 40, 6
	var wg sync.WaitGroup
	for w := range workers {
		s := a
		if w%2 == 1 {
			s = b
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			rnd := rand.New(rand.NewPCG(seed, uint64(w)))
			mine := fmt.Sprintf("worker-%d", w)
			for i := range each {
				from, to, amount := fmt.Sprint(rnd.IntN(names)), fmt.Sprint(rnd.IntN(names)), rnd.IntN(100)
				refuse := rnd.IntN(5) == 0
				err := s.Update(ctx, func(tx *Tx) error {
					if from == to {
						return nil
					}
					tx.Put(pipeline(from, value(tx.Pipeline(from))-amount))
					tx.Put(pipeline(to, value(tx.Pipeline(to))+amount))
					if refuse {
						return errRefused
					}
					tx.Put(pipeline(mine, value(tx.Pipeline(mine))+1))
					return nil
				})
				if refuse && from != to && !errors.Is(err, errRefused) || !(refuse && from != to) && err != nil {
					t.Errorf("update: %v", err)
					return
				}
				if from != to && !refuse {
					if n := value(s.View().Pipeline(mine)); n < 1 || n > i+1 {
						t.Errorf("the view after the update counts %d of at most %d", n, i+1)
					}
				}
			}
		}()
	}
	wg.Wait()
	sum, total := 0, 0
	newest := max(a.View().commitRev, b.View().commitRev)
	_, err := a.WaitFor(ctx, func(v *View) bool { return v.commitRev >= newest })
	check(t, err)
	last, err := b.WaitFor(ctx, func(v *View) bool { return v.commitRev >= newest })
	check(t, err)
	for _, p := range last.Pipelines() {
		if strings.HasPrefix(p.Name, "worker") {
			total += value(p)
		} else {
			sum += value(p)
		}
	}
	if sum != 0 || total == 0 {
		t.Fatalf("the amounts add up to %d after %d updates", sum, total)
	}
	if !reflect.DeepEqual(a.View().Pipelines(), b.View().Pipelines()) {
		t.Fatal("the nodes see different states")
	}
	fresh, _, err := a.load(ctx)
	check(t, err)
	if !reflect.DeepEqual(fresh.Pipelines(), a.View().Pipelines()) || fresh.Version != a.View().Version {
		t.Fatal("reading everything again gives another state")
	}
}

var errRefused = errors.New("refused")

// TestLargeUpdateIsAtomic writes far more than a transaction of etcd may hold.
func TestLargeUpdateIsAtomic(t *testing.T) {
	a := open(t, t.TempDir())
	b := second(t, a, "node-2")
	ctx := testContext(t)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		sub := b.Subscribe()
		for {
			_, v, err := sub.Next(ctx)
			if err != nil {
				return
			}
			n := len(v.Shards("u"))
			if n%1000 != 0 || n > 0 && (v.Index("big") == nil || len(v.Index("big").Mapping) < 2<<20) {
				t.Errorf("a view with %d shards", n)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	mapping, _ := json.Marshal(map[string]string{"x": strings.Repeat("m", 2<<20)})
	for round := range 3 {
		check(t, a.Update(ctx, func(tx *Tx) error {
			tx.Put(&Index{Name: "big", UUID: "u", Mapping: mapping, State: IndexOpen, Version: int64(round)})
			for i := range 1000 {
				tx.Put(&ShardRouting{IndexUUID: "u", Shard: i, Index: strings.Repeat("n", 1000+round)})
			}
			return nil
		}))
		if v := a.View(); len(v.Shards("u")) != 1000 || v.gate != nil || v.Shards("u")[7].Shard != 7 {
			t.Fatalf("%d shards", len(v.Shards("u")))
		}
		check(t, b.Update(ctx, func(tx *Tx) error { tx.Put(pipeline("p", round)); return nil }))
		if v := b.View(); v.Index("big").Version != int64(round) || string(v.Index("big").Mapping) != string(mapping) {
			t.Fatal("the other node updated an old state")
		}
	}
	close(stop)
	check(t, a.Update(ctx, func(tx *Tx) error {
		tx.Delete(tx.Index("big"))
		for _, sh := range tx.Shards("u") {
			tx.Delete(sh)
		}
		return nil
	}))
	<-stopped
	resp, err := a.client.Get(ctx, a.blobRoot, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	check(t, err)
	if len(resp.Kvs) != 0 {
		t.Fatalf("%d blob keys are left over, such as %s", len(resp.Kvs), resp.Kvs[0].Key)
	}
}

// TestUnfinishedStagedCommit dies between the commit and writing it out.
func TestUnfinishedStagedCommit(t *testing.T) {
	for _, how := range []string{"reopen", "other node"} {
		dir := t.TempDir()
		s := open(t, dir)
		ctx := testContext(t)
		check(t, s.Update(ctx, func(tx *Tx) error { tx.Put(pipeline("old", 1)); return nil }))
		v := s.View()
		p := &plan{writes: map[recordID]Record{{KindPipeline, "old"}: nil}, stored: map[recordID][]byte{}}
		for i := range 300 {
			r := pipeline(fmt.Sprintf("p%d", i), i)
			id := recordID{KindPipeline, r.Name}
			p.writes[id] = r
			p.stored[id], _ = encodeRecord(r)
		}
		writes, err := s.storedWrites(p)
		check(t, err)
		_, gv, err := s.stage(ctx, writes)
		check(t, err)
		mark, _ := json.Marshal(commitMark{Version: v.Version + 1, Recent: []string{"x"}})
		rev, ok, err := s.transact("x", []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(s.root+commitKey), "=", v.commitRev)},
			[]clientv3.Op{clientv3.OpPut(s.root+commitKey, string(mark)), clientv3.OpPut(s.root+gateKey, string(gv))})
		check(t, err)
		if !ok {
			t.Fatal("not committed")
		}
		check(t, s.catchUp(rev))
		if len(s.View().Pipelines()) != 300 || s.View().Pipeline("old") != nil {
			t.Fatal("the view does not have the staged commit")
		}
		other := s
		if how == "reopen" {
			check(t, s.Close())
			other = open(t, dir)
		} else {
			other = second(t, s, "node-2")
		}
		if len(other.View().Pipelines()) != 300 || other.View().gate == nil {
			t.Fatalf("%s: %d pipelines", how, len(other.View().Pipelines()))
		}
		check(t, other.Update(ctx, func(tx *Tx) error { tx.Put(pipeline("new", 1)); return nil }))
		fresh, live, err := other.load(ctx)
		check(t, err)
		if len(fresh.Pipelines()) != 301 || fresh.gate != nil || len(live) != 0 {
			t.Fatalf("%s: %d pipelines after the next update", how, len(fresh.Pipelines()))
		}
	}
}

func TestManagerAndMembership(t *testing.T) {
	a := open(t, t.TempDir())
	b := second(t, a, "node-2")
	ctx := testContext(t)
	check(t, a.Join(ctx, Node{Name: "a"}))
	check(t, b.Join(ctx, Node{Name: "b"}))
	_, err := a.WaitFor(ctx, func(v *View) bool { return len(v.Nodes()) == 2 })
	check(t, err)
	if !a.IsManager() || b.IsManager() {
		t.Fatalf("the manager is %s", a.View().Manager())
	}
	put := func(tx *Tx) error { tx.Put(pipeline("p", 1)); return nil }
	check(t, a.UpdateAsManager(ctx, put))
	if err := b.UpdateAsManager(ctx, put); !errors.Is(err, ErrNotManager) {
		t.Fatalf("update by another node: %v", err)
	}
	check(t, b.Announce(func(n *Node) { n.HTTPAddress = "127.0.0.1:1" }))
	_, err = a.WaitFor(ctx, func(v *View) bool { return v.Node("node-2").HTTPAddress == "127.0.0.1:1" })
	check(t, err)

	// A node whose lease ends without its doing comes back, and the other takes over meanwhile.
	_, err = a.client.Revoke(ctx, clientv3.LeaseID(a.View().candidates[0].lease))
	check(t, err)
	_, err = b.WaitFor(ctx, func(v *View) bool { return v.Manager() == "node-2" && len(v.Nodes()) == 2 })
	check(t, err)
	check(t, b.UpdateAsManager(ctx, put))
	if err := a.UpdateAsManager(ctx, put); !errors.Is(err, ErrNotManager) {
		t.Fatalf("update by the former manager: %v", err)
	}
	check(t, b.Close())
	_, err = a.WaitFor(ctx, func(v *View) bool { return v.Manager() == "node-1" && len(v.Nodes()) == 1 })
	check(t, err)
}

func TestSubscribeAndChanges(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := testContext(t)
	sub := s.Subscribe()
	_, v, err := sub.Next(ctx)
	check(t, err)
	check(t, s.Update(ctx, func(tx *Tx) error {
		tx.Put(&Index{Name: "a", UUID: "ua", State: IndexOpen, Aliases: map[string]Alias{"al": {}}})
		tx.Put(&Index{Name: "b", UUID: "ub", State: IndexClosed})
		if tx.Index("a") == nil || !tx.Names().HasAlias("al") || tx.IndexByUUID("ub") == nil {
			t.Error("the transaction does not see its writes")
		}
		return nil
	}))
	check(t, s.Update(ctx, func(tx *Tx) error {
		c := tx.Index("a").Clone()
		c.Version++
		tx.Put(c)
		tx.Delete(&Index{Name: "b"})
		tx.Put(&Index{Name: "c", UUID: "uc"})
		return nil
	}))
	old, cur, err := sub.Next(ctx)
	check(t, err)
	if old != v || cur.Version < v.Version+2 {
		t.Fatal("wrong views")
	}
	ch := cur.Changes(old, KindIndex)
	if len(ch) != 2 || ch[0].Name != "a" || ch[0].Old != nil || ch[1].Name != "c" {
		t.Fatalf("%+v", ch)
	}
	if got, err := cur.Names().Indices(wildcard.StrictExpandOpen, "al"); err != nil || got[0] != "a" {
		t.Fatal(got, err)
	}
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, _, err := sub.Next(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	check(t, s.Close())
	if _, _, err := sub.Next(ctx); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if err := s.Update(ctx, func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

func TestRefusals(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := testContext(t)
	var secret *SecretError
	for _, r := range []Record{
		&Repository{Name: "r", Settings: settings.Settings{"secret_key": "x"}},
		&ClusterSettings{Persistent: settings.Settings{"s3.client.default.access_key": "x"}},
	} {
		if err := s.Update(ctx, func(tx *Tx) error { tx.Put(r); return nil }); !errors.As(err, &secret) {
			t.Fatalf("a secret was accepted: %v", err)
		}
	}
	for _, r := range []Record{&Node{ID: "x"}, &Index{}} {
		if err := s.Update(ctx, func(tx *Tx) error { tx.Put(r); return nil }); err == nil {
			t.Fatalf("%T was accepted", r)
		}
	}
	before := s.View()
	check(t, s.Update(ctx, func(tx *Tx) error { tx.Delete(&Index{Name: "none"}); return nil }))
	if s.View().Version != before.Version {
		t.Fatal("an update without effect was committed")
	}
	// The record of a newer version stops the store rather than being overlooked.
	_, err := s.client.Put(ctx, s.root+"index/future", "\x09{}")
	check(t, err)
	if _, _, err := s.load(ctx); err == nil {
		t.Fatal("a record of unknown form was overlooked")
	}
}

// A name may hold anything.
func TestKeys(t *testing.T) {
	for _, r := range []Record{
		pipeline("a/b c%2F~", 1), &ShardRouting{IndexUUID: "u", Shard: 3}, &SnapshotShard{JobUUID: "j", Index: "i", Shard: 4}, &Index{Name: "ü.%"},
	} {
		k, name, ok := parseKey(keyOf(r.kind(), r.name()))
		if !ok || k != r.kind() || name != r.name() {
			t.Errorf("%T %q came back as %q", r, r.name(), name)
		}
	}
	seen := map[string]bool{}
	for k := range kinds {
		if seen[kinds[k].folder] || kinds[k].fresh().kind() != Kind(k) {
			t.Errorf("kind %d", k)
		}
		seen[kinds[k].folder] = true
	}
}

// TestKill kills a process in the middle of updates, several times over: what it had acknowledged is
// there.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(uint64(testseed.Of(t)), 0))
	for round := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "VARVE_STATE_CRASH_CHILD="+dir)
		out, err := cmd.StdoutPipe()
		check(t, err)
		check(t, cmd.Start())
		lines := bufio.NewScanner(out)
		acked := -1
		stop := 40 + rnd.IntN(120)
		for lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Errorf("child: %s", lines.Text())
				break
			}
			if acked = n; n == stop {
				if _, err := OpenIdentity(dir); !errors.Is(err, ErrLocked) {
					t.Errorf("the folder of a living process: %v", err)
				}
				check(t, cmd.Process.Kill())
			}
		}
		_ = cmd.Wait()
		id, err := OpenIdentity(dir)
		check(t, err)
		s, err := Open(testContext(t), Config{ClusterName: "test", Dir: dir, NodeID: id.ID})
		check(t, err)
		for n := max(0, acked-199); n <= acked; n++ {
			p := s.View().Pipeline(fmt.Sprintf("p%d", n%200))
			var body struct{ N int }
			if p == nil || json.Unmarshal(p.Body, &body) != nil || body.N != n && body.N != n+200 && n != acked+1 {
				t.Fatalf("round %d: update %d of %d is lost: %v", round, n, acked, body.N)
			}
			if n%50 == 49 && len(s.View().Shards(fmt.Sprintf("u%d", n))) != 150 {
				t.Fatalf("round %d: the large update %d is not whole", round, n)
			}
		}
		check(t, s.Join(testContext(t), Node{Name: "again"})) // without waiting for the dead one's lease
		check(t, s.Update(testContext(t), func(tx *Tx) error { tx.Put(pipeline("after", round)); return nil }))
		check(t, s.Close())
		check(t, id.Close())
	}
}

func TestIdentity(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	a, err := OpenIdentity(dir)
	check(t, err)
	if _, err := OpenIdentity(dir); !errors.Is(err, ErrLocked) {
		t.Fatalf("opened twice: %v", err)
	}
	check(t, a.Close())
	b, err := OpenIdentity(dir)
	check(t, err)
	defer b.Close()
	if a.ID != b.ID || len(a.ID) != 22 {
		t.Fatalf("%s then %s", a.ID, b.ID)
	}
}

// The path of a unix socket is short, a data folder's need not be.
func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 100), strings.Repeat("e", 100))
	s := open(t, dir)
	sockets := s.embedded.sockets
	check(t, s.Update(testContext(t), func(tx *Tx) error { tx.Put(pipeline("p", 1)); return nil }))
	check(t, s.Close())
	if _, err := os.Stat(sockets); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s is left over: %v", sockets, err)
	}
	s = open(t, dir)
	if s.View().Pipeline("p") == nil {
		t.Fatal("lost")
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, parallel := range []int{1, 64} {
		b.Run(fmt.Sprint(parallel), func(b *testing.B) {
			s := open(b, b.TempDir())
			ctx := context.Background()
			var n atomic.Int64
			var wg sync.WaitGroup
			for range parallel {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
						r := &ShardRouting{IndexUUID: "u", Index: "some-index", Shard: int(i), Copies: []ShardCopy{{Primary: true, State: ShardStarted, Node: "node-1"}}}
						if err := s.Update(ctx, func(tx *Tx) error { tx.Put(r); return nil }); err != nil {
							b.Error(err)
							return
						}
					}
				}()
			}
			wg.Wait()
		})
	}
}
