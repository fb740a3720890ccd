package smile

import "bytes"

// Span is the bytes of a value that Decoder or Encoder came past. The zero value is none.
//
// Documents of many values that are alike are read and written as fast as memory is compared and copied: the same bytes mean the
// same value, as long as the names that they refer to stand where they stood, and they add none themselves.
type Span struct {
	start, end int
	names      int // how often the table of names was begun
}

// Mark is where a value begins.
type Mark struct{ pos, names, count int }

// Mark is called before a value is read.
func (d *Decoder) Mark() Mark { return Mark{d.pos, d.tables, len(d.names)} }

// Since returns what was read since a mark, if it can be met again.
func (d *Decoder) Since(m Mark) Span {
	if d.shareValues || m.names != d.tables || m.count != len(d.names) {
		return Span{}
	}
	return Span{m.pos, d.pos, m.names}
}

// Skip says whether the value that comes next is a span's, and goes past it then.
func (d *Decoder) Skip(s Span) bool {
	n := s.end - s.start
	if n == 0 || s.names != d.tables || d.wantName || len(d.stack) == 0 || !bytes.HasPrefix(d.b[d.pos:], d.b[s.start:s.end]) {
		return false
	}
	d.pos += n
	d.wantName = d.stack[len(d.stack)-1]
	return true
}

// Mark is called before a value is written.
func (e *Encoder) Mark() Mark { return Mark{len(e.b), e.tables, e.count} }

// Since returns what was written since a mark, if it can be repeated.
func (e *Encoder) Since(m Mark) Span {
	if m.names != e.tables || m.count != e.count {
		return Span{}
	}
	return Span{m.pos, len(e.b), m.names}
}

// Repeat writes a span's value again, unless that cannot be done.
func (e *Encoder) Repeat(s Span) bool {
	if s.end == s.start || s.names != e.tables {
		return false
	}
	e.b = append(e.b, e.b[s.start:s.end]...)
	return true
}
