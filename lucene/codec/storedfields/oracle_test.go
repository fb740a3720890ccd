package storedfields_test

import (
	"maps"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/codectest"
	"github.com/varve-search/varve/lucene/codec/storedfields"
)

// TestRewrite writes the stored fields of real indices again, in both modes, by value and by chunk, and
// lets CheckIndex read them.
func TestRewrite(t *testing.T) {
	all := oracletest.Indices(t, "opensearch-2.19/main", "snap-2", "products")
	maps.Copy(all, oracletest.Indices(t, "opensearch-2.19/main", "snap-3", "cfs-on"))
	var out []string
	for name, path := range all {
		for _, mode := range []storedfields.Mode{storedfields.BestSpeed, storedfields.BestCompression} {
			out = append(out, codectest.Rewrite(t, path, func(s codectest.Segment, w *codec.WriteState) []string {
				r, err := storedfields.Open(s.State)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				defer r.Close()
				delete(w.Info.Attributes, storedfields.ModeKey)
				sw, err := storedfields.NewWriter(w, mode)
				if err != nil {
					t.Fatal(err)
				}
				c, err := storedfields.NewCopier(sw, r, s.State.Fields, w.Fields)
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Copy(0, w.Info.MaxDoc); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if err := sw.Finish(w.Info.MaxDoc); err != nil {
					t.Fatal(err)
				}
				if err := sw.Close(); err != nil {
					t.Fatal(err)
				}
				return []string{storedfields.DataExtension, storedfields.IndexExtension, storedfields.MetaExtension}
			}))
		}
	}
	oracletest.CheckIndex(t, out...)
}
