package index

import (
	"errors"
	"math/bits"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/catalog"
	"github.com/varve-search/varve/lucene/codec/livedocs"
	"github.com/varve-search/varve/lucene/codec/storedfields"
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

var errMissing = errors.New("not wired")

func (f *formats) bufferTermVectors(b *buffer) (codec.TermVectorsWriter, error) {
	return nil, errMissing
}

func (f *formats) storedFields(state *codec.WriteState) (*storedfields.Writer, error) {
	return storedfields.NewWriter(state, f.mode)
}

func (f *formats) norms(state *codec.WriteState) (codec.NormsConsumer, error) { return nil, errMissing }
func (f *formats) openNorms(state *codec.WriteState) (codec.NormsProducer, error) {
	return nil, errMissing
}
func (f *formats) docValues(state *codec.WriteState) (codec.DocValuesConsumer, error) {
	return nil, errMissing
}
func (f *formats) points(state *codec.WriteState) (codec.PointsConsumer, error) {
	return nil, errMissing
}
func (f *formats) postings(state *codec.WriteState) (codec.FieldsConsumer, error) {
	return nil, errMissing
}

// liveDocs writes the live documents of a segment, whose DelGen and DelCount are already those of the new file.
func (f *formats) liveDocs(dir store.Directory, info *lucene.SegmentCommitInfo, live *lucene.FixedBits) error {
	_, err := livedocs.Write(dir, info, info.DelGen, live)
	return err
}

// storedCopier moves documents of a source of a merge into its stored fields.
type storedCopier interface {
	Copy(from, to int32) error
}

func newStoredCopier(out *storedfields.Writer, s *mergeSource, to *lucene.FieldInfos) (storedCopier, error) {
	return storedfields.NewCopier(out, s.reader.StoredFieldsReader(), s.fields, to)
}

func countLive(live *lucene.FixedBits, maxDoc int32) int32 {
	if live == nil {
		return maxDoc
	}
	n := int32(0)
	for _, w := range live.Words {
		n += int32(bits.OnesCount64(w))
	}
	return n
}
