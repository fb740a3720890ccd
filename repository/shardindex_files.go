package repository

import (
	"fmt"
	"math"
	"slices"

	"github.com/varve-search/varve/repository/smile"
)

// fileInfos reads the files of an index: what parseFiles reads from a tree.
func (p *shardIndexParser) fileInfos() error {
	t, err := p.d.Next()
	if err != nil || t.Kind == smile.KindNull {
		return err
	}
	if t.Kind != smile.KindStartArray {
		return fmt.Errorf("[files] is not an array")
	}
	p.files = make([]FileInfo, 0, fewFiles)
	for {
		if t, err = p.d.Next(); err != nil || t.Kind == smile.KindEndArray {
			return err
		}
		if t.Kind != smile.KindStartObject {
			return fmt.Errorf("a file is no object")
		}
		f, err := p.fileInfo()
		if err != nil {
			return err
		}
		p.files = append(p.files, f)
	}
}

// fileInfo reads a file whose object has begun. As in a tree, the last value of a name counts, and null is as if there were none.
func (p *shardIndexParser) fileInfo() (FileInfo, error) {
	var f FileInfo
	hasLength := false
	err := p.rest(func(name string) (err error) {
		switch name {
		case "name":
			f.Name, err = p.text(name)
		case "physical_name":
			f.PhysicalName, err = p.text(name)
		case "checksum":
			f.Checksum, err = p.text(name)
		case "written_by":
			f.WrittenBy, err = p.text(name)
		case "meta_hash":
			f.MetaHash, err = p.binary(name)
		case "length":
			f.Length, hasLength, err = p.number(name, 0)
		case "part_size":
			f.PartSize, _, err = p.number(name, math.MinInt64)
		default:
			var v any
			v, err = p.d.Value()
			if at := slices.IndexFunc(f.extra, func(m member) bool { return m.Name == name }); at >= 0 {
				f.extra[at].Value = v
			} else {
				f.extra = append(f.extra, member{Name: name, Value: v})
			}
		}
		return err
	})
	for _, m := range []struct {
		name    string
		missing bool
	}{{"name", f.Name == ""}, {"physical_name", f.PhysicalName == ""}, {"checksum", f.Checksum == ""}, {"length", !hasLength}} {
		if m.missing && err == nil {
			err = fmt.Errorf("[%s] is missing", m.name)
		}
	}
	return f, f.check(err)
}

// text reads the string that is the value of a name.
func (p *shardIndexParser) text(name string) (string, error) {
	t, err := p.d.Next()
	if err != nil || t.Kind == smile.KindNull {
		return "", err
	}
	if t.Kind != smile.KindString {
		return "", fmt.Errorf("[%s] is not a string", name)
	}
	return t.Text, nil
}

func (p *shardIndexParser) binary(name string) ([]byte, error) {
	t, err := p.d.Next()
	if err != nil || t.Kind == smile.KindNull {
		return nil, err
	}
	if t.Kind != smile.KindBinary {
		return nil, fmt.Errorf("[%s] is not binary", name)
	}
	return t.Bytes, nil
}

// number reads a whole number of at least lowest, and says whether there is one.
func (p *shardIndexParser) number(name string, lowest int64) (int64, bool, error) {
	t, err := p.d.Next()
	if err != nil || t.Kind == smile.KindNull {
		return 0, false, err
	}
	if t.Kind != smile.KindInt || t.Int < lowest {
		return 0, false, fmt.Errorf("[%s] is not a number of at least %d", name, lowest)
	}
	return t.Int, true, nil
}
