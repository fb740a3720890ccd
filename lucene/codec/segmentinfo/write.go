package segmentinfo

import (
	"fmt"
	"slices"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/store"
)

// Write writes the .si file of a segment in the Lucene99 layout, and adds its name to si.Files, which
// lists itself too. The codec of si must be one of that layout.
func Write(dir store.Directory, si *lucene.SegmentInfo) error {
	name := FileName(si.Name)
	out, err := dir.Create(name)
	if err != nil {
		return err
	}
	if !slices.Contains(si.Files, name) {
		si.Files = append(si.Files, name)
	}
	if err := write(out, si); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

func write(out *store.Output, si *lucene.SegmentInfo) error {
	if si.MaxDoc < 0 {
		return fmt.Errorf("write segment info of %s: %d documents", si.Name, si.MaxDoc)
	}
	for _, f := range si.Files {
		if !BelongsTo(f, si.Name) {
			return fmt.Errorf("write segment info of %s: file %s is not of this segment", si.Name, f)
		}
	}
	codec.WriteIndexHeader(out, codecName, version, si.ID, "")
	putVersion(out, si.Version)
	if si.MinVersion == nil {
		out.PutByte(0)
	} else {
		out.PutByte(1)
		putVersion(out, *si.MinVersion)
	}
	out.PutInt32(si.MaxDoc)
	putFlag(out, si.IsCompoundFile)
	putFlag(out, si.HasBlocks)
	out.PutStringMap(si.Diagnostics)
	out.PutStringSet(si.Files)
	out.PutStringMap(si.Attributes)
	if err := writeSort(out, si); err != nil {
		return err
	}
	codec.WriteFooter(out)
	return out.Err()
}

func putVersion(out *store.Output, v lucene.Version) {
	out.PutInt32(v.Major)
	out.PutInt32(v.Minor)
	out.PutInt32(v.Bugfix)
}

func putFlag(out *store.Output, b bool) {
	if b {
		out.PutByte(yes)
		return
	}
	out.PutByte(no)
}
