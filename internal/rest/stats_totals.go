package rest

import (
	"time"

	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/xcontent"
)

// totals are the counters of one or several shards together.
type totals struct {
	docs, deleted, bytes          int64
	index, delete, refresh, flush shard.Timed
	query, fetch                  shard.Timed
	indexFailed, gets             int64
	segments                      int64
	translogOps, translogBytes    int64
	uncommittedOps, uncommitted   int64
	translogAge                   time.Duration
	writerBytes, merging          int64
	recoveriesUnderWay            int64
	fileSizes                     map[string]int64
}

func sum(a, b shard.Timed) shard.Timed {
	return shard.Timed{Count: a.Count + b.Count, Time: a.Time + b.Time}
}

// add counts a shard in.
func (t *totals) add(s *shard.Stats) {
	t.docs += s.Docs
	t.deleted += s.Deleted
	t.bytes += s.Bytes + s.Translog.SizeInBytes
	t.index, t.delete = sum(t.index, s.Index), sum(t.delete, s.Delete)
	t.refresh, t.flush = sum(t.refresh, s.Refresh), sum(t.flush, s.Flush)
	t.query, t.fetch = sum(t.query, s.Query), sum(t.fetch, s.Fetch)
	t.indexFailed += s.IndexFailed
	t.gets += s.Gets
	t.segments += int64(s.Writer.Segments)
	t.translogOps += s.Translog.Operations
	t.translogBytes += s.Translog.SizeInBytes
	t.uncommittedOps += s.Translog.Operations
	t.uncommitted += s.Translog.SizeInBytes
	if !s.Translog.Earliest.IsZero() {
		t.translogAge = max(t.translogAge, time.Since(s.Translog.Earliest))
	}
	t.writerBytes += s.Writer.BufferBytes
	t.merging += int64(s.Writer.Merging)
}

// merge counts other totals in.
func (t *totals) merge(o *totals) {
	t.docs += o.docs
	t.deleted += o.deleted
	t.bytes += o.bytes
	t.index, t.delete = sum(t.index, o.index), sum(t.delete, o.delete)
	t.refresh, t.flush = sum(t.refresh, o.refresh), sum(t.flush, o.flush)
	t.query, t.fetch = sum(t.query, o.query), sum(t.fetch, o.fetch)
	t.indexFailed += o.indexFailed
	t.gets += o.gets
	t.segments += o.segments
	t.translogOps += o.translogOps
	t.translogBytes += o.translogBytes
	t.uncommittedOps += o.uncommittedOps
	t.uncommitted += o.uncommitted
	t.translogAge = max(t.translogAge, o.translogAge)
	t.writerBytes += o.writerBytes
	t.merging += o.merging
	t.recoveriesUnderWay += o.recoveriesUnderWay
	for k, v := range o.fileSizes {
		if t.fileSizes == nil {
			t.fileSizes = map[string]int64{}
		}
		t.fileSizes[k] += v
	}
}

// shardTotals returns the counters of each open shard of an index on this node, by number. The map's shards are those of
// one moment.
func shardTotals(ix *cluster.Index, fileSizes bool) map[int]*totals {
	out := map[int]*totals{}
	if ix == nil {
		return out
	}
	for id, sh := range ix.Shards() {
		st, err := sh.Stats()
		if err != nil {
			continue // closed or failed meanwhile: it counts as not there
		}
		t := &totals{}
		t.add(&st)
		if fileSizes {
			if t.fileSizes, err = sh.FileSizes(); err != nil {
				t.fileSizes = nil
			}
		}
		out[id] = t
	}
	for id, rec := range ix.Recoveries() {
		if out[id] == nil && rec.Stage() != cluster.StageDone {
			out[id] = &totals{recoveriesUnderWay: 1}
		}
	}
	return out
}

// stat builds one section of statistics, with readable values beside the numbers where they are asked for.
type stat struct {
	o     *xcontent.Object
	human bool
}

func newStat(human bool) *stat { return &stat{&xcontent.Object{}, human} }

func (s *stat) num(key string, v any) *stat {
	s.o.Add(key, v)
	return s
}

// bytes adds name_in_bytes, and name for people.
func (s *stat) bytes(name string, n int64) *stat {
	if s.human {
		s.o.Add(name, settings.FormatBytes(n))
	}
	s.o.Add(name+"_in_bytes", n)
	return s
}

// plainBytes adds name_bytes, and name for people.
func (s *stat) plainBytes(name string, n int64) *stat {
	if s.human {
		s.o.Add(name, settings.FormatBytes(n))
	}
	s.o.Add(name+"_bytes", n)
	return s
}

// time adds name_in_millis, and name for people.
func (s *stat) time(name string, d time.Duration) *stat {
	if s.human {
		s.o.Add(name, settings.FormatDuration(d.Truncate(time.Millisecond)))
	}
	s.o.Add(name+"_in_millis", d.Milliseconds())
	return s
}

// sectionNames are the sections of statistics by the names that requests give them, in the order of answers.
var sectionNames = []string{"docs", "store", "indexing", "get", "search", "merge", "refresh", "flush", "warmer", "query_cache",
	"fielddata", "completion", "segments", "translog", "request_cache", "recovery"}

// knownSections are all that requests may name.
var knownSections = append([]string{"suggest"}, sectionNames...)

// wanted chooses sections; nil is all.
type wanted map[string]bool

func (w wanted) has(name string) bool {
	return w == nil || w[name] || name == "search" && w["suggest"]
}

// sections renders the chosen sections.
func (t *totals) sections(o *xcontent.Object, w wanted, human bool) {
	for _, name := range sectionNames {
		if !w.has(name) {
			continue
		}
		key := name
		if name == "merge" {
			key = "merges"
		}
		o.Add(key, t.section(name, human).o)
	}
}

func (t *totals) section(name string, human bool) *stat {
	s := newStat(human)
	switch name {
	case "docs":
		s.num("count", t.docs).num("deleted", t.deleted)
	case "store":
		s.bytes("size", t.bytes).bytes("reserved", 0)
	case "indexing":
		s.num("index_total", t.index.Count).time("index_time", t.index.Time).num("index_current", 0).num("index_failed", t.indexFailed)
		s.num("delete_total", t.delete.Count).time("delete_time", t.delete.Time).num("delete_current", 0)
		s.num("noop_update_total", 0).num("is_throttled", false).time("throttle_time", 0).num("doc_status", &xcontent.Object{})
	case "get":
		s.num("total", t.gets).num("getTime", "0s").time("time", 0)
		s.num("exists_total", 0).time("exists_time", 0).num("missing_total", 0).time("missing_time", 0).num("current", 0)
	case "search":
		s.num("open_contexts", 0)
		for _, kind := range []string{"query", "concurrent_query", "fetch", "scroll", "point_in_time", "suggest"} {
			n := map[string]shard.Timed{"query": t.query, "fetch": t.fetch}[kind]
			s.num(kind+"_total", n.Count).time(kind+"_time", n.Time).num(kind+"_current", 0)
			if kind == "concurrent_query" {
				s.num("concurrent_avg_slice_count", 0.0)
			}
		}
		s.num("search_idle_reactivate_count_total", 0)
	case "merge":
		s.num("current", t.merging).num("current_docs", 0).bytes("current_size", 0).num("total", 0).time("total_time", 0)
		s.num("total_docs", 0).bytes("total_size", 0).time("total_stopped_time", 0).time("total_throttled_time", 0)
		s.bytes("total_auto_throttle", 0).num("unreferenced_file_cleanups_performed", 0)
	case "refresh":
		s.num("total", t.refresh.Count).time("total_time", t.refresh.Time)
		s.num("external_total", t.refresh.Count).time("external_total_time", t.refresh.Time).num("listeners", 0)
	case "flush":
		s.num("total", t.flush.Count).num("periodic", 0).time("total_time", t.flush.Time)
	case "warmer":
		s.num("current", 0).num("total", 0).time("total_time", 0)
	case "query_cache":
		s.bytes("memory_size", 0).num("total_count", 0).num("hit_count", 0).num("miss_count", 0).num("cache_size", 0).num("cache_count", 0).num("evictions", 0)
	case "fielddata":
		s.bytes("memory_size", 0).num("evictions", 0)
	case "completion":
		s.bytes("size", 0)
	case "segments":
		t.segmentSection(s)
	case "translog":
		s.num("operations", t.translogOps).bytes("size", t.translogBytes).num("uncommitted_operations", t.uncommittedOps).bytes("uncommitted_size", t.uncommitted)
		s.num("earliest_last_modified_age", t.translogAge.Milliseconds())
		size := newStat(human).plainBytes("started", 0).plainBytes("failed", 0).plainBytes("succeeded", 0)
		s.num("remote_store", xcontent.Obj("upload", xcontent.Obj("total_uploads", xcontent.Obj("started", 0, "failed", 0, "succeeded", 0), "total_upload_size", size.o)))
	case "request_cache":
		s.bytes("memory_size", 0).num("evictions", 0).num("hit_count", 0).num("miss_count", 0)
	case "recovery":
		s.num("current_as_source", 0).num("current_as_target", t.recoveriesUnderWay).time("throttle_time", 0)
	}
	return s
}

func (t *totals) segmentSection(s *stat) {
	s.num("count", t.segments).bytes("memory", 0)
	for _, part := range []string{"terms", "stored_fields", "term_vectors", "norms", "points", "doc_values"} {
		s.bytes(part+"_memory", 0)
	}
	s.bytes("index_writer_memory", t.writerBytes).bytes("version_map_memory", 0)
	if s.human {
		s.num("fixed_bit_set", "0b")
	}
	s.num("fixed_bit_set_memory_in_bytes", 0).num("max_unsafe_auto_id_timestamp", -1)
	size := func() *xcontent.Object {
		return newStat(s.human).plainBytes("started", 0).plainBytes("succeeded", 0).plainBytes("failed", 0).o
	}
	upload := newStat(s.human).num("total_upload_size", size()).num("refresh_size_lag", newStat(s.human).plainBytes("total", 0).plainBytes("max", 0).o).
		time("max_refresh_time_lag", 0).time("total_time_spent", 0).num("pressure", xcontent.Obj("total_rejections", 0))
	download := newStat(s.human).num("total_download_size", size()).time("total_time_spent", 0)
	s.num("remote_store", xcontent.Obj("upload", upload.o, "download", download.o))
	s.num("segment_replication", xcontent.Obj("max_bytes_behind", 0, "total_bytes_behind", 0, "max_replication_lag", 0))
	files := &xcontent.Object{}
	for _, ext := range sortedKeys(t.fileSizes) {
		files.Add(ext, newStat(s.human).bytes("size", t.fileSizes[ext]).o)
	}
	s.num("file_sizes", files)
}
