package analysis_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/varve-search/varve/lucene/analysis"
)

// badSettings are analysis settings that OpenSearch refuses.
var badSettings = []string{
	`{"analyzer":{"a":{"type":"nope"}}}`, `{"analyzer":{"a":{"filter":["lowercase"]}}}`, `{"analyzer":{"a":{"tokenizer":"nope"}}}`,
	`{"analyzer":{"a":{"tokenizer":"standard","filter":["nope"]}}}`, `{"analyzer":{"a":{"tokenizer":"standard","char_filter":["nope"]}}}`,
	`{"analyzer":{"_a":{"tokenizer":"standard"}}}`, `{"tokenizer":{"t":{"type":"nope"}}}`, `{"tokenizer":{"t":{"max_gram":1}}}`, `{"filter":{"f":{"type":"nope"}}}`, `{"char_filter":{"f":{"type":"nope"}}}`,
	`{"tokenizer":{"t":{"type":"ngram","min_gram":1,"max_gram":5}}}`, `{"filter":{"t":{"type":"ngram","min_gram":1,"max_gram":5}}}`,
	`{"tokenizer":{"t":{"type":"ngram","token_chars":["foo"]}}}`, `{"filter":{"s":{"type":"shingle","max_shingle_size":9}}}`, `{"filter":{"s":{"type":"elision"}}}`, `{"filter":{"s":{"type":"keep"}}}`,
	`{"filter":{"s":{"type":"keyword_marker"}}}`, `{"filter":{"s":{"type":"stemmer_override","rules":["a"]}}}`, `{"filter":{"s":{"type":"pattern_replace"}}}`, `{"filter":{"s":{"type":"truncate"}}}`,
	`{"filter":{"s":{"type":"stop","ignore_case":"maybe"}}}`, `{"filter":{"s":{"type":"length","min":"x"}}}`, `{"normalizer":{"n":{"filter":["stop"]}}}`, `{"normalizer":{"n":{"filter":["nope"]}}}`, `{"normalizer":{"n":{"tokenizer":"standard"}}}`,
	`{"normalizer":{"n":{"type":"foo"}}}`, `{"normalizer":{"n":{"char_filter":["html_strip"]}}}`, `{"char_filter":{"m":{"type":"mapping"}}}`, `{"char_filter":{"m":{"type":"mapping","mappings":["a"]}}}`, `{"char_filter":{"m":{"type":"pattern_replace"}}}`,
	`{"filter":{"s":{"type":"synonym","synonyms":["a,b"]}},"analyzer":{"a":{"tokenizer":"standard","filter":["ngram","s"]}}}`,
	`{"filter":{"m":{"type":"multiplexer","filters":["nope"]}},"analyzer":{"a":{"tokenizer":"standard","filter":["m"]}}}`, `{"filter":{"m":{"type":"keep_types","types":["x"],"mode":"y"}}}`,
}

// TestRefusals compares the messages with a real node's.
func TestRefusals(t *testing.T) {
	url := nodeURL(t)
	for i, s := range badSettings {
		var def map[string]any
		if err := json.Unmarshal([]byte(s), &def); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%s/refused-%d-%d", url, i, time.Now().UnixNano())
		code, body := call(t, "PUT", name, m{"settings": m{"index": m{"analysis": def}}})
		if code == 200 {
			call(t, "DELETE", name, nil)
			t.Errorf("the node takes %s", s)
			continue
		}
		var answer struct {
			Error struct{ Reason string }
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatal(err)
		}
		_, err := analysis.NewRegistry(m{"analysis": def})
		if err == nil {
			t.Errorf("we take %s; the node says %s", s, answer.Error.Reason)
		} else if got := err.Error(); got != answer.Error.Reason && !strings.HasPrefix(got, answer.Error.Reason) {
			t.Errorf("%s\n got %s\nwant %s", s, got, answer.Error.Reason)
		}
	}
}

// TestLenientRegistry keeps what works of an index with components that are not there.
func TestLenientRegistry(t *testing.T) {
	reg := analysis.NewLenientRegistry(m{"index.analysis.analyzer.bad.tokenizer": "kuromoji_tokenizer", "index.analysis.analyzer.good.tokenizer": "whitespace",
		"index.analysis.analyzer.good.filter.0": "lowercase", "index.analysis.normalizer.n.filter": []any{"icu_folding"}})
	if _, err := reg.Analyzer("good"); err != nil {
		t.Error(err)
	}
	if _, err := reg.Analyzer("bad"); err == nil || !strings.Contains(err.Error(), "kuromoji_tokenizer") {
		t.Errorf("bad analyzer: %v", err)
	}
	if !reg.Has("bad") || !reg.HasNormalizer("n") || reg.Has("nope") {
		t.Error("what is defined and what is not")
	}
	if _, err := reg.Normalizer("n"); err == nil {
		t.Error("a normalizer of an unknown filter")
	}
	if reg.Default() == nil {
		t.Error("no default analyzer")
	}
}

// FuzzAnalyze: no text makes any analyzer panic, terms are UTF-8, offsets lie within the text.
func FuzzAnalyze(f *testing.F) {
	reg, err := analysis.NewRegistry(m{"index": m{"analysis": testAnalysis(), "max_ngram_diff": 10, "max_shingle_diff": 10}})
	if err != nil {
		f.Fatal(err)
	}
	names := append(builtinNames(), reg.Names()...)
	for i, text := range realTexts {
		f.Add(text, uint16(i*7))
	}
	f.Fuzz(func(t *testing.T, text string, which uint16) {
		if !utf8.ValidString(text) || len(text) > 2000 {
			return
		}
		name := names[int(which)%len(names)]
		a, err := reg.Analyzer(name)
		if err != nil {
			t.Fatal(err)
		}
		s := a.StreamString(text)
		defer s.Close()
		units := int32(0)
		for _, r := range text {
			if units++; r >= 0x10000 {
				units++
			}
		}
		for {
			ok, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			k := s.Token()
			if !utf8.Valid(k.Term) || k.StartOffset < 0 || k.EndOffset > units || k.PositionIncrement < 0 {
				t.Fatalf("%s %q: %+v", name, text, *k)
			}
		}
		if end, _ := s.End(); end > units {
			t.Fatalf("%s %q ends at %d", name, text, end)
		}
	})
}
