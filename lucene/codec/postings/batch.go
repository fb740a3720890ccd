package postings

import "slices"

// TakeBatch copies the current document and those after it in the block that are below upTo, with their frequencies
// (freqs may be nil), as many as fit, and moves to the next one of the block. rest is false if the block has none left:
// then the format's Next moves on.
func (b *Block) TakeBatch(upTo int32, docs, freqs []int32) (n int, rest bool, err error) {
	from := b.Upto - 1
	if from < 0 || from >= b.N {
		return 0, true, nil
	}
	to := min(b.N, from+len(docs))
	if b.Docs[to-1] >= upTo {
		k, _ := slices.BinarySearch(b.Docs[from:to], upTo)
		to = from + k
	}
	n = copy(docs, b.Docs[from:to])
	if n == 0 {
		return 0, true, nil
	}
	if freqs != nil {
		if err := b.takeFreqs(freqs[:n], from); err != nil {
			return 0, true, err
		}
	}
	if to == b.N {
		b.Upto = b.N
		return n, false, nil
	}
	b.Upto, b.Doc = to+1, b.Docs[to]
	return n, true, nil
}

func (b *Block) takeFreqs(freqs []int32, from int) error {
	if !b.T.Freqs {
		for i := range freqs {
			freqs[i] = 1
		}
		return nil
	}
	if b.FreqAt >= 0 {
		if err := b.decodeFreqs(); err != nil {
			return err
		}
	}
	for i, f := range b.Freqs[from : from+len(freqs)] {
		if int32(f) <= 0 {
			return b.corruptFreq(int32(f))
		}
		freqs[i] = int32(f)
	}
	return nil
}
