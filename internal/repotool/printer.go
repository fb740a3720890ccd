package repotool

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Printer gives answers: lines for people, or JSON for scripts.
type Printer struct {
	Out io.Writer
	// JSON asks for the documented objects instead of lines.
	JSON bool
	// Color says that Out is a terminal that shows colours.
	Color bool
	// Progress shows how far long work has come; nil shows nothing.
	Progress *Progress
}

// The colours that mean something: what is wrong, what needs a look, what is well, and headings.
const (
	red    = "31"
	yellow = "33"
	green  = "32"
	bold   = "1"
)

func (p *Printer) paint(color, s string) string {
	if !p.Color || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

// printf writes a line for people. What is still shown of progress gives way to it.
func (p *Printer) printf(format string, args ...any) error {
	p.Progress.clear()
	_, err := fmt.Fprintf(p.Out, format, args...)
	return err
}

// object writes one indented JSON value.
func (p *Printer) object(v any) error {
	enc := json.NewEncoder(p.Out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// line writes one JSON value on a line.
func (p *Printer) line(v any) error {
	enc := json.NewEncoder(p.Out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// table collects rows and prints them in columns. A cell that starts with a tab stands at the right.
type table struct {
	p    *Printer
	rows [][]string
	// state names the column that is painted by the state of a snapshot; -1 for none.
	state int
}

func (p *Printer) table(head ...string) *table {
	return &table{p: p, rows: [][]string{head}, state: -1}
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) flush() error {
	var width []int
	for _, r := range t.rows {
		for i, c := range r {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(strings.TrimPrefix(c, "\t")))
		}
	}
	for n, r := range t.rows {
		var b strings.Builder
		for i, c := range r {
			text, right := strings.CutPrefix(c, "\t")
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(text))
			shown := text
			switch {
			case n == 0:
				shown = t.p.paint(bold, text)
			case i == t.state:
				shown = t.p.paint(stateColor(text), text)
			}
			if i > 0 {
				b.WriteString("  ")
			}
			switch {
			case right:
				b.WriteString(pad + shown)
			case i == len(r)-1:
				b.WriteString(shown)
			default:
				b.WriteString(shown + pad)
			}
		}
		if err := t.p.printf("%s\n", strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

func stateColor(state string) string {
	switch state {
	case "SUCCESS":
		return green
	case "PARTIAL", "IN_PROGRESS", "UNKNOWN":
		return yellow
	}
	return red
}

// plural counts things in words.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
