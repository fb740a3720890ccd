package repotool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/xcontent"
)

type expected struct {
	Snapshots []struct {
		Name    string
		Indices map[string]struct {
			Count  int
			SHA256 string            `json:"docs_sha256"`
			Routed map[string]string `json:"routed"`
		}
	}
}

// The documents of every snapshot are those that the real node had, deleted and updated ones left out.
func TestCatFixtures(t *testing.T) {
	for _, name := range []string{"elasticsearch-5.6/main", "elasticsearch-6.8/main", "elasticsearch-7.10/main", "elasticsearch-7.17/main", "opensearch-1.3/main",
		"opensearch-2.3/main", "opensearch-2.11/main", "opensearch-2.17/main", "opensearch-2.19/main",
		"opensearch-2.19/chunked", "opensearch-2.19/zstd", "opensearch-3.0/main", "opensearch-3.8/main", "opensearch-2.19/remote", "opensearch-3.8/remote"} {
		t.Run(name, func(t *testing.T) {
			folder := oracletest.FixtureRepository(t, name)
			location := "fs:" + folder
			ctx := context.Background()
			if strings.HasSuffix(name, "/remote") {
				ctx = WithRemoteStore(ctx, remoteOf(folder))
			}
			var exp expected
			oracletest.FixtureExpected(t, name, &exp)
			for _, s := range exp.Snapshots {
				for ix, want := range s.Indices {
					var out bytes.Buffer
					if err := Cat(ctx, &Printer{Out: &out}, location, s.Name, ix); err != nil {
						t.Fatalf("%s %s: %v", s.Name, ix, err)
					}
					count, sum, routed := digest(t, out.Bytes())
					if count != want.Count || sum != want.SHA256 {
						t.Errorf("%s %s: %d documents %s, want %d %s", s.Name, ix, count, sum, want.Count, want.SHA256)
					}
					if len(routed) != len(want.Routed) {
						t.Errorf("%s %s: %d routed documents, want %d", s.Name, ix, len(routed), len(want.Routed))
					}
					for id, r := range want.Routed {
						if routed[id] != r {
							t.Errorf("%s %s: [%s] is routed by %q, want %q", s.Name, ix, id, routed[id], r)
						}
					}
				}
			}
		})
	}
}

// digest counts the lines and hashes them as the fixtures' README says.
func digest(t *testing.T, out []byte) (int, string, map[string]string) {
	t.Helper()
	type doc struct{ id, line string }
	var docs []doc
	routed := map[string]string{}
	for line := range bytes.Lines(out) {
		v, err := xcontent.Decode(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		o := v.(*xcontent.Object)
		id, _ := o.Get("_id")
		source, _ := o.Get("_source")
		if r, ok := o.Get("_routing"); ok {
			routed[id.(string)] = r.(string)
		}
		docs = append(docs, doc{id.(string), canonical(id) + "\t" + canonical(source) + "\n"})
	}
	slices.SortFunc(docs, func(a, b doc) int { return strings.Compare(a.id, b.id) })
	h := sha256.New()
	for _, d := range docs {
		h.Write([]byte(d.line))
	}
	return len(docs), hex.EncodeToString(h.Sum(nil)), routed
}

func canonical(v any) string {
	switch v := v.(type) {
	case *xcontent.Object:
		parts := make([]string, 0, v.Len())
		members := slices.Clone(v.Members)
		slices.SortFunc(members, func(a, b xcontent.Member) int { return strings.Compare(a.Key, b.Key) })
		for _, m := range members {
			parts = append(parts, canonical(m.Key)+":"+canonical(m.Value))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case []any:
		parts := make([]string, 0, len(v))
		for _, e := range v {
			parts = append(parts, canonical(e))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case string:
		return quote(v)
	case json.Number:
		return v.String()
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}

func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\b':
			b.WriteString(`\b`)
		case r == '\f':
			b.WriteString(`\f`)
		case r < 0x20:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
