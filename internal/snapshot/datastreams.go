package snapshot

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
)

// streamsKey is the part of a snapshot's global metadata that holds its data streams: an object of the same name, in it one for each.
const streamsKey = "data_stream"

// streamsObject writes data streams as global metadata holds them.
func streamsObject(streams []*state.DataStream) *smile.Object {
	list := smile.NewObject()
	for _, s := range streams {
		indices := make([]any, len(s.Indices))
		for i, ix := range s.Indices {
			indices[i] = smile.NewObject(smile.Member{Name: "index_name", Value: ix.Name}, smile.Member{Name: "index_uuid", Value: ix.UUID})
		}
		list.Set(s.Name, smile.NewObject(
			smile.Member{Name: "name", Value: s.Name},
			smile.Member{Name: "timestamp_field", Value: smile.NewObject(smile.Member{Name: "name", Value: s.TimestampField})},
			smile.Member{Name: "indices", Value: indices},
			smile.Member{Name: "generation", Value: s.Generation}))
	}
	return smile.NewObject(smile.Member{Name: streamsKey, Value: list})
}

// parseStreams reads the data streams of a snapshot's global metadata, in the order of their names. What later versions of the
// format add is ignored.
func parseStreams(g *smile.Object) ([]*state.DataStream, error) {
	list := member(member(g, streamsKey), streamsKey)
	if list == nil {
		return nil, nil
	}
	var out []*state.DataStream
	for _, m := range list.Members {
		o, _ := m.Value.(*smile.Object)
		s := &state.DataStream{Name: m.Name, TimestampField: text(member(o, "timestamp_field"), "name")}
		var ok bool
		if o != nil {
			v, _ := o.Get("generation")
			s.Generation, ok = v.(int64)
		}
		if !ok || s.Generation < 1 || s.TimestampField == "" {
			return nil, fmt.Errorf("the data stream [%s] of the snapshot has no generation or no field for the time", m.Name)
		}
		v, _ := o.Get("indices")
		indices, _ := v.([]any)
		for _, e := range indices {
			ix, _ := e.(*smile.Object)
			name := text(ix, "index_name")
			if name == "" {
				return nil, fmt.Errorf("the data stream [%s] of the snapshot names an index without a name", m.Name)
			}
			s.Indices = append(s.Indices, state.StreamIndex{Name: name, UUID: text(ix, "index_uuid")})
		}
		if len(s.Indices) == 0 {
			return nil, fmt.Errorf("the data stream [%s] of the snapshot has no indices", m.Name)
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *state.DataStream) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func member(o *smile.Object, key string) *smile.Object {
	if o == nil {
		return nil
	}
	v, _ := o.Get(key)
	sub, _ := v.(*smile.Object)
	return sub
}

func text(o *smile.Object, key string) string {
	if o == nil {
		return ""
	}
	v, _ := o.Get(key)
	s, _ := v.(string)
	return s
}

// reduced returns a data stream with only those of its indices that are kept, so that the newest of them is its write index; nil if
// none is kept.
func reduced(s *state.DataStream, kept func(state.StreamIndex) bool) *state.DataStream {
	c := s.Clone()
	c.Indices = slices.DeleteFunc(c.Indices, func(ix state.StreamIndex) bool { return !kept(ix) })
	if len(c.Indices) == 0 {
		return nil
	}
	if last := c.WriteIndex(); last != s.WriteIndex() {
		if n, err := strconv.ParseInt(last[strings.LastIndexByte(last, '-')+1:], 10, 64); err == nil && n > 0 {
			c.Generation = n
		}
	}
	return c
}

// addStreams writes the data streams that a snapshot was asked for into its info and metadata. What was rolled over since it began is
// left out, as is a stream that was deleted meanwhile.
func addStreams(v *state.View, job *state.SnapshotJob, n *repository.NewSnapshot) {
	var list []*state.DataStream
	for _, name := range job.DataStreams {
		s := v.DataStream(name)
		if s == nil {
			continue
		}
		s = reduced(s, func(ix state.StreamIndex) bool {
			return v.IndexByUUID(ix.UUID) != nil && slices.ContainsFunc(job.Indices, func(ji state.SnapshotIndex) bool { return ji.UUID == ix.UUID })
		})
		if s != nil {
			list = append(list, s)
		}
	}
	setStreams(n, list)
}

func setStreams(n *repository.NewSnapshot, list []*state.DataStream) {
	if len(list) == 0 {
		return
	}
	if n.Global == nil {
		n.Global = repository.EmptyGlobalMetadata()
	}
	n.Global.Set(streamsKey, streamsObject(list))
	for _, s := range list {
		n.Info.DataStreams = append(n.Info.DataStreams, s.Name)
	}
}

// cloneStreams keeps in a clone those data streams of its source whose indices are all in the clone.
func cloneStreams(n *repository.NewSnapshot) error {
	streams, err := parseStreams(n.Global)
	if err != nil || len(streams) == 0 {
		return err
	}
	streams = slices.DeleteFunc(streams, func(s *state.DataStream) bool {
		return slices.ContainsFunc(s.Indices, func(ix state.StreamIndex) bool {
			return !slices.ContainsFunc(n.Indices, func(x repository.FinalizeIndex) bool { return x.Index.Name == ix.Name })
		})
	})
	if len(streams) == 0 {
		n.Global.Set(streamsKey, streamsObject(nil))
		return nil
	}
	setStreams(n, streams)
	return nil
}

// chooseStreams finds the data streams that a restore asks for. load reads the snapshot's global metadata, which holds them.
func (p *restorePlan) chooseStreams(load func() (smileObject, error)) error {
	if len(p.info.DataStreams) == 0 {
		return nil
	}
	lenient := p.req
	lenient.IgnoreUnavailable, lenient.ForbidNoIndices = true, false
	names, err := filterIndices(p.info.DataStreams, lenient)
	if err != nil || len(names) == 0 {
		return err
	}
	g, err := load()
	if err != nil {
		return err
	}
	streams, err := parseStreams(g)
	if err != nil {
		return restoreError(p.req, p.entry.UUID, "%v", err)
	}
	for _, name := range names {
		i := slices.IndexFunc(streams, func(s *state.DataStream) bool { return s.Name == name })
		if i < 0 {
			return restoreError(p.req, p.entry.UUID, "the data stream [%s] is named by the snapshot but is not in its metadata; ask for its indices instead, which are restored as indices", name)
		}
		p.streams = append(p.streams, streams[i])
	}
	return nil
}

// behind tells whether an index is behind a data stream that is restored.
func (p *restorePlan) behind(index string) bool {
	return slices.ContainsFunc(p.streams, func(s *state.DataStream) bool { return slices.Contains(s.IndexNames(), index) })
}

// placeStreams writes the restored data streams, on the indices that were just placed.
func (p *restorePlan) placeStreams(tx *state.Tx) (warnings []string, err error) {
	placed := map[string]state.StreamIndex{} // by the names in the snapshot
	for _, r := range p.indices {
		if ix := tx.Index(r.meta.Name); ix != nil {
			placed[r.from] = state.StreamIndex{Name: ix.Name, UUID: ix.UUID}
		}
	}
	done := map[string]string{}
	for _, s := range p.streams {
		next := reduced(s, func(ix state.StreamIndex) bool { _, ok := placed[ix.Name]; return ok })
		if next == nil {
			return nil, restoreError(p.req, p.entry.UUID, "none of the indices of the data stream [%s] is restored", s.Name)
		}
		if next.Name, err = p.renamed(s.Name); err != nil {
			return nil, err
		}
		if other, twice := done[next.Name]; twice {
			return nil, restoreError(p.req, p.entry.UUID, "data streams [%s] and [%s] are renamed into the same data stream [%s]", other, s.Name, next.Name)
		}
		done[next.Name] = s.Name
		if len(next.Indices) < len(s.Indices) {
			warnings = append(warnings, fmt.Sprintf("the data stream [%s] is restored without some of its indices", next.Name))
		}
		for i := range next.Indices {
			next.Indices[i] = placed[next.Indices[i].Name]
		}
		if old := tx.DataStream(next.Name); old != nil {
			for _, ix := range old.Indices {
				if !slices.Contains(next.Indices, ix) {
					warnings = append(warnings, fmt.Sprintf("the data stream [%s] is replaced; the index [%s] is not behind it any more", next.Name, ix.Name))
				}
			}
		} else if err := cluster.CheckStreamName(tx.View, next.Name); err != nil {
			return nil, err
		}
		tx.Put(next)
	}
	return warnings, cluster.CheckStreams(tx.View)
}
