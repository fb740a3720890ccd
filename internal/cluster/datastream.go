package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
)

// OnlyCreates is the error of a write that a data stream does not take.
func OnlyCreates() error {
	return apierr.IllegalArgument("only write ops with an op_type of create are allowed in data streams")
}

// TimestampField returns the field that orders the data streams a composable template makes; ok is false where it makes none.
func (t *Template) TimestampField() (field string, ok bool) {
	if len(t.DataStream) == 0 || string(t.DataStream) == "null" {
		return "", false
	}
	var d struct {
		Timestamp struct {
			Name string `json:"name"`
		} `json:"timestamp_field"`
	}
	if json.Unmarshal(t.DataStream, &d) != nil || d.Timestamp.Name == "" {
		return mapping.DefaultTimestamp, true
	}
	return d.Timestamp.Name, true
}

// StreamMappings puts around the mappings of templates what an index behind a data stream needs: the time's field, which they
// may refine, and its check, which they may not take away.
func StreamMappings(field string, raws []json.RawMessage) ([]json.RawMessage, error) {
	name, err := json.Marshal(field)
	if err != nil {
		return nil, err
	}
	first := fmt.Appendf(nil, `{"properties":{%s:{"type":"date"}}}`, name)
	last := fmt.Appendf(nil, `{"_data_stream_timestamp":{"enabled":true,"timestamp_field":{"name":%s}}}`, name)
	return slices.Concat([]json.RawMessage{first}, raws, []json.RawMessage{last}), nil
}

// streamTemplate finds the template that makes a data stream of this name.
func streamTemplate(v *state.View, stream string) (field string, err error) {
	name, t, err := FindIndexTemplate(v, stream, false)
	if err != nil {
		return "", err
	}
	if t == nil {
		return "", apierr.IllegalArgument("no matching index template found for data stream [%s]", stream)
	}
	field, ok := t.TimestampField()
	if !ok {
		return "", apierr.IllegalArgument("matching index template [%s] for data stream [%s] has no data stream template", name, stream)
	}
	return field, nil
}

// RefuseStreamName refuses to make a plain index of a name for which a template makes data streams.
func RefuseStreamName(v *state.View, index string) error {
	name, t, err := FindIndexTemplate(v, index, false)
	if err != nil || t == nil {
		return err
	}
	if _, stream := t.TimestampField(); !stream {
		return nil
	}
	return streamsOnly(index, name)
}

// streamsOnly is the error of a plain index for whose name a template makes data streams.
func streamsOnly(index, template string) error {
	return apierr.IllegalArgument("cannot create index with name [%s], because it matches with template [%s] that creates data streams only, use create data stream api instead", index, template)
}

// CreateDataStream makes a data stream with its first index, and waits for that.
func (n *Node) CreateDataStream(ctx context.Context, name string, timeout time.Duration) (*CreateResult, error) {
	var made *state.Index
	err := n.store.Update(ctx, func(tx *state.Tx) (err error) {
		made, err = n.createStream(tx, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	res := &CreateResult{Acknowledged: true, Index: made}
	res.ShardsAcknowledged, err = n.WaitFor(ctx, timeout, func(v *state.View) bool { return activeCopies(v, made.UUID, 1) })
	return res, err
}

func (n *Node) createStream(tx *state.Tx, name string) (*state.Index, error) {
	if tx.DataStream(name) != nil {
		return nil, apierr.New(http.StatusBadRequest, "resource_already_exists_exception", "data_stream [%s] already exists", name)
	}
	if err := checkName(name, false); err != nil {
		return nil, apierr.IllegalArgument("data_stream [%s] %s", name, trimInvalid(apierr.As(err).Reason, name))
	}
	if strings.ToLower(name) != name {
		return nil, apierr.IllegalArgument("data_stream [%s] must be lowercase", name)
	}
	if name[0] == '.' {
		return nil, apierr.IllegalArgument("data_stream [%s] must not start with '.'", name)
	}
	field, err := streamTemplate(tx.View, name)
	if err != nil {
		return nil, err
	}
	if err := CheckStreamName(tx.View, name); err != nil {
		return nil, err
	}
	stream := &state.DataStream{Name: name, TimestampField: field, Generation: 1}
	ix, err := n.backingIndex(tx, stream)
	if apierr.Is(err, "resource_already_exists_exception") {
		e := apierr.New(http.StatusBadRequest, "status_exception", "data stream could not be created because backing index [%s] already exists", state.BackingIndex(name, 1))
		e.RootCauses = []error{err}
		return nil, e.Because(err)
	}
	if err != nil {
		return nil, err
	}
	return ix, CheckStreams(tx.View)
}

// backingIndex makes the index of a stream's generation, which becomes its write index, and writes both.
func (n *Node) backingIndex(tx *state.Tx, stream *state.DataStream) (*state.Index, error) {
	name := state.BackingIndex(stream.Name, stream.Generation)
	req, err := WithTemplates(tx.View, CreateRequest{Name: name, Stream: stream.Name, Settings: settings.Settings{"index.hidden": "true"}})
	if err != nil {
		return nil, err
	}
	ix, err := n.buildIndex(tx.View, req)
	if err != nil {
		return nil, err
	}
	n.putIndex(tx, ix)
	stream.Indices = append(stream.Indices, state.StreamIndex{Name: ix.Name, UUID: ix.UUID})
	tx.Put(stream)
	return ix, nil
}

// duplicate is the error of two things of one name.
func duplicate(format string, args ...any) error {
	return apierr.New(http.StatusInternalServerError, "illegal_state_exception",
		"index, alias, and data stream names need to be unique, but the following duplicates were found [%s]", fmt.Sprintf(format, args...))
}

// CheckStreamName refuses a data stream that would have the name of an index or alias.
func CheckStreamName(v *state.View, name string) error {
	if v.Index(name) != nil {
		return duplicate("data stream [%s] conflicts with index", name)
	}
	if of := v.Names().AliasIndices(name); len(of) > 0 {
		return duplicate("%s (alias of [%s/%s]) conflicts with data stream", name, of[0], v.Index(of[0]).UUID)
	}
	return nil
}

// CheckStreams refuses a state in which the next rollover of a data stream would meet an index or alias that has the name already.
func CheckStreams(v *state.View) error {
	streams := v.DataStreams()
	if len(streams) == 0 {
		return nil
	}
	names := v.Names().Names()
	for _, s := range streams {
		prefix := state.BackingPrefix + s.Name + "-"
		from, _ := slices.BinarySearch(names, prefix)
		var conflicts []string
		for _, n := range names[from:] {
			if !strings.HasPrefix(n, prefix) {
				break
			}
			if number, err := strconv.ParseUint(n[len(prefix):], 10, 63); err == nil && int64(number) > s.Generation {
				conflicts = append(conflicts, n)
			}
		}
		if len(conflicts) > 0 {
			return apierr.New(http.StatusInternalServerError, "illegal_state_exception",
				"data stream [%s] could create backing indices that conflict with %d existing index(s) or alias(s) including '%s'", s.Name, len(conflicts), conflicts[0])
		}
	}
	return nil
}

// DeleteDataStreams removes the data streams that names and wildcards choose, with all indices behind them. What is not there is no error.
func (n *Node) DeleteDataStreams(ctx context.Context, patterns []string) error {
	return n.store.Update(ctx, func(tx *state.Tx) error {
		var chosen []*state.DataStream
		for _, s := range tx.DataStreams() {
			if slices.ContainsFunc(patterns, func(p string) bool { return settings.Match(p, s.Name) }) {
				chosen = append(chosen, s)
			}
		}
		if busy := snapshottedStreams(tx.View, chosen); len(busy) > 0 {
			return apierr.New(http.StatusBadRequest, "snapshot_in_progress_exception",
				"Cannot delete data streams that are being snapshotted: [%s]. Try again after snapshot finishes or cancel the currently running snapshot.", strings.Join(busy, ", "))
		}
		for _, s := range chosen {
			tx.Delete(s)
		}
		for _, s := range chosen {
			for _, ix := range s.Indices {
				if tx.Index(ix.Name) == nil {
					continue
				}
				if err := DeleteIndex(tx, ix.Name); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func snapshottedStreams(v *state.View, streams []*state.DataStream) []string {
	busy := map[string]bool{}
	for _, job := range v.SnapshotJobs() {
		for _, s := range streams {
			if !job.Partial && slices.Contains(job.DataStreams, s.Name) {
				busy[s.Name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(busy))
}

// leaveStream takes an index that is deleted out of its data stream, whose write index is not deleted.
func leaveStream(tx *state.Tx, lookup *wildcard.Lookup, index string) error {
	name := lookup.StreamOf(index)
	if name == "" {
		return nil
	}
	old := tx.DataStream(name)
	if old == nil {
		return nil
	}
	if old.WriteIndex() == index {
		return apierr.IllegalArgument("index [%s] is the write index for data stream [%s] and cannot be deleted", index, name)
	}
	s := old.Clone()
	s.Indices = slices.DeleteFunc(s.Indices, func(ix state.StreamIndex) bool { return ix.Name == index })
	tx.Put(s)
	return nil
}

// refuseWriteIndices refuses to do something to the write indices of data streams; what is "close" or "add a block to".
func refuseWriteIndices(v *state.View, names []string, what string) error {
	lookup := v.Names()
	var write []string
	for _, n := range names {
		if s := lookup.StreamOf(n); s != "" && lookup.StreamWriteIndex(s) == n {
			write = append(write, n)
		}
	}
	if len(write) == 0 {
		return nil
	}
	return apierr.IllegalArgument("cannot %s the following data stream write indices [%s]", what, strings.Join(write, ","))
}

// AddBlock sets a block of indices: one of read_only, read, write, metadata.
func (n *Node) AddBlock(ctx context.Context, names []string, block string) error {
	if err := refuseWriteIndices(n.store.View(), names, "add a block to"); err != nil {
		return err
	}
	return n.UpdateSettings(ctx, names, settings.Settings{"index.blocks." + block: "true"}, false)
}
