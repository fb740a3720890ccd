package legacy

import (
	"slices"
	"strings"

	"github.com/varve-search/varve/lucene"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/codec/segmentinfo"
	"github.com/varve-search/varve/lucene/codec/segments"
	"github.com/varve-search/varve/lucene/store"
)

// version53 is the layout of segments_N from Lucene 5.3 to 6.6. Later ones are read by package segments.
const version53 = 6

// codecs are those of Lucene 5 to 8, and those of the k-NN plugin that wrap one of them.
var codecs = []string{"Lucene50", "Lucene53", "Lucene54", "Lucene60", "Lucene62", "Lucene70", "Lucene80", "Lucene84", "Lucene86", "Lucene87",
	"KNN80Codec", "KNN84Codec", "KNN86Codec", "KNN87Codec"}

// Reads tells whether segments of the codec are read by this package.
func Reads(codecName string) bool { return slices.Contains(codecs, codecName) }

// ReadCommit reads a commit of any version by the name of its file, without the .si files of its segments: of
// each Info only Name, ID and Codec are set.
func ReadCommit(dir store.Directory, name string) (*segments.Infos, error) {
	in, err := dir.Open(name, store.Sequential)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return ParseCommit(in, name)
}

// ParseCommit is ReadCommit from an input.
func ParseCommit(in store.Input, name string) (*segments.Infos, error) {
	r := store.NewReader(in)
	_, version, err := codec.PeekHeader(r)
	if err != nil {
		return nil, err
	}
	if version > version53 {
		return segments.ParseEntries(in, name)
	}
	gen, err := lucene.ParseGeneration(segments.Prefix, name)
	if err != nil {
		return nil, err
	}
	r.SeekTo(0)
	infos, err := parseCommit(r, gen)
	if err := codec.Finish(r, err); err != nil {
		return nil, err
	}
	return infos, nil
}

func parseCommit(r *store.Reader, gen int64) (*segments.Infos, error) {
	if _, err := codec.ReadHeader(r, "segments", version53, version53); err != nil {
		return nil, err
	}
	s := &segments.Infos{Generation: gen}
	r.ReadFull(s.ID[:])
	suffix := string(r.Bytes(int(r.Byte())))
	if want := strings.TrimPrefix(segments.FileName(gen), segments.Prefix+"_"); r.Err() == nil && suffix != want {
		return nil, r.Corruptf("the generation is %.20q, the file name says %q", suffix, want)
	}
	s.LuceneVersion = lucene.Version{Major: r.VInt(), Minor: r.VInt(), Bugfix: r.VInt()}
	s.IndexCreatedMajor = s.LuceneVersion.Major // not recorded yet
	s.Version = r.BEInt64()
	s.Counter = int64(int32(r.BEUint32()))
	n := r.CheckCount("segments", int64(int32(r.BEUint32())), 50)
	if n > 0 { // the version of the oldest segment
		r.VInt()
		r.VInt()
		r.VInt()
	}
	for range n {
		sci, err := parseSegment(r)
		if err != nil {
			return nil, err
		}
		s.Segments = append(s.Segments, sci)
	}
	s.UserData = r.StringMap()
	return s, r.Err()
}

func parseSegment(r *store.Reader) (*lucene.SegmentCommitInfo, error) {
	info := &lucene.SegmentInfo{Name: r.String()}
	if r.Err() == nil && (store.CheckName(info.Name) != nil || info.Name[0] != '_') {
		return nil, r.Corruptf("%.100q is no name of a segment", info.Name)
	}
	if has := r.Byte(); r.Err() == nil && has != 1 {
		return nil, r.Corruptf("segment %.100s has no id: it is of Lucene 4, or damaged", info.Name)
	}
	r.ReadFull(info.ID[:])
	info.Codec = r.String()
	sci := &lucene.SegmentCommitInfo{Info: info}
	sci.DelGen = r.BEInt64()
	sci.DelCount = int32(r.BEUint32())
	sci.FieldInfosGen = r.BEInt64()
	sci.DocValuesGen = r.BEInt64()
	sci.FieldInfosFiles = r.StringSet()
	n := r.CheckCount("fields with doc-values updates", int64(int32(r.BEUint32())), 5)
	sci.DocValuesFiles = make(map[int32][]string, n)
	for range n {
		field := int32(r.BEUint32())
		sci.DocValuesFiles[field] = r.StringSet()
	}
	if r.Err() != nil {
		return nil, r.Err()
	}
	if sci.DelGen < -1 || sci.FieldInfosGen < -1 || sci.DocValuesGen < -1 || sci.DelCount < 0 {
		return nil, r.Corruptf("segment %s has a negative generation or count", info.Name)
	}
	for _, f := range sci.Files() {
		if store.CheckName(f) != nil || !segmentinfo.BelongsTo(f, info.Name) {
			return nil, r.Corruptf("the file %.100q does not belong to segment %s", f, info.Name)
		}
	}
	return sci, nil
}
