package bkd

import "encoding/binary"

// sortRecords sorts records of a width by their first keyBytes bytes, stably, and returns them: in recs or in the
// other buffer that it made. It is a radix sort from the last byte on that leaves out bytes in which all are equal.
func sortRecords(recs []byte, width, keyBytes int) []byte {
	n := len(recs) / width
	if n < 2 || sorted(recs, width, keyBytes) {
		return recs
	}
	counts := make([][256]uint32, keyBytes)
	for at := 0; at < len(recs); at += width {
		for i, c := range recs[at : at+keyBytes] {
			counts[i][c]++
		}
	}
	other := make([]byte, len(recs))
	for i := keyBytes - 1; i >= 0; i-- {
		c := &counts[i]
		if c[recs[i]] == uint32(n) {
			continue
		}
		next := 0
		var at [256]int
		for b, k := range c {
			at[b] = next
			next += int(k) * width
		}
		scatter(other, recs, width, i, &at)
		recs, other = other, recs
	}
	return recs
}

// scatter copies each record to where the next one with its byte i goes.
func scatter(dst, src []byte, width, i int, at *[256]int) {
	switch width {
	case 8:
		for ; len(src) >= 8; src = src[8:] {
			p := &at[src[i]]
			binary.LittleEndian.PutUint64(dst[*p:], binary.LittleEndian.Uint64(src))
			*p += 8
		}
	case 12:
		for ; len(src) >= 12; src = src[12:] {
			p := &at[src[i]]
			d := dst[*p : *p+12]
			binary.LittleEndian.PutUint64(d, binary.LittleEndian.Uint64(src))
			binary.LittleEndian.PutUint32(d[8:], binary.LittleEndian.Uint32(src[8:]))
			*p += 12
		}
	default:
		for ; len(src) >= width; src = src[width:] {
			p := &at[src[i]]
			copy(dst[*p:*p+width], src[:width])
			*p += width
		}
	}
}

func sorted(recs []byte, width, keyBytes int) bool {
	for at := width; at < len(recs); at += width {
		a, b := recs[at-width:at-width+keyBytes], recs[at:at+keyBytes]
		for i := range a {
			if a[i] != b[i] {
				if a[i] > b[i] {
					return false
				}
				break
			}
		}
	}
	return true
}

// selectRecord rearranges records so that those before number k are not larger in the bytes [from, to) than it,
// and those after it not smaller.
func selectRecord(recs []byte, width, k, from, to int) {
	lo, hi := 0, len(recs)/width
	for at := from; at < to && hi-lo > 1; at++ {
		var counts [256]int
		for i := lo; i < hi; i++ {
			counts[recs[i*width+at]]++
		}
		// The bucket with number k.
		bucket, before := 0, lo
		for before+counts[bucket] <= k {
			before += counts[bucket]
			bucket++
		}
		if counts[bucket] < hi-lo {
			partition(recs, width, lo, hi, at, byte(bucket))
		}
		lo, hi = before, before+counts[bucket]
	}
}

// partition moves records whose byte is smaller than pivot to the front, larger ones to the end.
func partition(recs []byte, width, lo, hi, at int, pivot byte) {
	for i := lo; i < hi; {
		switch c := recs[i*width+at]; {
		case c < pivot:
			swap(recs, width, lo, i)
			lo++
			i++
		case c > pivot:
			hi--
			swap(recs, width, i, hi)
		default:
			i++
		}
	}
}

func swap(recs []byte, width, i, j int) {
	if i == j {
		return
	}
	a, b := recs[i*width:(i+1)*width], recs[j*width:(j+1)*width]
	if width == 12 {
		x, y := binary.LittleEndian.Uint64(a), binary.LittleEndian.Uint32(a[8:])
		copy(a, b)
		binary.LittleEndian.PutUint64(b, x)
		binary.LittleEndian.PutUint32(b[8:], y)
		return
	}
	for k := range a {
		a[k], b[k] = b[k], a[k]
	}
}
