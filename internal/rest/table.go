package rest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/xcontent"
)

// Table is an answer for people: the _cat APIs.
type Table struct {
	Columns []Column
	Rows    [][]any // values by column; nil is empty
}

// Column is one column of a Table.
type Column struct {
	Name    string
	Aliases []string
	Desc    string
	Right   bool // numbers stand to the right
	Hidden  bool // shown only when h asks for it
}

// ByteSize is a number of bytes that is shown as 1.2kb, or in the unit that the parameter bytes names.
type ByteSize int64

// Millis is a duration in milliseconds that is shown as 1.2s, or in the unit that the parameter time names.
type Millis int64

// Percent is shown as 12.3%.
type Percent float64

// RenderTable answers with a table: as text with v, h, s and help, or as JSON.
func RenderTable(r *Request, t *Table) (*Response, error) {
	help, err := r.Bool("help", false)
	if err != nil {
		return nil, err
	}
	verbose, err := r.Bool("v", false)
	if err != nil {
		return nil, err
	}
	h, s := r.List("h"), r.List("s")
	r.Ignore("bytes", "time", "ts", "size", "local", "master_timeout", "cluster_manager_timeout")
	if help {
		return &Response{Status: http.StatusOK, Text: helpText(t)}, nil
	}
	if err := sortRows(t, s); err != nil {
		return nil, err
	}
	cols, heads := pickColumns(t, h)
	format := r.params["format"]
	if format == "" && strings.HasPrefix(r.HTTP.Header.Get("Accept"), "application/json") {
		format = "json"
	}
	u, err := newUnits(r)
	if err != nil {
		return nil, err
	}
	if format == "json" || format == "yaml" {
		list := []any{}
		for _, row := range t.Rows {
			o := &xcontent.Object{}
			for i, c := range cols {
				var v any
				if row[c] != nil {
					v = u.cell(row[c])
				}
				o.Set(heads[i], v)
			}
			list = append(list, o)
		}
		return OK(list)
	}
	if format != "" && format != "txt" && format != "text" {
		return nil, apierr.New(http.StatusNotAcceptable, "illegal_argument_exception", "format [%s] is not supported", format)
	}
	return &Response{Status: http.StatusOK, Text: tableText(t, cols, heads, verbose, u)}, nil
}

func helpText(t *Table) string {
	var names, aliases, descs []string
	w1, w2 := 0, 0
	for _, c := range t.Columns {
		names = append(names, c.Name)
		a := strings.Join(c.Aliases, ",")
		aliases = append(aliases, a)
		descs = append(descs, c.Desc)
		w1, w2 = max(w1, len(c.Name)), max(w2, len(a))
	}
	var b strings.Builder
	w3 := 0
	for _, d := range descs {
		w3 = max(w3, len(d))
	}
	for i := range names {
		fmt.Fprintf(&b, "%-*s | %-*s | %-*s \n", w1, names[i], w2, aliases[i], w3, descs[i])
	}
	return b.String()
}

func (t *Table) column(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name || slices.Contains(c.Aliases, name) })
}

// pickColumns returns the columns to show and the headings: the names as h asked for them.
func pickColumns(t *Table, h []string) (cols []int, heads []string) {
	if len(h) == 0 {
		for i, c := range t.Columns {
			if !c.Hidden {
				cols, heads = append(cols, i), append(heads, c.Name)
			}
		}
		return cols, heads
	}
	seen := map[int]bool{}
	for _, want := range h {
		if strings.Contains(want, "*") {
			for i, c := range t.Columns {
				match := wildcardMatch(want, c.Name) || slices.ContainsFunc(c.Aliases, func(a string) bool { return wildcardMatch(want, a) })
				if match && !seen[i] {
					seen[i] = true
					cols, heads = append(cols, i), append(heads, c.Name)
				}
			}
		} else if i := t.column(want); i >= 0 {
			seen[i] = true
			cols, heads = append(cols, i), append(heads, want)
		}
	}
	return cols, heads
}

func sortRows(t *Table, keys []string) error {
	type order struct {
		col  int
		desc bool
	}
	var by []order
	for _, k := range keys {
		name, dir, _ := strings.Cut(k, ":")
		i := t.column(name)
		if i < 0 {
			return apierr.New(http.StatusBadRequest, "unsupported_operation_exception", "Unable to sort by unknown sort key `%s`", name)
		}
		by = append(by, order{i, strings.EqualFold(dir, "desc")})
	}
	slices.SortStableFunc(t.Rows, func(a, b []any) int {
		for _, o := range by {
			c := compareCells(a[o.col], b[o.col])
			if o.desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return nil
}

func compareCells(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	x, okX := number(a)
	y, okY := number(b)
	if okX && okY {
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case ByteSize:
		return float64(v), true
	case Millis:
		return float64(v), true
	case Percent:
		return float64(v), true
	}
	return 0, false
}

func tableText(t *Table, cols []int, heads []string, verbose bool, u *units) string {
	widths := make([]int, len(cols))
	lines := make([][]string, 0, len(t.Rows)+1)
	if verbose {
		lines = append(lines, heads)
	}
	for _, row := range t.Rows {
		line := make([]string, len(cols))
		for i, c := range cols {
			if row[c] != nil {
				line[i] = u.cell(row[c])
			}
		}
		lines = append(lines, line)
	}
	for _, line := range lines {
		for i, s := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(s))
		}
	}
	var b strings.Builder
	for _, line := range lines {
		for i, s := range line {
			if i > 0 {
				b.WriteByte(' ')
			}
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(s))
			switch {
			case t.Columns[cols[i]].Right:
				b.WriteString(pad + s)
			case i == len(line)-1:
				b.WriteString(s)
			default:
				b.WriteString(s + pad)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// units says how sizes and times are shown.
type units struct {
	bytes int64 // 0: the best unit for each
	time  int64 // milliseconds per unit, negative: units per millisecond; 0: the best
}

var byteUnits = map[string]int64{"b": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30, "gb": 1 << 30,
	"t": 1 << 40, "tb": 1 << 40, "p": 1 << 50, "pb": 1 << 50}

var timeUnits = map[string]int64{"d": 86400000, "h": 3600000, "m": 60000, "s": 1000, "ms": 1, "micros": -1000, "nanos": -1000000}

func newUnits(r *Request) (*units, error) {
	u := &units{}
	if s, ok := r.params["bytes"]; ok && s != "" {
		if u.bytes = byteUnits[strings.ToLower(s)]; u.bytes == 0 {
			return nil, apierr.IllegalArgument("unknown byte unit [%s]", s)
		}
	}
	if s, ok := r.params["time"]; ok && s != "" {
		if u.time = timeUnits[s]; u.time == 0 {
			return nil, apierr.IllegalArgument("unknown time unit [%s]", s)
		}
	}
	return u, nil
}

func (u *units) cell(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case ByteSize:
		if u.bytes != 0 {
			return strconv.FormatInt(int64(v)/u.bytes, 10)
		}
		return FormatBytes(int64(v))
	case Millis:
		switch {
		case u.time > 0:
			return strconv.FormatInt(int64(v)/u.time, 10)
		case u.time < 0:
			return strconv.FormatInt(int64(v)*-u.time, 10)
		}
		return FormatMillis(int64(v))
	case Percent:
		return strconv.FormatFloat(float64(v), 'f', 1, 64) + "%"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// FormatBytes renders a size as OpenSearch does: one decimal, dropped when it is 0.
func FormatBytes(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 50, "pb"}, {1 << 40, "tb"}, {1 << 30, "gb"}, {1 << 20, "mb"}, {1 << 10, "kb"}} {
		if n >= u.size {
			return oneDecimal(float64(n)/float64(u.size)) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + "b"
}

// FormatMillis renders a duration as OpenSearch does.
func FormatMillis(ms int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}} {
		if ms >= u.size {
			return oneDecimal(float64(ms)/float64(u.size)) + u.name
		}
	}
	return strconv.FormatInt(ms, 10) + "ms"
}

// oneDecimal cuts after the first decimal, without rounding up.
func oneDecimal(v float64) string {
	s := strconv.FormatFloat(float64(int64(v*10))/10, 'f', 1, 64)
	return strings.TrimSuffix(s, ".0")
}
