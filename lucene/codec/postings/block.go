package postings

import (
	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/store"
)

// Block is the block of documents that an enumeration has decoded, with what works the same way in all
// generations: the walk within the block, frequencies and positions. The formats embed it and add how
// to come from block to block.
type Block struct {
	Files   *Files
	T       Traits
	In      store.Reader // of .doc
	DocFreq int32
	Term    TermState
	Docs    [MaxBlockSize + 1]int32 // Docs[N] is NoMoreDocs
	Freqs   [MaxBlockSize]uint32
	N       int   // documents in the block
	Upto    int   // of which so many are behind, the current one included
	Doc     int32 // the current document
	FreqAt  int64 // offset in .doc of the frequencies that are not yet decoded, or -1
	Pos     *Positions
	spare   *Positions
	posDoc  int   // index of the document whose positions Pos is at
	posRead int64 // positions of it that were read
}

// InitBlock prepares b for a term; positions are read if flags ask for them and the field has them.
func (b *Block) InitBlock(files *Files, t Traits, s *TermState, flags int) {
	b.Files, b.T, b.Term, b.DocFreq = files, t, *s, s.DocFreq
	b.In.Reset(files.Doc, s.DocStart)
	b.N, b.Upto, b.Doc, b.FreqAt = 0, 0, -1, -1
	b.posDoc, b.posRead = 0, 0
	if t.Positions && files.Pos != nil && flags&lucene.PostingsPositions == lucene.PostingsPositions {
		if b.spare == nil || b.spare.t != t {
			b.spare = NewPositions(t, files)
		}
		b.Pos = b.spare
		b.Pos.Reset(s, flags)
	} else {
		b.Pos = nil
	}
}

// DocID implements lucene.DocIDSetIterator.
func (b *Block) DocID() int32 { return b.Doc }

// Cost implements lucene.DocIDSetIterator.
func (b *Block) Cost() int64 { return int64(b.DocFreq) }

// End makes the enumeration exhausted.
func (b *Block) End() (int32, error) {
	b.Upto, b.N = 0, 0
	b.Doc = lucene.NoMoreDocs
	return b.Doc, nil
}

// SetSingleton makes the block hold the one document of a term.
func (b *Block) SetSingleton() error {
	if d := b.Term.Singleton; d < 0 || d >= b.Files.MaxDoc {
		return store.Corruptf(b.Files.Doc.Name(), -1, "document %d of a term with one, where the segment has %d", d, b.Files.MaxDoc)
	}
	b.Docs[0] = b.Term.Singleton
	b.Freqs[0] = uint32(min(b.Term.TotalTermFreq, 1<<31-1))
	b.StartBlock(1)
	return nil
}

// StartBlock is called when Docs holds a new block of n documents.
func (b *Block) StartBlock(n int) {
	b.Docs[n] = lucene.NoMoreDocs
	b.N, b.Upto = n, 0
	b.FreqAt = -1
	b.posDoc, b.posRead = 0, 0
}

// CheckLast verifies the last document of a full block, which the sums of the gaps gave.
func (b *Block) CheckLast() error {
	if err := b.In.Err(); err != nil {
		return err
	}
	if last := b.Docs[b.Files.Packing.Size-1]; last < 0 || last >= b.Files.MaxDoc {
		return b.In.Corruptf("document %d where the segment has %d", last, b.Files.MaxDoc)
	}
	return nil
}

// FinishTail turns the gaps (and the flag of frequency one, if freqs are indexed) in codes into
// documents after base, and reads the frequencies that follow.
func (b *Block) FinishTail(base int32, codes []uint32) error {
	sum := int64(base)
	for i, c := range codes {
		if b.T.Freqs {
			b.Freqs[i] = c & 1
			c >>= 1
			if b.Freqs[i] == 0 {
				b.Freqs[i] = uint32(b.In.VInt())
			}
		}
		sum += int64(c)
		b.Docs[i] = int32(sum)
	}
	return b.endTail(sum, len(codes))
}

// ReadVIntTail reads n documents after base that stand as VInts, each with its frequency, as Lucene90
// wrote them.
func (b *Block) ReadVIntTail(base int32, n int) error {
	sum := int64(base)
	for i := range n {
		c := uint32(b.In.VInt())
		if b.T.Freqs {
			b.Freqs[i] = c & 1
			c >>= 1
			if b.Freqs[i] == 0 {
				b.Freqs[i] = uint32(b.In.VInt())
			}
		}
		sum += int64(c)
		b.Docs[i] = int32(sum)
	}
	return b.endTail(sum, n)
}

func (b *Block) endTail(last int64, n int) error {
	if err := b.In.Err(); err != nil {
		return err
	}
	if last < 0 || last >= int64(b.Files.MaxDoc) {
		return b.In.Corruptf("document %d where the segment has %d", last, b.Files.MaxDoc)
	}
	b.StartBlock(n)
	return nil
}

// Find returns the index of the first document at or after target among those not behind; N if there
// is none.
func (b *Block) Find(target int32) int {
	lo, hi := b.Upto, b.N
	// Most targets are near.
	for end := min(lo+8, hi); lo < end; lo++ {
		if b.Docs[lo&(MaxBlockSize-1)] >= target {
			return lo
		}
	}
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if b.Docs[mid&(MaxBlockSize-1)] < target {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func (b *Block) decodeFreqs() error {
	at := b.FreqAt
	b.FreqAt = -1
	b.In.SeekTo(at)
	b.Files.Packing.Decode(&b.In, &b.Freqs)
	return b.In.Err()
}

// Freq implements lucene.PostingsEnum.
func (b *Block) Freq() (int32, error) {
	if !b.T.Freqs {
		return 1, nil
	}
	if b.FreqAt >= 0 {
		if err := b.decodeFreqs(); err != nil {
			return 0, err
		}
	}
	f := int32(b.Freqs[(b.Upto-1)&(MaxBlockSize-1)])
	if f <= 0 {
		return 0, b.corruptFreq(f)
	}
	return f, nil
}

func (b *Block) corruptFreq(f int32) error {
	if b.Upto == 0 {
		return nil // not on a document
	}
	return store.Corruptf(b.Files.Doc.Name(), -1, "frequency %d in document %d", f, b.Doc)
}

// LeaveBlock is called before the next block in line is decoded, where no skip data tells its
// positions: it counts those that were not read.
func (b *Block) LeaveBlock() error {
	if b.Pos == nil || b.N == 0 {
		return nil
	}
	return b.countTo(b.N)
}

// GoTo is called when a block was decoded whose positions start at pt.
func (b *Block) GoTo(pt PosPoint) { b.Pos.At(pt) }

// countTo makes Pos skip to the positions of document number i of the block.
func (b *Block) countTo(i int) error {
	if b.FreqAt >= 0 {
		if err := b.decodeFreqs(); err != nil {
			return err
		}
	}
	n := -b.posRead
	for _, f := range b.Freqs[b.posDoc:i] {
		n += int64(f)
	}
	if n < 0 {
		return store.Corruptf(b.Files.Doc.Name(), -1, "fewer positions in document %d than were read", b.Doc)
	}
	b.Pos.Skip(n)
	b.posDoc, b.posRead = i, 0
	return nil
}

// NextPosition implements lucene.PostingsEnum.
func (b *Block) NextPosition() (int32, error) {
	if b.Pos == nil || b.Upto == 0 {
		return -1, nil
	}
	if i := b.Upto - 1; i != b.posDoc {
		if err := b.countTo(i); err != nil {
			return 0, err
		}
		b.Pos.StartDoc()
	} else if b.posRead == 0 {
		b.Pos.StartDoc()
	}
	b.posRead++
	return b.Pos.Next()
}

// StartOffset implements lucene.PostingsEnum.
func (b *Block) StartOffset() int32 {
	if b.Pos == nil {
		return -1
	}
	return b.Pos.start
}

// EndOffset implements lucene.PostingsEnum.
func (b *Block) EndOffset() int32 {
	if b.Pos == nil {
		return -1
	}
	return b.Pos.end
}

// Payload implements lucene.PostingsEnum.
func (b *Block) Payload() []byte {
	if b.Pos == nil {
		return nil
	}
	return b.Pos.payload
}
