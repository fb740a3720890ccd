package legacy

import (
	"testing"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

var fuzzID = lucene.ID{7}

// file frames bytes as a file whose checksum holds, so that a fuzzer comes past it.
func file(t testing.TB, name, codecName string, version int32, suffix string, body []byte) store.Input {
	dir := store.NewMem()
	out, err := dir.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	codec.WriteIndexHeader(out, codecName, version, fuzzID, suffix)
	out.PutBytes(body)
	codec.WriteFooter(out)
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	in, err := dir.Open(name, store.Random)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func FuzzCommit(f *testing.F) {
	f.Add([]byte{6, 6, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		if infos, err := ParseCommit(file(t, "segments_1", "segments", version53, "1", body), segments.FileName(1)); err == nil && infos == nil {
			t.Fatal("neither a commit nor an error")
		}
	})
}

func FuzzMetadata(f *testing.F) {
	f.Add(byte(0), []byte{0, 0, 0, 6, 0, 0, 0, 6, 0, 0, 0, 1, 0, 0, 0, 9, 1, 0, 0, 0, 0})
	f.Add(byte(4), []byte{1, 1, 'a', 0, 0, 1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0})
	f.Add(byte(7), []byte{1, 4, '.', 'f', 'd', 't', 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, what byte, body []byte) {
		known := &lucene.SegmentInfo{Name: "_0", ID: fuzzID, MaxDoc: 100}
		switch what % 9 {
		case 0:
			_, _ = parseSegmentInfo(file(t, "_0.si", "Lucene62SegmentInfo", 1, "", body), known)
		case 1:
			_, _ = parseSegmentInfo(file(t, "_0.si", "Lucene70SegmentInfo", 0, "", body), known)
		case 2:
			_, _ = parseSegmentInfo(file(t, "_0.si", "Lucene86SegmentInfo", 0, "", body), known)
		case 3, 4, 5:
			_, _ = parseFieldInfos(file(t, "_0.fnm", fields60, int32(what%3), "", body), fuzzID, "")
		case 6:
			sci := &lucene.SegmentCommitInfo{Info: known, DelGen: 1, DelCount: 3}
			_, _ = parseLiveDocs(file(t, "_0_1.liv", liveDocs50, 0, "1", body), sci)
		default:
			_, _ = parseEntries(store.NewReader(file(t, "_0.cfe", compoundEntries50, 0, "", body)), fuzzID)
		}
	})
}

func FuzzColumns(f *testing.F) {
	f.Add(byte(0), []byte{0, 0, 0, 0, 0}, []byte{0, 0, 0, 1, 0, 3, 0, 9, 0x7f, 0xff, 0, 0, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, version byte, meta, docs []byte) {
		fields, err := lucene.NewFieldInfos([]*lucene.FieldInfo{{Name: "a", Number: 0}, {Name: softDeletesField, Number: 1}})
		if err != nil {
			t.Fatal(err)
		}
		format, v := "Lucene70", int32(0)
		if version != 0 {
			format, v = "Lucene80", int32(version%3)
		}
		_, _ = parsePresence(file(t, "_0_x.dvm", format+"DocValuesMetadata", v, "x", meta), fuzzID, "x", format, fields, fields.ByName(softDeletesField))
		got, err := parseDocs(store.NewBytesInput("_0_x.dvd", docs), presence{length: int64(len(docs)), ranks: int8(version%10) - 1}, 70000)
		if err == nil && got.N != 70000 {
			t.Fatal("a set of another size")
		}
	})
}

func FuzzDocuments(f *testing.F) {
	f.Add(byte(0), []byte{0x80, 0x80, 1, 2, 0, 2, 1, 3, 0x30, 0, 1, 'x'})
	f.Fuzz(func(t *testing.T, mode byte, body []byte) {
		fields, err := lucene.NewFieldInfos([]*lucene.FieldInfo{{Name: "_source", Number: 0}})
		if err != nil {
			t.Fatal(err)
		}
		attr, name, version := "Lucene50StoredFieldsFormat.mode", "Lucene50StoredFields", int32(1)
		if mode&2 != 0 {
			attr, name = "Lucene87StoredFieldsFormat.mode", "Lucene87StoredFields"
		}
		si := &lucene.SegmentInfo{Name: "_0", ID: fuzzID, MaxDoc: 300, Attributes: map[string]string{attr: "BEST_SPEED"}}
		kind := "FastData"
		if mode&1 != 0 {
			si.Attributes[attr], kind = "BEST_COMPRESSION", "HighData"
		}
		if mode&4 != 0 {
			version = 2
		}
		in := file(t, "_0.fdt", name+kind, version, "", body)
		b, err := store.Bytes(in, 0, int(in.Length()))
		if err != nil {
			t.Fatal(err)
		}
		dir := store.NewMem()
		dir.Put("_0.fdt", b)
		d, err := openDocuments(dir, si, fields)
		if err != nil {
			return
		}
		defer d.Close()
		var c collector
		for doc := range si.MaxDoc {
			if err := d.Document(doc, &c); err != nil {
				if err := d.Document(doc, &c); err == nil {
					t.Fatal("an error went away")
				}
				return
			}
		}
	})
}
