package dateformat

import "strings"

func lit(s string) element           { return element{kind: literal, text: s} }
func num(k kind, lo, hi int) element { return element{kind: k, min: lo, max: hi} }
func opt(g ...element) element       { return element{kind: optional, group: g} }
func seq(parts ...any) []element {
	var list []element
	for _, p := range parts {
		switch p := p.(type) {
		case element:
			list = append(list, p)
		case []element:
			list = append(list, p...)
		case string:
			list = append(list, lit(p))
		}
	}
	return list
}

// zone is an offset in any of its spellings, printed as Z or +01:00.
var zone = element{kind: zoneOffset, text: "XXX"}

// parts of the named formats; strict ones have fixed widths.
type parts struct {
	y, wy            element
	mo, d, yd, w, wd element
	h, mi, s, frac   element
}

func widths(strict bool) parts {
	lo, y := 1, num(year, 1, 9)
	wy := num(weekYear, 1, 9)
	ydLo := 1
	if strict {
		lo, y, wy, ydLo = 2, num(year, 4, 10), num(weekYear, 4, 10), 3
	}
	return parts{
		y: y, wy: wy, mo: num(month, lo, 2), d: num(day, lo, 2), yd: num(yearDay, ydLo, 3), w: num(week, lo, 2), wd: num(weekDay, 1, 1),
		h: num(hour, lo, 2), mi: num(minute, lo, 2), s: num(second, lo, 2),
		frac: element{kind: nano, min: 1, max: 9, dot: true},
	}
}

// printed returns the format of output: whole widths and three digits of a second.
func printed(list []element) []element {
	out := make([]element, 0, len(list))
	for _, e := range list {
		switch e.kind {
		case year, weekYear:
			e.min, e.max = 4, 10
		case month, day, week, hour, minute, second:
			e.min = 2
		case yearDay:
			e.min = 3
		case nano:
			e.min, e.max = 3, 9
		case optional:
			e.group = printed(e.group)
		}
		out = append(out, e)
	}
	return out
}

// namedFormat returns the pattern of a format that has a name, or nil.
func namedFormat(name string) *pattern {
	switch name {
	case "epoch_millis":
		l := []element{{kind: epochMillis}}
		return &pattern{l, l}
	case "epoch_second":
		l := []element{{kind: epochSeconds}}
		return &pattern{l, l}
	case "iso8601", "strict_date_optional_time", "date_optional_time", "dateOptionalTime", "strict_date_optional_time_nanos", "rfc3339_lenient", "strictDateOptionalTime":
		return optionalTime(name)
	}
	base, strict := strings.CutPrefix(name, "strict_")
	if rest, ok := strings.CutPrefix(base, "basic_"); ok {
		l := basicFormat(rest, strict)
		if l == nil {
			return nil
		}
		return &pattern{l, printed(l)}
	}
	l := extendedFormat(base, widths(strict))
	if l == nil {
		return nil
	}
	return &pattern{l, printed(l)}
}

func optionalTime(name string) *pattern {
	p := widths(!strings.HasPrefix(name, "date"))
	frac := element{kind: nano, min: 1, max: 9, dot: true}
	time := seq(p.h, opt(seq(":", p.mi, opt(seq(":", p.s, opt(frac))...))...), opt(zone))
	read := seq(p.y, opt(seq("-", p.mo, opt(seq("-", p.d, opt(seq("T", opt(time...))...))...))...))
	min := 3
	if name == "strict_date_optional_time_nanos" {
		min = 9
	}
	q := widths(true)
	print := printed(seq(q.y, "-", q.mo, "-", q.d, "T", q.h, ":", q.mi, ":", q.s, frac, zone))
	for i := range print {
		if print[i].kind == nano && min == 9 {
			print[i].min = 3
		}
	}
	return &pattern{read, print}
}

func basicFormat(name string, strict bool) []element {
	y, mo, d := num(year, 4, 4), num(month, 2, 2), num(day, 2, 2)
	hms := seq(num(hour, 2, 2), num(minute, 2, 2), num(second, 2, 2))
	frac := element{kind: nano, min: 1, max: 9, dot: true}
	wd := seq(num(weekYear, 4, 4), "W", num(week, 2-b2i(!strict), 2), num(weekDay, 1, 1))
	date, ordinal := seq(y, mo, d), seq(y, num(yearDay, 3, 3))
	time, timeNoMillis := seq(hms, frac, zone), seq(hms, zone)
	switch name {
	case "date":
		return date
	case "date_time":
		return seq(date, "T", time)
	case "date_time_no_millis":
		return seq(date, "T", timeNoMillis)
	case "ordinal_date":
		return ordinal
	case "ordinal_date_time":
		return seq(ordinal, "T", time)
	case "ordinal_date_time_no_millis":
		return seq(ordinal, "T", timeNoMillis)
	case "time":
		return time
	case "time_no_millis":
		return timeNoMillis
	case "t_time":
		return seq("T", time)
	case "t_time_no_millis":
		return seq("T", timeNoMillis)
	case "week_date":
		return wd
	case "week_date_time":
		return seq(wd, "T", time)
	case "week_date_time_no_millis":
		return seq(wd, "T", timeNoMillis)
	}
	return nil
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func extendedFormat(name string, p parts) []element {
	date := seq(p.y, "-", p.mo, "-", p.d)
	hm := seq(p.h, ":", p.mi)
	hms := seq(hm, ":", p.s)
	hmsf := seq(hms, p.frac)
	millis := p.frac
	millis.max = 3
	time, timeNoMillis := seq(hmsf, zone), seq(hms, zone)
	ordinal := seq(p.y, "-", p.yd)
	weekDate := seq(p.wy, "-W", p.w, "-", p.wd)
	switch name {
	case "date", "year_month_day":
		return date
	case "date_hour":
		return seq(date, "T", p.h)
	case "date_hour_minute":
		return seq(date, "T", hm)
	case "date_hour_minute_second":
		return seq(date, "T", hms)
	case "date_hour_minute_second_fraction":
		return seq(date, "T", hmsf)
	case "date_hour_minute_second_millis":
		return seq(date, "T", hms, millis)
	case "date_time":
		return seq(date, "T", hms, opt(p.frac), zone)
	case "date_time_no_millis":
		return seq(date, "T", timeNoMillis)
	case "hour":
		return seq(p.h)
	case "hour_minute":
		return hm
	case "hour_minute_second":
		return hms
	case "hour_minute_second_fraction":
		return hmsf
	case "hour_minute_second_millis":
		return seq(hms, millis)
	case "ordinal_date":
		return ordinal
	case "ordinal_date_time":
		return seq(ordinal, "T", time)
	case "ordinal_date_time_no_millis":
		return seq(ordinal, "T", timeNoMillis)
	case "time":
		return time
	case "time_no_millis":
		return timeNoMillis
	case "t_time":
		return seq("T", time)
	case "t_time_no_millis":
		return seq("T", timeNoMillis)
	case "week_date":
		return weekDate
	case "week_date_time":
		return seq(weekDate, "T", time)
	case "week_date_time_no_millis":
		return seq(weekDate, "T", timeNoMillis)
	case "weekyear":
		return seq(p.wy)
	case "weekyear_week":
		return seq(p.wy, "-W", p.w)
	case "weekyear_week_day":
		return weekDate
	case "year":
		return seq(p.y)
	case "year_month":
		return seq(p.y, "-", p.mo)
	}
	return nil
}
