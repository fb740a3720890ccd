package analysis

import "unicode/utf8"

// tokenizer is a tokenStream that reads text.
type tokenizer interface {
	tokenStream
	// setInput gives the text for the next Reset; corr translates its offsets, nil leaves them.
	setInput(text []byte, corr *corrections)
}

// source is what every tokenizer embeds: the text, and the translation of byte positions into
// corrected UTF-16 offsets.
type source struct {
	t     token
	text  []byte
	corr  *corrections
	ascii bool
	curB  int // a byte position whose offset is known: offsets mostly grow, so the walk is short
	curU  int
}

func (s *source) Token() *token { return &s.t }

func (s *source) setInput(text []byte, corr *corrections) {
	s.text, s.corr = text, corr
	s.ascii = isASCII(text)
	s.curB, s.curU = 0, 0
	s.t.err = nil
}

// unit returns the UTF-16 offset of byte position b, uncorrected.
func (s *source) unit(b int) int {
	if s.ascii {
		return b
	}
	if b >= s.curB {
		s.curU += utf16Len(s.text[s.curB:b])
	} else {
		s.curU -= utf16Len(s.text[b:s.curB])
	}
	s.curB = b
	return s.curU
}

// offset returns the corrected UTF-16 offset of byte position b.
func (s *source) offset(b int) int {
	if s.corr == nil {
		return s.unit(b)
	}
	return s.corr.correct(s.unit(b))
}

// emit makes text[start:end] the current token.
func (s *source) emit(start, end int, typ string) {
	t := &s.t
	t.Term = append(t.Term[:0], s.text[start:end]...)
	t.Start = s.offset(start)
	t.End = s.offset(end)
	t.PosInc, t.PosLen = 1, 1
	t.Type = typ
	t.Payload = nil
	t.Keyword = false
}

// End sets the final offset to the end of the text.
func (s *source) End() {
	s.t.clear()
	s.t.PosInc = 0
	s.t.Start = s.offset(len(s.text))
	s.t.End = s.t.Start
}

// rune decodes the character at byte position b.
func (s *source) rune(b int) (rune, int) {
	if c := s.text[b]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRune(s.text[b:])
}
