package rest

import (
	"fmt"
	"strconv"
	"time"

	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) routeRecovery(rt *Router) {
	rt.Handle("GET", "/_recovery", a.recovery)
	rt.Handle("GET", "/{index}/_recovery", a.recovery)
}

// nanosTime is a moment kept in nanoseconds since 1970; zero if it is to come.
func nanosTime(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// between is the time from one moment to another, or until now where that one is to come.
func between(from, to int64) time.Duration {
	if from == 0 {
		return 0
	}
	if to == 0 {
		to = time.Now().UnixNano()
	}
	return time.Duration(max(to-from, 0))
}

// percentOf renders how much of a total is there. That is not a real node's percentage, which is of what is to be brought only: after
// a restart in the midst of a restore it would begin anew, although the files that had arrived are used.
func percentOf(done, total int64) string {
	if total == 0 {
		return "0.0%"
	}
	return fmt.Sprintf("%.1f%%", 100*float64(done)/float64(total))
}

func (a *API) recovery(r *Request) (*Response, error) {
	detailed, err := r.Bool("detailed", false)
	if err != nil {
		return nil, err
	}
	active, err := r.Bool("active_only", false)
	if err != nil {
		return nil, err
	}
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	list, err := a.indices(r, wildcard.StrictExpandOpenClosed)
	if err != nil {
		return nil, err
	}
	out := &xcontent.Object{}
	for _, ix := range list {
		shards := []any{}
		a.eachRecovery(ix, func(id int, rec *cluster.Recovery) {
			if !active || rec.Stage() != cluster.StageDone {
				shards = append(shards, a.recoveryObject(id, rec, cluster.RemoteSnapshot(ix), human, detailed))
			}
		})
		if len(shards) > 0 {
			out.Add(ix.Name, xcontent.Obj("shards", shards))
		}
	}
	return OK(out)
}

// eachRecovery calls fn for the shards of an index on this node, in order.
func (a *API) eachRecovery(ix *state.Index, fn func(id int, rec *cluster.Recovery)) {
	local := a.Node.Index(ix.Name)
	if local == nil {
		return
	}
	recs := local.Recoveries()
	for id := range ix.NumberOfShards {
		if rec := recs[id]; rec != nil {
			fn(id, rec)
		}
	}
}

func (a *API) recoveryObject(id int, rec *cluster.Recovery, remote, human, detailed bool) *xcontent.Object {
	s := newStat(human)
	s.num("id", id).num("type", string(rec.Source.Type)).num("stage", rec.Stage().String()).num("primary", true)
	moment := func(name string, t time.Time) {
		if t.IsZero() {
			return
		}
		if human {
			s.num(name, isoMillis(t.UnixMilli()))
		}
		s.num(name+"_in_millis", t.UnixMilli())
	}
	stopped := rec.Stopped.Load()
	moment("start_time", rec.Started)
	moment("stop_time", nanosTime(stopped))
	s.time("total_time", between(rec.Started.UnixNano(), stopped))
	source := xcontent.Obj()
	if rec.Source.Type == state.RecoverSnapshot {
		source = xcontent.Obj("repository", rec.Source.Repository, "snapshot", rec.Source.Snapshot, "version", versionString(strconv.Itoa(rec.Source.Version)),
			"index", rec.Source.Index, "restoreUUID", rec.Source.RestoreUUID, "isSearchableSnapshot", remote, "remoteStoreIndexShallowCopy", false,
			"sourceRemoteStoreRepository", nil, "sourceRemoteTranslogRepository", nil)
	}
	s.num("source", source)
	target := xcontent.Obj()
	if n := a.view().Node(a.Store.NodeID()); n != nil {
		target = xcontent.Obj("id", n.ID, "host", n.Host, "transport_address", n.TransportAddress, "ip", n.IP, "name", n.Name)
	}
	s.num("target", target)
	c := rec.Files.Counts()
	size := newStat(human).bytes("total", c.TotalBytes).bytes("reused", c.ReusedBytes).bytes("recovered", c.MovedBytes).
		num("percent", percentOf(c.ReusedBytes+c.MovedBytes, c.TotalBytes))
	files := xcontent.Obj("total", c.TotalFiles, "reused", c.ReusedFiles, "recovered", c.MovedFiles, "percent", percentOf(c.ReusedFiles+c.MovedFiles, c.TotalFiles))
	if detailed {
		files.Add("details", fileDetails(rec, human))
	}
	index := newStat(human).num("size", size.o).num("files", files).time("total_time", between(rec.IndexStart.Load(), rec.IndexStop.Load()))
	index.time("source_throttle_time", 0).time("target_throttle_time", time.Duration(c.ThrottledNanos))
	s.num("index", index.o)
	ops := rec.TranslogOps.Load()
	log := newStat(human).num("recovered", ops).num("total", ops).num("percent", "100.0%").num("total_on_start", ops).time("total_time", between(rec.TranslogStart.Load(), stopped))
	s.num("translog", log.o)
	s.num("verify_index", newStat(human).time("check_index_time", 0).time("total_time", 0).o)
	return s.o
}

// fileDetails lists the files of a shard. A file that was there counts nothing as recovered.
func fileDetails(rec *cluster.Recovery, human bool) []any {
	out := []any{}
	for _, f := range rec.Files.Files() {
		d := newStat(human).num("name", f.Name).bytes("length", f.Length).num("reused", f.Reused()).bytes("recovered", f.Moved())
		out = append(out, d.o)
	}
	return out
}

// recoveryTable is the _cat API of recoveries.
func (a *API) recoveryTable(r *Request) (*Table, error) {
	r.Ignore("detailed", "index")
	active, err := r.Bool("active_only", false)
	if err != nil {
		return nil, err
	}
	list, err := a.indices(r, wildcard.StrictExpandOpenClosed)
	if err != nil {
		return nil, err
	}
	t := catTable("recovery")
	n := a.view().Node(a.Store.NodeID())
	for _, ix := range list {
		a.eachRecovery(ix, func(id int, rec *cluster.Recovery) {
			if active && rec.Stage() == cluster.StageDone {
				return
			}
			stopped := rec.Stopped.Load()
			c := rec.Files.Counts()
			ops := rec.TranslogOps.Load()
			row := map[string]any{
				"index": ix.Name, "shard": id, "start_time": isoMillis(rec.Started.UnixMilli()), "start_time_millis": rec.Started.UnixMilli(),
				"time": settingsTime(between(rec.Started.UnixNano(), stopped)), "type": lower(string(rec.Source.Type)), "stage": lower(rec.Stage().String()),
				"source_host": "n/a", "source_node": "n/a", "repository": orNA(rec.Source.Repository), "snapshot": orNA(rec.Source.Snapshot),
				"files": c.TotalFiles - c.ReusedFiles, "files_recovered": c.MovedFiles, "files_percent": percentOf(c.ReusedFiles+c.MovedFiles, c.TotalFiles), "files_total": c.TotalFiles,
				"bytes": c.TotalBytes - c.ReusedBytes, "bytes_recovered": c.MovedBytes, "bytes_percent": percentOf(c.ReusedBytes+c.MovedBytes, c.TotalBytes), "bytes_total": c.TotalBytes,
				"translog_ops": ops, "translog_ops_recovered": ops, "translog_ops_percent": "100.0%",
			}
			if stop := nanosTime(stopped); !stop.IsZero() {
				row["stop_time"], row["stop_time_millis"] = isoMillis(stop.UnixMilli()), stop.UnixMilli()
			}
			if n != nil {
				row["target_host"], row["target_node"] = n.Host, n.Name
			}
			t.put(row)
		})
	}
	return t, nil
}

func orNA(s string) string {
	if s == "" {
		return "n/a"
	}
	return s
}

// settingsTime is a duration of a table: the unit is chosen by the parameter time.
func settingsTime(d time.Duration) Millis { return Millis(d.Milliseconds()) }
