package query

import (
	"net/netip"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/mapping"
	"github.com/varve-search/varve/lucene/search"
)

var (
	leastIP    = make([]byte, 16)
	greatestIP = []byte(strings.Repeat("\xff", 16))
)

// ipBounds returns the addresses of a range, both included; ok is false where nothing can match.
func ipBounds(b *bounds) (lo, hi []byte, ok bool, err error) {
	lo, hi = leastIP, greatestIP
	if b.from != nil {
		if lo, err = mapping.ParseIP(valueText(b.from)); err != nil {
			return nil, nil, false, err
		}
		if !b.includeLower {
			if string(lo) == string(greatestIP) {
				return nil, nil, false, nil
			}
			lo = mapping.AddToIP(lo, 1)
		}
	}
	if b.to != nil {
		if hi, err = mapping.ParseIP(valueText(b.to)); err != nil {
			return nil, nil, false, err
		}
		if !b.includeUpper {
			if string(hi) == string(leastIP) {
				return nil, nil, false, nil
			}
			hi = mapping.AddToIP(hi, -1)
		}
	}
	return lo, hi, string(lo) <= string(hi), nil
}

func ipRange(r *ref, lo, hi []byte) search.Query {
	return either(r, &search.PointRange{Field: r.Name(), Dims: 1, Lower: lo, Upper: hi},
		&search.StringRange{Field: r.Name(), Lower: lo, Upper: hi, IncludeLower: true, IncludeUpper: true})
}

// ipTerms seeks addresses and blocks of addresses.
func (c *Context) ipTerms(r *ref, values []any) (search.Query, error) {
	var qs []search.Query
	var addresses [][]byte
	for _, v := range values {
		s := valueText(v)
		if !strings.Contains(s, "/") {
			a, err := mapping.ParseIP(s)
			if err != nil {
				return nil, err
			}
			addresses = append(addresses, a)
			continue
		}
		lo, hi, err := parseCIDR(s)
		if err != nil {
			return nil, err
		}
		qs = append(qs, ipRange(r, lo, hi))
	}
	switch len(addresses) {
	case 0:
	case 1:
		qs = append(qs, ipRange(r, addresses[0], addresses[0]))
	default:
		qs = append(qs, either(r, &search.PointSet{Field: r.Name(), Dims: 1, Values: addresses}, &search.StringSet{Field: r.Name(), Values: addresses}))
	}
	switch len(qs) {
	case 0:
		return search.MatchNone{}, nil
	case 1:
		return qs[0], nil
	}
	return &search.ConstantScore{Query: search.NewDisjunction(qs...)}, nil
}

func parseCIDR(s string) (lo, hi []byte, err error) {
	p, perr := netip.ParsePrefix(s)
	if perr != nil {
		host, _, _ := strings.Cut(s, "/")
		if _, err := mapping.ParseIP(host); err != nil {
			return nil, nil, err
		}
		return nil, nil, apierr.IllegalArgument("Expected [ip/prefix] but was [%s]", s)
	}
	first := p.Masked().Addr().As16()
	last := first
	start := p.Bits()
	if p.Addr().Is4() {
		start += 96
	}
	for i := start; i < 128; i++ {
		last[i/8] |= 1 << (7 - i%8)
	}
	return first[:], last[:], nil
}
