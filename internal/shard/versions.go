package shard

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/varve-search/varve/internal/translog"
)

// version is what is known of the newest operation on a document.
type version struct {
	seqNo, term, version int64
	deleted              bool
	at                   time.Time // of a delete
	location             translog.Location
}

// versionMap holds the documents that changed since the last refresh: their newest versions are not in
// the reader yet. Deletes stay longer, so that an older operation that comes late does not bring the
// document back.
type versionMap struct {
	mu       sync.RWMutex
	current  map[string]version // changed since the last refresh began
	old      map[string]version // changed before, and a refresh is under way
	tombs    map[string]version // deleted and refreshed
	bytes    int64
	oldBytes int64
}

func newVersionMap() *versionMap {
	return &versionMap{current: map[string]version{}, old: map[string]version{}, tombs: map[string]version{}}
}

// versionCost is about what an entry takes in memory beside its id.
const versionCost = 120

func (m *versionMap) get(id string) (version, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if v, ok := m.current[id]; ok {
		return v, true
	}
	if v, ok := m.old[id]; ok {
		return v, true
	}
	v, ok := m.tombs[id]
	return v, ok
}

func (m *versionMap) put(id string, v version) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.current[id]; !ok {
		m.bytes += int64(len(id)) + versionCost
	}
	m.current[id] = v
	delete(m.tombs, id)
}

// beforeRefresh puts aside what the coming reader will have.
func (m *versionMap) beforeRefresh() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.old) == 0 {
		m.old, m.oldBytes = m.current, m.bytes
	} else { // a refresh failed: what it would have shown is still to be shown
		for id, v := range m.current {
			m.old[id] = v
		}
		m.oldBytes += m.bytes
	}
	m.current, m.bytes = map[string]version{}, 0
}

// afterRefresh drops what the reader has now, and deletes that are older than gc.
func (m *versionMap) afterRefresh(gc time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, v := range m.old {
		if _, newer := m.current[id]; v.deleted && !newer {
			m.tombs[id] = v
		}
	}
	m.old, m.oldBytes = map[string]version{}, 0
	limit := time.Now().Add(-gc)
	for id, v := range m.tombs {
		if v.at.Before(limit) {
			delete(m.tombs, id)
		}
	}
}

func (m *versionMap) size() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.bytes + m.oldBytes
}

// keyLock lets one operation at a time work on a document.
type keyLock struct {
	seed  maphash.Seed
	locks [512]sync.Mutex
}

func newKeyLock() *keyLock { return &keyLock{seed: maphash.MakeSeed()} }

func (k *keyLock) lock(id string) *sync.Mutex {
	m := &k.locks[maphash.String(k.seed, id)%uint64(len(k.locks))]
	m.Lock()
	return m
}
