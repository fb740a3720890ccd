package aggregation

import (
	_ "embed" // the table of biases
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"sync"
)

// Precisions of a sketch, and of its exact start.
const (
	minPrecision, maxPrecision = 4, 18
	linearBits                 = 25
)

// precisionFor returns the precision whose exact start holds about n values.
func precisionFor(n int64) uint {
	entries := uint64(math.Ceil(float64(n) / 0.75))
	p := 64 - bits.LeadingZeros64(entries*4)
	return uint(min(max(p, minPrecision), maxPrecision))
}

// sketch counts distinct hashes: exactly (to 25 bits of hash) as long as they are few, then with
// HyperLogLog++ ("HyperLogLog in Practice", 2013), as OpenSearch does.
type sketch struct {
	p         uint
	set       map[uint32]struct{} // encoded hashes; nil once there are registers
	registers []uint8
}

func newSketch(p uint) *sketch { return &sketch{p: p, set: map[uint32]struct{}{}} }

// limit is how many hashes are kept before registers take over.
func (s *sketch) limit() int { return int(float64(uint(1)<<s.p/4) * 0.75) }

func (s *sketch) add(h uint64) {
	if s.set == nil {
		s.register(h>>(64-s.p), runLength(h<<s.p, 64-s.p))
		return
	}
	s.set[encodeHash(h, s.p)] = struct{}{}
	if len(s.set) > s.limit() {
		s.upgrade()
	}
}

func (s *sketch) register(i uint64, run uint8) {
	if run > s.registers[i] {
		s.registers[i] = run
	}
}

// runLength is the place of the first one among width bits at the top of h, from 1.
func runLength(h uint64, width uint) uint8 {
	return uint8(min(uint(bits.LeadingZeros64(h)), width) + 1)
}

// encodeHash keeps 25 bits of a hash, and the run that follows where the bits alone cannot tell it.
func encodeHash(h uint64, p uint) uint32 {
	e := h >> (64 - linearBits)
	if e&(1<<(linearBits-p)-1) == 0 {
		return uint32(e<<7 | uint64(runLength(h<<linearBits, 64-linearBits))<<1 | 1)
	}
	return uint32(e << 1)
}

func (s *sketch) upgrade() {
	s.registers = make([]uint8, 1<<s.p)
	for e := range s.set {
		s.registerEncoded(e)
	}
	s.set = nil
}

func (s *sketch) registerEncoded(e uint32) {
	if e&1 == 1 {
		s.register(uint64(e>>7>>(linearBits-s.p)), uint8(e&0x7f>>1)+uint8(linearBits-s.p))
		return
	}
	v := e >> 1
	s.register(uint64(v>>(linearBits-s.p)), uint8(bits.LeadingZeros32(v<<(32-linearBits+s.p)))+1)
}

func (s *sketch) merge(o *sketch) {
	switch {
	case o.set != nil && s.set != nil:
		for e := range o.set {
			s.set[e] = struct{}{}
		}
		if len(s.set) > s.limit() {
			s.upgrade()
		}
	case o.set != nil:
		for e := range o.set {
			s.registerEncoded(e)
		}
	default:
		if s.set != nil {
			s.upgrade()
		}
		for i, r := range o.registers {
			s.register(uint64(i), r)
		}
	}
}

func linearCounting(m, zeros float64) int64 { return int64(math.Floor(m*math.Log(m/zeros) + 0.5)) }

// cardinality estimates how many distinct hashes were added.
func (s *sketch) cardinality() int64 {
	if s.set != nil {
		m := float64(1 << linearBits)
		return linearCounting(m, m-float64(len(s.set)))
	}
	m := float64(len(s.registers))
	inverse, zeros := 0.0, 0
	for _, r := range s.registers {
		inverse += 1 / float64(uint64(1)<<r)
		if r == 0 {
			zeros++
		}
	}
	var alpha float64
	switch s.p {
	case 4:
		alpha = 0.673
	case 5:
		alpha = 0.697
	case 6:
		alpha = 0.709
	default:
		alpha = 0.7213 / (1 + 1.079/m)
	}
	estimate := alpha * m * m / inverse
	if estimate <= 5*m {
		estimate -= bias(s.p, estimate)
	}
	h := int64(math.Floor(estimate + 0.5))
	if zeros != 0 {
		h = linearCounting(m, float64(zeros))
	}
	if h <= linearUpTo[s.p-minPrecision] {
		return h
	}
	return int64(math.Floor(estimate + 0.5))
}

// linearUpTo is where linear counting is better than the estimate, by precision from 4.
var linearUpTo = [...]int64{10, 20, 40, 80, 220, 400, 900, 1800, 3100, 6500, 11500, 20000, 50000, 120000, 350000}

//go:embed hllbias.txt
var biasText string

type biasTable struct{ raw, bias []float64 }

var biases = sync.OnceValue(func() [maxPrecision + 1]biasTable {
	var t [maxPrecision + 1]biasTable
	for line := range strings.Lines(biasText) {
		if line[0] == '#' {
			continue
		}
		var p int
		var raw, b float64
		if _, err := fmt.Sscan(line, &p, &raw, &b); err != nil {
			panic("aggregation: the table of biases is damaged: " + err.Error())
		}
		t[p].raw, t[p].bias = append(t[p].raw, raw), append(t[p].bias, b)
	}
	return t
})

// bias estimates by how much a raw estimate is too high: the six nearest known ones, by weight. The
// weights stand in a ring, whose order OpenSearch does not undo; to agree with it, neither do we.
func bias(p uint, estimate float64) float64 {
	const k = 6
	t := biases()[p]
	var weights [k]float64
	at := len(t.bias) - k
	for i, raw := range t.raw {
		w := 1 / math.Abs(raw-estimate)
		if math.IsInf(w, 0) {
			return t.bias[i]
		}
		if weights[i%k] >= w {
			at = i - k
			break
		}
		weights[i%k] = w
	}
	sum, total := 0.0, 0.0
	for i, w := range weights {
		sum += w * t.bias[at+i]
		total += w
	}
	return sum / total
}

// mix64 is the finalizer that OpenSearch hashes numbers with.
func mix64(z uint64) uint64 {
	z = (z ^ z>>32) * 0x4cd6944c5cc20b6d
	z = (z ^ z>>29) * 0xfc12c5b19d3259e9
	return z ^ z>>32
}

// murmur128 is the first half of MurmurHash3 x64 128 with seed 0.
func murmur128(b []byte) uint64 {
	const c1, c2 = 0x87c37b91114253d5, 0x4cf5ad432745937f
	n := uint64(len(b))
	var h1, h2 uint64
	for ; len(b) >= 16; b = b[16:] {
		k1, k2 := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		h1 ^= bits.RotateLeft64(k1*c1, 31) * c2
		h1 = (bits.RotateLeft64(h1, 27)+h2)*5 + 0x52dce729
		h2 ^= bits.RotateLeft64(k2*c2, 33) * c1
		h2 = (bits.RotateLeft64(h2, 31)+h1)*5 + 0x38495ab5
	}
	var tail [16]byte
	copy(tail[:], b)
	if len(b) > 8 {
		h2 ^= bits.RotateLeft64(binary.LittleEndian.Uint64(tail[8:])*c2, 33) * c1
	}
	if len(b) > 0 {
		h1 ^= bits.RotateLeft64(binary.LittleEndian.Uint64(tail[:])*c1, 31) * c2
	}
	h1 ^= n
	h2 ^= n
	h1 += h2
	h2 += h1
	fmix := func(k uint64) uint64 {
		k = (k ^ k>>33) * 0xff51afd7ed558ccd
		k = (k ^ k>>33) * 0xc4ceb9fe1a85ec53
		return k ^ k>>33
	}
	h1, h2 = fmix(h1), fmix(h2)
	return h1 + h2
}
