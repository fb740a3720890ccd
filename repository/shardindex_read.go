package repository

import (
	"errors"
	"fmt"
	"io"

	"github.com/varve-search/varve/repository/smile"
)

// readShardIndex parses the framed bytes of a shard's index token by token: of a repository with thousands of snapshots a tree
// of it would be most of the time and memory that a snapshot takes.
func readShardIndex(b []byte, limit int64) (*ShardIndex, error) {
	body, err := unframe(b, codecShardIndex)
	if err != nil {
		return nil, err
	}
	if body, err = decompress(body, limit); err != nil {
		return nil, err
	}
	return parseIndexDocument(body)
}

// parseIndexDocument is readShardIndex for what is framed.
func parseIndexDocument(body []byte) (*ShardIndex, error) {
	d, err := smile.NewDecoder(body, smile.Limits{})
	if err != nil {
		return nil, err
	}
	d.KeepDocument()
	p := &shardIndexParser{d: d}
	if err := p.members(p.top); err != nil {
		return nil, err
	}
	if _, err := d.Next(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("more follows the content: %w", err)
	}
	x := newShardIndex(p.files, p.snapshots)
	for i := range p.files {
		if x.find(p.files[i].Name) != i {
			return nil, fmt.Errorf("a blob name occurs twice")
		}
	}
	var last []string
	for _, s := range p.snapshots {
		if sameList(last, s.Files) {
			continue
		}
		last = s.Files
		for _, name := range last {
			if x.find(name) < 0 {
				return nil, fmt.Errorf("snapshot [%s] refers to the unknown file [%s]", s.Snapshot, name)
			}
		}
	}
	return x, nil
}

type shardIndexParser struct {
	d         *smile.Decoder
	files     []FileInfo
	snapshots []ShardIndexSnapshot
}

// sameList says that two lists are one in memory.
func sameList(a, b []string) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }

// members reads an object and hands over the name of each member, whose value is next.
func (p *shardIndexParser) members(member func(name string) error) error {
	t, err := p.d.Next()
	if err != nil {
		return err
	}
	if t.Kind != smile.KindStartObject {
		return fmt.Errorf("the content is no object")
	}
	return p.rest(member)
}

// rest is members for an object that has begun.
func (p *shardIndexParser) rest(member func(name string) error) error {
	seen := ""
	for {
		t, err := p.d.Next()
		if err != nil {
			return err
		}
		if t.Kind == smile.KindEndObject {
			return nil
		}
		if t.Text == seen && seen != "" {
			return fmt.Errorf("[%s] occurs twice", seen)
		}
		seen = t.Text
		if err := member(t.Text); err != nil {
			return err
		}
	}
}

func (p *shardIndexParser) top(name string) error {
	switch name {
	case "files":
		return p.fileInfos()
	case "snapshots":
		var last ShardIndexSnapshot
		var span smile.Span
		return p.members(func(name string) error {
			if !p.d.Skip(span) { // mostly nothing has changed since the snapshot before
				mark := p.d.Mark()
				last = ShardIndexSnapshot{}
				err := p.members(func(name string) error { return p.snapshot(name, &last) })
				if err != nil {
					return fmt.Errorf("snapshot [%s]: %w", name, err)
				}
				span = p.d.Since(mark)
			}
			last.Snapshot = name
			p.snapshots = append(p.snapshots, last)
			return nil
		})
	}
	_, err := p.d.Value()
	return err
}

func (p *shardIndexParser) snapshot(name string, s *ShardIndexSnapshot) error {
	switch name {
	case "files":
		t, err := p.d.Next()
		if err != nil || t.Kind == smile.KindNull {
			return err
		}
		if t.Kind != smile.KindStartArray {
			return fmt.Errorf("[files] is not an array of strings")
		}
		s.Files = make([]string, 0, min(len(p.files), 2*fewFiles)) // mostly all
		for {
			if t, err = p.d.Next(); err != nil || t.Kind == smile.KindEndArray {
				return err
			}
			if t.Kind != smile.KindString {
				return fmt.Errorf("[files] is not an array of strings")
			}
			s.Files = append(s.Files, t.Text)
		}
	case "shard_state_id":
		var err error
		s.StateID, err = p.text(name)
		return err
	}
	_, err := p.d.Value()
	return err
}
