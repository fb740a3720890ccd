package snapshot

import (
	"slices"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/transfer"
)

// rates are the settings of a repository that may change while it is used: what runs follows.
var rates = []string{"max_snapshot_bytes_per_sec", "max_restore_bytes_per_sec"}

// defaultSnapshotRate is OpenSearch's, in bytes per second.
const defaultSnapshotRate = 40 << 20

// recoveryRate is the cluster's setting for all restores of a node together. Its default, 40mb in OpenSearch, is no limit here: it is
// for moving shards between nodes, and would make restores slow that nobody wanted slow.
const recoveryRate = "indices.recovery.max_bytes_per_sec"

// limits are the rates of a repository on this node.
type limits struct{ snapshot, restore, recovery *transfer.Limit }

func (l *limits) uploads() []*transfer.Limit   { return []*transfer.Limit{l.snapshot} }
func (l *limits) downloads() []*transfer.Limit { return []*transfer.Limit{l.restore, l.recovery} }

// sameStore tells whether two records differ in rates at most.
func sameStore(a, b *state.Repository) bool {
	return a.Type == b.Type && withoutRates(a.Settings).Equal(withoutRates(b.Settings))
}

func withoutRates(set settings.Settings) settings.Settings {
	if !slices.ContainsFunc(rates, func(k string) bool { _, ok := set[k]; return ok }) {
		return set
	}
	out := set.Clone()
	for _, k := range rates {
		delete(out, k)
	}
	return out
}

// ratesOf reads a repository's rates, in bytes per second; what is not above 0 is no limit.
func ratesOf(set settings.Settings) (snapshots, restores int64, err error) {
	if snapshots, err = set.Bytes(rates[0], defaultSnapshotRate); err != nil {
		return 0, 0, err
	}
	restores, err = set.Bytes(rates[1], 0)
	return snapshots, restores, err
}

// limitsOf returns the limits of a repository, which follow its settings from now on.
func (s *Service) limitsOf(name string) (*limits, error) {
	v := s.store.View()
	rec := v.Repository(name)
	if rec == nil {
		return nil, apierr.RepositoryMissing(name)
	}
	up, down, err := ratesOf(rec.Settings)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.limits[name]
	if l == nil {
		l = &limits{transfer.NewLimit(up), transfer.NewLimit(down), s.recovery}
		s.limits[name] = l
	}
	l.snapshot.Set(up)
	l.restore.Set(down)
	s.recovery.Set(s.recoveryRate(v))
	return l, nil
}

// followLimits gives the limits that are in use their rates of now.
func (s *Service) followLimits(v *state.View) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recovery.Set(s.recoveryRate(v))
	for name, l := range s.limits {
		rec := v.Repository(name)
		if rec == nil {
			delete(s.limits, name)
			continue
		}
		if up, down, err := ratesOf(rec.Settings); err == nil { // registering checked them
			l.snapshot.Set(up)
			l.restore.Set(down)
		}
	}
}

// recoveryRate is the rate of all restores, 0 unless somebody set one.
func (s *Service) recoveryRate(v *state.View) int64 {
	cs := v.Settings()
	for _, set := range []settings.Settings{cs.Transient, cs.Persistent, s.cfg.Settings} {
		if _, ok := set.Get(recoveryRate); !ok {
			continue
		}
		if n, err := set.Bytes(recoveryRate, 0); err == nil {
			return n
		}
	}
	return 0
}
