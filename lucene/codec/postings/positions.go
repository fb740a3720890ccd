package postings

import (
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// PosPoint is a place among the positions of a term: a block and how far into it.
type PosPoint struct {
	Pos     int64 // offset in .pos of the block
	Pay     int64 // offset in .pay of what belongs to the block
	Upto    int32 // positions of the block that come before
	PayUpto int32 // payload bytes of the block that come before
}

// Positions reads the positions of a term, with offsets and payloads. Moves are lazy: At and Skip only
// note where to go, and the next Next goes there.
type Positions struct {
	t                  Traits
	offsets, payloads  bool // asked for and indexed
	pos, pay           store.Reader
	posIn, payIn       store.Input
	tailAt             int64 // offset in .pos of the positions that fill no block, or -1
	tail               int   // how many they are
	blockAt            int64 // offset in .pos of the block that is loaded, or -1
	n, upto            int   // positions in the block, and how many are behind
	payUpto            int   // bytes of payload behind
	at                 PosPoint
	moved              bool  // at is where to go first
	skip               int64 // and then positions to skip
	position           int32
	lastStart          int32
	start, end         int32
	payload            []byte
	packing            *Packing
	deltas             [MaxBlockSize]uint32
	starts, lens, pays *[MaxBlockSize]uint32
	payBytes           []byte // of the block
	tailPay            []byte // buffer of its own for payBytes of a tail
}

// NewPositions returns a Positions over the .pos file and, if the traits ask for it, the .pay file.
func NewPositions(t Traits, files *Files) *Positions {
	p := &Positions{t: t, posIn: files.Pos, payIn: files.Pay, packing: files.Packing, start: -1, end: -1}
	if t.Offsets {
		p.starts, p.lens = new([MaxBlockSize]uint32), new([MaxBlockSize]uint32)
	}
	if t.Payloads {
		p.pays = new([MaxBlockSize]uint32)
	}
	return p
}

// Reset goes to the first position of a term.
func (p *Positions) Reset(s *TermState, flags int) {
	p.offsets = p.t.Offsets && flags&lucene.PostingsOffsets == lucene.PostingsOffsets
	p.payloads = p.t.Payloads && flags&lucene.PostingsPayloads == lucene.PostingsPayloads
	p.pos.Reset(p.posIn, s.PosStart)
	if p.t.Pay() {
		p.pay.Reset(p.payIn, s.PayStart)
	}
	size := int64(p.packing.Size)
	p.tail = int(s.TotalTermFreq % size)
	switch {
	case s.TotalTermFreq < size:
		p.tailAt = s.PosStart
	case s.TotalTermFreq == size || s.LastPosBlock < 0:
		p.tailAt = -1
	default:
		p.tailAt = s.PosStart + s.LastPosBlock
	}
	p.blockAt = -1
	p.n, p.upto, p.payUpto = 0, 0, 0
	p.At(PosPoint{Pos: s.PosStart, Pay: s.PayStart})
	p.StartDoc()
}

// At notes a place to go to before the next position is read.
func (p *Positions) At(pt PosPoint) { p.at, p.moved, p.skip = pt, true, 0 }

// Skip notes positions to skip before the next one is read.
func (p *Positions) Skip(n int64) { p.skip += n }

// StartDoc starts a document: its first position counts from zero.
func (p *Positions) StartDoc() {
	p.position, p.lastStart = 0, 0
	if p.t.Offsets {
		p.start, p.end = -1, -1
	}
	p.payload = nil
}

// Next returns the next position.
func (p *Positions) Next() (int32, error) {
	if p.moved || p.skip != 0 {
		p.move()
	}
	if p.upto >= p.n {
		p.load()
	}
	if err := p.pos.Err(); err != nil {
		return 0, err
	}
	i := p.upto & (MaxBlockSize - 1)
	p.upto++
	pos := int64(p.position) + int64(p.deltas[i])
	if pos > 1<<31-1 {
		return 0, p.corrupt("position %d", pos)
	}
	p.position = int32(pos)
	if p.payloads {
		n := int(p.pays[i])
		if n > len(p.payBytes)-p.payUpto {
			return 0, p.corrupt("a payload of %d bytes at %d of %d", n, p.payUpto, len(p.payBytes))
		}
		p.payload = nil
		if n > 0 {
			p.payload = p.payBytes[p.payUpto : p.payUpto+n : p.payUpto+n]
		}
		p.payUpto += n
	}
	if p.offsets {
		start := int64(p.lastStart) + int64(p.starts[i])
		end := start + int64(p.lens[i])
		if end > 1<<31-1 {
			return 0, p.corrupt("offsets %d to %d", start, end)
		}
		p.start, p.end, p.lastStart = int32(start), int32(end), int32(start)
	}
	return p.position, nil
}

func (p *Positions) corrupt(format string, args ...any) error {
	p.pos.Corruptf(format, args...)
	return p.pos.Err()
}

// move goes where At and Skip said. Errors stick to p.pos.
func (p *Positions) move() {
	if p.moved {
		p.moved = false
		if p.blockAt != p.at.Pos {
			p.pos.SeekTo(p.at.Pos)
			if p.t.Pay() {
				p.pay.SeekTo(p.at.Pay)
			}
			p.n, p.upto = 0, 0
			if p.at.Upto > 0 || p.skip == 0 {
				p.load()
			}
		}
		p.upto, p.payUpto = int(p.at.Upto), int(p.at.PayUpto)
		if p.n > 0 && (p.upto < 0 || p.upto > p.n || p.payUpto < 0) {
			p.pos.Corruptf("a place after %d of %d positions and %d bytes of payload", p.upto, p.n, p.payUpto)
			p.upto = 0
		}
	}
	skip := p.skip
	p.skip = 0
	if left := int64(p.n - p.upto); skip < left {
		p.pass(int(skip))
		return
	} else {
		skip -= left
	}
	p.n, p.upto = 0, 0
	for size := int64(p.packing.Size); skip >= size && p.pos.Err() == nil; skip -= size {
		if p.pos.Offset() == p.tailAt {
			p.pos.Corruptf("more positions than the term has")
			return
		}
		p.blockAt = -1
		p.packing.Skip(&p.pos)
		p.skipPay()
	}
	if skip > 0 && p.pos.Err() == nil {
		p.load()
		if p.pos.Err() == nil && int(skip) > p.n {
			p.pos.Corruptf("more positions than the term has")
			return
		}
		p.pass(int(skip))
	}
}

// pass skips k positions of the block.
func (p *Positions) pass(k int) {
	if p.payloads {
		for i := p.upto; i < p.upto+k; i++ {
			p.payUpto += int(p.pays[i&(MaxBlockSize-1)])
		}
		if p.payUpto > len(p.payBytes) {
			p.pos.Corruptf("payloads pass the %d bytes of a block", len(p.payBytes))
		}
	}
	p.upto += k
}

// load reads the next block.
func (p *Positions) load() {
	if p.pos.Err() != nil {
		return
	}
	at := p.pos.Offset()
	if p.blockAt >= 0 && p.blockAt == p.tailAt && at > p.tailAt {
		p.pos.Corruptf("more positions than the term has")
		return
	}
	p.blockAt = at
	p.upto, p.payUpto = 0, 0
	if at == p.tailAt {
		p.n = p.tail
		p.loadTail()
		if p.n == 0 {
			p.pos.Corruptf("more positions than the term has")
		}
		return
	}
	p.n = p.packing.Size
	p.packing.Decode(&p.pos, &p.deltas)
	if !p.payloads && !p.offsets {
		p.skipPay()
		return
	}
	if p.t.Payloads {
		if p.payloads {
			p.packing.Decode(&p.pay, p.pays)
			p.payBytes = p.pay.Bytes(int(p.pay.VInt()))
		} else {
			p.skipPayloads()
		}
	}
	if p.t.Offsets {
		if p.offsets {
			p.packing.Decode(&p.pay, p.starts)
			p.packing.Decode(&p.pay, p.lens)
		} else {
			p.packing.Skip(&p.pay)
			p.packing.Skip(&p.pay)
		}
	}
	p.join()
}

// join makes an error of .pay one of .pos.
func (p *Positions) join() {
	if err := p.pay.Err(); err != nil {
		p.pos.Fail(err)
	}
}

func (p *Positions) skipPayloads() {
	p.packing.Skip(&p.pay)
	p.pay.Skip(int64(p.pay.VInt()))
}

// skipPay passes what .pay holds for a block, if anyone may still ask for what follows it.
func (p *Positions) skipPay() {
	if !p.payloads && !p.offsets {
		return
	}
	if p.t.Payloads {
		p.skipPayloads()
	}
	if p.t.Offsets {
		p.packing.Skip(&p.pay)
		p.packing.Skip(&p.pay)
	}
	p.join()
}

// loadTail reads the positions that fill no block; offsets and payloads stand among them.
func (p *Positions) loadTail() {
	r := &p.pos
	var payLen, offLen int32
	p.tailPay = p.tailPay[:0]
	for i := 0; i < p.n && r.Err() == nil; i++ {
		code := uint32(r.VInt())
		if p.t.Payloads {
			if code&1 != 0 {
				payLen = r.VInt()
			}
			code >>= 1
			p.pays[i] = uint32(payLen)
			b := r.Bytes(int(payLen))
			if p.payloads {
				p.tailPay = append(p.tailPay, b...)
			}
		}
		p.deltas[i] = code
		if p.t.Offsets {
			d := uint32(r.VInt())
			if d&1 != 0 {
				offLen = r.VInt()
			}
			p.starts[i], p.lens[i] = d>>1, uint32(offLen)
		}
	}
	p.payBytes = p.tailPay
}
