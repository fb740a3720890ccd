package skiplist

import (
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec/postings"
	"github.com/varve-search/varve/lucene/codec/postings/pfor"
	"github.com/varve-search/varve/lucene/store"
)

// enum walks over the postings of a term, with everything that is asked for.
type enum struct {
	postings.Block
	format *Format
	count  int32 // documents up to the end of the block that is decoded, or before the one ahead
	base   int32 // last document before the next block
	at     int64 // offset in .doc of the next block
	ahead  bool  // skip data led to the next block, and start says where its positions are
	start  postings.PosPoint
	skip   *skipper
	skips  bool // skip is at this term
	lists  [maxLevels][]lucene.Impact
	listed [maxLevels]int // level.seen that lists belong to
}

func (e *enum) reset(rd *Reader, t postings.Traits, s *postings.TermState, flags int) {
	e.format = rd.format
	e.InitBlock(rd.Files, t, s, flags)
	e.count, e.base, e.at = 0, 0, s.DocStart
	e.ahead = true
	e.start = postings.PosPoint{Pos: s.PosStart, Pay: s.PayStart}
	e.skips = false
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
		d := e.Docs[u&(blockSize-1)]
		e.Upto = u + 1
		e.Doc = d
		return d, nil
	}
	if e.Doc == lucene.NoMoreDocs {
		return e.Doc, nil
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
	if e.N > e.Upto && e.Docs[e.N-1] >= target {
		i := e.Find(target)
		e.Upto = i + 1
		e.Doc = e.Docs[i]
		return e.Doc, nil
	}
	if e.Doc == lucene.NoMoreDocs {
		return e.Doc, nil
	}
	if err := e.AdvanceShallow(target); err != nil {
		return 0, err
	}
	for {
		if err := e.decode(); err != nil {
			return 0, err
		}
		if e.N == 0 {
			return e.End()
		}
		if i := e.Find(target); i < e.N {
			e.Upto = i + 1
			e.Doc = e.Docs[i]
			return e.Doc, nil
		}
		e.Upto = e.N
	}
}

// decode decodes the next block.
func (e *enum) decode() error {
	if !e.ahead {
		if err := e.LeaveBlock(); err != nil {
			return err
		}
	}
	r := &e.In
	left := int(e.DocFreq - e.count)
	switch {
	case left <= 0:
		e.StartBlock(0)
		return nil
	case e.DocFreq == 1:
		if err := e.SetSingleton(); err != nil {
			return err
		}
		e.count = 1
	case left >= blockSize:
		r.SeekTo(e.at)
		var gaps [blockSize]uint32
		e.format.Gaps(r, &gaps)
		pfor.AddUp(r, e.base, &gaps, (*[blockSize + 1]int32)(e.Docs[:]))
		if err := e.CheckLast(); err != nil {
			return err
		}
		e.StartBlock(blockSize)
		e.count += blockSize
		if e.T.Freqs {
			e.FreqAt = r.Offset()
			pfor.SkipPFOR(r)
		}
		e.at = r.Offset()
		e.base = e.Docs[blockSize-1]
	default:
		r.SeekTo(e.at)
		var err error
		if e.format.GroupVInts {
			var codes [blockSize]uint32
			pfor.DecodeGroupVInts(r, codes[:left])
			err = e.FinishTail(e.base, codes[:left])
		} else {
			err = e.ReadVIntTail(e.base, left)
		}
		if err != nil {
			return err
		}
		e.count = e.DocFreq
	}
	if e.ahead {
		e.ahead = false
		if e.Pos != nil {
			e.GoTo(e.start)
		}
	}
	return r.Err()
}

// AdvanceShallow implements lucene.ImpactsEnum.
func (e *enum) AdvanceShallow(target int32) error {
	if e.DocFreq <= blockSize {
		return nil
	}
	if !e.skips {
		if e.skip == nil {
			e.skip = new(skipper)
		}
		if err := e.skip.init(e.Files, e.T, &e.Term); err != nil {
			return err
		}
		e.skips = true
		e.listed = [maxLevels]int{}
		for i := range e.skip.levels {
			e.skip.levels[i].seen = 0
		}
	}
	if target <= e.skip.levels[0].doc {
		return nil
	}
	n, err := e.skip.to(target)
	if err != nil {
		return err
	}
	if n < int64(e.count) {
		return nil
	}
	if n > int64(e.DocFreq) || e.skip.last.doc >= e.Files.MaxDoc {
		return store.Corruptf(e.Files.Doc.Name(), e.Term.DocStart+e.Term.SkipOffset, "skip data of document %d and %d documents", e.skip.last.doc, n)
	}
	p := &e.skip.last
	e.count, e.base, e.at, e.start, e.ahead = int32(n), p.doc, p.at, p.pos, true
	e.N = e.Upto // the rest of the decoded block is before target
	return nil
}

// NumLevels implements lucene.ImpactsEnum.
func (e *enum) NumLevels() int {
	if !e.skips {
		return 1
	}
	return max(1, e.skip.num)
}

// DocIDUpTo implements lucene.ImpactsEnum.
func (e *enum) DocIDUpTo(level int) int32 {
	if !e.skips || e.skip.num == 0 {
		return lucene.NoMoreDocs
	}
	return e.skip.levels[level].doc
}

// Impacts implements lucene.ImpactsEnum.
func (e *enum) Impacts(level int) ([]lucene.Impact, error) {
	if !e.T.Freqs {
		return postings.FreqOne, nil
	}
	if !e.skips || e.skip.num == 0 {
		return postings.NoImpacts, nil
	}
	l := &e.skip.levels[level]
	if l.seen == 0 {
		return postings.NoImpacts, nil
	}
	if e.listed[level] != l.seen {
		var err error
		if e.lists[level], err = postings.DecodeImpacts(e.Files.Doc.Name(), l.impacts, e.lists[level][:0]); err != nil {
			return nil, err
		}
		e.listed[level] = l.seen
	}
	return e.lists[level], nil
}
