package index

import (
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/catalog"
	"github.com/varve-search/varve/lucene/codec/livedocs"
	"github.com/varve-search/varve/lucene/codec/norms"
	"github.com/varve-search/varve/lucene/codec/perfield"
	"github.com/varve-search/varve/lucene/codec/perfielddv"
	"github.com/varve-search/varve/lucene/codec/points"
	"github.com/varve-search/varve/lucene/codec/storedfields"
	"github.com/varve-search/varve/lucene/codec/termvectors"
	"github.com/varve-search/varve/lucene/store"
)

// currentCodec is the codec of all segments that are written.
const currentCodec = catalog.Current

// formats makes the writers of a segment's files.
type formats struct{ mode storedfields.Mode }

func newFormats(cfg Config) *formats {
	f := &formats{mode: storedfields.BestSpeed}
	if cfg.BestCompression {
		f.mode = storedfields.BestCompression
	}
	return f
}

// bufferStoredFields opens the stored fields of a buffer, whose fields are not yet known.
func (f *formats) bufferStoredFields(b *buffer) (codec.StoredFieldsWriter, error) {
	return storedfields.NewWriter(&codec.WriteState{Dir: b.dir, Info: b.seg}, f.mode)
}

// bufferTermVectors opens the term vectors of a buffer.
func (f *formats) bufferTermVectors(b *buffer) (codec.TermVectorsWriter, error) {
	return termvectors.NewWriter(&codec.WriteState{Dir: b.dir, Info: b.seg})
}

func (f *formats) termVectors(state *codec.WriteState) (*termvectors.Writer, error) {
	return termvectors.NewWriter(state)
}

func (f *formats) storedFields(state *codec.WriteState) (*storedfields.Writer, error) {
	return storedfields.NewWriter(state, f.mode)
}

func (f *formats) norms(state *codec.WriteState) (codec.NormsConsumer, error) {
	return norms.NewConsumer(state)
}

// openNorms reads the norms that were just written.
func (f *formats) openNorms(state *codec.WriteState) (codec.NormsProducer, error) {
	return norms.NewProducer(&codec.ReadState{Dir: state.Dir, Info: state.Info, Fields: state.Fields, Access: store.Random})
}

func (f *formats) docValues(state *codec.WriteState) (codec.DocValuesConsumer, error) {
	return perfielddv.NewConsumer(state)
}

func (f *formats) points(state *codec.WriteState) (*points.Consumer, error) {
	return points.NewConsumer(state)
}

func (f *formats) postings(state *codec.WriteState) (codec.FieldsConsumer, error) {
	return perfield.NewFieldsConsumer(state)
}

// liveDocs writes the live documents of a segment, whose DelGen and DelCount are already those of the new file.
func (f *formats) liveDocs(dir store.Directory, info *lucene.SegmentCommitInfo, live *lucene.FixedBits) error {
	_, err := livedocs.Write(dir, info, info.DelGen, live)
	return err
}
