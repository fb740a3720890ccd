package analysis_test

import (
	"strings"
	"testing"

	"github.com/varve-search/varve/lucene/analysis"
)

func benchAnalyzer(b *testing.B, name, text string) {
	reg, err := analysis.NewRegistry(nil)
	if err != nil {
		b.Fatal(err)
	}
	a, err := reg.Analyzer(name)
	if err != nil {
		b.Fatal(err)
	}
	in := []byte(strings.Repeat(text+" ", 20))
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	tokens := 0
	for b.Loop() {
		s := a.Stream(in)
		for {
			ok, err := s.Next()
			if err != nil {
				b.Fatal(err)
			}
			if !ok {
				break
			}
			tokens++
		}
		s.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(tokens), "ns/token")
}

func BenchmarkStandardASCII(b *testing.B)   { benchAnalyzer(b, "standard", realTexts[1]) }
func BenchmarkStandardRussian(b *testing.B) { benchAnalyzer(b, "standard", realTexts[8]) }
func BenchmarkEnglish(b *testing.B)         { benchAnalyzer(b, "english", realTexts[0]) }
func BenchmarkWhitespace(b *testing.B)      { benchAnalyzer(b, "whitespace", realTexts[0]) }

// TestNoAllocations holds the standard analyzer to its promise on ASCII text.
func TestNoAllocations(t *testing.T) {
	reg, err := analysis.NewRegistry(nil)
	if err != nil {
		t.Fatal(err)
	}
	in := []byte(strings.Repeat(realTexts[0]+" ", 50))
	for _, name := range []string{"standard", "english", "whitespace", "simple", "stop"} {
		a, err := reg.Analyzer(name)
		if err != nil {
			t.Fatal(err)
		}
		n := testing.AllocsPerRun(20, func() {
			s := a.Stream(in)
			for {
				if ok, _ := s.Next(); !ok {
					break
				}
			}
			s.Close()
		})
		if n > 1 {
			t.Errorf("%s: %v allocations for a text of 1,000 tokens", name, n)
		}
	}
}
