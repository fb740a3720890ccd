package repository

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/varve-search/varve/repository/smile"
)

// streamsOf infers the data streams of a snapshot whose info is lost. Its global metadata has those that were asked for, with their backing
// indices. One belongs to the snapshot where its write index, the last one, does: without that nothing could be added to it after a restore,
// and a snapshot of single backing indices has no data stream.
func (p *repairer) streamsOf(ctx context.Context, id SnapshotID, indices []string) ([]string, error) {
	g, err := p.r.GlobalMetadata(ctx, id)
	if bad, failed := damaged(err); bad || failed != nil {
		return nil, failed
	}
	var out, without []string
	for _, m := range members(g, "data_stream", "data_stream") {
		o, _ := m.Value.(*smile.Object)
		v, _ := o.Get("indices")
		list, _ := v.([]any)
		if len(list) == 0 {
			continue
		}
		last, _ := list[len(list)-1].(*smile.Object)
		write, _ := last.Get("index_name")
		if name, ok := write.(string); ok && slices.Contains(indices, name) {
			out = append(out, m.Name)
		} else {
			without = append(without, m.Name)
		}
	}
	slices.Sort(out)
	if len(out) > 0 {
		p.report.Guesses = append(p.report.Guesses, fmt.Sprintf("snapshot [%s] has the data streams [%s], as far as its global metadata and its indices tell", id.Name, strings.Join(out, ", ")))
	}
	if len(without) > 0 {
		slices.Sort(without)
		p.report.Guesses = append(p.report.Guesses, fmt.Sprintf("snapshot [%s] does not get the data streams [%s] of its global metadata: it has not the index that they write to", id.Name, strings.Join(without, ", ")))
	}
	return out, nil
}

// members returns those of an object that lies in others.
func members(o *smile.Object, path ...string) []smile.Member {
	for _, name := range path {
		v, _ := o.Get(name)
		o, _ = v.(*smile.Object)
	}
	if o == nil {
		return nil
	}
	return o.Members
}
