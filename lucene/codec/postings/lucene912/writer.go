package lucene912

// See docs/formats/postings.md.

import (
	"errors"
	"fmt"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/postings"
	"github.com/varve-search/varve/lucene/codec/postings/pfor"
	"github.com/varve-search/varve/lucene/store"
)

// maxPosition is the highest position that Lucene indexes.
const maxPosition = 1<<31 - 1 - 128

// Writer writes the postings of a segment. It holds a block of 128 documents and positions, and the bytes
// of 32 such blocks of documents, at a time.
type Writer struct {
	state *codec.WriteState
	meta  *store.Output
	doc   *store.Output
	pos   *store.Output // nil if no field has positions
	pay   *store.Output // nil if no field has offsets or payloads

	field *lucene.FieldInfo
	t     postings.Traits
	norms lucene.NormsProducer
	last  postings.TermState // encoded before
	reuse lucene.PostingsEnum

	// Of the current term:
	start    postings.TermState
	numDocs  int64
	lastDoc  int32
	docs     [blockSize]int32 // of the current block
	deltas   [blockSize]uint32
	freqs    [blockSize]uint32
	n        int                     // documents in it
	normIter lucene.NumericDocValues // made when the first block of the term is full
	l0, l1   skipPoint

	posDeltas, payLens, offStarts, offLens [blockSize]uint32
	posN                                   int
	payBytes                               []byte
	lastPos, lastStart                     int32

	acc0, acc1 accumulator
	list       []lucene.Impact
	block      *store.Output // of the current block
	group      *store.Output // of the current group of 32
	scratch    *store.Output

	most [4]int32 // what .psm says: impacts, and bytes of them, at each level
}

// skipPoint is where the last block, or group, ended.
type skipPoint struct {
	doc      int32
	pos, pay int64
}

// NewWriter creates the files.
func NewWriter(state *codec.WriteState) (w *Writer, err error) {
	w = &Writer{state: state, block: store.NewBuffer(), group: store.NewBuffer(), scratch: store.NewBuffer()}
	create := func(ext, name string) *store.Output {
		if err != nil {
			return nil
		}
		var out *store.Output
		if out, err = state.Dir.Create(state.FileName(ext)); err != nil {
			return nil
		}
		codec.WriteIndexHeader(out, codecName+name, version, state.Info.ID, state.Suffix)
		return out
	}
	w.meta = create(metaExt, "Meta")
	w.doc = create(postings.DocExtension, "Doc")
	pos, pay := postings.NeedsFiles(state.Fields)
	if pos {
		w.pos = create(postings.PosExtension, "Pos")
	}
	if pay {
		w.pay = create(postings.PayExtension, "Pay")
	}
	if err != nil {
		return nil, errors.Join(err, w.closeFiles())
	}
	return w, nil
}

// WriteTermsHeader implements postings.Writer.
func (w *Writer) WriteTermsHeader(out *store.Output) {
	codec.WriteIndexHeader(out, termsCodec, version, w.state.Info.ID, w.state.Suffix)
	out.PutVInt(blockSize)
}

// SetField implements postings.Writer.
func (w *Writer) SetField(f *lucene.FieldInfo, norms lucene.NormsProducer) error {
	if f.HasNorms() && norms == nil {
		return fmt.Errorf("write postings of field %q: it has norms, and none are given", f.Name)
	}
	w.field, w.t, w.norms = f, postings.TraitsOf(f), norms
	w.reuse = nil
	return nil
}

func (w *Writer) flags() int {
	switch {
	case !w.t.Freqs:
		return lucene.PostingsNone
	case !w.t.Positions:
		return lucene.PostingsFreqs
	}
	flags := lucene.PostingsPositions
	if w.t.Offsets {
		flags |= lucene.PostingsOffsets
	}
	if w.t.Payloads {
		flags |= lucene.PostingsPayloads
	}
	return flags
}

// WriteTerm implements postings.Writer.
func (w *Writer) WriteTerm(terms lucene.TermsEnum, docsSeen *lucene.FixedBits) (postings.TermState, error) {
	pe, err := terms.Postings(w.reuse, w.flags())
	if err != nil {
		return postings.TermState{}, err
	}
	w.reuse = pe
	w.startTerm()
	for {
		doc, err := pe.Next()
		if err != nil {
			return postings.TermState{}, err
		}
		if doc == lucene.NoMoreDocs {
			break
		}
		if doc <= w.lastDoc || doc >= docsSeen.N {
			return postings.TermState{}, w.errorf("document %d after %d of %d", doc, w.lastDoc, docsSeen.N)
		}
		docsSeen.Set(doc)
		if err := w.addDoc(pe, doc); err != nil {
			return postings.TermState{}, err
		}
	}
	if w.numDocs == 0 {
		return postings.TermState{}, nil
	}
	return w.finishTerm()
}

func (w *Writer) errorf(format string, args ...any) error {
	return fmt.Errorf("write postings of field %q: %s", w.field.Name, fmt.Sprintf(format, args...))
}

func (w *Writer) startTerm() {
	w.start = postings.TermState{DocStart: w.doc.FilePointer(), Singleton: -1, LastPosBlock: -1, SkipOffset: -1}
	if w.pos != nil {
		w.start.PosStart = w.pos.FilePointer()
	}
	if w.pay != nil {
		w.start.PayStart = w.pay.FilePointer()
	}
	w.l0 = skipPoint{doc: -1, pos: w.start.PosStart, pay: w.start.PayStart}
	w.l1 = w.l0
	w.numDocs, w.n, w.lastDoc, w.posN = 0, 0, -1, 0
	w.payBytes = w.payBytes[:0]
	w.normIter = nil
	w.acc1.clear()
	w.block.Reset()
	w.group.Reset()
}

func (w *Writer) addDoc(pe lucene.PostingsEnum, doc int32) error {
	w.docs[w.n] = doc
	w.deltas[w.n] = uint32(doc - w.lastDoc)
	w.lastDoc = doc
	if w.t.Freqs {
		freq, err := pe.Freq()
		if err != nil {
			return err
		}
		if freq <= 0 {
			return w.errorf("frequency %d in document %d", freq, doc)
		}
		w.freqs[w.n] = uint32(freq)
		w.start.TotalTermFreq += int64(freq)
		if w.t.Positions {
			w.lastPos, w.lastStart = 0, 0
			for range freq {
				if err := w.addPosition(pe, doc); err != nil {
					return err
				}
			}
		}
	} else {
		w.start.TotalTermFreq++
	}
	w.n++
	w.numDocs++
	if w.n == blockSize {
		return w.flushBlock()
	}
	return nil
}

func (w *Writer) addPosition(pe lucene.PostingsEnum, doc int32) error {
	pos, err := pe.NextPosition()
	if err != nil {
		return err
	}
	if pos < w.lastPos || pos > maxPosition {
		return w.errorf("position %d after %d in document %d", pos, w.lastPos, doc)
	}
	w.posDeltas[w.posN] = uint32(pos - w.lastPos)
	w.lastPos = pos
	if w.t.Payloads {
		p := pe.Payload()
		w.payLens[w.posN] = uint32(len(p))
		w.payBytes = append(w.payBytes, p...)
	}
	if w.t.Offsets {
		start, end := pe.StartOffset(), pe.EndOffset()
		if start < w.lastStart || end < start {
			return w.errorf("offsets %d to %d after %d in document %d", start, end, w.lastStart, doc)
		}
		w.offStarts[w.posN] = uint32(start - w.lastStart)
		w.offLens[w.posN] = uint32(end - start)
		w.lastStart = start
	}
	if w.posN++; w.posN < blockSize {
		return nil
	}
	pfor.EncodePFOR(w.pos, &w.posDeltas)
	if w.t.Payloads {
		pfor.EncodePFOR(w.pay, &w.payLens)
		w.pay.PutVInt(int32(len(w.payBytes)))
		w.pay.PutBytes(w.payBytes)
		w.payBytes = w.payBytes[:0]
	}
	if w.t.Offsets {
		pfor.EncodePFOR(w.pay, &w.offStarts)
		pfor.EncodePFOR(w.pay, &w.offLens)
	}
	w.posN = 0
	return nil
}

// accumulate adds the documents of a full block to the impacts. Only full blocks have any, so that a
// rare term never asks for norms.
func (w *Writer) accumulate() error {
	w.acc0.clear()
	if w.field.HasNorms() && w.normIter == nil {
		var err error
		if w.normIter, err = w.norms.Norms(w.field); err != nil {
			return err
		}
	}
	for i, doc := range w.docs {
		norm := int64(1)
		if w.normIter != nil {
			found, err := w.normIter.AdvanceExact(doc)
			if err != nil {
				return err
			}
			if found {
				if norm, err = w.normIter.Value(); err != nil {
					return err
				}
			}
		}
		w.acc0.add(int32(w.freqs[i]), norm)
	}
	w.acc1.addAll(&w.acc0)
	return nil
}

// putImpacts writes the impacts in a to out and keeps the maxima for .psm at index at.
func (w *Writer) putImpacts(out *store.Output, a *accumulator, at int) {
	w.list = a.appendTo(w.list[:0])
	before := out.FilePointer()
	postings.EncodeImpacts(out, w.list)
	w.most[at] = max(w.most[at], int32(len(w.list)))
	w.most[at+1] = max(w.most[at+1], int32(out.FilePointer()-before))
}

// putPoint writes where the positions of the next block start, since p, and moves p there.
func (w *Writer) putPoint(out *store.Output, p *skipPoint) {
	if !w.t.Positions {
		return
	}
	at := w.pos.FilePointer()
	out.PutVLong(at - p.pos)
	out.PutByte(byte(w.posN))
	p.pos = at
	if w.t.Pay() {
		at := w.pay.FilePointer()
		out.PutVLong(at - p.pay)
		out.PutVInt(int32(len(w.payBytes)))
		p.pay = at
	}
}

// flushBlock moves a full block to the group, and a full group to .doc.
func (w *Writer) flushBlock() error {
	w.block.Reset()
	if w.t.Freqs {
		if err := w.accumulate(); err != nil {
			return err
		}
		w.scratch.Reset()
		w.putImpacts(w.scratch, &w.acc0, 0)
		w.block.PutVLong(w.scratch.FilePointer())
		w.block.PutBytes(w.scratch.Data())
		w.putPoint(w.block, &w.l0)
	}
	skipBytes := w.block.FilePointer()
	pfor.EncodeDeltas(w.block, &w.deltas)
	if w.t.Freqs {
		pfor.EncodePFOR(w.block, &w.freqs)
	}
	w.scratch.Reset()
	putVint15(w.scratch, int64(w.lastDoc-w.l0.doc))
	putVint15(w.scratch, w.block.FilePointer())
	w.group.PutVLong(skipBytes + w.scratch.FilePointer())
	w.group.PutBytes(w.scratch.Data())
	w.group.PutBytes(w.block.Data())
	w.l0.doc = w.lastDoc
	w.n = 0
	if w.numDocs%level1Docs == 0 {
		return w.flushGroup()
	}
	return nil
}

func (w *Writer) flushGroup() error {
	w.doc.PutVInt(w.lastDoc - w.l1.doc)
	if w.t.Freqs {
		w.scratch.Reset()
		w.putImpacts(w.scratch, &w.acc1, 2)
		impactBytes := w.scratch.FilePointer()
		w.putPoint(w.scratch, &w.l1)
		if w.scratch.FilePointer()+2 > 1<<15-1 {
			return w.errorf("%d bytes of skip data", w.scratch.FilePointer())
		}
		w.doc.PutVLong(4 + w.scratch.FilePointer() + w.group.FilePointer())
		w.doc.PutInt16(int16(w.scratch.FilePointer() + 2))
		w.doc.PutInt16(int16(impactBytes))
		w.doc.PutBytes(w.scratch.Data())
	} else {
		w.doc.PutVLong(w.group.FilePointer())
	}
	w.doc.PutBytes(w.group.Data())
	w.group.Reset()
	w.acc1.clear()
	w.l1.doc = w.lastDoc
	return nil
}

func (w *Writer) finishTerm() (postings.TermState, error) {
	s := &w.start
	s.DocFreq = int32(w.numDocs)
	if w.numDocs == 1 {
		s.Singleton = w.docs[0]
	} else {
		if w.n > 0 {
			w.putTail()
		}
		w.doc.PutBytes(w.group.Data())
		w.group.Reset()
	}
	if w.t.Positions {
		if s.TotalTermFreq > blockSize {
			s.LastPosBlock = w.pos.FilePointer() - s.PosStart
		}
		w.putPositionTail()
	}
	return *s, errors.Join(w.doc.Err(), outErr(w.pos), outErr(w.pay))
}

func outErr(out *store.Output) error {
	if out == nil {
		return nil
	}
	return out.Err()
}

// putTail writes the documents that fill no block to the group.
func (w *Writer) putTail() {
	codes := w.deltas[:w.n]
	if w.t.Freqs {
		for i := range codes {
			codes[i] <<= 1
			if w.freqs[i] == 1 {
				codes[i] |= 1
			}
		}
	}
	pfor.EncodeGroupVInts(w.group, codes)
	if w.t.Freqs {
		for _, f := range w.freqs[:w.n] {
			if f != 1 {
				w.group.PutVInt(int32(f))
			}
		}
	}
}

// putPositionTail writes the positions that fill no block, with offsets and payloads among them.
func (w *Writer) putPositionTail() {
	lastPay, lastOff := int64(-1), int64(-1)
	pay := w.payBytes
	for i := range w.posN {
		d := int32(w.posDeltas[i])
		if w.t.Payloads {
			n := w.payLens[i]
			if int64(n) != lastPay {
				w.pos.PutVInt(d<<1 | 1)
				w.pos.PutVInt(int32(n))
				lastPay = int64(n)
			} else {
				w.pos.PutVInt(d << 1)
			}
			w.pos.PutBytes(pay[:n])
			pay = pay[n:]
		} else {
			w.pos.PutVInt(d)
		}
		if w.t.Offsets {
			d := int32(w.offStarts[i])
			if n := int64(w.offLens[i]); n != lastOff {
				w.pos.PutVInt(d<<1 | 1)
				w.pos.PutVInt(int32(n))
				lastOff = n
			} else {
				w.pos.PutVInt(d << 1)
			}
		}
	}
	w.posN = 0
	w.payBytes = w.payBytes[:0]
}

// EncodeTerm implements postings.Writer.
func (w *Writer) EncodeTerm(out *store.Output, s *postings.TermState, absolute bool) {
	if absolute {
		w.last = postings.TermState{Singleton: -1}
	}
	if w.last.Singleton >= 0 && s.Singleton >= 0 && s.DocStart == w.last.DocStart {
		d := int64(s.Singleton) - int64(w.last.Singleton)
		out.PutVLong((d<<1^d>>63)<<1 | 1)
	} else {
		out.PutVLong((s.DocStart - w.last.DocStart) << 1)
		if s.Singleton >= 0 {
			out.PutVInt(s.Singleton)
		}
	}
	if w.t.Positions {
		out.PutVLong(s.PosStart - w.last.PosStart)
		if w.t.Pay() {
			out.PutVLong(s.PayStart - w.last.PayStart)
		}
		if s.LastPosBlock >= 0 {
			out.PutVLong(s.LastPosBlock)
		}
	}
	w.last = *s
}

// Close implements postings.Writer.
func (w *Writer) Close() error {
	for _, out := range []*store.Output{w.doc, w.pos, w.pay} {
		if out != nil {
			codec.WriteFooter(out)
		}
	}
	for _, v := range w.most {
		w.meta.PutInt32(v)
	}
	for _, out := range []*store.Output{w.doc, w.pos, w.pay} {
		if out != nil {
			w.meta.PutInt64(out.FilePointer())
		}
	}
	codec.WriteFooter(w.meta)
	return w.closeFiles()
}

func (w *Writer) closeFiles() error {
	var errs []error
	for _, out := range []*store.Output{w.meta, w.doc, w.pos, w.pay} {
		if out != nil {
			errs = append(errs, out.Close())
		}
	}
	return errors.Join(errs...)
}

// putVint15 writes a number of 15 bits in two bytes, with a variable-length rest where there is more.
func putVint15(out *store.Output, v int64) {
	if v < 1<<15 {
		out.PutUint16(uint16(v))
		return
	}
	out.PutUint16(uint16(v&(1<<15-1) | 1<<15))
	out.PutVLong(v >> 15)
}
