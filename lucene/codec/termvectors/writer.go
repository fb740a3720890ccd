package termvectors

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/chunkindex"
	"github.com/varve-search/varve/lucene/lz4"
	"github.com/varve-search/varve/lucene/packed"
	"github.com/varve-search/varve/lucene/store"
)

// Writer writes the term vectors of a segment. It is for one goroutine.
type Writer struct {
	state      *codec.WriteState
	meta, data *store.Output
	index      chunkindex.Writer
	comp       *lz4.Fast

	docs      []int32 // fields of each document of the chunk
	want      int     // fields that the document announced
	fields    []pendingField
	prefix    []int32
	suffix    []int32
	freqs     []int32
	positions []int32
	starts    []int32
	lengths   []int32
	payloads  []int32 // lengths
	text      []byte  // suffixes, and payloads behind those of each document
	payload   []byte  // of the document
	last      []byte  // term
	docBase   int32

	packed  []byte
	scratch *store.Output

	chunks, dirtyChunks, dirtyDocs int64
}

type pendingField struct {
	number              int32
	flags               byte
	terms               int32 // announced
	term                int32 // its first one
	posAt, offAt, payAt int32
	occurrences         int32 // so far
}

// NewWriter creates the files of a segment.
func NewWriter(state *codec.WriteState) (*Writer, error) {
	w := &Writer{state: state, comp: lz4.NewFast(), scratch: store.NewBuffer()}
	var err error
	if w.meta, err = state.Dir.Create(state.FileName(MetaExtension)); err != nil {
		return nil, err
	}
	if w.data, err = state.Dir.Create(state.FileName(DataExtension)); err != nil {
		return nil, errors.Join(err, w.meta.Close())
	}
	codec.WriteIndexHeader(w.meta, indexName+"Meta", version, state.Info.ID, state.Suffix)
	codec.WriteIndexHeader(w.data, dataCodec, version, state.Info.ID, state.Suffix)
	w.meta.PutVInt(packedVersion)
	w.meta.PutVInt(chunkSize)
	return w, nil
}

// Files returns the names of the files that the writer makes.
func (w *Writer) Files() []string {
	return []string{w.state.FileName(DataExtension), w.state.FileName(IndexExtension), w.state.FileName(MetaExtension)}
}

// StartDocument implements codec.TermVectorsWriter.
func (w *Writer) StartDocument(numFields int) error {
	w.docs = append(w.docs, int32(numFields))
	w.want = numFields
	return nil
}

// StartField implements codec.TermVectorsWriter.
func (w *Writer) StartField(f *lucene.FieldInfo, numTerms int, positions, offsets, payloads bool) error {
	if err := w.fieldDone(); err != nil {
		return err
	}
	if w.want--; w.want < 0 {
		return fmt.Errorf("write term vectors: field %s is one more than its document announced", f.Name)
	}
	p := pendingField{
		number: f.Number, terms: int32(numTerms), term: int32(len(w.freqs)),
		posAt: int32(len(w.positions)), offAt: int32(len(w.starts)), payAt: int32(len(w.payloads)),
	}
	for i, has := range [...]bool{positions, offsets, payloads} {
		if has {
			p.flags |= 1 << i
		}
	}
	w.fields = append(w.fields, p)
	w.last = w.last[:0]
	return nil
}

// fieldDone checks that the last field got what it announced.
func (w *Writer) fieldDone() error {
	if len(w.fields) == 0 {
		return nil
	}
	f := &w.fields[len(w.fields)-1]
	if got := int32(len(w.freqs)) - f.term; got != f.terms {
		return fmt.Errorf("write term vectors: field number %d has %d terms and announced %d", f.number, got, f.terms)
	}
	var sum int64
	for _, n := range w.freqs[f.term:] {
		sum += int64(n)
	}
	if f.flags != 0 && sum != int64(f.occurrences) {
		return fmt.Errorf("write term vectors: field number %d has %d occurrences and announced %d", f.number, f.occurrences, sum)
	}
	return nil
}

// StartTerm implements codec.TermVectorsWriter.
func (w *Writer) StartTerm(term []byte, freq int32) error {
	if freq < 1 || len(w.text)+len(term) > math.MaxInt32 {
		return fmt.Errorf("write term vectors: a term of %d bytes that occurs %d times", len(term), freq)
	}
	shared := 0
	for shared < min(len(w.last), len(term)) && w.last[shared] == term[shared] {
		shared++
	}
	w.prefix = append(w.prefix, int32(shared))
	w.suffix = append(w.suffix, int32(len(term)-shared))
	w.freqs = append(w.freqs, freq)
	w.text = append(w.text, term[shared:]...)
	w.last = append(w.last[:shared], term[shared:]...)
	return nil
}

// Position implements codec.TermVectorsWriter.
func (w *Writer) Position(position, startOffset, endOffset int32, payload []byte) error {
	f := &w.fields[len(w.fields)-1]
	if f.flags&flagPositions != 0 {
		w.positions = append(w.positions, position)
	}
	if f.flags&flagOffsets != 0 {
		w.starts = append(w.starts, startOffset)
		w.lengths = append(w.lengths, endOffset-startOffset)
	}
	if f.flags&flagPayloads != 0 {
		w.payloads = append(w.payloads, int32(len(payload)))
		w.payload = append(w.payload, payload...)
	}
	f.occurrences++
	return nil
}

// FinishDocument implements codec.TermVectorsWriter.
func (w *Writer) FinishDocument() error {
	if err := w.fieldDone(); err != nil {
		return err
	}
	if w.want != 0 {
		return fmt.Errorf("write term vectors: a document has %d fields fewer than it announced", w.want)
	}
	w.text = append(w.text, w.payload...)
	w.payload = w.payload[:0]
	if len(w.text) >= chunkSize || len(w.docs) >= maxDocs {
		return w.flush(false)
	}
	return nil
}

// startChunk writes what stands before a chunk's fields, and counts its documents.
func (w *Writer) startChunk(docs int32, dirty bool) {
	w.index.Add(docs, w.data.FilePointer())
	w.data.PutVInt(w.docBase)
	code := docs << 1
	if dirty {
		code |= 1
		w.dirtyChunks++
		w.dirtyDocs += int64(docs)
	}
	w.data.PutVInt(code)
	w.chunks++
	w.docBase += docs
}

func (w *Writer) flush(dirty bool) error {
	if len(w.positions) > math.MaxInt32 || len(w.starts) > math.MaxInt32 || len(w.text) > math.MaxInt32 {
		return errors.New("write term vectors: a document of more than 2 GiB")
	}
	w.startChunk(int32(len(w.docs)), dirty)
	if len(w.docs) == 1 {
		w.data.PutVInt(w.docs[0])
	} else {
		putBlocks(w.data, w.docs)
	}
	if len(w.fields) > 0 {
		numbers, err := w.putFields()
		if err != nil {
			return err
		}
		for i := range w.freqs {
			w.freqs[i]--
		}
		putBlocks(w.data, w.prefix)
		putBlocks(w.data, w.suffix)
		putBlocks(w.data, w.freqs)
		for i := range w.freqs {
			w.freqs[i]++
		}
		w.putOccurrences(numbers)
		putBlocks(w.data, w.payloads)
		w.packed = w.comp.Append(w.packed[:0], w.text, 0)
		w.data.PutBytes(w.packed)
	}
	if cap(w.text) > 1<<20 {
		w.text, w.packed = nil, nil // one huge document shall not keep its memory
	}
	w.docs, w.fields, w.text = w.docs[:0], w.fields[:0], w.text[:0]
	for _, v := range []*[]int32{&w.prefix, &w.suffix, &w.freqs, &w.positions, &w.starts, &w.lengths, &w.payloads} {
		if *v = (*v)[:0]; cap(*v) > 1<<20 {
			*v = nil
		}
	}
	return w.data.Err()
}

// putFields writes which fields the documents have, their flags and how many terms, and returns the
// field numbers, ascending.
func (w *Writer) putFields() ([]int32, error) {
	var numbers []int32
	var maxTerms uint64
	for _, f := range w.fields {
		if i, found := slices.BinarySearch(numbers, f.number); !found {
			numbers = slices.Insert(numbers, i, f.number)
		}
		maxTerms |= uint64(f.terms)
	}
	n := len(numbers)
	width := max(1, bitLen(numbers[n-1]))
	w.data.PutByte(byte(min(n-1, 7)<<5 | width))
	if n-1 >= 7 {
		w.data.PutVInt(int32(n - 1 - 7))
	}
	packBits(w.data, numbers, width, 0)
	which := make([]int, len(w.fields))
	flags := make([]int64, n)
	constant := true
	for i := range flags {
		flags[i] = -1
	}
	for i, f := range w.fields {
		k, _ := slices.BinarySearch(numbers, f.number)
		which[i] = k
		if flags[k] == -1 {
			flags[k] = int64(f.flags)
		}
		constant = constant && flags[k] == int64(f.flags)
	}
	if err := w.putDirect(len(which), packed.BitsRequired(uint64(n-1)), func(i int) int64 { return int64(which[i]) }); err != nil {
		return nil, err
	}
	var err error
	if constant {
		w.data.PutVInt(0)
		err = w.putDirect(n, flagBits, func(i int) int64 { return flags[i] })
	} else {
		w.data.PutVInt(1)
		err = w.putDirect(len(w.fields), flagBits, func(i int) int64 { return int64(w.fields[i].flags) })
	}
	if err != nil {
		return nil, err
	}
	bits := packed.BitsRequired(maxTerms)
	w.data.PutVInt(int32(bits))
	return numbers, w.putDirect(len(w.fields), bits, func(i int) int64 { return int64(w.fields[i].terms) })
}

func bitLen(n int32) int {
	b := 0
	for ; n > 0; n >>= 1 {
		b++
	}
	return b
}

// putDirect writes n numbers and before them the length of their bytes.
func (w *Writer) putDirect(n, width int, at func(int) int64) error {
	w.scratch.Reset()
	d := packed.NewDirectWriter(w.scratch, int64(n), width)
	for i := range n {
		d.Add(at(i))
	}
	if err := d.Finish(); err != nil {
		return err
	}
	w.data.PutVInt(int32(w.scratch.FilePointer()))
	w.data.PutBytes(w.scratch.Data())
	return nil
}

// eachTerm calls fn for the terms of a field with the numbers of their occurrences, which it counts from 0.
func (w *Writer) eachTerm(f *pendingField, fn func(term, from, to int32)) {
	at := int32(0)
	for t := f.term; t < f.term+f.terms; t++ {
		fn(t, at, at+w.freqs[t])
		at += w.freqs[t]
	}
}

// putOccurrences writes positions and offsets, both as differences.
func (w *Writer) putOccurrences(numbers []int32) {
	deltas := make([]int32, 0, max(len(w.positions), len(w.starts)))
	for i := range w.fields {
		f := &w.fields[i]
		if f.flags&flagPositions == 0 {
			continue
		}
		w.eachTerm(f, func(_, from, to int32) {
			last := int32(0)
			for _, p := range w.positions[f.posAt+from : f.posAt+to] {
				deltas = append(deltas, p-last)
				last = p
			}
		})
	}
	putBlocks(w.data, deltas)
	if !slices.ContainsFunc(w.fields, func(f pendingField) bool { return f.flags&flagOffsets != 0 }) {
		return
	}
	averages := w.averages(numbers)
	for _, a := range averages {
		w.data.PutFloat32(a)
	}
	deltas = deltas[:0]
	for i := range w.fields {
		f := &w.fields[i]
		if f.flags&flagOffsets == 0 {
			continue
		}
		k, _ := slices.BinarySearch(numbers, f.number)
		w.eachTerm(f, func(_, from, to int32) {
			var lastPos, lastOff int32
			for j := from; j < to; j++ {
				var pos int32
				if f.flags&flagPositions != 0 {
					pos = w.positions[f.posAt+j]
				}
				off := w.starts[f.offAt+j]
				deltas = append(deltas, off-lastOff-int32(averages[k]*float32(pos-lastPos)))
				lastPos, lastOff = pos, off
			}
		})
	}
	putBlocks(w.data, deltas)
	deltas = deltas[:0]
	for i := range w.fields {
		f := &w.fields[i]
		if f.flags&flagOffsets == 0 {
			continue
		}
		w.eachTerm(f, func(t, from, to int32) {
			for j := from; j < to; j++ {
				deltas = append(deltas, w.lengths[f.offAt+j]-w.prefix[t]-w.suffix[t])
			}
		})
	}
	putBlocks(w.data, deltas)
}

// averages returns for each field how many characters a position is wide, from which offsets are guessed.
func (w *Writer) averages(numbers []int32) []float32 {
	sumPos, sumOff := make([]int64, len(numbers)), make([]int64, len(numbers))
	for i := range w.fields {
		f := &w.fields[i]
		if f.flags&(flagPositions|flagOffsets) != flagPositions|flagOffsets {
			continue
		}
		k, _ := slices.BinarySearch(numbers, f.number)
		w.eachTerm(f, func(_, _, to int32) {
			sumPos[k] += int64(w.positions[f.posAt+to-1])
			sumOff[k] += int64(w.starts[f.offAt+to-1])
		})
	}
	averages := make([]float32, len(numbers))
	for k := range averages {
		if sumPos[k] > 0 && sumOff[k] > 0 {
			averages[k] = float32(float64(sumOff[k]) / float64(sumPos[k]))
		}
	}
	return averages
}

// Finish implements codec.TermVectorsWriter.
func (w *Writer) Finish(numDocs int32) error {
	if len(w.docs) > 0 {
		if err := w.flush(true); err != nil {
			return err
		}
	}
	if w.docBase != numDocs {
		return fmt.Errorf("write term vectors of segment %s: %d documents were added, %d are expected", w.state.Info.Name, w.docBase, numDocs)
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

// Close implements codec.TermVectorsWriter. Before Finish it only gives the files up.
func (w *Writer) Close() error { return errors.Join(w.meta.Close(), w.data.Close()) }
