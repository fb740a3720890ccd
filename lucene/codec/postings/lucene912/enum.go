package lucene912

import (
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/postings"
	"github.com/varve-search/varve/lucene/codec/postings/pfor"
)

// block0 is the block at level 0 that the skip data points to. It may be ahead of the one that is decoded.
type block0 struct {
	base    int32 // last document before it
	last    int32 // its last document, NoMoreDocs for the tail
	data    int64 // offset in .doc of its deltas
	end     int64 // offset in .doc of what follows it
	count   int32 // documents up to its end
	n       int   // documents in it
	impacts []byte
	start   postings.PosPoint // where its positions start
	next    postings.PosPoint // where those of the next one start
}

// group1 is the group of 32 blocks around it.
type group1 struct {
	last    int32 // its last document, NoMoreDocs for the blocks that fill no group
	end     int64 // offset in .doc of what follows it
	count   int32 // documents up to its end
	impacts []byte
	next    postings.PosPoint
}

// enum walks over the postings of a term, with everything that is asked for: it is at once the plain
// enumeration of documents and the one with positions and impacts.
type enum struct {
	postings.Block
	format  *Format
	size    int32 // documents in a block
	l0      block0
	l1      group1
	ahead   bool // l0 is not decoded
	list0   []lucene.Impact
	list1   []lucene.Impact
	listed0 int64 // l0.data that list0 belongs to, or -1
	listed1 int64 // l1.end that list1 belongs to, or -1
}

func (e *enum) reset(rd *Reader, t postings.Traits, s *postings.TermState, flags int) {
	e.InitBlock(rd.Files, t, s, flags)
	e.format, e.size = rd.format, int32(rd.format.Packing.Size)
	first := postings.PosPoint{Pos: s.PosStart, Pay: s.PayStart}
	e.l0 = block0{base: -1, last: -1, end: s.DocStart, next: first}
	e.l1 = group1{last: -1, end: s.DocStart, next: first}
	if s.DocFreq < level1Blocks*e.size {
		e.l1.last = lucene.NoMoreDocs
	}
	e.ahead = false
	e.listed0, e.listed1 = -1, -1
}

// NextBatch implements the batches that searches ask for: see postings.Block.TakeBatch.
func (e *enum) NextBatch(upTo int32, docs, freqs []int32) (int, error) {
	if e.Doc < 0 || e.Doc >= upTo {
		return 0, nil
	}
	n, rest, err := e.TakeBatch(upTo, docs, freqs)
	if err == nil && !rest {
		_, err = e.Next()
	}
	return n, err
}

// Next implements lucene.DocIDSetIterator.
func (e *enum) Next() (int32, error) {
	if u := e.Upto; u < e.N {
		d := e.Docs[u&(postings.MaxBlockSize-1)]
		e.Upto = u + 1
		e.Doc = d
		return d, nil
	}
	return e.nextBlock()
}

func (e *enum) nextBlock() (int32, error) {
	if !e.ahead {
		if e.l0.last == lucene.NoMoreDocs {
			return e.End()
		}
		if err := e.seek(e.l0.last + 1); err != nil {
			return 0, err
		}
	}
	if err := e.decode(); err != nil {
		return 0, err
	}
	if e.N == 0 {
		return e.End()
	}
	e.Upto = 1
	e.Doc = e.Docs[0]
	return e.Doc, nil
}

// Advance implements lucene.DocIDSetIterator.
func (e *enum) Advance(target int32) (int32, error) {
	if target > e.l0.last {
		if err := e.seek(target); err != nil {
			return 0, err
		}
	}
	if e.ahead {
		if err := e.decode(); err != nil {
			return 0, err
		}
	}
	i := e.Find(target)
	if i >= e.N {
		return e.End()
	}
	e.Upto = i + 1
	e.Doc = e.Docs[i]
	return e.Doc, nil
}

// AdvanceShallow implements lucene.ImpactsEnum.
func (e *enum) AdvanceShallow(target int32) error {
	if target > e.l0.last {
		return e.seek(target)
	}
	return nil
}

// seek moves l0, by the skip data, to the block with the first document at or after target, which is
// beyond the block that it is at.
func (e *enum) seek(target int32) error {
	e.N = e.Upto // the rest of the decoded block is before target
	e.ahead = true
	if e.Term.DocFreq == 1 {
		e.l0.last, e.l0.n = lucene.NoMoreDocs, 1
		return nil
	}
	if target > e.l1.last {
		e.seekGroup(target)
	}
	for target > e.l0.last && e.In.Err() == nil {
		e.nextLevel0()
	}
	return e.In.Err()
}

func (e *enum) seekGroup(target int32) {
	r, level1Docs := &e.In, level1Blocks*e.size
	for target > e.l1.last && r.Err() == nil {
		e.l0.last, e.l0.end, e.l0.count, e.l0.next = e.l1.last, e.l1.end, e.l1.count, e.l1.next
		if e.DocFreq-e.l1.count < level1Docs {
			e.l1.last = lucene.NoMoreDocs
			return
		}
		r.SeekTo(e.l1.end)
		delta := r.VInt()
		if delta < level1Docs || delta >= e.Files.MaxDoc-e.l1.last {
			r.Corruptf("a group of blocks of %d documents after %d", delta, e.l1.last)
			return
		}
		e.l1.last += delta
		e.l1.count += level1Docs
		length := r.VLong()
		if length > r.Remaining() {
			r.Corruptf("a group of blocks of %d bytes where %d remain", length, r.Remaining())
			return
		}
		e.l1.end = r.Offset() + length
		if e.T.Freqs {
			n := int64(r.Int16())
			skipEnd := r.Offset() + n
			e.l1.impacts = r.Bytes(int(r.Int16()))
			if e.Pos != nil {
				e.readPoint(&e.l1.next)
			}
			r.SeekTo(skipEnd)
		}
		e.l0.end = r.Offset()
	}
}

// readPoint moves pt on to the end of a block or group.
func (e *enum) readPoint(pt *postings.PosPoint) {
	pt.Pos += e.In.VLong()
	pt.Upto = int32(e.In.Byte())
	if e.T.Pay() {
		pt.Pay += e.In.VLong()
		pt.PayUpto = e.In.VInt()
	}
}

// nextLevel0 moves l0 to the next block.
func (e *enum) nextLevel0() {
	r, b := &e.In, &e.l0
	b.base, b.start = b.last, b.next
	left := e.DocFreq - b.count
	if left < e.size {
		b.last, b.data, b.n = lucene.NoMoreDocs, b.end, int(left)
		b.count = e.DocFreq
		return
	}
	r.SeekTo(b.end)
	skip := r.VLong()
	if skip > r.Remaining() {
		r.Corruptf("skip data of %d bytes where %d remain", skip, r.Remaining())
		return
	}
	b.data = r.Offset() + skip
	delta := vint15(r)
	if delta < int64(e.size) || delta >= int64(e.Files.MaxDoc)-int64(b.last) {
		r.Corruptf("a block of %d documents after %d", delta, b.last)
		return
	}
	length := vint15(r)
	if length > r.Remaining() {
		r.Corruptf("a block of %d bytes where %d remain", length, r.Remaining())
		return
	}
	b.last += int32(delta)
	b.end = r.Offset() + length
	b.count += e.size
	b.n = int(e.size)
	if e.T.Freqs {
		b.impacts = r.Bytes(int(r.VInt()))
		if e.Pos != nil {
			e.readPoint(&b.next)
		}
	}
}

// decode decodes the block that l0 points to.
func (e *enum) decode() error {
	e.ahead = false
	b, r := &e.l0, &e.In
	switch {
	case e.Term.DocFreq == 1:
		if err := e.SetSingleton(); err != nil {
			return err
		}
		b.start = b.next
	case b.n == int(e.size):
		r.SeekTo(b.data)
		e.format.Docs(r, b.base, &e.Docs)
		if err := r.Err(); err != nil {
			return err
		}
		if last := e.Docs[b.n-1]; last != b.last {
			return r.Corruptf("a block ends with document %d where its skip data says %d", last, b.last)
		}
		e.StartBlock(b.n)
		if e.T.Freqs {
			e.FreqAt = r.Offset()
		}
	case b.n > 0:
		r.SeekTo(b.data)
		var codes [postings.MaxBlockSize]uint32
		pfor.DecodeGroupVInts(r, codes[:b.n])
		if err := e.FinishTail(b.base, codes[:b.n]); err != nil {
			return err
		}
	default:
		e.StartBlock(0)
	}
	if e.Pos != nil {
		e.GoTo(b.start)
	}
	return nil
}

// NumLevels implements lucene.ImpactsEnum.
func (e *enum) NumLevels() int {
	n := 0
	if e.l0.last != lucene.NoMoreDocs {
		n++
	}
	if e.l1.last != lucene.NoMoreDocs {
		n++
	}
	return max(n, 1)
}

// DocIDUpTo implements lucene.ImpactsEnum.
func (e *enum) DocIDUpTo(level int) int32 {
	if e.l0.last != lucene.NoMoreDocs && level == 0 {
		return e.l0.last
	}
	return e.l1.last
}

// Impacts implements lucene.ImpactsEnum.
func (e *enum) Impacts(level int) ([]lucene.Impact, error) {
	if !e.T.Freqs {
		return postings.FreqOne, nil
	}
	var err error
	switch {
	case level == 0 && e.l0.last != lucene.NoMoreDocs && e.l0.last >= 0:
		if e.listed0 != e.l0.data {
			if e.list0, err = postings.DecodeImpacts(e.Files.Doc.Name(), e.l0.impacts, e.list0[:0]); err != nil {
				return nil, err
			}
			e.listed0 = e.l0.data
		}
		return e.list0, nil
	case e.l1.last != lucene.NoMoreDocs && e.l1.last >= 0:
		if e.listed1 != e.l1.end {
			if e.list1, err = postings.DecodeImpacts(e.Files.Doc.Name(), e.l1.impacts, e.list1[:0]); err != nil {
				return nil, err
			}
			e.listed1 = e.l1.end
		}
		return e.list1, nil
	}
	return postings.NoImpacts, nil
}
