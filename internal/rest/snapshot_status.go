package rest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) snapshotStatus(r *Request) (*Response, error) {
	if err := a.managerTimeout(r); err != nil {
		return nil, err
	}
	ignore, err := r.Bool("ignore_unavailable", false)
	if err != nil {
		return nil, err
	}
	repo, snaps, indices := r.Param("repository"), r.Names("snapshot"), r.Names("index")
	if repo == "_all" {
		repo = ""
	}
	if len(snaps) == 1 && strings.EqualFold(snaps[0], "_all") {
		snaps = nil
	}
	if len(indices) > 0 && len(snaps) != 1 {
		return nil, apierr.Validation(fmt.Sprintf("index list filter is supported only when a single 'snapshot' is passed, but found 'snapshot' param = [[%s]]", strings.Join(snaps, ", ")))
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if len(snaps) == 0 {
		list := a.Snapshots.Current(repo)
		return streamList(r, "snapshots", len(list), len(list), func(i int) (any, error) { return statusObject(list[i]), nil })
	}
	look, err := a.Snapshots.OpenStatus(r.Context(), repo, snaps, indices, ignore)
	if err != nil {
		return nil, err
	}
	weight := len(look)
	if weight > 1 { // one has many shards
		weight = streamFrom
	}
	return streamList(r, "snapshots", len(look), weight, func(i int) (any, error) {
		st, err := look[i](r.Context())
		if err != nil {
			return nil, err
		}
		return statusObject(*st), nil
	})
}

// sums add up the numbers of shards.
type sums struct {
	stages               map[string]int
	total                int
	incFiles, incBytes   int64
	allFiles, allBytes   int64
	doneFiles, doneBytes int64
	start, end           int64
}

func (s *sums) add(sh snapshot.ShardStatus) {
	if s.stages == nil {
		s.stages = map[string]int{}
	}
	s.stages[sh.Stage]++
	s.total++
	n := sh.Numbers
	s.incFiles += int64(n.IncrementalFiles)
	s.incBytes += n.IncrementalBytes
	s.allFiles += int64(n.TotalFiles)
	s.allBytes += n.TotalBytes
	s.doneFiles += sh.DoneFiles
	s.doneBytes += sh.DoneBytes
	if n.Start > 0 && (s.start == 0 || n.Start < s.start) {
		s.start = n.Start
	}
	s.end = max(s.end, n.Start+n.Time)
}

func (s *sums) shards() *xcontent.Object {
	return xcontent.Obj("initializing", s.stages["INIT"], "started", s.stages["STARTED"], "finalizing", s.stages["FINALIZE"], "done", s.stages["DONE"],
		"failed", s.stages["FAILURE"], "total", s.total)
}

func (s *sums) stats() *xcontent.Object {
	o := xcontent.Obj("incremental", xcontent.Obj("file_count", s.incFiles, "size_in_bytes", s.incBytes))
	if s.doneFiles != s.incFiles {
		o.Add("processed", xcontent.Obj("file_count", s.doneFiles, "size_in_bytes", s.doneBytes))
	}
	return o.Add("total", xcontent.Obj("file_count", s.allFiles, "size_in_bytes", s.allBytes)).
		Add("start_time_in_millis", s.start).Add("time_in_millis", max(0, s.end-s.start))
}

func statusObject(st snapshot.Status) *xcontent.Object {
	var all sums
	indices := &xcontent.Object{}
	for _, name := range sortedKeys(st.Indices) {
		var one sums
		shards := &xcontent.Object{}
		ids := make([]int, 0, len(st.Indices[name]))
		for id := range st.Indices[name] {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		for _, id := range ids {
			sh := st.Indices[name][id]
			one.add(sh)
			all.add(sh)
			var alone sums
			alone.add(sh)
			o := xcontent.Obj("stage", sh.Stage, "stats", alone.stats())
			if sh.Node != "" && sh.Stage != "DONE" {
				o.Add("node", sh.Node)
			}
			if sh.Reason != "" {
				o.Add("reason", sh.Reason)
			}
			shards.Add(strconv.Itoa(id), o)
		}
		indices.Add(name, xcontent.Obj("shards_stats", one.shards(), "stats", one.stats(), "shards", shards))
	}
	if st.Start > 0 {
		all.start = st.Start
		all.end = max(all.end, st.End)
	}
	return xcontent.Obj("snapshot", st.ID.Name, "repository", st.Repository, "uuid", st.ID.UUID, "state", st.State,
		"include_global_state", st.IncludeGlobalState, "shards_stats", all.shards(), "stats", all.stats(), "indices", indices)
}
