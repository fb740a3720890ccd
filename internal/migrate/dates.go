package migrate

import (
	"regexp"
	"strings"
	"unicode"
)

// camelFormat are the named formats as they were written before 7.0, such as strictDateOptionalTime.
var camelFormat = regexp.MustCompile(`^(strict)?([bB]asic|[dD]ate|[hH]our|[oO]rdinal|tTime|[tT]ime|[wW]eek|[yY]ear)[A-Za-z]*$`)

// dateFormat translates the format of a date: alternatives between ||, each a name or a pattern.
func (t *translator) dateFormat(v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	parts := strings.Split(text, "||")
	for i, p := range parts {
		java := strings.HasPrefix(p, "8") // a pattern of java.time in a version that still had Joda's
		p = strings.TrimPrefix(p, "8")
		switch {
		case camelFormat.MatchString(p):
			p = snake(p)
		case t.joda && !java && !strings.Contains(p, "_") && !strings.HasPrefix(p, "epoch"):
			p = fromJoda(p)
		}
		parts[i] = p
	}
	return strings.Join(parts, "||")
}

func (t *translator) dateFormats(v any) any {
	list, ok := v.([]any)
	if !ok {
		return t.dateFormat(v)
	}
	out := make([]any, len(list))
	for i := range list {
		out[i] = t.dateFormat(list[i])
	}
	return out
}

func snake(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
			r = unicode.ToLower(r)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// fromJoda writes a pattern of Joda-Time as one of java.time. They differ in the letters of years, week years and offsets.
func fromJoda(p string) string {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(p); {
		n := 1
		for i+n < len(p) && p[i+n] == p[i] {
			n++
		}
		run := p[i : i+n]
		switch c := p[i]; {
		case c == '\'':
			quoted = quoted != (n%2 == 1)
			b.WriteString(run)
		case quoted:
			b.WriteString(run)
		case c == 'Y': // the year of the era
			b.WriteString(strings.Repeat("y", n))
		case c == 'y': // the year, which may be negative
			b.WriteString(strings.Repeat("u", n))
		case c == 'x': // the year of the week
			b.WriteString(strings.Repeat("Y", n))
		case c == 'Z' && n == 2:
			b.WriteString("XXX")
		case c == 'Z' && n > 2:
			b.WriteString("VV")
		default:
			b.WriteString(run)
		}
		i += n
	}
	return b.String()
}
