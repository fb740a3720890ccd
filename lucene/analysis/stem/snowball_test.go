package stem

import "testing"

// TestUnits has what Lucene's stemmers make of words with characters outside the basic plane, which count twice there.
func TestUnits(t *testing.T) {
	for _, c := range []struct{ language, word, want string }{
		{"norwegian", "a🏽a", "a🏽"},
		{"norwegian", "aba", "aba"},
		{"norwegian", "abba", "abb"},
		{"danish", "👍👍", "👍👍"},
		{"english", "𝒶ing", "𝒶ing"},
		{"english", "a\U00100000\U0010ffff", "a\U00100000\U0010ffff"},
	} {
		run, ok := Snowball(c.language)
		if !ok {
			t.Fatal(c.language)
		}
		if got := run(c.word); got != c.want {
			t.Errorf("%s: %q becomes %q, not %q", c.language, c.word, got, c.want)
		}
	}
}
