package ingest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/dateformat"
	"github.com/varve-search/varve/internal/javavalue"
)

const defaultDateOutput = "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"

// parseDate reads a date in one of the formats of the processors date and date_index_name.
func parseDate(format, s string, zone *time.Location) (time.Time, error) {
	switch format {
	case "ISO8601":
		f, err := dateformat.Parse("iso8601")
		if err != nil {
			return time.Time{}, err
		}
		t, err := f.ParseTime(s, zone)
		return t.In(zone), err
	case "UNIX":
		f, err := parseFloat(s, 64)
		if err != nil {
			return time.Time{}, err
		}
		return time.UnixMilli(int64(f.(float64) * 1000)).In(zone), nil
	case "UNIX_MS":
		n, err := parseInt(s, 64)
		if err != nil {
			return time.Time{}, err
		}
		return time.UnixMilli(n.(int64)).In(zone), nil
	case "TAI64N":
		return parseTAI64N(s, zone)
	}
	f, err := dateformat.Parse(format)
	if err != nil {
		return time.Time{}, err
	}
	t, err := f.ParseTime(s, zone)
	if err != nil {
		return t, err
	}
	if zone != time.UTC { // OpenSearch then takes no notice of an offset in the text
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
	}
	if format == "epoch_millis" || format == "epoch_second" { // they name no year, so OpenSearch takes this one and nothing else
		t = time.Unix(0, 0).In(zone)
	}
	if !hasYear(format) {
		t = time.Date(time.Now().UTC().Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location())
	}
	if zone == time.UTC {
		t = t.UTC()
	}
	return t, nil
}

// parseTAI64N reads @ and 24 hexadecimal digits: seconds, of which ten are too many, and nanoseconds.
func parseTAI64N(s string, zone *time.Location) (time.Time, error) {
	s = strings.TrimPrefix(s, "@")
	if len(s) < 24 {
		return time.Time{}, apierr.New(http.StatusInternalServerError, "string_index_out_of_bounds_exception", "begin 16, end 24, length %d", len(s))
	}
	seconds, err := strconv.ParseInt(s[1:16], 16, 64)
	if err != nil {
		return time.Time{}, numberFormat(s[1:16])
	}
	nanos, err := strconv.ParseInt(s[16:24], 16, 64)
	if err != nil {
		return time.Time{}, numberFormat(s[16:24])
	}
	return time.UnixMilli(seconds*1000 - 10000 + nanos/1e6).In(zone), nil
}

// hasYear tells whether a format names a year.
func hasYear(format string) bool {
	if strings.Contains(format, "_") && !strings.HasPrefix(format, "epoch") {
		return true // one with a name
	}
	quoted := false
	for _, r := range format {
		switch {
		case r == '\'':
			quoted = !quoted
		case quoted:
		case strings.ContainsRune("yuYw", r):
			return true
		}
	}
	return false
}

// readDate tries all formats; the last that fits counts, as in OpenSearch.
func readDate(formats []string, v any, zone func() (*time.Location, error)) (time.Time, error) {
	text := javavalue.String(v)
	fail := func(first error) (time.Time, error) {
		return time.Time{}, illegalArgumentBecause(first, "unable to parse date [%s]", text)
	}
	switch {
	case len(formats) == 0:
		return fail(nil)
	case v == nil:
		return fail(nullPointerPlain())
	}
	loc, err := zone()
	if err != nil {
		return fail(err)
	}
	var out time.Time
	var fits bool
	var first error
	for _, f := range formats {
		t, err := parseDate(f, text, loc)
		switch {
		case err == nil:
			out, fits = t, true
		case first == nil:
			first = err
		}
	}
	if !fits {
		return fail(first)
	}
	return out, nil
}

func buildDate(c *config, s *step) error {
	field, err := c.text("field")
	if err != nil {
		return err
	}
	target, err := c.textOr("target_field", "@timestamp")
	if err != nil {
		return err
	}
	timezone, err := c.optionalTemplate("timezone")
	if err != nil {
		return err
	}
	if _, err = c.optionalTemplate("locale"); err != nil {
		return err
	}
	formats, err := c.requiredTexts("formats")
	if err != nil {
		return err
	}
	output, err := c.textOr("output_format", defaultDateOutput)
	if err != nil {
		return err
	}
	formatter, err := dateformat.Parse(output)
	if err != nil {
		return illegalArgumentBecause(err, "invalid output format [%s]", output)
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		v, err := d.get(field)
		if err != nil {
			return false, err
		}
		t, err := readDate(formats, v, func() (*time.Location, error) {
			if timezone == nil {
				return time.UTC, nil
			}
			name, err := timezone.fill(d.Fields)
			if err != nil {
				return nil, err
			}
			return dateformat.ParseZone(name)
		})
		if err != nil {
			return false, err
		}
		return true, d.set(target, formatter.Format(t))
	}
	return nil
}

func buildDateIndexName(c *config, s *step) error {
	if _, _, err := c.optional("locale"); err != nil {
		return err
	}
	zoneName, given, err := c.optional("timezone")
	if err != nil {
		return err
	}
	zone := time.UTC
	if given {
		if zone, err = dateformat.ParseZone(zoneName); err != nil {
			return err
		}
	}
	if zone == time.UTC {
		zoneName = "UTC"
	}
	formats, err := c.texts("date_formats")
	if err != nil {
		return err
	}
	if formats == nil {
		formats = []string{"yyyy-MM-dd'T'HH:mm:ss.SSSXX"}
	}
	for _, f := range formats {
		if _, err := dateformat.Parse(f); err != nil && f != "ISO8601" && f != "UNIX" && f != "UNIX_MS" && f != "TAI64N" {
			return err
		}
	}
	field, err := c.text("field")
	if err != nil {
		return err
	}
	var parts [3]*template
	for i, def := range []string{"", "!", "yyyy-MM-dd"} {
		name := []string{"index_name_prefix", "date_rounding", "index_name_format"}[i]
		text, err := c.textOr(name, def)
		if err != nil {
			return err
		}
		if text == "!" {
			return c.missing(name)
		}
		if parts[i], err = c.compileTemplate(name, text); err != nil {
			return err
		}
	}
	s.run = func(_ *run, d *Document) (bool, error) {
		v, err := d.get(field)
		if err != nil {
			return false, err
		}
		t, err := readDate(formats, v, func() (*time.Location, error) { return zone, nil })
		if err != nil {
			return false, err
		}
		var texts [3]string
		for i := range parts {
			if texts[i], err = parts[i].render(d); err != nil {
				return false, err
			}
		}
		f, err := dateformat.Parse(texts[2])
		if err != nil {
			return false, err
		}
		return true, d.set("_index", "<"+texts[0]+"{"+f.Format(t)+"||/"+texts[1]+"{"+texts[2]+"|"+zoneName+"}}>")
	}
	return nil
}
