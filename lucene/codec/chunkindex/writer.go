package chunkindex

import (
	"fmt"

	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/packed"
	"github.com/varve-search/varve/lucene/store"
)

// Writer collects the chunks of a file: 12 bytes of memory for each. The zero value is ready.
type Writer struct {
	docs     []int32
	pointers []int64
	total    int64
}

// Add records that the next docs documents begin at pointer.
func (w *Writer) Add(docs int32, pointer int64) {
	w.docs = append(w.docs, docs)
	w.pointers = append(w.pointers, pointer)
	w.total += int64(docs)
}

// Finish writes the index file of the given extension, and its part of the metadata to meta.
// The data end at maxPointer; shift is the size of the blocks, as a power of two.
func (w *Writer) Finish(state *codec.WriteState, meta *store.Output, ext, name string, numDocs int32, maxPointer int64, shift int) error {
	if w.total != int64(numDocs) {
		return fmt.Errorf("write %s: %d documents were added where %d are expected", state.FileName(ext), w.total, numDocs)
	}
	out, err := state.Dir.Create(state.FileName(ext))
	if err != nil {
		return err
	}
	defer out.Close()
	codec.WriteIndexHeader(out, name+"Idx", version, state.Info.ID, state.Suffix)
	n := int64(len(w.docs)) + 1
	meta.PutInt32(numDocs)
	meta.PutInt32(int32(shift))
	meta.PutInt32(int32(n))
	meta.PutInt64(out.FilePointer())
	docs := packed.NewMonotonicWriter(meta, out, n, shift)
	var doc int64
	docs.Add(0)
	for _, d := range w.docs {
		doc += int64(d)
		docs.Add(doc)
	}
	if err := docs.Finish(); err != nil {
		return err
	}
	meta.PutInt64(out.FilePointer())
	pointers := packed.NewMonotonicWriter(meta, out, n, shift)
	for _, p := range w.pointers {
		pointers.Add(p)
	}
	pointers.Add(maxPointer)
	if err := pointers.Finish(); err != nil {
		return err
	}
	meta.PutInt64(out.FilePointer())
	meta.PutInt64(maxPointer)
	codec.WriteFooter(out)
	return out.Close()
}
