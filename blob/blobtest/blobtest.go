package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/varve-search/varve/blob"
)

// Run checks the whole contract of blob.Container on containers that fresh makes.
func Run(t *testing.T, fresh func(t *testing.T) blob.Container) {
	for name, test := range map[string]func(*testing.T, blob.Container){
		"PutGet": putGet, "Range": ranges, "IfAbsent": ifAbsent, "IfAbsentRace": ifAbsentRace, "List": list,
		"Delete": deletes, "Names": names, "Sizes": sizes, "Canceled": canceled, "Large": large, "Metered": metered, "Batch": batch,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

var bg = context.Background()

func put(t *testing.T, c blob.Container, name, content string) {
	t.Helper()
	if err := c.Put(bg, name, strings.NewReader(content), int64(len(content)), blob.PutOptions{}); err != nil {
		t.Fatalf("put %s: %v", name, err)
	}
}

func get(t *testing.T, c blob.Container, name string) string {
	t.Helper()
	r, err := c.Get(bg, name)
	if err != nil {
		t.Fatalf("get %s: %v", name, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func sub(t *testing.T, c blob.Container, path string) blob.Container {
	t.Helper()
	s, err := c.Container(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantKind(t *testing.T, err error, kind blob.Kind) {
	t.Helper()
	if err == nil || blob.KindOf(err) != kind {
		t.Fatalf("error %v has kind %v, want %v", err, blob.KindOf(err), kind)
	}
}

func listed(t *testing.T, c blob.Container, prefix string) string {
	t.Helper()
	var out []string
	if err := c.List(bg, prefix, func(i blob.Info) error {
		out = append(out, fmt.Sprintf("%s=%d", i.Name, i.Size))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}

func putGet(t *testing.T, c blob.Container) {
	_, err := c.Get(bg, "absent")
	wantKind(t, err, blob.KindNotFound)
	_, err = c.GetRange(bg, "absent", 0, 1)
	wantKind(t, err, blob.KindNotFound)
	_, err = c.Stat(bg, "absent")
	wantKind(t, err, blob.KindNotFound)
	put(t, c, "a", "one")
	put(t, c, "empty", "")
	if got := get(t, c, "a"); got != "one" {
		t.Fatalf("a = %q", got)
	}
	put(t, c, "a", "another")
	if got := get(t, c, "a"); got != "another" {
		t.Fatalf("a after it was replaced = %q", got)
	}
	if got := get(t, c, "empty"); got != "" {
		t.Fatalf("empty = %q", got)
	}
	if i, err := c.Stat(bg, "a"); err != nil || i.Size != 7 || i.Name != "a" {
		t.Fatalf("stat: %+v, %v", i, err)
	}
	for name, want := range map[string]bool{"a": true, "absent": false} {
		if ok, err := blob.Exists(bg, c, name); ok != want || err != nil {
			t.Fatalf("exists %s: %v, %v", name, ok, err)
		}
	}
	deep := sub(t, c, "x/y z/ü")
	put(t, deep, "a", "deep")
	if get(t, c, "a") != "another" || get(t, sub(t, sub(t, c, "x"), "y z/ü"), "a") != "deep" {
		t.Fatal("sub-containers mix their blobs")
	}
	_, err = c.Get(bg, "x")
	wantKind(t, err, blob.KindNotFound) // a sub-container is no blob
}

func ranges(t *testing.T, c blob.Container) {
	put(t, c, "a", "0123456789")
	for _, r := range []struct {
		off, n int64
		want   string
	}{{0, 10, "0123456789"}, {3, 4, "3456"}, {8, 100, "89"}, {10, 1, ""}, {99, 5, ""}, {4, 0, ""}} {
		rd, err := c.GetRange(bg, "a", r.off, r.n)
		if err != nil {
			t.Fatalf("range %d+%d: %v", r.off, r.n, err)
		}
		b, err := io.ReadAll(rd)
		rd.Close()
		if err != nil || string(b) != r.want {
			t.Fatalf("range %d+%d = %q, %v", r.off, r.n, b, err)
		}
	}
	_, err := c.GetRange(bg, "a", -1, 2)
	wantKind(t, err, blob.KindInvalid)
	_, err = c.GetRange(bg, "a", 1, -2)
	wantKind(t, err, blob.KindInvalid)
}

func batch(t *testing.T, c blob.Container) {
	b := blob.NewBatch(100)
	defer b.Close()
	deep := sub(t, c, "x/y")
	write := func(content string, ifAbsent bool) error {
		return deep.Put(bg, "a", strings.NewReader(content), int64(len(content)), blob.PutOptions{Batch: b, IfAbsent: ifAbsent})
	}
	for _, content := range []string{"one", "another"} {
		if err := write(content, false); err != nil {
			t.Fatal(err)
		}
		if got := get(t, deep, "a"); got != content {
			t.Fatalf("before a flush a = %q", got)
		}
	}
	if c.Capabilities().Has(blob.AtomicIfAbsent) {
		wantKind(t, write("other", true), blob.KindAlreadyExists)
	}
	for range 2 {
		if err := b.Flush(bg); err != nil {
			t.Fatal(err)
		}
	}
	if got := listed(t, deep, "") + get(t, deep, "a"); got != "a=7another" {
		t.Fatal(got)
	}
}

func ifAbsent(t *testing.T, c blob.Container) {
	opts := blob.PutOptions{IfAbsent: true}
	if err := c.Put(bg, "a", strings.NewReader("one"), 3, opts); err != nil {
		t.Fatal(err)
	}
	wantKind(t, c.Put(bg, "a", strings.NewReader("two"), 3, opts), blob.KindAlreadyExists)
	if got := get(t, c, "a"); got != "one" {
		t.Fatalf("a = %q", got)
	}
	if got := listed(t, c, ""); got != "a=3" {
		t.Fatalf("listing: %s", got)
	}
}

func ifAbsentRace(t *testing.T, c blob.Container) {
	if !c.Capabilities().Has(blob.AtomicIfAbsent) {
		t.Skip("the store does not promise it")
	}
	for round := range 20 {
		name := fmt.Sprint("r", round)
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Add(1)
			go func() {
				defer wg.Done()
				content := strings.Repeat(fmt.Sprint(i), 5000)
				errs[i] = c.Put(bg, name, strings.NewReader(content), int64(len(content)), blob.PutOptions{IfAbsent: true})
			}()
		}
		wg.Wait()
		winner := -1
		for i, err := range errs {
			if err == nil {
				if winner >= 0 {
					t.Fatalf("round %d: %d and %d both created the blob", round, winner, i)
				}
				winner = i
			} else {
				wantKind(t, err, blob.KindAlreadyExists)
			}
		}
		if winner < 0 || get(t, c, name) != strings.Repeat(fmt.Sprint(winner), 5000) {
			t.Fatalf("round %d: winner %d, but another content", round, winner)
		}
	}
}

func list(t *testing.T, c blob.Container) {
	if got := listed(t, sub(t, c, "nowhere"), ""); got != "" {
		t.Fatalf("a container that does not exist lists %s", got)
	}
	put(t, c, "index-1", "x")
	put(t, c, "index-12", "xx")
	put(t, c, "meta", "xxx")
	put(t, sub(t, c, "indices/b"), "index-9", "y")
	put(t, sub(t, c, "indices/a"), "index-9", "y")
	if got := listed(t, c, ""); got != "index-12=2 index-1=1 meta=3" {
		t.Fatalf("listing: %s", got)
	}
	if got := listed(t, c, "index-"); got != "index-12=2 index-1=1" {
		t.Fatalf("listing of a prefix: %s", got)
	}
	var kids []string
	if err := sub(t, c, "indices").Children(bg, func(n string) error { kids = append(kids, n); return nil }); err != nil {
		t.Fatal(err)
	}
	sort.Strings(kids)
	if fmt.Sprint(kids) != "[a b]" {
		t.Fatalf("children: %v", kids)
	}
	stop := errors.New("stop")
	if err := c.List(bg, "", func(blob.Info) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("the callback's error became %v", err)
	}
	if err := c.Children(bg, func(string) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("the callback's error became %v", err)
	}
}

func deletes(t *testing.T, c blob.Container) {
	for _, n := range []string{"a", "b", "c"} {
		put(t, c, n, n)
	}
	put(t, sub(t, c, "d/e"), "f", "four")
	put(t, sub(t, c, "d"), "g", "g")
	if err := c.DeleteBatch(bg, []string{"a", "absent", "c"}); err != nil {
		t.Fatal(err)
	}
	if err := c.DeleteBatch(bg, nil); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, c, ""); got != "b=1" {
		t.Fatalf("after the deletion: %s", got)
	}
	err := c.DeleteBatch(bg, []string{"b", "../b"})
	var batch *blob.BatchError
	if !errors.As(err, &batch) || len(batch.Failed) != 1 || blob.KindOf(batch.Failed["../b"]) != blob.KindInvalidName {
		t.Fatalf("deletion of a bad name: %v", err)
	}
	if got := listed(t, c, ""); got != "" {
		t.Fatalf("a bad name kept the others from being deleted: %s", got)
	}
	for _, n := range []string{"x", "y"} {
		put(t, sub(t, c, "p/q"), n, n)
	}
	err = c.DeleteBatch(bg, []string{"p/q/x", "p/absent/x", "p/../b", "p//x", "/x"})
	if !errors.As(err, &batch) || len(batch.Failed) != 3 || blob.KindOf(batch.Failed["p/../b"]) != blob.KindInvalidName {
		t.Fatalf("deletion of paths: %v", err)
	}
	if got := listed(t, sub(t, c, "p/q"), ""); got != "y=1" {
		t.Fatalf("after the deletion of a path: %s", got)
	}
	put(t, c, "stays", "")
	st, err := sub(t, c, "d").DeleteTree(bg)
	if err != nil || st.Blobs != 2 || st.Bytes != 5 {
		t.Fatalf("delete tree: %+v, %v", st, err)
	}
	if got := listed(t, sub(t, c, "d/e"), "") + listed(t, sub(t, c, "d"), ""); got != "" {
		t.Fatalf("left in the tree: %s", got)
	}
	if st, err := sub(t, c, "d").DeleteTree(bg); err != nil || st.Blobs != 0 {
		t.Fatalf("delete tree again: %+v, %v", st, err)
	}
	get(t, c, "stays")
}

func names(t *testing.T, c blob.Container) {
	put(t, c, "victim", "x")
	d := sub(t, c, "d")
	for _, bad := range []string{"", ".", "..", "../victim", "/victim", "a/b", "a\\b", "a\x00b", "a\nb", strings.Repeat("x", 300)} {
		wantKind(t, d.Put(bg, bad, strings.NewReader("y"), 1, blob.PutOptions{}), blob.KindInvalidName)
		_, err := d.Get(bg, bad)
		wantKind(t, err, blob.KindInvalidName)
		_, err = d.GetRange(bg, bad, 0, 1)
		wantKind(t, err, blob.KindInvalidName)
		_, err = d.Stat(bg, bad)
		wantKind(t, err, blob.KindInvalidName)
		if bad != "a/b" { // a path
			wantKind(t, d.DeleteBatch(bg, []string{bad}), blob.KindInvalidName)
		}
	}
	for _, bad := range []string{"..", "../x", "/x", "x/", "x//y", "x/../y", "."} {
		_, err := c.Container(bad)
		wantKind(t, err, blob.KindInvalidName)
	}
	for _, good := range []string{"a b", "ünï", "...", "-x", "v__1", strings.Repeat("x", 220)} {
		put(t, d, good, "g")
		if get(t, d, good) != "g" {
			t.Fatal(good)
		}
	}
	get(t, c, "victim")
}

func sizes(t *testing.T, c blob.Container) {
	put(t, c, "old", "old")
	for _, announced := range []int64{0, 2, 4, -1} {
		wantKind(t, c.Put(bg, "new", strings.NewReader("abc"), announced, blob.PutOptions{}), blob.KindInvalid)
		wantKind(t, c.Put(bg, "old", strings.NewReader("abc"), announced, blob.PutOptions{}), blob.KindInvalid)
	}
	broken := errors.New("the source broke")
	err := c.Put(bg, "new", io.MultiReader(strings.NewReader("ab"), failing{broken}), 3, blob.PutOptions{})
	if !errors.Is(err, broken) {
		t.Fatalf("the reader's error became %v", err)
	}
	if got := listed(t, c, ""); got != "old=3" {
		t.Fatalf("failed writes left: %s", got)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func canceled(t *testing.T, c blob.Container) {
	put(t, c, "a", "a")
	ctx, cancel := context.WithCancel(bg)
	cancel()
	wantKind(t, c.Put(ctx, "b", strings.NewReader("b"), 1, blob.PutOptions{}), blob.KindCanceled)
	_, err := c.Get(ctx, "a")
	wantKind(t, err, blob.KindCanceled)
	wantKind(t, c.List(ctx, "", func(blob.Info) error { return nil }), blob.KindCanceled)
	wantKind(t, c.DeleteBatch(ctx, []string{"a"}), blob.KindCanceled)
	_, err = c.DeleteTree(ctx)
	wantKind(t, err, blob.KindCanceled)
	if got := listed(t, c, ""); got != "a=1" {
		t.Fatalf("after canceled requests: %s", got)
	}
}

func large(t *testing.T, c blob.Container) {
	b := make([]byte, 3<<20+17)
	rand.New(rand.NewSource(1)).Read(b)
	if err := c.Put(bg, "large", bytes.NewReader(b), int64(len(b)), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if get(t, c, "large") != string(b) {
		t.Fatal("content changed")
	}
	if _, err := blob.ReadAll(bg, c, "large", 1<<20); blob.KindOf(err) != blob.KindCorrupt {
		t.Fatalf("ReadAll over its limit: %v", err)
	}
}
