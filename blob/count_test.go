package blob_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/fs"
	"github.com/varve-search/varve/blob/mem"
)

func TestCount(t *testing.T) {
	var n blob.Counters
	c, err := blob.Count(mem.New(), &n).Container("a/b")
	if err != nil {
		t.Fatal(err)
	}
	b := []byte("twelve bytes")
	if err := c.Put(t.Context(), "x", bytes.NewReader(b), int64(len(b)), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := blob.ReadAll(t.Context(), c, "x", 100); err != nil || !bytes.Equal(got, b) {
		t.Fatal(got, err)
	}
	r, err := c.GetRange(t.Context(), "x", 7, 5)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get(t.Context(), "y"); blob.KindOf(err) != blob.KindNotFound {
		t.Fatal(err)
	}
	st := n.Stats()
	if st.BytesOut != 12 || st.BytesIn != 17 || st.Errors != 1 || st.Requests["put"] != 1 || st.Requests["get"] != 2 || st.Requests["get_range"] != 1 {
		t.Errorf("%+v", st)
	}
	dir, err := fs.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	sub, err := blob.Count(dir, &n).Container("sub")
	if _, ok := sub.(blob.TempCleaner); err != nil || !ok {
		t.Error("what interrupted writes leave is no longer found", err)
	}
}
