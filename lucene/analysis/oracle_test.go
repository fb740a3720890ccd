package analysis_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/testseed"
	"github.com/varve-search/varve/lucene/analysis"
)

var (
	textsFlag = flag.Int("texts", 105, "random texts per analyzer")
	onlyFlag  = flag.String("only", "", "only the analyzer of this name")
)

type oracleToken struct {
	Token          string `json:"token"`
	Start          int    `json:"start_offset"`
	End            int    `json:"end_offset"`
	Type           string `json:"type"`
	Position       int    `json:"position"`
	PositionLength int    `json:"positionLength"`
}

type m = map[string]any

// nodeURL returns a real node: one that runs already, where VARVE_ORACLE_URL names it, or a fresh one.
func nodeURL(t testing.TB) string {
	if u := os.Getenv("VARVE_ORACLE_URL"); u != "" {
		return u
	}
	return oracletest.Node(t, "opensearch", "2.19", t.TempDir())
}

func call(t testing.TB, method, url string, body any) (int, []byte) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, url, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, out
}

// tokens analyzes the texts as the values of one field.
func tokens(t *testing.T, a *analysis.Analyzer, texts []string) []oracleToken {
	out := []oracleToken{}
	pos, off := -1, 0
	for _, text := range texts {
		s := a.StreamString(text)
		for {
			ok, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			k := s.Token()
			pos += int(k.PositionIncrement)
			o := oracleToken{Token: string(k.Term), Start: off + int(k.StartOffset), End: off + int(k.EndOffset), Type: k.Type, Position: pos}
			if k.PositionLength > 1 {
				o.PositionLength = int(k.PositionLength)
			}
			out = append(out, o)
		}
		end, inc := s.End()
		off += int(end) + a.OffsetGap()
		pos += int(inc) + a.PositionIncrementGap()
		s.Close()
	}
	return out
}

// TestAgainstOpenSearch compares every configuration with a real node's _analyze on random texts.
func TestAgainstOpenSearch(t *testing.T) {
	url := nodeURL(t)
	seed := uint64(testseed.Of(t))
	index := fmt.Sprintf("%s/analysis-%d", url, time.Now().UnixNano())
	settings := m{"analysis": testAnalysis(), "max_ngram_diff": 10, "max_shingle_diff": 10, "number_of_replicas": 0}
	if code, body := call(t, "PUT", index, m{"settings": m{"index": settings}}); code != 200 {
		t.Fatalf("create: %d %s", code, body)
	}
	defer call(t, "DELETE", index, nil)
	reg, err := analysis.NewRegistry(m{"index": settings})
	if err != nil {
		t.Fatal(err)
	}
	names := append(builtinNames(), reg.Names()...)
	for _, name := range names {
		if *onlyFlag != "" && *onlyFlag != name {
			continue
		}
		t.Run(name, func(t *testing.T) {
			a, err := reg.Analyzer(name)
			if err != nil {
				t.Fatal(err)
			}
			rnd := rand.New(rand.NewPCG(seed, uint64(len(name))))
			failures := 0
			compare := func(texts []string) bool {
				var want struct{ Tokens []oracleToken }
				code, body := call(t, "POST", index+"/_analyze", m{"analyzer": name, "text": texts})
				if code != 200 {
					if len(texts) == 1 {
						t.Logf("the node refuses %q: %.200s", texts[0], body)
					}
					return len(texts) == 1
				}
				if err := json.Unmarshal(body, &want); err != nil {
					t.Fatal(err)
				}
				got := tokens(t, a, texts)
				if len(got) == len(want.Tokens) {
					same := true
					for i := range got {
						same = same && got[i] == want.Tokens[i]
					}
					if same {
						return true
					}
				}
				if len(texts) == 1 {
					failures++
					if failures <= 5 {
						t.Errorf("%q\n got %s\nwant %s", texts[0], show(got, want.Tokens), show(want.Tokens, got))
					}
				}
				return false
			}
			const batch = 15
			for i := 0; i < *textsFlag && failures < 5; i += batch {
				texts := make([]string, batch)
				for j := range texts {
					texts[j] = randomText(rnd)
					if strings.Contains(name, "finnish") {
						// Our Finnish stemmer is that of an older Snowball, which differs on words with foreign characters.
						texts[j] = strings.Map(finnish, texts[j])
					}
				}
				if compare(texts) {
					continue
				}
				before := failures
				for _, text := range texts {
					compare([]string{text})
				}
				if failures == before {
					t.Logf("differs only as a list of values: %q", texts)
				}
			}
			if failures > 0 {
				t.Fail()
			}
		})
	}
}

func finnish(r rune) rune {
	if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzäö ", r) {
		return r
	}
	return -1
}

// show prints tokens from where two lists begin to differ.
func show(a, b []oracleToken) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	var out strings.Builder
	fmt.Fprintf(&out, "(%d, first %d)", len(a), i)
	for j := i; j < len(a) && j < i+6; j++ {
		k := a[j]
		fmt.Fprintf(&out, " %q %d-%d @%d", k.Token, k.Start, k.End, k.Position)
		if k.PositionLength > 1 {
			fmt.Fprintf(&out, "+%d", k.PositionLength)
		}
		fmt.Fprintf(&out, " %s;", k.Type)
	}
	return out.String()
}
