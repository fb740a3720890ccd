package dateformat

import (
	"fmt"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ format, text, want string }{
		{Default, "2024-05-17", "2024-05-17T00:00:00Z"},
		{Default, "2024-05-17T10:11:12.345Z", "2024-05-17T10:11:12.345Z"},
		{Default, "2024-05-17T10:11:12.345678+02:00", "2024-05-17T08:11:12.345678Z"},
		{Default, "2024-05-17T10", "2024-05-17T10:00:00Z"},
		{Default, "2024-05-17T10:11+0100", "2024-05-17T09:11:00Z"},
		{Default, "2024", "2024-01-01T00:00:00Z"},
		{Default, "1715940672000", "2024-05-17T10:11:12Z"},
		{Default, "-1", "1969-12-31T23:59:59.999Z"},
		{Default, "2024-5-17", ""},
		{Default, "2024-02-30", ""},
		{Default, "hello", ""},
		{Default, "", ""},
		{"date_optional_time", "2024-5-7", "2024-05-07T00:00:00Z"},
		{"epoch_second", "1715940672.5", "2024-05-17T10:11:12.5Z"},
		{"yyyy-MM-dd HH:mm:ss||yyyy-MM-dd||epoch_millis", "2024-05-17 10:11:12", "2024-05-17T10:11:12Z"},
		{"yyyy-MM-dd HH:mm:ss||yyyy-MM-dd||epoch_millis", "2024-05-17", "2024-05-17T00:00:00Z"},
		{"dd/MMM/yyyy:HH:mm:ss Z", "17/May/2024:10:11:12 +0200", "2024-05-17T08:11:12Z"},
		{"yyyyMMdd", "20240517", "2024-05-17T00:00:00Z"},
		{"basic_date_time_no_millis", "20240517T101112Z", "2024-05-17T10:11:12Z"},
		{"strict_week_date", "2024-W20-5", "2024-05-17T00:00:00Z"},
		{"ordinal_date", "2024-138", "2024-05-17T00:00:00Z"},
		{"yyyy-MM-dd'T'HH:mm[:ss]", "2024-05-17T10:11", "2024-05-17T10:11:00Z"},
		{"EEE MMM dd HH:mm:ss zzz yyyy", "Fri May 17 10:11:12 UTC 2024", "2024-05-17T10:11:12Z"},
		{"hh:mm a", "01:30 PM", "1970-01-01T13:30:00Z"},
	} {
		f, err := Parse(c.format)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.ParseTime(c.text, nil)
		if (err != nil) != (c.want == "") {
			t.Errorf("%s %q: error %v", c.format, c.text, err)
		} else if err == nil && got.UTC().Format(time.RFC3339Nano) != c.want {
			t.Errorf("%s %q: %s, want %s", c.format, c.text, got.UTC().Format(time.RFC3339Nano), c.want)
		}
	}
}

func TestFormat(t *testing.T) {
	at := time.Date(2024, 5, 7, 9, 8, 7, 60_000_000, time.UTC)
	for _, c := range []struct{ format, want string }{
		{Default, "2024-05-07T09:08:07.060Z"},
		{"epoch_millis", "1715072887060"},
		{"epoch_second", "1715072887.06"},
		{"yyyy-MM-dd", "2024-05-07"},
		{"basic_date", "20240507"},
		{"yyyy-MM", "2024-05"},
		{"date_hour_minute", "2024-05-07T09:08"},
		{"week_date", "2024-W19-2"},
		{"MMM d, yyyy h:mm a", "May 7, 2024 9:08 AM"},
		{"dd MMMM uuuu 'at' HH", "07 May 2024 at 09"},
	} {
		if got := MustParse(c.format).Format(at); got != c.want {
			t.Errorf("%s: %q, want %q", c.format, got, c.want)
		}
	}
}

func TestMath(t *testing.T) {
	now := func() time.Time { return time.Date(2024, 5, 17, 10, 11, 12, 0, time.UTC) }
	berlin, err := ParseZone("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		up   bool
		zone *time.Location
		want string
	}{
		{"now", false, nil, "2024-05-17T10:11:12Z"},
		{"now-1d/d", false, nil, "2024-05-16T00:00:00Z"},
		{"now-1d/d", true, nil, "2024-05-16T23:59:59.999Z"},
		{"now/M+1d", false, nil, "2024-05-02T00:00:00Z"},
		{"2024-01-31||+1M", false, nil, "2024-02-29T00:00:00Z"},
		{"2024-01-31||/y", true, nil, "2024-12-31T23:59:59.999Z"},
		{"2024-05-17", true, nil, "2024-05-17T23:59:59.999999999Z"},
		{"2024-05-17", false, berlin, "2024-05-16T22:00:00Z"},
		{"now/w", false, nil, "2024-05-13T00:00:00Z"},
	} {
		got, err := MustParse(Default).Math(c.text, now, c.up, c.zone)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != c.want {
			t.Errorf("%s up=%v: %v %v, want %s", c.text, c.up, got.UTC(), err, c.want)
		}
	}
	for _, bad := range []string{"now+", "now*1d", "now+1x", "now/2d", "2024-99-01||+1d"} {
		if got, err := MustParse(Default).Math(bad, now, false, nil); err == nil {
			t.Errorf("%s: no error, but %v", bad, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("yyyy-MM-dd||epoch_millis", "2024-05-17")
	f.Add("[[yyyy]'x']", "2024x")
	f.Fuzz(func(t *testing.T, format, text string) {
		ft, err := Parse(format)
		if err != nil {
			return
		}
		if at, err := ft.ParseTime(text, nil); err == nil {
			ft.Format(at)
		}
		_, _ = ft.Math(text, time.Now, true, nil)
	})
}

// TestZones: a zone is read once, what is none stays none, and what users ask for does not fill the memory.
func TestZones(t *testing.T) {
	a, err := ParseZone("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := ParseZone("America/New_York"); err != nil || a != b {
		t.Errorf("it is read again: %p, %p, %v", a, b, err)
	}
	for range 2 {
		for _, name := range []string{"Local", "Nowhere/Town", "../UTC"} {
			if _, err := ParseZone(name); err == nil {
				t.Errorf("%s is a zone", name)
			}
		}
	}
	var c cache[int]
	for i := range 2 * maxCached {
		c.put(fmt.Sprint(i), i)
		c.put(fmt.Sprint(i), -1) // the first stays
	}
	kept := 0
	for i := range 2 * maxCached {
		if v, ok := c.get(fmt.Sprint(i)); ok {
			if kept++; v != i {
				t.Fatalf("%d is %d", i, v)
			}
		}
	}
	if kept != maxCached {
		t.Errorf("%d are kept", kept)
	}
}
