package repository

import "hash/crc32"

// A CRC-32 is the remainder of a polynomial over GF(2), and that of two strings one after the other follows from theirs: the first is
// multiplied by x to the power of the second's number of bits. In a uint32 the highest bit stands for x^0, as in package hash/crc32; what
// the CRC inverts at the begin and at the end cancels out.

// crcTimes multiplies two polynomials, modulo that of the CRC.
func crcTimes(a, b uint32) uint32 {
	var p uint32
	for ; a != 0; a <<= 1 {
		if a&(1<<31) != 0 {
			p ^= b
		}
		b = b>>1 ^ crc32.IEEE&-(b&1) // times x
	}
	return p
}

// crcPowers are x to the power of 8, 16, 32 and so on.
var crcPowers = func() (t [63]uint32) {
	t[0] = 1 << (31 - 8)
	for i := 1; i < len(t); i++ {
		t[i] = crcTimes(t[i-1], t[i-1])
	}
	return t
}()

// appendCRC returns the CRC-32 (IEEE) of two strings one after the other: of the first it is a, of the second, of n bytes, b.
func appendCRC(a, b uint32, n int64) uint32 {
	for i := 0; n > 0; i++ {
		if n&1 != 0 {
			a = crcTimes(crcPowers[i], a)
		}
		n >>= 1
	}
	return a ^ b
}
