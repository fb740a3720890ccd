package shard

import (
	"sync/atomic"
	"time"

	"github.com/varve-search/varve/internal/translog"
	"github.com/varve-search/varve/lucene/index"
)

// timed counts events and the time they took.
type timed struct{ n, nanos atomic.Int64 }

func (t *timed) add(d time.Duration) {
	t.n.Add(1)
	t.nanos.Add(int64(d))
}

func (t *timed) get() Timed { return Timed{t.n.Load(), time.Duration(t.nanos.Load())} }

// CountQuery counts a query phase that searched this shard and the time it took.
func (s *Shard) CountQuery(d time.Duration) { s.stats.queries.add(d) }

// CountFetch counts a fetch phase on this shard and the time it took.
func (s *Shard) CountFetch(d time.Duration) { s.stats.fetches.add(d) }

// Timed is a count of events and the time they took together.
type Timed struct {
	Count int64
	Time  time.Duration
}

type stats struct {
	index, delete      timed
	failedIndexing     atomic.Int64
	gets               atomic.Int64
	refreshes, flushes timed
	queries, fetches   timed
}

func (s *stats) indexed(d time.Duration) { s.index.add(d) }
func (s *stats) deleted(d time.Duration) { s.delete.add(d) }

// Stats describes a shard at one moment.
type Stats struct {
	Docs, Deleted        int64 // in the current view
	Bytes                int64
	Segments             int
	Index, Delete        Timed
	IndexFailed, Gets    int64
	Refresh, Flush       Timed
	Query, Fetch         Timed // as CountQuery and CountFetch were told
	Translog             translog.Stats
	MaxSeqNo, Checkpoint int64
	Generation           int64 // of the last commit
	HistoryUUID          string
	UserData             map[string]string
	Writer               index.Stats
	LastSearch           time.Time
}

// Stats returns the shard's counters.
func (s *Shard) Stats() (Stats, error) {
	if err := s.enter(); err != nil {
		return Stats{}, err
	}
	defer s.users.RUnlock()
	v, err := s.acquire()
	if err != nil {
		return Stats{}, err
	}
	defer v.release()
	st := Stats{
		Index: s.stats.index.get(), Delete: s.stats.delete.get(), IndexFailed: s.stats.failedIndexing.Load(), Gets: s.stats.gets.Load(),
		Refresh: s.stats.refreshes.get(), Flush: s.stats.flushes.get(), Query: s.stats.queries.get(), Fetch: s.stats.fetches.get(), LastSearch: time.Unix(0, s.lastSearch.Load()),
	}
	if s.sealed.Load() {
		s.sealedStats(&st)
	} else {
		st.Translog, st.Writer, st.HistoryUUID = s.log.Stats(0), s.writer.Stats(), s.historyUUID
		st.Bytes = st.Writer.Bytes
		st.MaxSeqNo, st.Checkpoint = s.seq.get()
	}
	for _, l := range v.r.Leaves() {
		st.Segments++
		st.Docs += int64(l.Reader.NumDocs())
		st.Deleted += int64(l.Reader.MaxDoc() - l.Reader.NumDocs())
	}
	if c := s.lastCommit(); c != nil {
		st.Generation, st.UserData = c.Generation, c.UserData
	}
	return st, nil
}
