package state

import (
	"fmt"
	"slices"
)

// BackingPrefix is how the names of indices behind data streams begin.
const BackingPrefix = ".ds-"

// DataStream is a name for a row of hidden indices, of which the newest takes all writes.
type DataStream struct {
	Name           string        `json:"name"`
	TimestampField string        `json:"timestamp_field"`
	Indices        []StreamIndex `json:"indices"` // oldest first, the write index last; never empty
	// Generation counts the rollovers, from 1; it numbers the write index.
	Generation int64 `json:"generation"`
}

// StreamIndex is an index behind a data stream.
type StreamIndex struct {
	Name string `json:"name"`
	UUID string `json:"uuid"`
}

func (*DataStream) kind() Kind     { return KindDataStream }
func (d *DataStream) name() string { return d.Name }

// Clone returns a copy that may be changed.
func (d *DataStream) Clone() *DataStream {
	c := *d
	c.Indices = slices.Clone(d.Indices)
	return &c
}

// IndexNames returns the names of the indices behind the stream, the oldest first.
func (d *DataStream) IndexNames() []string {
	names := make([]string, len(d.Indices))
	for i, ix := range d.Indices {
		names[i] = ix.Name
	}
	return names
}

// WriteIndex returns the name of the index that takes writes.
func (d *DataStream) WriteIndex() string {
	if len(d.Indices) == 0 {
		return ""
	}
	return d.Indices[len(d.Indices)-1].Name
}

// BackingIndex is the name of the index of a stream's generation.
func BackingIndex(stream string, generation int64) string {
	return fmt.Sprintf("%s%s-%06d", BackingPrefix, stream, generation)
}

// DataStream returns a data stream, or nil.
func (v *View) DataStream(name string) *DataStream { return get[DataStream](v, name) }

// DataStreams returns all data streams in the order of their names.
func (v *View) DataStreams() []*DataStream { return list[DataStream](v) }
