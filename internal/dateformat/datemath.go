package dateformat

import (
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
)

// Math evaluates an expression of date math: an anchor ("now" or a date followed by "||") and steps such as
// +1d, -2h and /M. now is asked for only where the text says so. With up, rounding goes to the last
// millisecond of the unit and a date without time of day to its end.
func (f *Formatter) Math(text string, now func() time.Time, up bool, zone *time.Location) (time.Time, error) {
	if zone == nil {
		zone = time.UTC
	}
	if steps, ok := strings.CutPrefix(text, "now"); ok {
		return evalSteps(text, steps, now().In(zone).Truncate(time.Millisecond), up)
	}
	anchor, steps, ok := strings.Cut(text, "||")
	if !ok {
		return f.parse(text, zone, up)
	}
	t, err := f.parse(anchor, zone, false)
	if err != nil {
		return time.Time{}, err
	}
	return evalSteps(text, steps, t, up)
}

func mathError(text string, format string, args ...any) error {
	return apierr.New(400, "parse_exception", format+" [%s]", append(args, text)...)
}

func evalSteps(text, s string, t time.Time, up bool) (time.Time, error) {
	for s != "" {
		op := s[0]
		s = s[1:]
		if op != '+' && op != '-' && op != '/' {
			return t, mathError(text, "operator not supported for date math")
		}
		n, digits := 0, 0
		for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
			if n > 1<<31 {
				return t, mathError(text, "number too large in date math")
			}
			n = n*10 + int(s[digits]-'0')
			digits++
		}
		if digits == 0 {
			n = 1
		}
		s = s[digits:]
		if s == "" {
			return t, mathError(text, "truncated date math")
		}
		unit := s[0]
		s = s[1:]
		if op == '/' {
			if n != 1 {
				return t, mathError(text, "rounding `/` can only be used on single unit types")
			}
			u := unitOf(unit)
			if u == "" {
				return t, mathError(text, "unit [%c] not supported for date math", unit)
			}
			t = Floor(t, u)
			if up {
				t = Next(t, u).Add(-time.Millisecond)
			}
			continue
		}
		if op == '-' {
			n = -n
		}
		switch unit {
		case 'y':
			t = addMonths(t, 12*n)
		case 'M':
			t = addMonths(t, n)
		case 'w':
			t = t.AddDate(0, 0, 7*n)
		case 'd':
			t = t.AddDate(0, 0, n)
		case 'h', 'H':
			t = t.Add(time.Duration(n) * time.Hour)
		case 'm':
			t = t.Add(time.Duration(n) * time.Minute)
		case 's':
			t = t.Add(time.Duration(n) * time.Second)
		default:
			return t, mathError(text, "unit [%c] not supported for date math", unit)
		}
	}
	return t, nil
}

// addMonths keeps the day, or takes the last one of a shorter month, as Java does.
func addMonths(t time.Time, n int) time.Time {
	y, m, d := t.Date()
	first := time.Date(y, m+time.Month(n), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	return first.AddDate(0, 0, min(d, daysIn(first.Month(), first.Year()))-1)
}

func unitOf(b byte) Unit {
	switch b {
	case 'y':
		return Year
	case 'M':
		return Month
	case 'w':
		return Week
	case 'd':
		return Day
	case 'h', 'H':
		return Hour
	case 'm':
		return Minute
	case 's':
		return Second
	}
	return ""
}

// Unit is a calendar unit.
type Unit string

// The calendar units. A week starts on Monday.
const (
	Second  Unit = "second"
	Minute  Unit = "minute"
	Hour    Unit = "hour"
	Day     Unit = "day"
	Week    Unit = "week"
	Month   Unit = "month"
	Quarter Unit = "quarter"
	Year    Unit = "year"
)

// ParseUnit returns the unit of a calendar interval such as "1d", "day" or "M".
func ParseUnit(s string) (Unit, bool) {
	switch s {
	case "second", "1s":
		return Second, true
	case "minute", "1m":
		return Minute, true
	case "hour", "1h":
		return Hour, true
	case "day", "1d":
		return Day, true
	case "week", "1w":
		return Week, true
	case "month", "1M":
		return Month, true
	case "quarter", "1q":
		return Quarter, true
	case "year", "1y":
		return Year, true
	}
	return "", false
}

// Floor returns the start of the unit that t lies in, in t's zone.
func Floor(t time.Time, u Unit) time.Time {
	loc := t.Location()
	y, m, d := t.Date()
	switch u {
	case Second, Minute, Hour:
		size := map[Unit]time.Duration{Second: time.Second, Minute: time.Minute, Hour: time.Hour}[u]
		_, off := t.Zone()
		shift := time.Duration(off) * time.Second % size
		return t.Add(shift).Truncate(size).Add(-shift)
	case Day:
		return startOfDay(y, m, d, loc)
	case Week:
		return startOfDay(y, m, d-(int(t.Weekday())+6)%7, loc)
	case Month:
		return startOfDay(y, m, 1, loc)
	case Quarter:
		return startOfDay(y, (m-1)/3*3+1, 1, loc)
	}
	return startOfDay(y, 1, 1, loc)
}

// startOfDay is midnight, or the first moment after it where a zone skips midnight.
func startOfDay(y int, m time.Month, d int, loc *time.Location) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	if t.Hour() == 23 { // the gap was resolved backwards
		_, before := t.Zone()
		_, after := t.Add(time.Hour).Zone()
		t = t.Add(time.Duration(after-before) * time.Second)
	}
	return t
}

// Next returns the start of the unit after the one that starts at t.
func Next(t time.Time, u Unit) time.Time {
	loc := t.Location()
	y, m, d := t.Date()
	switch u {
	case Second:
		return t.Add(time.Second)
	case Minute:
		return t.Add(time.Minute)
	case Hour:
		return t.Add(time.Hour)
	case Day:
		return startOfDay(y, m, d+1, loc)
	case Week:
		return startOfDay(y, m, d+7, loc)
	case Month:
		return startOfDay(y, m+1, 1, loc)
	case Quarter:
		return startOfDay(y, m+3, 1, loc)
	}
	return startOfDay(y+1, 1, 1, loc)
}
