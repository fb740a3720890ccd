package rest

import (
	"runtime"

	"github.com/varve-search/varve/internal/xcontent"
)

// threadPools are the names and kinds of OpenSearch's pools. This server has none: work runs in goroutines. The names are
// answered for clients that look for them, with nothing in them.
var threadPools = []struct{ name, kind string }{
	{"analyze", "fixed"}, {"fetch_shard_started", "scaling"}, {"fetch_shard_store", "scaling"}, {"flush", "scaling"}, {"force_merge", "fixed"},
	{"generic", "scaling"}, {"get", "fixed"}, {"index_searcher", "fixed_auto_queue_size"}, {"listener", "fixed"}, {"management", "scaling"},
	{"refresh", "scaling"}, {"search", "fixed_auto_queue_size"}, {"search_throttled", "fixed_auto_queue_size"},
	{"snapshot", "scaling"}, {"snapshot_deletion", "scaling"}, {"system_read", "fixed"}, {"system_write", "fixed"}, {"warmer", "scaling"}, {"write", "fixed"},
}

func threadPoolInfo() *xcontent.Object {
	o := &xcontent.Object{}
	for _, p := range threadPools {
		if p.kind == "scaling" {
			o.Add(p.name, xcontent.Obj("type", p.kind, "core", 1, "max", runtime.GOMAXPROCS(0), "keep_alive", "5m", "queue_size", -1))
		} else {
			o.Add(p.name, xcontent.Obj("type", p.kind, "size", runtime.GOMAXPROCS(0), "queue_size", -1))
		}
	}
	return o
}

func threadPoolStats() *xcontent.Object {
	o := &xcontent.Object{}
	for _, p := range threadPools {
		s := xcontent.Obj("threads", 0, "queue", 0, "active", 0, "rejected", 0, "largest", 0, "completed", 0)
		if p.kind == "fixed_auto_queue_size" {
			s.Add("total_wait_time_in_nanos", 0)
		}
		o.Add(p.name, s)
	}
	return o
}
