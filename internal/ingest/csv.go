package ingest

import (
	"unicode/utf8"

	"github.com/varve-search/varve/internal/javavalue"
)

func buildCSV(c *config, s *step) error {
	p := csvParser{}
	field, err := c.text("field")
	if err != nil {
		return err
	}
	one := func(property, def, example string) (rune, error) {
		text, err := c.textOr(property, def)
		if err != nil {
			return 0, err
		}
		if utf16Len(text) != 1 {
			return 0, c.fault(property, "%s has to be single character like %s", property, example)
		}
		r, _ := utf8.DecodeRuneInString(text)
		return r, nil
	}
	if p.quote, err = one("quote", `"`, `" or '`); err != nil {
		return err
	}
	if p.separator, err = one("separator", ",", ", or ;"); err != nil {
		return err
	}
	if p.trim, err = c.flag("trim", false); err != nil {
		return err
	}
	if c.o.Has("empty_value") {
		if p.empty = c.o.Remove("empty_value"); p.empty == nil {
			return c.missing("empty_value")
		}
	}
	ignoreMissing, err := c.flag("ignore_missing", false)
	if err != nil {
		return err
	}
	if p.fields, err = c.requiredTexts("target_fields"); err != nil {
		return err
	}
	if len(p.fields) == 0 {
		return c.fault("target_fields", "target fields list can't be empty")
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		line, there, err := d.textFor("process it.", field, ignoreMissing)
		if err != nil || !there {
			return err == nil, err
		}
		work := p // the state of one line
		work.line, work.d = []rune(line), d
		return true, work.parse()
	}
	return nil
}

// csvParser reads one line of CSV into fields.
type csvParser struct {
	quote, separator rune
	trim             bool
	empty            any
	fields           []string

	d     *Document
	line  []rune
	i     int
	start int // of the value that is being read
	next  int // the field to set next
}

func blank(r rune) bool { return r == ' ' || r == '\t' }

// parse reads fields until the line or the list of fields ends. A separator at the end makes no field.
func (p *csvParser) parse() error {
	for ; p.next < len(p.fields) && p.i < len(p.line); p.i++ {
		var err error
		switch r := p.line[p.i]; {
		case r == p.quote:
			p.i++
			err = p.quoted()
		case r == p.separator:
			p.start++ // where blanks came before and stay, OpenSearch takes the next value from too early a place
			err = p.put(nil)
		case blank(r):
			if p.trim {
				p.start++
			}
		default:
			p.i++
			err = p.plain()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *csvParser) put(value []rune) error {
	field := p.fields[p.next]
	p.next++
	switch {
	case len(value) > 0:
		return p.d.set(field, string(value))
	case p.empty != nil:
		return p.d.set(field, javavalue.Copy(p.empty))
	}
	return nil
}

// plain reads a value without quotes and stays at the separator after it.
func (p *csvParser) plain() error {
	spaces := 0
	for ; p.i < len(p.line); p.i++ {
		switch r := p.line[p.i]; {
		case r == '\n' || r == '\r' || r == p.quote:
			return illegalArgument("Illegal character inside unquoted field at %d", p.i)
		case r == p.separator:
			value := p.line[p.start : p.i-spaces]
			p.start = p.i + 1
			return p.put(value)
		case p.trim && blank(r):
			spaces++
		default:
			spaces = 0
		}
	}
	return p.put(p.line[p.start:])
}

// quoted reads a value in quotes, where two quotes stand for one, and stays at the separator after it.
func (p *csvParser) quoted() error {
	var value []rune
	for {
		if p.i >= len(p.line) {
			return illegalArgument("Unmatched quote")
		}
		r := p.line[p.i]
		p.i++
		if r != p.quote {
			value = append(value, r)
			continue
		}
		if p.i == len(p.line) || p.line[p.i] != p.quote {
			break
		}
		value = append(value, r)
		p.i++
	}
	set := false
	for ; p.i < len(p.line); p.i++ {
		r := p.line[p.i]
		if r != p.separator && !blank(r) {
			return illegalArgument("character '%c' after quoted field at %d", r, p.i)
		}
		if !set {
			set = true
			if err := p.put(value); err != nil || p.next == len(p.fields) {
				return err
			}
		}
		if r == p.separator {
			p.start = p.i + 1
			return nil
		}
	}
	if !set {
		return p.put(value)
	}
	return nil
}
