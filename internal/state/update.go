package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/varve-search/varve/internal/keystore"
	"github.com/varve-search/varve/internal/settings"
)

// Limits of one transaction; etcd's own are 128 operations and 1.5 MiB.
const (
	maxOps      = 100
	maxTxnBytes = 1 << 20
	maxBatch    = 512 // updates that are committed together

	catchUpLimit = 30 * time.Second // for the local view to follow a commit
	outcomeLimit = 30 * time.Second // for asking what became of a commit
)

// Errors of updates.
var (
	// ErrNotManager is returned by UpdateAsManager on a node that is not, or no longer, the manager.
	ErrNotManager = errors.New("this node is not the elected manager")
	// ErrUnknownOutcome says that etcd did not answer in time: the update may have been made or not.
	ErrUnknownOutcome = errors.New("the outcome of the cluster state update is not known")
)

// Tx is the transaction of one Update. It reads the state as it will be after what was written so
// far, by the View's methods, and must not be used after the function returned.
type Tx struct {
	*View
	b      *builder
	undo   []undo
	writes map[recordID]Record // nil: deleted
	err    error
}

type recordID struct {
	kind Kind
	name string
}

type undo struct {
	recordID
	old entry
}

// Put writes a record, which must not be changed any more. A record that must not be written fails
// the update.
func (tx *Tx) Put(r Record) {
	if err := checkRecord(r); err != nil {
		tx.err = errors.Join(tx.err, err)
		return
	}
	tx.set(recordID{r.kind(), r.name()}, r)
}

// Delete removes the record that has the kind and the name of r; other fields do not matter. To
// remove what is not there does nothing.
func (tx *Tx) Delete(r Record) {
	id := recordID{r.kind(), r.name()}
	if id.kind == KindNode {
		tx.err = errors.Join(tx.err, errors.New("members are not removed by updates"))
		return
	}
	if _, ok := tx.tables[id.kind].get(id.name); ok {
		tx.set(id, nil)
	}
}

func (tx *Tx) set(id recordID, r Record) {
	old, _ := tx.b.set(id.kind, id.name, entry{rec: r})
	tx.undo = append(tx.undo, undo{id, old})
	tx.writes[id] = r
}

// rollback takes back what the transaction wrote into the shared builder.
func (tx *Tx) rollback() {
	for _, u := range slices.Backward(tx.undo) {
		tx.b.set(u.kind, u.name, u.old)
	}
}

// checkRecord refuses what must not be in the cluster state.
func checkRecord(r Record) error {
	if r.name() == "" {
		return fmt.Errorf("a record of kind %s has no name", kinds[r.kind()].folder)
	}
	var all []settings.Settings
	switch r := r.(type) {
	case *Node:
		return errors.New("members are written by Join, not by updates")
	case *Repository:
		all = []settings.Settings{r.Settings}
	case *ClusterSettings:
		all = []settings.Settings{r.Persistent, r.Transient}
	case *Index:
		all = []settings.Settings{r.Settings}
	}
	for _, s := range all {
		for name := range s {
			if text, _ := s.Get(name); settings.IsSecret(name) && !keystore.IsSealed(text) {
				return &SecretError{Setting: name, Record: kinds[r.kind()].folder + " [" + r.name() + "]"}
			}
		}
	}
	return nil
}

// SecretError says that a record holds a secret, which belongs into the key store of each node.
type SecretError struct{ Setting, Record string }

func (e *SecretError) Error() string {
	return fmt.Sprintf("setting [%s] of %s holds a secret: secrets are kept in the node's key store, not in the cluster state", e.Setting, e.Record)
}

type update struct {
	ctx       context.Context
	fn        func(*Tx) error
	asManager bool
	done      chan error
}

// Update runs fn and commits what it wrote. fn may run several times, on newer views, and beside
// other updates of this process (each sees the ones before it); it must not block, nor keep what the
// transaction returned. An error of fn changes nothing and is returned as it is. On success the
// local view includes the update.
func (s *Store) Update(ctx context.Context, fn func(tx *Tx) error) error {
	return s.submit(&update{ctx: ctx, fn: fn, done: make(chan error, 1)})
}

// UpdateAsManager is Update by the elected manager: it commits only while this node holds the
// office, else it is ErrNotManager.
func (s *Store) UpdateAsManager(ctx context.Context, fn func(tx *Tx) error) error {
	return s.submit(&update{ctx: ctx, fn: fn, asManager: true, done: make(chan error, 1)})
}

func (s *Store) submit(u *update) error {
	select {
	case s.updates <- u:
	case <-u.ctx.Done():
		return u.ctx.Err()
	case <-s.ctx.Done():
		return ErrClosed
	}
	// Once taken, an update has an outcome: waiting for it is short, and not knowing it is worse.
	return <-u.done
}

// commitLoop takes updates, as many as wait, and commits them together.
func (s *Store) commitLoop() {
	defer s.wg.Done()
	var held *update // taken, but of another sort than the batch
	for {
		first := held
		held = nil
		if first == nil {
			select {
			case first = <-s.updates:
			case <-s.ctx.Done():
				return
			}
		}
		batch := []*update{first}
	gather:
		for len(batch) < maxBatch {
			select {
			case u := <-s.updates:
				if u.asManager != first.asManager {
					held = u
					break gather
				}
				batch = append(batch, u)
			default:
				break gather
			}
		}
		for len(batch) > 0 {
			batch = s.commit(batch)
		}
	}
}

// commit runs and commits updates, answers them, and returns those that no longer fitted.
func (s *Store) commit(batch []*update) (rest []*update) {
	for attempt := 0; ; attempt++ {
		v := s.view.Load()
		if err := s.ctx.Err(); err != nil {
			answer(batch, ErrClosed)
			return nil
		}
		if v.gate != nil {
			if err := s.finishGate(v); err != nil {
				answer(batch, err)
				return nil
			}
			continue
		}
		p := s.run(v, batch)
		if len(p.changed) == 0 {
			answer(p.unchanged, nil)
			return p.rest
		}
		ok, err := s.tryCommit(v, p, batch[0].asManager)
		if err == nil && !ok {
			// Somebody else was first. The view is ahead of what we computed from by now.
			s.pause(attempt)
			continue
		}
		answer(p.unchanged, nil)
		answer(p.changed, err)
		return p.rest
	}
}

func answer(us []*update, err error) {
	for _, u := range us {
		u.done <- err
	}
}

// pause keeps two processes from disturbing each other for ever.
func (s *Store) pause(attempt int) {
	limit := min(time.Millisecond<<min(attempt, 6), 50*time.Millisecond)
	select {
	case <-time.After(rand.N(limit)):
	case <-s.ctx.Done():
	}
}

// plan is what a batch comes to on one view.
type plan struct {
	writes    map[recordID]Record
	stored    map[recordID][]byte // of writes that are no deletions
	changed   []*update           // have something to commit
	unchanged []*update           // have not
	rest      []*update           // did not fit
}

// run runs the updates on v. Those that fail are answered and gone from batch's plan.
func (s *Store) run(v *View, batch []*update) *plan {
	p := &plan{writes: map[recordID]Record{}, stored: map[recordID][]byte{}}
	b := newBuilder(v)
	size := 0
	for i, u := range batch {
		if u.fn == nil {
			continue // answered in an earlier attempt
		}
		if err := u.ctx.Err(); err != nil {
			s.refuse(u, err)
			continue
		}
		tx := &Tx{View: b.v, b: b, writes: map[recordID]Record{}}
		err := u.fn(tx)
		if err == nil {
			err = tx.err
		}
		own := map[recordID][]byte{}
		ownSize := 0
		for id, r := range tx.writes {
			if err != nil {
				break
			}
			if r != nil {
				own[id], err = encodeRecord(r)
				ownSize += len(own[id])
			}
		}
		if err != nil {
			tx.rollback()
			s.refuse(u, err)
			continue
		}
		if len(tx.writes) == 0 {
			p.unchanged = append(p.unchanged, u)
			continue
		}
		if len(p.writes) > 0 && (len(p.writes)+len(tx.writes) > maxOps || size+ownSize > maxTxnBytes) {
			tx.rollback()
			p.rest = batch[i:]
			break
		}
		for id, r := range tx.writes {
			delete(p.stored, id)
			p.writes[id] = r
			if r != nil {
				p.stored[id] = own[id]
			}
		}
		size += ownSize
		p.changed = append(p.changed, u)
	}
	return p
}

// refuse answers an update that fails by itself, and only once.
func (s *Store) refuse(u *update, err error) {
	u.fn = nil
	u.done <- err
}

// tryCommit makes the transaction; false where somebody else has committed since v. When it returns
// true the view includes it.
func (s *Store) tryCommit(v *View, p *plan, asManager bool) (bool, error) {
	id := newID()
	mark := commitMark{Version: v.Version + 1, Recent: append(slices.Clone(v.recent), id)}
	if n := len(mark.Recent) - maxRecent; n > 0 {
		mark.Recent = mark.Recent[n:]
	}
	value, err := json.Marshal(mark)
	if err != nil {
		return false, err
	}
	conds := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(s.root+commitKey), "=", v.commitRev)}
	if asManager {
		if v.Manager() != s.cfg.NodeID {
			return true, ErrNotManager
		}
		c := v.candidates[0]
		conds = append(conds, clientv3.Compare(clientv3.CreateRevision(s.root+c.key), "=", c.createRev))
	}
	ops := []clientv3.Op{clientv3.OpPut(s.root+commitKey, string(value))}
	writes, err := s.storedWrites(p)
	if err != nil {
		return false, err
	}
	var g *gate
	if size := sizeOf(writes); len(writes) > maxOps || size > maxTxnBytes {
		var gv []byte
		if g, gv, err = s.stage(s.ctx, writes); err != nil {
			return false, err
		}
		ops = append(ops, clientv3.OpPut(s.root+gateKey, string(gv)))
	} else {
		for _, w := range writes {
			if w.Del {
				ops = append(ops, clientv3.OpDelete(s.root+w.Key))
			} else {
				ops = append(ops, clientv3.OpPut(s.root+w.Key, string(w.Value)))
			}
		}
	}
	old := replacedBlobs(v, p)
	rev, ok, err := s.transact(id, conds, ops)
	if err != nil || !ok {
		if !errors.Is(err, ErrUnknownOutcome) {
			s.dropBlobs(writes, g)
		}
		if err == nil {
			err = s.catchUp(rev)
		}
		if err == nil && asManager && s.View().Manager() != s.cfg.NodeID {
			err = ErrNotManager
		}
		return false, err
	}
	if err := s.catchUp(rev); err != nil {
		return true, fmt.Errorf("%w: it was made, but the view does not follow: %w", ErrUnknownOutcome, err)
	}
	if cur := s.View(); cur.gate != nil {
		if err := s.finishGate(cur); err != nil {
			s.log.Warn("a staged commit is not written out yet", "error", err)
		}
	}
	for _, blob := range old {
		if err := s.deleteBlob(s.ctx, blob); err != nil {
			s.log.Warn("a replaced large value is left over until the next start", "error", err)
		}
	}
	return true, nil
}

// storedWrites returns the plan's writes in the order of their keys, large ones moved into blobs.
func (s *Store) storedWrites(p *plan) ([]stagedWrite, error) {
	writes := make([]stagedWrite, 0, len(p.writes))
	for id, r := range p.writes {
		w := stagedWrite{Key: keyOf(id.kind, id.name), Del: r == nil}
		if r != nil {
			var err error
			if w.Value, err = s.wrapBlob(s.ctx, p.stored[id]); err != nil {
				return nil, err
			}
		}
		writes = append(writes, w)
	}
	slices.SortFunc(writes, func(a, b stagedWrite) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return writes, nil
}

func sizeOf(writes []stagedWrite) int {
	n := 0
	for _, w := range writes {
		n += len(w.Key) + len(w.Value) + 32
	}
	return n
}

// dropBlobs removes what a commit that was not made has put aside.
func (s *Store) dropBlobs(writes []stagedWrite, g *gate) {
	var ids []string
	if g != nil {
		ids = append(ids, g.Ref.ID)
	}
	for _, w := range writes {
		if ref, ok, err := parseRef(w.Value); err == nil && ok {
			ids = append(ids, ref.ID)
		}
	}
	for _, id := range ids {
		if err := s.deleteBlob(s.ctx, id); err != nil {
			s.log.Warn("a large value is left over until the next start", "error", err)
		}
	}
}

// replacedBlobs returns the blobs that the plan's writes make superfluous.
func replacedBlobs(v *View, p *plan) []string {
	var ids []string
	for id := range p.writes {
		if e, ok := v.tables[id.kind].get(id.name); ok && e.blob != "" {
			ids = append(ids, e.blob)
		}
	}
	return ids
}

// transact commits, and asks again where etcd did not answer, until it knows. It returns the
// revision of the newest commit.
func (s *Store) transact(id string, conds []clientv3.Cmp, ops []clientv3.Op) (rev int64, ok bool, err error) {
	txn := func() (*clientv3.TxnResponse, error) {
		ctx, cancel := context.WithTimeout(s.ctx, 10*time.Second)
		defer cancel()
		return s.client.Txn(ctx).If(conds...).Then(ops...).Else(clientv3.OpGet(s.root + commitKey)).Commit()
	}
	begin := time.Now()
	for {
		resp, err := txn()
		if err == nil {
			if resp.Succeeded {
				return resp.Header.Revision, true, nil
			}
			kvs := resp.Responses[0].GetResponseRange().Kvs
			if len(kvs) == 0 {
				return 0, false, nil
			}
			var m commitMark
			if err := json.Unmarshal(kvs[0].Value, &m); err != nil {
				return 0, false, fmt.Errorf("cluster state key %s: %w", commitKey, err)
			}
			// An attempt that was not answered may have succeeded: its id is in the mark then.
			return kvs[0].ModRevision, slices.Contains(m.Recent, id), nil
		}
		if isDefinite(err) {
			return 0, false, fmt.Errorf("commit to etcd: %w", err)
		}
		if s.ctx.Err() != nil {
			return 0, false, fmt.Errorf("%w: %w", ErrUnknownOutcome, ErrClosed)
		}
		if time.Since(begin) > outcomeLimit {
			return 0, false, fmt.Errorf("%w: %w", ErrUnknownOutcome, err)
		}
		select {
		case <-time.After(retryPause):
		case <-s.ctx.Done():
		}
	}
}

// isDefinite tells that etcd refused a request, so that nothing was changed.
func isDefinite(err error) bool {
	var ee rpctypes.EtcdError
	code := status.Code(err)
	if errors.As(err, &ee) {
		code = ee.Code()
	}
	switch code {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.OutOfRange, codes.ResourceExhausted, codes.PermissionDenied, codes.Unauthenticated, codes.NotFound:
		return true
	}
	return false
}

// catchUp waits until the view includes the commit at rev.
func (s *Store) catchUp(rev int64) error {
	ctx, cancel := context.WithTimeout(s.ctx, catchUpLimit)
	defer cancel()
	_, err := s.WaitFor(ctx, func(v *View) bool { return v.commitRev >= rev })
	if s.ctx.Err() != nil {
		return ErrClosed
	}
	return err
}

// finishGate writes out a staged commit and waits until the view knows.
func (s *Store) finishGate(v *View) error {
	if err := s.writeOut(s.ctx, v.gate); err != nil {
		return err
	}
	rev := v.gate.rev
	ctx, cancel := context.WithTimeout(s.ctx, catchUpLimit)
	defer cancel()
	_, err := s.WaitFor(ctx, func(v *View) bool { return v.gate == nil || v.gate.rev != rev })
	return err
}
