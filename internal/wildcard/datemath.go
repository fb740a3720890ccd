package wildcard

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/dateformat"
)

// DateMath resolves names such as "<logs-{now/d-1M{uuuu.MM|+02:00}}>" at the given time; other names
// come back as they are. Formats may hold the letters y, u, M, d, H, h, m, s, S and D; others are a
// clear error.
func DateMath(expr string, now time.Time) (string, error) {
	if !strings.HasPrefix(expr, "<") || !strings.HasSuffix(expr, ">") || len(expr) < 2 {
		return expr, nil
	}
	text := expr[1 : len(expr)-1]
	var out, holder strings.Builder
	inHolder, inFormat, escape := false, false, false
	for i := range len(text) {
		c := text[i]
		escaped := escape
		escape = false
		if c == '\\' && !escaped {
			escape = true
			continue
		}
		switch {
		case !inHolder && c == '{' && !escaped:
			inHolder = true
		case !inHolder && c == '}' && !escaped:
			return "", fmt.Errorf("invalid dynamic name expression [%s]. invalid character at position [%d]. `{` and `}` are reserved characters and should be escaped when used as part of the index name using `\\` (e.g. `\\{text\\}`)", text, i+1)
		case !inHolder:
			out.WriteByte(c)
		case c == '{' && !escaped && inFormat:
			return "", fmt.Errorf("invalid dynamic name expression [%s]. invalid character in placeholder at position [%d]", text, i+1)
		case c == '{' && !escaped:
			inFormat = true
			holder.WriteByte(c)
		case c == '}' && !escaped && inFormat:
			inFormat = false
			holder.WriteByte(c)
		case c == '}' && !escaped:
			s, err := datePart(holder.String(), now)
			if err != nil {
				return "", err
			}
			out.WriteString(s)
			holder.Reset()
			inHolder = false
		default:
			holder.WriteByte(c)
		}
	}
	switch {
	case inHolder:
		return "", fmt.Errorf("invalid dynamic name expression [%s]. date math placeholder is open ended", text)
	case out.Len() == 0:
		return "", errors.New("nothing captured")
	}
	return out.String(), nil
}

func datePart(s string, now time.Time) (string, error) {
	format, zone := "uuuu.MM.dd", time.UTC
	math, rest, ok := strings.Cut(s, "{")
	if ok {
		rest, closed := strings.CutSuffix(rest, "}")
		if !closed {
			return "", fmt.Errorf("invalid dynamic name expression [%s]. missing closing `}` for date math format", s)
		}
		if rest == "" {
			return "", fmt.Errorf("invalid dynamic name expression [%s]. missing date format", s)
		}
		var z string
		var hasZone bool
		if format, z, hasZone = strings.Cut(rest, "|"); hasZone {
			var err error
			if zone, err = parseZone(z); err != nil {
				return "", err
			}
		}
	}
	if strings.Contains(math, "||") { // a date in the same format, as the processor date_index_name writes it
		f, err := dateformat.Parse(format)
		if err != nil {
			return "", err
		}
		t, err := f.Math(math, func() time.Time { return now }, false, zone)
		if err != nil {
			return "", err
		}
		return f.Format(t.In(zone)), nil
	}
	t, err := addDates(math, now.In(zone))
	if err != nil {
		return "", err
	}
	return formatDate(t, format)
}

func parseZone(s string) (*time.Location, error) {
	if t, err := time.Parse("-07:00", s); err == nil {
		_, off := t.Zone()
		return time.FixedZone(s, off), nil
	}
	z, err := time.LoadLocation(s)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone [%s] in a dynamic name expression", s)
	}
	return z, nil
}

// addDates computes "now+1d/M".
func addDates(s string, t time.Time) (time.Time, error) {
	bad := fmt.Errorf("operator not supported for date math [%s]", s)
	rest, ok := strings.CutPrefix(s, "now")
	if !ok {
		return t, fmt.Errorf("failed to parse date math [%s]: only expressions that begin with now are built", s)
	}
	for rest != "" {
		op := rest[0]
		rest = rest[1:]
		digits := 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			digits++
		}
		n := 1
		if digits > 0 {
			var err error
			if n, err = strconv.Atoi(rest[:digits]); err != nil || n > 1_000_000 {
				return t, bad
			}
		}
		rest = rest[digits:]
		if rest == "" || op != '+' && op != '-' && op != '/' || op == '/' && n != 1 {
			return t, bad
		}
		unit := rest[0]
		rest = rest[1:]
		if op == '-' {
			n = -n
		}
		round := op == '/'
		y, m, d := t.Date()
		switch unit {
		case 'y':
			if t = t.AddDate(n, 0, 0); round {
				t = time.Date(y, 1, 1, 0, 0, 0, 0, t.Location())
			}
		case 'M':
			if round {
				t = time.Date(y, m, 1, 0, 0, 0, 0, t.Location())
				break
			}
			// A day that the month lacks becomes its last.
			first := time.Date(y, m+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
			t = first.AddDate(0, 0, min(d, first.AddDate(0, 1, -1).Day())-1)
		case 'w':
			if t = t.AddDate(0, 0, 7*n); round {
				monday := d - (int(time.Date(y, m, d, 0, 0, 0, 0, t.Location()).Weekday())+6)%7
				t = time.Date(y, m, monday, 0, 0, 0, 0, t.Location())
			}
		case 'd':
			if t = t.AddDate(0, 0, n); round {
				t = time.Date(y, m, d, 0, 0, 0, 0, t.Location())
			}
		case 'h', 'H', 'm', 's':
			u := map[byte]time.Duration{'h': time.Hour, 'H': time.Hour, 'm': time.Minute, 's': time.Second}[unit]
			if round {
				// By the clock, for a zone may be off by half an hour.
				past := time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
				t = t.Add(-(past % u))
			} else {
				t = t.Add(time.Duration(n) * u)
			}
		default:
			return t, fmt.Errorf("unit [%c] not supported for date math [%s]", unit, s)
		}
	}
	return t, nil
}

func formatDate(t time.Time, format string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(format); {
		c := format[i]
		n := 1
		for i+n < len(format) && format[i+n] == c {
			n++
		}
		i += n
		v := -1
		switch c {
		case 'y', 'u':
			if v = t.Year(); n == 2 {
				v %= 100
			}
		case 'M':
			v = int(t.Month())
		case 'd':
			v = t.Day()
		case 'D':
			v = t.YearDay()
		case 'H':
			v = t.Hour()
		case 'h':
			v = (t.Hour()+11)%12 + 1
		case 'm':
			v = t.Minute()
		case 's':
			v = t.Second()
		case 'S':
			v = t.Nanosecond() / 1_000_000
		}
		switch {
		case v >= 0:
			fmt.Fprintf(&out, "%0*d", n, v)
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '\'' || c == '[':
			return "", fmt.Errorf("date format [%s] of a dynamic name expression uses [%c], which is not built", format, c)
		default:
			out.WriteString(strings.Repeat(string(c), n))
		}
	}
	return out.String(), nil
}
