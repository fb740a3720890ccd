package rest

import (
	_ "embed"
	"slices"
	"strings"
	"time"
)

//go:embed cat_columns.tsv
var catColumnText string

// catColumns are the columns of each table of the _cat APIs.
var catColumns = readCatColumns()

func readCatColumns() map[string][]Column {
	out := map[string][]Column{}
	for line := range strings.Lines(catColumnText) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 4 || strings.HasPrefix(line, "#") {
			continue
		}
		c := Column{Name: f[1], Desc: strings.NewReplacer(".", " ", "_", " ").Replace(f[1]), Right: strings.Contains(f[3], "r"), Hidden: strings.Contains(f[3], "h")}
		if f[2] != "" {
			c.Aliases = strings.Split(f[2], ",")
		}
		out[f[0]] = append(out[f[0]], c)
	}
	return out
}

// catTable returns an empty table with its columns.
func catTable(name string) *Table { return &Table{Columns: slices.Clone(catColumns[name])} }

// put adds a row; columns that it does not name are empty.
func (t *Table) put(row map[string]any) {
	cells := make([]any, len(t.Columns))
	for i, c := range t.Columns {
		cells[i] = row[c.Name]
	}
	t.Rows = append(t.Rows, cells)
}

// drop removes columns.
func (t *Table) drop(names ...string) {
	t.Columns = slices.DeleteFunc(t.Columns, func(c Column) bool { return slices.Contains(names, c.Name) })
}

// clock fills the columns that say when the table was made.
func clock(row map[string]any) map[string]any {
	now := time.Now().UTC()
	row["epoch"], row["timestamp"] = now.Unix(), now.Format("15:04:05")
	return row
}

// withClock drops the columns epoch and timestamp where ts=false asks for it.
func withClock(r *Request, t *Table) error {
	ts, err := r.Bool("ts", true)
	if err == nil && !ts {
		t.drop("epoch", "timestamp")
	}
	return err
}

func lower(s string) string { return strings.ToLower(s) }

// statCells fills the columns of statistics that the tables of indices, shards and nodes share. prefix is "pri." for primaries.
func (t *totals) statCells(row map[string]any, prefix string) {
	size, count, dur := func(n int64) any { return ByteSize(n) }, func(n int64) any { return n }, func(d time.Duration) any { return Millis(d.Milliseconds()) }
	cells := map[string]any{
		"flush.total": count(t.flush.Count), "flush.total_time": dur(t.flush.Time), "get.total": count(t.gets),
		"indexing.delete_time": dur(t.delete.Time), "indexing.delete_total": count(t.delete.Count),
		"indexing.index_time": dur(t.index.Time), "indexing.index_total": count(t.index.Count), "indexing.index_failed": count(t.indexFailed),
		"merges.current": count(t.merging), "refresh.total": count(t.refresh.Count), "refresh.time": dur(t.refresh.Time),
		"refresh.external_total": count(t.refresh.Count), "refresh.external_time": dur(t.refresh.Time),
		"segments.count": count(t.segments), "segments.index_writer_memory": size(t.writerBytes), "memory.total": size(t.writerBytes),
	}
	for _, name := range []string{"completion.size", "fielddata.memory_size", "query_cache.memory_size", "request_cache.memory_size", "merges.current_size", "merges.total_size",
		"segments.memory", "segments.version_map_memory", "segments.fixed_bitset_memory"} {
		cells[name] = size(0)
	}
	for _, name := range []string{"get.time", "get.exists_time", "get.missing_time", "merges.total_time", "search.fetch_time", "search.query_time", "search.concurrent_query_time",
		"search.scroll_time", "search.point_in_time_time", "warmer.total_time", "suggest.time"} {
		cells[name] = dur(0)
	}
	for _, name := range []string{"fielddata.evictions", "query_cache.evictions", "query_cache.hit_count", "query_cache.miss_count", "request_cache.evictions", "request_cache.hit_count",
		"request_cache.miss_count", "get.current", "get.exists_total", "get.missing_total", "indexing.delete_current", "indexing.index_current", "merges.current_docs", "merges.total",
		"merges.total_docs", "refresh.listeners", "search.fetch_current", "search.fetch_total", "search.open_contexts", "search.query_current", "search.query_total",
		"search.concurrent_query_current", "search.concurrent_query_total", "search.scroll_current", "search.scroll_total", "search.point_in_time_current", "search.point_in_time_total",
		"search.search_idle_reactivate_count_total", "warmer.current", "warmer.total", "suggest.current", "suggest.total", "script.compilations", "script.cache_evictions",
		"script.compilation_limit_triggered"} {
		cells[name] = count(0)
	}
	cells["search.query_total"], cells["search.query_time"] = count(t.query.Count), dur(t.query.Time)
	cells["search.fetch_total"], cells["search.fetch_time"] = count(t.fetch.Count), dur(t.fetch.Time)
	cells["search.concurrent_avg_slice_count"] = "0.0"
	for k, v := range cells {
		row[prefix+k] = v
	}
}
