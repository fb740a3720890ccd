package rest

import (
	"context"
	"encoding/binary"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/store"
)

func (a *API) routeDataStreams(rt *Router) {
	rt.Handle("GET", "/_data_stream", a.getDataStreams)
	rt.Handle("GET", "/_data_stream/{name}", a.getDataStreams)
	rt.Handle("PUT", "/_data_stream/{name}", a.createDataStream)
	rt.Handle("DELETE", "/_data_stream/{name}", a.deleteDataStreams)
	rt.Handle("GET", "/_data_stream/_stats", a.dataStreamStats)
	rt.Handle("GET", "/_data_stream/{name}/_stats", a.dataStreamStats)
}

// dataStreamObject renders a data stream as answers, the cluster state and snapshots have it.
func dataStreamObject(s *state.DataStream) *xcontent.Object {
	indices := []any{}
	for _, ix := range s.Indices {
		indices = append(indices, xcontent.Obj("index_name", ix.Name, "index_uuid", ix.UUID))
	}
	return xcontent.Obj("name", s.Name, "timestamp_field", xcontent.Obj("name", s.TimestampField), "indices", indices, "generation", s.Generation)
}

func (a *API) createDataStream(r *Request) (*Response, error) {
	timeout, err := a.timeouts(r)
	if err != nil {
		return nil, err
	}
	name := r.Param("name")
	if strings.TrimSpace(name) == "" {
		return nil, apierr.Validation("name is missing")
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if _, err := a.Node.CreateDataStream(r.Context(), name, timeout); err != nil {
		return nil, err
	}
	return Acknowledged()
}

func (a *API) getDataStreams(r *Request) (*Response, error) {
	v := a.view()
	names, err := v.Names().Streams(wildcard.StrictExpandOpenClosed, r.List("name")...)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, name := range names {
		s := v.DataStream(name)
		o := dataStreamObject(s)
		h := green
		for _, b := range s.Indices {
			if ix := v.Index(b.Name); ix != nil {
				one, _ := indexHealth(v, ix)
				h = worse(h, one.status)
			}
		}
		o.Add("status", strings.ToUpper(string(h)))
		template, _, err := cluster.FindIndexTemplate(v, name, false)
		if err != nil {
			return nil, err
		}
		if template != "" {
			o.Add("template", template)
		}
		list = append(list, o)
	}
	return OK(xcontent.Obj("data_streams", list))
}

func (a *API) deleteDataStreams(r *Request) (*Response, error) {
	if err := a.waitTimes(r); err != nil {
		return nil, err
	}
	names := r.List("name")
	if len(names) == 0 {
		return nil, apierr.Validation("no data stream(s) specified")
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if err := a.Node.DeleteDataStreams(r.Context(), names); err != nil {
		return nil, err
	}
	return Acknowledged()
}

func (a *API) dataStreamStats(r *Request) (*Response, error) {
	forbid, err := r.Bool("forbid_closed_indices", true)
	if err != nil {
		return nil, err
	}
	def := wildcard.StrictExpandOpen
	def.ForbidClosed = forbid
	o, err := indicesOptions(r, def)
	if err != nil {
		return nil, err
	}
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	v := a.view()
	if _, err := concreteIn(v, o, r.Param("name")); err != nil { // what is missing or closed
		return nil, err
	}
	names, err := v.Names().Streams(o, r.List("name")...)
	if err != nil {
		return nil, err
	}
	var total, ok, behind int
	var bytes int64
	list := []any{}
	for _, name := range names {
		s := v.DataStream(name)
		one := streamStats{}
		for _, b := range s.Indices {
			ix := v.Index(b.Name)
			if ix == nil || ix.State == state.IndexClosed {
				continue
			}
			total += ix.NumberOfShards * (1 + ix.NumberOfReplicas)
			if err := one.add(r.Context(), a.Node.Index(b.Name), s.TimestampField); err != nil {
				return nil, err
			}
		}
		ok, behind, bytes = ok+one.shards, behind+len(s.Indices), bytes+one.bytes
		st := newStat(human)
		st.num("data_stream", name).num("backing_indices", len(s.Indices)).plainBytes("store_size", one.bytes).num("maximum_timestamp", one.newest)
		list = append(list, st.o)
	}
	st := newStat(human)
	st.num("_shards", shardsObject(total, ok, 0)).num("data_stream_count", len(list)).num("backing_indices", behind)
	return OK(st.plainBytes("total_store_size", bytes).num("data_streams", list).o)
}

// streamStats are the numbers of a data stream's shards.
type streamStats struct {
	shards        int
	bytes, newest int64 // newest is the greatest time, in milliseconds since 1970
}

func (s *streamStats) add(ctx context.Context, ix *cluster.Index, field string) error {
	if ix == nil {
		return nil
	}
	for _, sh := range ix.Shards() {
		st, err := sh.Stats()
		if err != nil { // closed meanwhile
			continue
		}
		newest, err := newestTime(ctx, sh, field)
		if err != nil {
			return err
		}
		s.shards++
		s.bytes += st.Bytes
		s.newest = max(s.newest, newest)
	}
	return nil
}

// newestTime returns the greatest value of a date field of a shard; 0 where it has none.
func newestTime(ctx context.Context, sh *shard.Shard, field string) (newest int64, err error) {
	view, err := sh.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer view.Release()
	err = store.Guard(func() error {
		for _, leaf := range view.Leaves() {
			points, err := leaf.Reader.Points(field)
			if err != nil {
				return err
			}
			if points == nil || points.Size() == 0 {
				continue
			}
			if top := points.MaxPacked(); len(top) == 8 { // sortable: the sign is flipped
				newest = max(newest, int64(binary.BigEndian.Uint64(top)^1<<63))
			}
		}
		return nil
	})
	return newest, err
}
