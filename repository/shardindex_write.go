package repository

import "github.com/varve-search/varve/repository/smile"

// appendTo appends the index's document to b, piece by piece as it is read.
func (x *ShardIndex) appendTo(b []byte) ([]byte, error) {
	files, err := filesTree(x.Files)
	if err != nil {
		return nil, err
	}
	e := smile.NewEncoder(b)
	e.StartObject()
	if err := e.Name("files"); err != nil {
		return nil, err
	}
	if err := e.Value(files); err != nil {
		return nil, err
	}
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
