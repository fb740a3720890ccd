package dateformat

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// kind is what an element of a pattern stands for.
type kind uint8

const (
	literal  kind = iota
	optional      // a group that may be missing
	year
	weekYear
	month
	day
	yearDay
	week
	weekDay // number, 1 is Monday
	hour    // 0 to 23
	hour12  // 1 to 12
	hour24  // 1 to 24
	hour11  // 0 to 11
	minute
	second
	nano  // fraction of a second
	milli // milliseconds of the day are not supported; n counts nanoseconds
	monthText
	dayText
	ampm
	zoneOffset
	zoneName
	era
	quarter
	epochMillis
	epochSeconds
)

// element is one part of a pattern. Numbers take min to max digits.
type element struct {
	kind     kind
	min, max int
	text     string // of a literal; the letters of an offset
	group    []element
	alts     [][]element // further forms of an optional group, tried after group
	dot      bool        // the fraction starts with its own separator
}

// pattern is one compiled format.
type pattern struct {
	read  []element
	print []element
}

// fields collects what a text says. Bits of set tell which.
type fields struct {
	set                        uint32
	year, month, day, yday     int
	wyear, week, wday          int
	hour, minute, second, nano int
	h12, pm                    int
	offset                     int
	loc                        *time.Location
	epoch                      time.Time
}

func (f *fields) has(k kind) bool { return f.set&(1<<k) != 0 }
func (f *fields) mark(k kind)     { f.set |= 1 << k }

type cursor struct {
	s string
	i int
}

// number reads min to max digits, with a sign if signed.
func (c *cursor) number(lo, hi int, signed bool) (int, bool) {
	i, neg := c.i, false
	if signed && i < len(c.s) && (c.s[i] == '-' || c.s[i] == '+') {
		neg = c.s[i] == '-'
		i++
	}
	start, v := i, 0
	for i < len(c.s) && i-start < hi && c.s[i] >= '0' && c.s[i] <= '9' {
		v = v*10 + int(c.s[i]-'0')
		i++
	}
	if i-start < lo {
		return 0, false
	}
	c.i = i
	if neg {
		v = -v
	}
	return v, true
}

// offset reads Z, +01, +0100, +01:00 or +01:00:00.
func (c *cursor) offset(string) (int, bool) {
	if c.i >= len(c.s) {
		return 0, false
	}
	sign := 1
	switch c.s[c.i] {
	case 'Z', 'z':
		c.i++
		return 0, true
	case '-':
		sign = -1
	case '+':
	default:
		return 0, false
	}
	save := c.i
	c.i++
	h, ok := c.number(2, 2, false)
	if !ok || h > 18 {
		c.i = save
		return 0, false
	}
	sec := h * 3600
	for _, unit := range []int{60, 1} {
		at := c.i
		if at < len(c.s) && c.s[at] == ':' {
			c.i++
		}
		n, ok := c.number(2, 2, false)
		if !ok || n > 59 {
			c.i = at
			break
		}
		sec += n * unit
	}
	return sign * sec, true
}

func (p *pattern) parse(s string, zone *time.Location, up bool) (time.Time, bool) {
	c := cursor{s: s}
	var f fields
	if s == "" || !parseElements(&c, p.read, &f) || c.i != len(s) {
		return time.Time{}, false
	}
	return f.resolve(zone, up)
}

func parseElements(c *cursor, list []element, f *fields) bool {
	for i := range list {
		if !parseElement(c, &list[i], f) {
			return false
		}
	}
	return true
}

func parseElement(c *cursor, e *element, f *fields) bool {
	signed := e.kind == year && e.max > 4 || e.kind == weekYear && e.max > 4
	switch e.kind {
	case literal:
		if !strings.HasPrefix(c.s[c.i:], e.text) {
			return false
		}
		c.i += len(e.text)
		return true
	case optional:
		if c.i == len(c.s) {
			return true
		}
		for _, g := range append([][]element{e.group}, e.alts...) {
			save, saved := *c, *f
			if parseElements(c, g, f) {
				return true
			}
			*c, *f = save, saved
		}
		return true
	case nano:
		return parseFraction(c, e, f)
	case monthText:
		for m := time.January; m <= time.December; m++ {
			if c.text(m.String(), e.min) {
				f.month = int(m)
				f.mark(month)
				return true
			}
		}
		return false
	case dayText:
		for d := time.Sunday; d <= time.Saturday; d++ {
			if c.text(d.String(), e.min) {
				return true
			}
		}
		return false
	case ampm:
		for i, s := range []string{"AM", "PM"} {
			if len(c.s)-c.i >= 2 && strings.EqualFold(c.s[c.i:c.i+2], s) {
				c.i += 2
				f.pm = i
				f.mark(ampm)
				return true
			}
		}
		return false
	case era:
		for _, s := range []string{"AD", "CE"} {
			if strings.HasPrefix(c.s[c.i:], s) {
				c.i += 2
				return true
			}
		}
		return false
	case zoneOffset:
		off, ok := c.offset(e.text)
		if !ok {
			return false
		}
		f.offset = off
		f.mark(zoneOffset)
		return true
	case zoneName:
		return parseZoneName(c, f)
	case epochMillis, epochSeconds:
		return parseEpoch(c, e.kind, f)
	}
	n, ok := c.number(e.min, e.max, signed)
	if !ok {
		return false
	}
	f.mark(e.kind)
	switch e.kind {
	case year:
		if e.max == 2 {
			n += 2000
		}
		f.year = n
	case weekYear:
		f.wyear = n
	case month:
		f.month = n
		return n >= 1 && n <= 12
	case quarter:
		f.month = n*3 - 2
		f.mark(month)
		return n >= 1 && n <= 4
	case day:
		f.day = n
		return n >= 1 && n <= 31
	case yearDay:
		f.yday = n
		return n >= 1 && n <= 366
	case week:
		f.week = n
		return n >= 1 && n <= 53
	case weekDay:
		f.wday = n
		return n >= 1 && n <= 7
	case hour:
		f.hour = n
		return n <= 23
	case hour24:
		f.hour = n % 24
		f.mark(hour)
		return n >= 1 && n <= 24
	case hour12:
		f.h12 = n % 12
		return n >= 1 && n <= 12
	case hour11:
		f.h12 = n
		f.mark(hour12)
		return n <= 11
	case minute:
		f.minute = n
		return n <= 59
	case second:
		f.second = n
		return n <= 59
	case milli:
		f.nano = n
		f.mark(nano)
		return n <= 999999999
	}
	return true
}

// text reads a name, or its first three letters where width is less than four.
func (c *cursor) text(name string, width int) bool {
	if width < 4 {
		name = name[:3]
	}
	if len(c.s)-c.i < len(name) || c.s[c.i:c.i+len(name)] != name {
		return false
	}
	c.i += len(name)
	return true
}

func parseFraction(c *cursor, e *element, f *fields) bool {
	save := c.i
	if e.dot {
		if c.i >= len(c.s) || c.s[c.i] != '.' && c.s[c.i] != ',' {
			return false
		}
		c.i++
	}
	start := c.i
	n, ok := c.number(max(e.min, 1), e.max, false)
	if !ok {
		c.i = save
		return e.min == 0
	}
	for d := c.i - start; d < 9; d++ {
		n *= 10
	}
	f.nano = n
	f.mark(nano)
	return true
}

func parseZoneName(c *cursor, f *fields) bool {
	if off, ok := c.offset(""); ok {
		f.offset = off
		f.mark(zoneOffset)
		return true
	}
	end := c.i
	for end < len(c.s) && (c.s[end] == '/' || c.s[end] == '_' || c.s[end] == '-' || c.s[end] == '+' || isAlnum(c.s[end])) {
		end++
	}
	for ; end > c.i; end-- {
		if loc, err := ParseZone(c.s[c.i:end]); err == nil {
			f.loc = loc
			c.i = end
			return true
		}
	}
	return false
}

func isAlnum(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// parseEpoch reads a number with an optional fraction, which may be negative.
func parseEpoch(c *cursor, k kind, f *fields) bool {
	s := c.s[c.i:]
	whole, frac, hasFrac := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || whole[0] == '+' {
		return false
	}
	digits := 9
	if k == epochMillis {
		digits = 6
	}
	var sub int64
	if hasFrac {
		if len(frac) > digits || frac == "" && k == epochMillis {
			return false
		}
		for i := range digits {
			sub *= 10
			if i < len(frac) {
				if frac[i] < '0' || frac[i] > '9' {
					return false
				}
				sub += int64(frac[i] - '0')
			}
		}
		if whole[0] == '-' {
			sub = -sub
		}
	}
	if k == epochMillis {
		f.epoch = time.UnixMilli(n).Add(time.Duration(sub))
	} else {
		f.epoch = time.Unix(n, sub)
	}
	f.mark(epochMillis)
	c.i = len(c.s)
	return true
}

// resolve makes a time of what was read. Java refuses the 30th of February; so do we.
func (f *fields) resolve(zone *time.Location, up bool) (time.Time, bool) {
	if f.has(epochMillis) {
		return f.epoch.UTC(), true
	}
	if f.loc != nil {
		zone = f.loc
	}
	if f.has(zoneOffset) {
		zone = time.UTC
		if f.offset != 0 {
			zone = time.FixedZone("", f.offset)
		}
	}
	y, m, d := 1970, 1, 1
	if f.has(year) {
		y = f.year
	}
	if f.has(month) {
		m = f.month
	}
	if f.has(day) {
		d = f.day
	}
	h, mi, s, ns := f.hour, f.minute, f.second, f.nano
	if f.has(hour12) {
		h = f.h12 + 12*f.pm
		f.mark(hour)
	}
	if up {
		if !f.has(hour) {
			h = 23
		}
		if !f.has(minute) {
			mi = 59
		}
		if !f.has(second) {
			s = 59
		}
		if !f.has(nano) {
			ns = 999999999
		}
	}
	switch {
	case f.has(yearDay):
		t := time.Date(y, 1, f.yday, h, mi, s, ns, zone)
		return t, t.Year() == y
	case f.has(weekYear):
		wk, wd := 1, 1
		if f.has(week) {
			wk = f.week
		}
		if f.has(weekDay) {
			wd = f.wday
		}
		jan4 := time.Date(f.wyear, 1, 4, h, mi, s, ns, zone)
		monday := jan4.AddDate(0, 0, -(int(jan4.Weekday())+6)%7)
		return monday.AddDate(0, 0, (wk-1)*7+wd-1), true
	}
	t := time.Date(y, time.Month(m), d, h, mi, s, ns, zone)
	// A day that the month does not have moves into the next one; a gap of a zone moves only the hour.
	return t, d <= daysIn(time.Month(m), y)
}

func daysIn(m time.Month, y int) int { return time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Day() }

func (p *pattern) format(t time.Time) string {
	var b strings.Builder
	formatElements(&b, p.print, t)
	return b.String()
}

func formatElements(b *strings.Builder, list []element, t time.Time) {
	for i := range list {
		formatElement(b, &list[i], t)
	}
}

func formatElement(b *strings.Builder, e *element, t time.Time) {
	num := func(n int) {
		if n < 0 {
			b.WriteByte('-')
			n = -n
		}
		fmt.Fprintf(b, "%0*d", e.min, n)
	}
	switch e.kind {
	case literal:
		b.WriteString(e.text)
	case optional:
		formatElements(b, e.group, t)
	case year:
		y := t.Year()
		if e.max == 2 {
			y %= 100
		} else if e.max > 4 && y > 9999 {
			b.WriteByte('+')
		}
		num(y)
	case weekYear:
		y, _ := t.ISOWeek()
		num(y)
	case week:
		_, w := t.ISOWeek()
		num(w)
	case weekDay:
		num((int(t.Weekday())+6)%7 + 1)
	case month:
		num(int(t.Month()))
	case quarter:
		num((int(t.Month()) + 2) / 3)
	case day:
		num(t.Day())
	case yearDay:
		num(t.YearDay())
	case hour:
		num(t.Hour())
	case hour24:
		num((t.Hour()+23)%24 + 1)
	case hour12:
		num((t.Hour()+11)%12 + 1)
	case hour11:
		num(t.Hour() % 12)
	case minute:
		num(t.Minute())
	case second:
		num(t.Second())
	case milli:
		num(t.Nanosecond())
	case nano:
		formatFraction(b, e, t)
	case monthText:
		b.WriteString(cutName(t.Month().String(), e.min))
	case dayText:
		b.WriteString(cutName(t.Weekday().String(), e.min))
	case ampm:
		b.WriteString(t.Format("PM"))
	case era:
		b.WriteString("AD")
	case zoneOffset:
		formatZoneOffset(b, e, t)
	case zoneName:
		if name := t.Location().String(); name != "UTC" && name != "" {
			b.WriteString(name)
		} else {
			b.WriteByte('Z')
		}
	case epochMillis:
		b.WriteString(strconv.FormatInt(t.UnixMilli(), 10))
		if sub := t.Nanosecond() % 1e6; sub != 0 {
			b.WriteString(strings.TrimRight(fmt.Sprintf(".%06d", sub), "0"))
		}
	case epochSeconds:
		b.WriteString(strconv.FormatInt(t.Unix(), 10))
		if sub := t.Nanosecond(); sub != 0 {
			b.WriteString(strings.TrimRight(fmt.Sprintf(".%09d", sub), "0"))
		}
	}
}

func cutName(s string, width int) string {
	if width < 4 {
		return s[:3]
	}
	return s
}

// formatFraction prints as many digits as needed between min and max.
func formatFraction(b *strings.Builder, e *element, t time.Time) {
	digits := fmt.Sprintf("%09d", t.Nanosecond())[:e.max]
	for len(digits) > e.min && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	if digits != "" && e.dot {
		b.WriteByte('.')
	}
	b.WriteString(digits)
}

func formatZoneOffset(b *strings.Builder, e *element, t time.Time) {
	_, off := t.Zone()
	letters := e.text
	switch {
	case off == 0 && (letters[0] == 'X' || letters == "ZZZZZ"):
		b.WriteByte('Z')
	case letters == "x" || letters == "X":
		s := formatOffset(off, false)
		b.WriteString(strings.TrimSuffix(s, "00"))
	default:
		b.WriteString(formatOffset(off, letters == "xxx" || letters == "XXX" || letters == "ZZZZZ"))
	}
}
