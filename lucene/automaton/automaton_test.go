package automaton

import (
	"errors"
	"fmt"
	"math/rand"
	"regexp"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/testseed"
)

func newRand(t testing.TB) *rand.Rand {
	return rand.New(rand.NewSource(testseed.Of(t)))
}

func randString(r *rand.Rand, alphabet []rune, n int) string {
	var b strings.Builder
	for range r.Intn(n + 1) {
		b.WriteRune(alphabet[r.Intn(len(alphabet))])
	}
	return b.String()
}

// checkShape checks what lucene.Automaton promises beyond acceptance.
func checkShape(t *testing.T, d *DFA) {
	t.Helper()
	for s := range d.NumStates() {
		prev := -1
		for b := d.NextByte(s, 0); b >= 0; b = d.NextByte(s, b+1) {
			if d.Step(s, byte(b)) < 0 {
				t.Fatalf("NextByte names %x from %d, which is dead", b, s)
			}
			for c := prev + 1; c < b; c++ {
				if d.Step(s, byte(c)) >= 0 {
					t.Fatalf("NextByte skips %x from %d", c, s)
				}
			}
			prev = b
		}
		for c := prev + 1; c < 256; c++ {
			if d.Step(s, byte(c)) >= 0 {
				t.Fatalf("NextByte skips %x from %d", c, s)
			}
		}
	}
}

func TestRegExpAgainstGo(t *testing.T) {
	r := newRand(t)
	alphabet := []rune("abcAé€😀")
	var gen func(depth int) (ours, theirs string)
	gen = func(depth int) (string, string) {
		if depth == 0 {
			c := string(alphabet[r.Intn(len(alphabet))])
			switch r.Intn(6) {
			case 0:
				return ".", "(?s:.)"
			case 1:
				return "[a-c]", "[a-c]"
			case 2:
				return "[^aé]", "[^aé]"
			case 3:
				return "[b-€]", "[b-€]"
			}
			return c, c
		}
		a1, a2 := gen(depth - 1)
		b1, b2 := gen(depth - 1)
		switch r.Intn(8) {
		case 0:
			return "(" + a1 + "|" + b1 + ")", "(?:" + a2 + "|" + b2 + ")"
		case 1:
			return "(" + a1 + ")*", "(?:" + a2 + ")*"
		case 2:
			return "(" + a1 + ")?", "(?:" + a2 + ")?"
		case 3:
			return "(" + a1 + ")+", "(?:" + a2 + ")+"
		case 4:
			lo := r.Intn(3)
			hi := lo + r.Intn(3)
			rep := fmt.Sprintf("{%d,%d}", lo, hi)
			return "(" + a1 + ")" + rep, "(?:" + a2 + ")" + rep
		}
		return a1 + b1, a2 + b2
	}
	for range 400 {
		ours, theirs := gen(1 + r.Intn(4))
		re, err := regexp.Compile("^(?:" + theirs + ")$")
		if err != nil {
			t.Fatal(err)
		}
		fold := r.Intn(3) == 0
		flags := All
		if fold {
			flags |= FoldASCII
		}
		d, err := RegExp(ours, flags, 100000)
		if errors.Is(err, ErrTooComplex) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		checkShape(t, d)
		if fold && strings.ContainsAny(ours, "[") {
			continue // ranges do not fold
		}
		if fold {
			re = regexp.MustCompile("^(?:" + strings.NewReplacer("a", "[aA]", "b", "[bB]", "c", "[cC]", "A", "[aA]").Replace(theirs) + ")$")
		}
		not, err := Complement(d, 1000000)
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			s := randString(r, alphabet, 8)
			if got, want := d.Match([]byte(s)), re.MatchString(s); got != want {
				t.Fatalf("%q (fold %v) on %q: %v", ours, fold, s, got)
			}
			if not.Match([]byte(s)) == re.MatchString(s) {
				t.Fatalf("complement of %q on %q", ours, s)
			}
			checkAll(t, d, s, r, alphabet)
		}
	}
}

// checkAll walks s and tests the promise of All by random continuations.
func checkAll(t *testing.T, d *DFA, s string, r *rand.Rand, alphabet []rune) {
	t.Helper()
	state := d.Start()
	for i, c := range []byte(s) {
		if d.All(state) && !d.Match([]byte(s[:i]+randString(r, alphabet, 4))) && (i == 0 || s[i]&0xc0 != 0x80) {
			t.Fatalf("All after %q is wrong", s[:i])
		}
		if state = d.Step(state, c); state < 0 {
			return
		}
	}
}

func TestRegExpSyntax(t *testing.T) {
	cases := []struct {
		expr    string
		flags   Flags
		yes, no string // separated by spaces; _ is the empty string
	}{
		{"abc", All, "abc", "ab abcd _"},
		{"a.c", All, "abc aéc a😀c", "ac abbc"},
		{"@", All, "_ a ab😀", ""},
		{"#", All, "", "_ a #"},
		{"#", None, "#", "_"},
		{"@", None, "@", "a"},
		{"a&b", None, "a&b", "a b"},
		{".*a.*&.*b.*", All, "ab ba xaxb", "a b"},
		{"~(ab)", All, "_ a abc", "ab"},
		{"~~ab", All, "ab", "a"},
		{"~a", All & ^ComplementOp, "~a", "b"},
		{"<1-100>", All, "1 001 100 0099 42", "0 101 000 _"},
		{"<01-10>", All, "01 09 10", "1 011 00 11"},
		{"<10-1>", All, "1 5 10", "0 11"},
		{"<0-3>", All, "0 3", "4 _ 00"},
		{"<0-11>", All, "0 00 3 02 11 011", "12 _"},
		{`"a.b"`, All, "a.b", "axb"},
		{`a\.b`, All, "a.b", "axb"},
		{`\d+`, All, "1 123", "a _"},
		{`[\d_]+`, All, "1_2", "a"},
		{`\w\W`, All, "a- _é", "aa"},
		{`\s\S`, All, "", "a"},
		{`a\\b`, All, `a\b`, "ab"},
		{"()", All, "_", "a"},
		{"", All, "_", "a"},
		{"a{2}", All, "aa", "a aaa"},
		{"a{2,}", All, "aa aaaaa", "a"},
		{"a{1,3}", All, "a aa aaa", "_ aaaa"},
		{"a{0}", All, "_", "a"},
		{"[^a-c]x", All, "dx éx", "ax x"},
		{"[-a]x", All, "-x ax", "bx"},
		{"[.*]", All, ". *", "a"},
		{"aB", All | FoldASCII, "ab AB Ab aB", "a"},
		{"É", All | FoldASCII, "É", "é"},
	}
	for _, c := range cases {
		d, err := RegExp(c.expr, c.flags, 0)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		checkShape(t, d)
		for _, want := range []bool{true, false} {
			words := c.no
			if want {
				words = c.yes
			}
			for w := range strings.FieldsSeq(words) {
				if w == "_" && c.expr != `[\d_]+` {
					w = ""
				}
				if d.Match([]byte(w)) != want {
					t.Errorf("%s on %q: not %v", c.expr, w, want)
				}
			}
		}
	}
	for _, bad := range []string{"(a", "[a", "a{", "a{1", "a{3,2}", `"a`, "<a>", "<1-", "<1-2-3>", "a)", "[b-a]", `\q`, `a\`, "a{99999999999}", "[", "~", strings.Repeat("(", 5000)} {
		if _, err := RegExp(bad, All, 0); err == nil {
			t.Errorf("%.20s: no error", bad)
		}
	}
	for _, big := range []string{"[ac]*a[ac]{50,200}", "a{100000000}", "((a{1000}){1000}){1000}"} {
		if _, err := RegExp(big, All, 0); !errors.Is(err, ErrTooComplex) {
			t.Errorf("%s: %v", big, err)
		}
	}
}

func wildcardNaive(p, s []rune) bool {
	if len(p) == 0 {
		return len(s) == 0
	}
	switch p[0] {
	case '*':
		return wildcardNaive(p[1:], s) || len(s) > 0 && wildcardNaive(p, s[1:])
	case '?':
		return len(s) > 0 && wildcardNaive(p[1:], s[1:])
	case '\\':
		if len(p) > 1 {
			p = p[1:]
		}
	}
	return len(s) > 0 && s[0] == p[0] && wildcardNaive(p[1:], s[1:])
}

func TestWildcardAgainstNaive(t *testing.T) {
	r := newRand(t)
	for range 1000 {
		pattern := randString(r, []rune("ab*?é\\"), 6)
		d, err := Wildcard(pattern, false, 0)
		if err != nil {
			t.Fatal(err)
		}
		checkShape(t, d)
		for range 40 {
			s := randString(r, []rune("abé*?\\"), 6)
			if got, want := d.Match([]byte(s)), wildcardNaive([]rune(pattern), []rune(s)); got != want {
				t.Fatalf("%q on %q: %v", pattern, s, got)
			}
			checkAll(t, d, s, r, []rune("abé"))
		}
	}
	d, _ := Wildcard("*", false, 0)
	if !d.All(d.Start()) {
		t.Error("* does not accept all")
	}
	if d := Prefix("aB", true); !d.Match([]byte("Abx")) || d.Match([]byte("a")) || !d.All(d.Step(d.Step(d.Start(), 'A'), 'b')) {
		t.Error("prefix")
	}
	if d := String("aé", true); !d.Match([]byte("Aé")) || d.Match([]byte("aÉ")) {
		t.Error("string")
	}
}

// distance is the edit distance, with swaps of neighbours if osa.
func distance(a, b []rune, osa bool) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			c := 1
			if a[i-1] == b[j-1] {
				c = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+c)
			if osa && i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

func TestLevenshteinAgainstDP(t *testing.T) {
	r := newRand(t)
	alphabet := []rune("abcé€èΩ😀")
	for range 600 {
		word := randString(r, alphabet[:1+r.Intn(len(alphabet))], 8)
		edits, prefix, swap := r.Intn(3), r.Intn(4), r.Intn(2) == 0
		d, err := Levenshtein(word, edits, prefix, swap)
		if err != nil {
			t.Fatal(err)
		}
		checkShape(t, d)
		w := []rune(word)
		prefix = min(prefix, len(w))
		for range 80 {
			s := []rune(word)
			for range r.Intn(5) {
				i := r.Intn(len(s) + 1)
				switch r.Intn(3) {
				case 0:
					s = append(s[:i:i], append([]rune{alphabet[r.Intn(len(alphabet))]}, s[i:]...)...)
				case 1:
					if i < len(s) {
						s = append(s[:i:i], s[i+1:]...)
					}
				case 2:
					if i+1 < len(s) {
						s[i], s[i+1] = s[i+1], s[i]
					}
				}
			}
			want := len(s) >= prefix && string(s[:prefix]) == string(w[:prefix]) && distance(w[prefix:], s[prefix:], swap) <= edits
			if got := d.Match([]byte(string(s))); got != want {
				t.Fatalf("%q edits %d prefix %d swap %v on %q: %v", word, edits, prefix, swap, string(s), got)
			}
		}
	}
}

func TestRangeAgainstCompare(t *testing.T) {
	r := newRand(t)
	word := func() []byte {
		if r.Intn(8) == 0 {
			return nil
		}
		return []byte(randString(r, []rune("ab\x00"), 4))
	}
	for range 2000 {
		lo, hi := word(), word()
		il, iu := r.Intn(2) == 0, r.Intn(2) == 0
		d := Range(lo, hi, il, iu)
		for range 30 {
			s := randString(r, []rune("abc\x00"), 5)
			want := (lo == nil || s > string(lo) || il && s == string(lo)) && (hi == nil || s < string(hi) || iu && s == string(hi))
			if d.Match([]byte(s)) != want {
				t.Fatalf("%q %v - %q %v on %q: not %v", lo, il, hi, iu, s, want)
			}
		}
	}
}

func TestUnionIntersect(t *testing.T) {
	a, b := Prefix("ab", false), String("xy", false)
	u, err := Union(0, a, b)
	if err != nil || !u.Match([]byte("abc")) || !u.Match([]byte("xy")) || u.Match([]byte("x")) {
		t.Error("union", err)
	}
	i, err := Intersect(u, Range([]byte("b"), nil, true, true), 0)
	if err != nil || i.Match([]byte("abc")) || !i.Match([]byte("xy")) {
		t.Error("intersection", err)
	}
	none, err := Intersect(a, b, 0)
	if err != nil || !none.IsEmpty() {
		t.Error("empty", err)
	}
}

func FuzzRegExp(f *testing.F) {
	for _, s := range []string{"a|b&~c", "[^a-z]{2,3}", "<1-30>@#", `"x"\d`, "(.*a){10}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := RegExp(s, All|FoldASCII, 1000)
		if err == nil {
			d.Match([]byte(s))
		}
	})
}

func BenchmarkLevenshtein2(b *testing.B) {
	for b.Loop() {
		if _, err := Levenshtein("opensearch", 2, 0, true); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRegExp(b *testing.B) {
	for b.Loop() {
		if _, err := RegExp("foo.*ba[rz]+", All, 0); err != nil {
			b.Fatal(err)
		}
	}
}
