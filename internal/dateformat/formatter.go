package dateformat

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/varve-search/varve/internal/apierr"
)

// Default is the format of a date field that names none.
const Default = "strict_date_optional_time||epoch_millis"

// Formatter parses with the first of its formats that fits and prints with the first.
type Formatter struct {
	spec  string
	parts []*pattern
}

var (
	formatters cache[*Formatter]
	zones      cache[*time.Location] // each would be read from a file
)

// maxCached bounds a cache: its keys come from users.
const maxCached = 1000

// cache keeps what texts in mappings and requests mean. Its zero value is ready.
type cache[T any] struct {
	known sync.Map // text to T
	mu    sync.Mutex
	n     int
}

func (c *cache[T]) get(text string) (value T, ok bool) {
	v, ok := c.known.Load(text)
	if ok {
		value = v.(T)
	}
	return value, ok
}

func (c *cache[T]) put(text string, value T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n < maxCached {
		if _, loaded := c.known.LoadOrStore(text, value); !loaded {
			c.n++
		}
	}
}

// Parse returns the Formatter for a format such as "yyyy-MM-dd||epoch_second".
func Parse(spec string) (*Formatter, error) {
	if f, ok := formatters.get(spec); ok {
		return f, nil
	}
	f := &Formatter{spec: spec}
	for part := range strings.SplitSeq(spec, "||") {
		p, err := compile(strings.TrimSpace(part))
		if err != nil {
			return nil, apierr.IllegalArgument("Invalid format: [%s]: %s", part, err)
		}
		f.parts = append(f.parts, p)
	}
	formatters.put(spec, f)
	return f, nil
}

// MustParse is Parse for formats that are known to be right.
func MustParse(spec string) *Formatter {
	f, err := Parse(spec)
	if err != nil {
		panic(err)
	}
	return f
}

// String returns the format as it was given.
func (f *Formatter) String() string { return f.spec }

// ParseTime parses s; missing parts are their smallest, and zone (nil: UTC) is taken where s names none.
func (f *Formatter) ParseTime(s string, zone *time.Location) (time.Time, error) {
	return f.parse(s, zone, false)
}

// ParseUp is ParseTime, but a missing time of day is its last nanosecond: the end of a range that includes its bound.
func (f *Formatter) ParseUp(s string, zone *time.Location) (time.Time, error) {
	return f.parse(s, zone, true)
}

func (f *Formatter) parse(s string, zone *time.Location, up bool) (time.Time, error) {
	if zone == nil {
		zone = time.UTC
	}
	for _, p := range f.parts {
		if t, ok := p.parse(s, zone, up); ok {
			return t, nil
		}
	}
	cause := apierr.New(400, "date_time_parse_exception", "Failed to parse with all enclosed parsers")
	if len(f.parts) == 1 {
		cause = apierr.New(400, "date_time_parse_exception", "Text '%s' could not be parsed at index 0", s)
	}
	if s == "" {
		return time.Time{}, apierr.IllegalArgument("cannot parse empty date")
	}
	return time.Time{}, apierr.IllegalArgument("failed to parse date field [%s] with format [%s]", s, f.spec).Because(cause)
}

// Format prints t in its own zone.
func (f *Formatter) Format(t time.Time) string { return f.parts[0].format(t) }

// FormatMillis prints milliseconds since 1970 in a zone (nil: UTC).
func (f *Formatter) FormatMillis(ms int64, zone *time.Location) string {
	t := time.UnixMilli(ms)
	if zone == nil {
		zone = time.UTC
	}
	return f.Format(t.In(zone))
}

// ParseZone returns the zone of a name or an offset such as +01:00.
func ParseZone(s string) (*time.Location, error) {
	switch s {
	case "", "Z", "UTC", "GMT", "z":
		return time.UTC, nil
	}
	if s[0] == '+' || s[0] == '-' {
		c := cursor{s: s}
		off, ok := c.offset("Z")
		if ok && c.i == len(s) {
			return time.FixedZone(formatOffset(off, true), off), nil
		}
		return nil, apierr.IllegalArgument("Invalid ID for ZoneOffset, invalid format: %s", s)
	}
	if loc, ok := zones.get(s); ok {
		return loc, nil
	}
	loc, err := time.LoadLocation(s)
	if err != nil || s == "Local" {
		return nil, apierr.IllegalArgument("Unknown time-zone ID: %s", s)
	}
	zones.put(s, loc)
	return loc, nil
}

func formatOffset(sec int, colon bool) string {
	sign := '+'
	if sec < 0 {
		sign, sec = '-', -sec
	}
	sep := ""
	if colon {
		sep = ":"
	}
	s := fmt.Sprintf("%c%02d%s%02d", sign, sec/3600, sep, sec/60%60)
	if sec%60 != 0 {
		s += fmt.Sprintf("%s%02d", sep, sec%60)
	}
	return s
}
