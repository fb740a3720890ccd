package analysis

import "unicode/utf8"

// token is the state of one token. A stream reuses one token for all tokens it produces.
type token struct {
	Term    []byte // UTF-8
	Start   int    // offset of the first UTF-16 unit in the original text
	End     int    // offset behind the last UTF-16 unit
	PosInc  int    // positions between the previous token and this one; 0 is the same position
	PosLen  int    // positions that this token spans
	Type    string // for example "<ALPHANUM>" or "word"
	Payload []byte // nil where there is none
	Keyword bool   // stemmers leave keywords as they are

	err error
}

// tokenStream produces tokens one after another in the token that its whole chain shares.
type tokenStream interface {
	// Next moves to the next token; false means the end, or an error that Stream.Err reports.
	Next() bool
	// End sets the token to the state after the last one: End is the final offset, PosInc the number of
	// positions that were skipped at the end of the text. Call it after Next returned false.
	End()
	// Reset prepares for a new text.
	Reset()
	// Token returns the shared token.
	Token() *token
}

// savedToken is a deep copy of a token's state.
type savedToken struct{ token }

func (t *token) save(into *savedToken) {
	term, payload := into.Term, into.Payload
	into.token = *t
	into.Term = append(term[:0], t.Term...)
	if t.Payload != nil {
		into.Payload = append(payload[:0:0], t.Payload...)
	}
}

func (t *token) restore(from *savedToken) {
	term, err := t.Term, t.err
	*t = from.token
	t.Term = append(term[:0], from.Term...)
	t.err = err
}

// clear gives every attribute its default and keeps the term's buffer.
func (t *token) clear() {
	*t = token{Term: t.Term[:0], PosInc: 1, PosLen: 1, Type: "word", err: t.err}
}

func (t *token) setTerm(b []byte) { t.Term = append(t.Term[:0], b...) }

func (t *token) setString(s string) { t.Term = append(t.Term[:0], s...) }

// filter is what every token filter embeds.
type filter struct {
	in tokenStream
	t  *token
}

func newFilter(in tokenStream) filter { return filter{in: in, t: in.Token()} }

func (f *filter) End()          { f.in.End() }
func (f *filter) Reset()        { f.in.Reset() }
func (f *filter) Token() *token { return f.t }

// isASCII reports whether b has no byte above 0x7F.
func isASCII(b []byte) bool {
	for len(b) >= 8 {
		if (b[0]|b[1]|b[2]|b[3]|b[4]|b[5]|b[6]|b[7])&0x80 != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// utf16Len returns the number of UTF-16 units that b takes.
func utf16Len(b []byte) int {
	n := 0
	for _, c := range b {
		switch {
		case c < 0x80 || c >= 0xC0 && c < 0xF0:
			n++
		case c >= 0xF0:
			n += 2
		}
	}
	return n
}

// unitsOf returns the number of UTF-16 units of r.
func unitsOf(r rune) int {
	if r >= 0x10000 {
		return 2
	}
	return 1
}

// prefixUnits returns how many bytes the first n UTF-16 units of b take, and whether the cut falls
// between the two units of one character (which then is not included).
func prefixUnits(b []byte, n int) (size int, split bool) {
	for size < len(b) && n > 0 {
		r, w := utf8.DecodeRune(b[size:])
		u := unitsOf(r)
		if u > n {
			return size, true
		}
		n -= u
		size += w
	}
	return size, false
}
