package repository

import (
	"errors"

	"github.com/varve-search/varve/repository/smile"
)

// appendTo appends the index's document to b, piece by piece as it is read.
func (x *ShardIndex) appendTo(b []byte) ([]byte, error) {
	e := smile.NewEncoder(b)
	size := 64
	for i := range x.Files {
		size += 200 + len(x.Files[i].MetaHash)
	}
	e.Grow(size)
	e.StartObject()
	if err := e.Name("files"); err != nil {
		return nil, err
	}
	e.StartArray()
	for i := range x.Files {
		if err := x.Files[i].write(e); err != nil {
			return nil, err
		}
	}
	e.EndArray()
	if err := e.Name("snapshots"); err != nil {
		return nil, err
	}
	e.StartObject()
	var span smile.Span
	for i := range x.Snapshots { // their names differ: with looked
		s := &x.Snapshots[i]
		if err := e.NewName(s.Snapshot); err != nil {
			return nil, err
		}
		if i > 0 && s.StateID == x.Snapshots[i-1].StateID && sameList(s.Files, x.Snapshots[i-1].Files) && e.Repeat(span) {
			continue
		}
		mark, before := e.Mark(), len(e.Bytes())
		if err := s.write(e); err != nil {
			return nil, err
		}
		span = e.Since(mark)
		if i < 2 {
			e.Grow((len(e.Bytes()) - before + 2*len(s.Snapshot)) * len(x.Snapshots))
		}
	}
	e.EndObject()
	e.EndObject()
	return e.Bytes(), nil
}

// write writes what the index says of a snapshot.
func (s *ShardIndexSnapshot) write(e *smile.Encoder) error {
	e.StartObject()
	if err := e.Name("files"); err != nil {
		return err
	}
	e.StartArray()
	for _, f := range s.Files {
		if err := e.Text(f); err != nil {
			return err
		}
	}
	e.EndArray()
	if s.StateID != "" {
		if err := e.Name("shard_state_id"); err != nil {
			return err
		}
		if err := e.Text(s.StateID); err != nil {
			return err
		}
	}
	e.EndObject()
	return nil
}

// write writes a file of the index: what tree makes a tree of.
func (f *FileInfo) write(e *smile.Encoder) error {
	if err := f.foreign(); err != nil {
		return err
	}
	e.StartObject()
	text := func(name, v string) error {
		if err := e.Name(name); err != nil {
			return err
		}
		return e.Text(v)
	}
	number := func(name string, v int64) error {
		if err := e.Name(name); err != nil {
			return err
		}
		e.Int(v)
		return nil
	}
	err := errors.Join(text("name", f.Name), text("physical_name", f.PhysicalName), number("length", f.Length), text("checksum", f.Checksum))
	if f.PartSize != 0 {
		err = errors.Join(err, number("part_size", f.PartSize))
	}
	err = errors.Join(err, text("written_by", f.WrittenBy))
	if len(f.MetaHash) > 0 {
		err = errors.Join(err, e.Name("meta_hash"))
		e.Binary(f.MetaHash)
	}
	e.EndObject()
	return err
}
