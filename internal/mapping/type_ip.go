package mapping

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sort"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/lucene"
)

func ipType() *typeDef {
	return &typeDef{name: "ip", kind: KindIP,
		params: []*param{boolParam("index", false, true), boolParam("doc_values", false, true), boolParam("store", false, false),
			settingBoolParam("ignore_malformed", ignoreMalformedDefault), nullString("null_value"), metaParam()},
		resolve: func(f *Field) error {
			ft := &lucene.FieldType{}
			if f.searchable {
				ft.PointDims, ft.PointIndexDims, ft.PointBytes = 1, 1, 16
			}
			if f.docValues {
				ft.DocValuesType = lucene.DocValuesSortedSet
			}
			f.schema = ft
			f.nullValue = nil
			if s, ok := f.get("null_value").(string); ok {
				if a, err := ParseIP(s); err == nil { // a null_value that is no address is ignored
					f.nullValue = a
				}
			}
			return nil
		},
		parse: parseIP}
}

// ParseIP returns the 16 bytes of an IPv6 address, or of an IPv4 address mapped into IPv6.
func ParseIP(s string) ([]byte, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return nil, apierr.IllegalArgument("'%s' is not an IP string literal.", s)
	}
	b := a.As16()
	return b[:], nil
}

// FormatIP prints 16 bytes as OpenSearch prints addresses.
func FormatIP(b []byte) string {
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return ""
	}
	return a.Unmap().String()
}

func parseIP(d *docParser, f *Field) error {
	text, ok, err := d.textOrNull()
	if err != nil {
		return err
	}
	var addr []byte
	if !ok {
		b, is := f.nullValue.([]byte)
		if !is {
			return nil
		}
		addr = b
	} else if addr, err = ParseIP(string(text)); err != nil {
		if f.bool("ignore_malformed") {
			d.ignored(f.name)
			return nil
		}
		return err
	}
	if f.stillEmpty() {
		return nil
	}
	lf := lucene.Field{Name: f.name, Type: f.schema, Bytes: addr}
	if f.searchable {
		lf.Point = addr
	}
	if f.stored {
		lf.Stored = lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: addr}
	}
	d.add(lf)
	if !f.docValues {
		d.fieldName(f)
	}
	return nil
}

// parseBinary reads base64.
func parseBinary(d *docParser, f *Field) error {
	if !f.stored && !f.docValues {
		return nil
	}
	p := &d.json
	switch p.kind {
	case tokNull:
		return nil
	case tokString:
	default:
		return p.fail("Current token (%s) not VALUE_STRING or VALUE_EMBEDDED_OBJECT, can not access as binary", p.tokenName())
	}
	value, err := base64.StdEncoding.DecodeString(strings.Map(func(r rune) rune {
		if r == ' ' || r == '\n' || r == '\r' || r == '\t' {
			return -1
		}
		return r
	}, string(p.text)))
	if err != nil {
		return p.fail("Failed to decode VALUE_STRING as base64 (MIME-NO-LINEFEEDS): %s", base64Error(p.text))
	}
	if f.stored {
		d.add(lucene.Field{Name: f.name, Type: f.schema, NoDocValue: true, Stored: lucene.StoredValue{Kind: lucene.StoredBytes, Bytes: value}})
	}
	if f.docValues {
		d.collect(f, func(c *collected) { c.binaries = append(c.binaries, value) })
	} else {
		d.fieldName(f)
	}
	return nil
}

func base64Error(text []byte) string {
	for _, c := range string(text) {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \n\r\t", c) {
			return fmt.Sprintf("Illegal character '%c' (code 0x%x) in base64 content", c, c)
		}
	}
	return "Unexpected end-of-String in base64 content"
}

// encodeBinaries is the column value of a binary field: the distinct values, sorted, each with its length.
func encodeBinaries(values [][]byte) []byte {
	sort.Slice(values, func(i, j int) bool { return string(values[i]) < string(values[j]) })
	distinct := values[:0]
	for i, v := range values {
		if i == 0 || string(v) != string(distinct[len(distinct)-1]) {
			distinct = append(distinct, v)
		}
	}
	out := binary.AppendUvarint(nil, uint64(len(distinct)))
	for _, v := range distinct {
		out = binary.AppendUvarint(out, uint64(len(v)))
		out = append(out, v...)
	}
	return out
}
