package storedfields

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/chunkindex"
	"github.com/varve-search/varve/lucene/store"
)

func itoa(n int32) string { return strconv.Itoa(int(n)) }

func errDoc(doc, maxDoc int32) error {
	return fmt.Errorf("document %d is asked for, the segment has %d", doc, maxDoc)
}

// Writer writes the stored fields of a segment. It is for one goroutine.
type Writer struct {
	state *codec.WriteState
	mode  *modeInfo
	m     Mode
	meta  *store.Output
	data  *store.Output
	index chunkindex.Writer
	comp  compressor

	docs    *store.Output // of the chunk
	counts  []int32
	ends    []int32
	fields  int32 // of the document
	docBase int32

	chunks, dirtyChunks, dirtyDocs int64
}

// NewWriter creates the files of a segment, and notes the mode in its attributes.
func NewWriter(state *codec.WriteState, mode Mode) (*Writer, error) {
	if mode != BestSpeed && mode != BestCompression {
		return nil, fmt.Errorf("write stored fields: unknown mode %s", mode)
	}
	si := state.Info
	if old, ok := si.Attributes[ModeKey]; ok && old != mode.String() {
		return nil, fmt.Errorf("write stored fields of segment %s: the mode is already %s, not %s", si.Name, old, mode)
	}
	if si.Attributes == nil {
		si.Attributes = map[string]string{}
	}
	si.Attributes[ModeKey] = mode.String()
	w := &Writer{state: state, mode: mode.info(), m: mode, comp: newCompressor(mode), docs: store.NewBuffer()}
	var err error
	if w.meta, err = state.Dir.Create(state.FileName(MetaExtension)); err != nil {
		return nil, err
	}
	if w.data, err = state.Dir.Create(state.FileName(DataExtension)); err != nil {
		return nil, errors.Join(err, w.meta.Close())
	}
	codec.WriteIndexHeader(w.meta, indexName+"Meta", version, si.ID, state.Suffix)
	w.meta.PutVInt(int32(w.mode.chunkSize))
	codec.WriteIndexHeader(w.data, w.mode.codec, version, si.ID, state.Suffix)
	return w, nil
}

// StartDocument implements codec.StoredFieldsWriter.
func (w *Writer) StartDocument() error { return nil }

// Field implements codec.StoredFieldsWriter.
func (w *Writer) Field(f *lucene.FieldInfo, v lucene.StoredValue) error {
	if v.Kind < lucene.StoredString || v.Kind > lucene.StoredDouble {
		return fmt.Errorf("stored field %s: value of kind %d", f.Name, v.Kind)
	}
	if int64(len(v.Bytes)) > math.MaxInt32-w.docs.FilePointer()-32 {
		return fmt.Errorf("stored field %s: a document of more than 2 GiB", f.Name)
	}
	w.docs.PutVLong(int64(f.Number)<<typeBits | int64(v.Kind-lucene.StoredString))
	putValue(w.docs, v)
	w.fields++
	return nil
}

// raw adds a document as another segment has serialized it; field numbers must agree.
func (w *Writer) raw(b []byte, fields int) error {
	if int64(len(b)) > math.MaxInt32-w.docs.FilePointer() {
		return errors.New("stored fields: a document of more than 2 GiB")
	}
	w.docs.PutBytes(b)
	w.fields = int32(fields)
	return w.FinishDocument()
}

// FinishDocument implements codec.StoredFieldsWriter.
func (w *Writer) FinishDocument() error {
	w.counts = append(w.counts, w.fields)
	w.ends = append(w.ends, int32(w.docs.FilePointer()))
	w.fields = 0
	if w.docs.FilePointer() >= int64(w.mode.chunkSize) || len(w.counts) >= w.mode.maxDocs {
		return w.flush(false)
	}
	return nil
}

// flush writes the chunk. An incomplete one, which only its place forced out, is dirty.
func (w *Writer) flush(dirty bool) error {
	docs := w.docs.Data()
	n := int32(len(w.counts))
	code := n << flagBits
	if dirty {
		code |= flagDirty
		w.dirtyChunks++
		w.dirtyDocs += int64(n)
	}
	sliced := len(docs) >= 2*w.mode.chunkSize
	if sliced {
		code |= flagSliced
	}
	w.startChunk(n, code)
	putInts(w.data, w.counts)
	for i := len(w.ends) - 1; i > 0; i-- {
		w.ends[i] -= w.ends[i-1]
	}
	putInts(w.data, w.ends)
	if sliced {
		for len(docs) > 0 {
			k := min(len(docs), w.mode.chunkSize)
			if err := w.comp.compress(w.data, docs[:k]); err != nil {
				return err
			}
			docs = docs[k:]
		}
	} else if err := w.comp.compress(w.data, docs); err != nil {
		return err
	}
	if cap(docs) > 16*w.mode.chunkSize {
		w.docs = store.NewBuffer() // one huge document shall not keep its memory
	}
	w.docs.Reset()
	w.counts, w.ends = w.counts[:0], w.ends[:0]
	return w.data.Err()
}

// startChunk writes what stands before the arrays of a chunk, and counts its documents.
func (w *Writer) startChunk(docs, code int32) {
	w.index.Add(docs, w.data.FilePointer())
	w.chunks++
	w.data.PutVInt(w.docBase)
	w.data.PutVInt(code)
	w.docBase += docs
}

// Finish implements codec.StoredFieldsWriter.
func (w *Writer) Finish(numDocs int32) error {
	if len(w.counts) > 0 {
		if err := w.flush(true); err != nil {
			return err
		}
	}
	if w.docBase != numDocs {
		return fmt.Errorf("write stored fields of segment %s: %d documents were added, %d are expected", w.state.Info.Name, w.docBase, numDocs)
	}
	if err := w.index.Finish(w.state, w.meta, IndexExtension, indexName, numDocs, w.data.FilePointer(), blockShift); err != nil {
		return err
	}
	w.meta.PutVLong(w.chunks)
	w.meta.PutVLong(w.dirtyChunks)
	w.meta.PutVLong(w.dirtyDocs)
	codec.WriteFooter(w.meta)
	codec.WriteFooter(w.data)
	return errors.Join(w.meta.Err(), w.data.Err())
}

// Close implements codec.StoredFieldsWriter. Before Finish it only gives the files up.
func (w *Writer) Close() error { return errors.Join(w.meta.Close(), w.data.Close()) }

// Files returns the names of the files that the writer makes.
func (w *Writer) Files() []string {
	return []string{w.state.FileName(DataExtension), w.state.FileName(IndexExtension), w.state.FileName(MetaExtension)}
}
