package catalog

import (
	"slices"
	"strings"

	"github.com/varve-search/varve/lucene/codec"
)

// SegmentInfoFormat says how a codec lays out its .si file. Both layouts carry the same header, so only
// the codec's name tells them apart.
type SegmentInfoFormat uint8

// The layouts of .si files.
const (
	SegmentInfo90 SegmentInfoFormat = iota + 1
	SegmentInfo99                   // with the has-blocks byte
)

// Codec is what is known of a codec by its name.
type Codec struct {
	Name string
	// Base is the Lucene codec whose formats it uses, possibly through a wrapper of a plugin.
	Base        string
	SegmentInfo SegmentInfoFormat
	// OneDocValuesFormat tells that all fields have the doc values of Lucene90 in files without a suffix, and no
	// attribute says so.
	OneDocValuesFormat bool
	// StoredFields is nil where the stored fields are Lucene90's, else why they cannot be read.
	StoredFields error
}

// Lucene10 tells whether a codec is of Lucene 10: it is read, and Lucene 9.12 does not know it.
func (c Codec) Lucene10() bool { return strings.HasPrefix(c.Base, "Lucene10") }

// Current is the codec of the segments that this library writes.
const Current = "Lucene912"

var bases = map[string]SegmentInfoFormat{
	"Lucene90":  SegmentInfo90,
	"Lucene91":  SegmentInfo90,
	"Lucene92":  SegmentInfo90,
	"Lucene94":  SegmentInfo90,
	"Lucene95":  SegmentInfo90,
	"Lucene99":  SegmentInfo99,
	"Lucene912": SegmentInfo99,
	"Lucene100": SegmentInfo99,
	"Lucene101": SegmentInfo99,
	"Lucene103": SegmentInfo99,
	"Lucene104": SegmentInfo99,
}

// wrappers are codecs of OpenSearch and its plugins that delegate to a codec of Lucene. Their own
// parts (star trees, k-NN vectors) are files and attributes of single fields.
var wrappers = map[string]string{
	"Composite99Codec":  "Lucene99",
	"Composite912Codec": "Lucene912",
	"Composite101Codec": "Lucene101",
	"Composite103Codec": "Lucene103",
	"Composite104Codec": "Lucene104",
	"KNN910Codec":       "Lucene91",
	"KNN920Codec":       "Lucene92",
	"KNN940Codec":       "Lucene94",
	"KNN950Codec":       "Lucene95",
	"KNN990Codec":       "Lucene99",
	"KNN9120Codec":      "Lucene912",
}

// compressed are codecs of the OpenSearch plugin custom-codecs: a codec of Lucene with other stored fields.
var compressed = map[string]struct{ base, what string }{
	"Lucene92CustomCodec": {"Lucene92", "zstd"},
	"Lucene95CustomCodec": {"Lucene95", "zstd"},
	"ZSTD":                {"Lucene95", "zstd"},
	"ZSTDNODICT":          {"Lucene95", "zstd without a dictionary"},
	"ZSTD99":              {"Lucene99", "zstd"},
	"ZSTDNODICT99":        {"Lucene99", "zstd without a dictionary"},
	"QATLZ499":            {"Lucene99", "LZ4 of Intel QAT"},
	"QATDEFLATE99":        {"Lucene99", "DEFLATE of Intel QAT"},
	"ZSTD912":             {"Lucene912", "zstd"},
	"ZSTDNODICT912":       {"Lucene912", "zstd without a dictionary"},
	"QATLZ4912":           {"Lucene912", "LZ4 of Intel QAT"},
	"QATDEFLATE912":       {"Lucene912", "DEFLATE of Intel QAT"},
	"QATZSTD912":          {"Lucene912", "zstd of Intel QAT"},
}

// The plugin names its codecs of Lucene 10 after the kind and the generation, such as ZSTD101.
var (
	compressed10 = map[string]string{"ZSTD": "zstd", "ZSTDNODICT": "zstd without a dictionary",
		"QATLZ4": "LZ4 of Intel QAT", "QATDEFLATE": "DEFLATE of Intel QAT", "QATZSTD": "zstd of Intel QAT"}
	generations10 = []string{"101", "103", "104"}
)

// lookup10 finds one of these.
func lookup10(name string) (base, what string, ok bool) {
	for _, g := range generations10 {
		if kind, found := strings.CutSuffix(name, g); found && compressed10[kind] != "" {
			return "Lucene" + g, compressed10[kind], true
		}
	}
	return "", "", false
}

// olderOrNewer names the generations of Lucene that are recognised and not read.
var olderOrNewer = []struct {
	reason string
	names  []string
}{
	{"it is of Lucene 8, which is not readable as it is", []string{"Lucene80", "Lucene84", "Lucene86", "Lucene87"}},
	{"it is of Lucene 7, which is not readable as it is", []string{"Lucene70"}},
	{"it is of Lucene 6, which is not readable as it is", []string{"Lucene60", "Lucene62"}},
	{"it is of Lucene 5, which is not readable as it is", []string{"Lucene50", "Lucene53", "Lucene54"}},
}

// Lookup returns the codec of that name, or an *codec.UnsupportedError.
func Lookup(name string) (Codec, error) {
	if f, ok := bases[name]; ok {
		return Codec{Name: name, Base: name, SegmentInfo: f}, nil
	}
	if base, ok := wrappers[name]; ok {
		return Codec{Name: name, Base: base, SegmentInfo: bases[base], OneDocValuesFormat: strings.HasPrefix(name, "Composite")}, nil
	}
	base, what, ok := lookup10(name)
	if c, old := compressed[name]; old {
		base, what, ok = c.base, c.what, true
	}
	if ok {
		return Codec{Name: name, Base: base, SegmentInfo: bases[base], StoredFields: &codec.UnsupportedError{
			Format: name, Where: "stored fields", Reason: "they are compressed with " + what + " by the plugin custom-codecs",
		}}, nil
	}
	for _, g := range olderOrNewer {
		if slices.Contains(g.names, name) {
			return Codec{}, &codec.UnsupportedError{Format: clip(name), Where: "a segment", Reason: g.reason}
		}
	}
	reason := "the codec is not known"
	if strings.HasPrefix(name, "KNN8") || strings.HasPrefix(name, "KNN10") {
		reason = "it is a codec of the plugin k-NN for another generation of Lucene"
	}
	return Codec{}, &codec.UnsupportedError{Format: clip(name), Where: "a segment", Reason: reason}
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
