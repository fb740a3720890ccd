package translog

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzRecord gives arbitrary bytes to the record decoder; what it accepts must encode to itself.
func FuzzRecord(f *testing.F) {
	for _, op := range []Operation{
		{Type: OpIndex, SeqNo: 3, PrimaryTerm: 1, Version: 2, ID: "1", Routing: "r", Source: []byte("{}")},
		{Type: OpDelete, SeqNo: 300, PrimaryTerm: 1, Version: 2, ID: "1"},
		{Type: OpNoOp, SeqNo: 4, Reason: "gap"},
	} {
		f.Add(appendRecord(nil, &op)[recordHeaderSize:])
	}
	f.Add(appendSeal(nil, seal{1, 2, 3})[recordHeaderSize:])
	f.Fuzz(func(t *testing.T, body []byte) {
		var op Operation
		var s seal
		if err := decodeBody(body, &op, &s); err != nil {
			if !errors.Is(err, errMalformed) {
				t.Fatal(err)
			}
			return
		}
		var rec []byte
		if op.Type == opSeal {
			rec = appendSeal(nil, s)
		} else {
			rec = appendRecord(nil, &op)
		}
		if n, err := checkRecord(rec); err != nil || n != len(rec) {
			t.Fatalf("%d of %d bytes: %v", n, len(rec), err)
		}
		var again Operation
		if err := decodeBody(rec[recordHeaderSize:], &again, &s); err != nil || again.ID != op.ID || again.SeqNo != op.SeqNo || !bytes.Equal(again.Source, op.Source) {
			t.Fatalf("%+v became %+v (%v)", op, again, err)
		}
	})
}

// FuzzOpen opens a log whose files hold arbitrary bytes.
func FuzzOpen(f *testing.F) {
	disk := newSimFS()
	l, err := Create("d", "", Options{fs: disk})
	if err != nil {
		f.Fatal(err)
	}
	for n := range int64(5) {
		op := Operation{Type: OpIndex, SeqNo: n, Version: 1, ID: "id", Source: []byte("{}")}
		if _, err := l.Add(&op); err != nil {
			f.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(disk.live["d/"+checkpointName].data, disk.live["d/"+generationName(1)].data)
	f.Fuzz(func(t *testing.T, ckp, gen []byte) {
		disk := newSimFS()
		disk.live["d/"+checkpointName] = &simFile{fs: disk, data: ckp}
		disk.live["d/"+generationName(1)] = &simFile{fs: disk, data: gen}
		l, err := Open("d", "", Options{fs: disk})
		if err != nil {
			return
		}
		if _, err := readSome(l); err != nil {
			t.Fatalf("opened, but %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
