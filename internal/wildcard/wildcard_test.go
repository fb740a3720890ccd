package wildcard

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func table() *Lookup {
	no, yes := false, true
	return NewLookup([]*Index{
		{Name: "logs-1", Aliases: []Alias{{Name: "logs"}, {Name: "one"}}},
		{Name: "logs-2", Aliases: []Alias{{Name: "logs", IsWriteIndex: &yes}, {Name: "none", IsWriteIndex: &no}}},
		{Name: "logs-3", Closed: true, Aliases: []Alias{{Name: "shut"}}},
		{Name: "products"},
		{Name: ".hidden", Hidden: true},
		{Name: "secret", Hidden: true, Aliases: []Alias{{Name: "hid", Hidden: true}}},
	})
}

func TestIndices(t *testing.T) {
	l := table()
	forbid := StrictExpandOpenForbidClosed
	noNone := Options{ExpandOpen: true}
	deleting := Options{AllowNoIndices: true, ExpandOpen: true, ExpandClosed: true, IgnoreAliases: true}
	for _, c := range []struct {
		o    Options
		expr string
		want string // names, or ! and the error's text
	}{
		{StrictExpandOpen, "", "logs-1,logs-2,products"},
		{StrictExpandOpen, "_all", "logs-1,logs-2,products"},
		{StrictExpandOpen, "*", "logs-1,logs-2,products"},
		{StrictExpandOpenClosed, "*", "logs-1,logs-2,logs-3,products"},
		{LenientExpandHidden, "*", ".hidden,logs-1,logs-2,logs-3,products,secret"},
		{StrictExpandOpen, "logs-*", "logs-1,logs-2"},
		{StrictExpandOpen, "logs*,-logs-1", "logs-2"},
		{StrictExpandOpen, "*,-logs*", "products"},
		{StrictExpandOpen, "-logs-1", "!no such index [-logs-1]"},
		{StrictExpandOpen, "logs", "logs-1,logs-2"},
		{StrictExpandOpen, "lo*s", "logs-1,logs-2"},
		{StrictExpandOpen, "nothing*", ""},
		{noNone, "nothing*", "!no such index [nothing*]"},
		{StrictExpandOpen, "nothing", "!no such index [nothing]"},
		{LenientExpandOpen, "nothing", ""},
		{LenientExpandOpen, "nothing,products", "products"},
		{StrictExpandOpen, "nothing,products", "!no such index [nothing]"},
		{StrictExpandOpen, "_search", "!Invalid index name [_search], must not start with '_'."},
		{StrictExpandOpen, ".h*", ".hidden"},
		{StrictExpandOpen, "h*", ""},
		{StrictExpandOpen, "hid", "secret"},
		{forbid, "logs-3", "!closed"},
		{forbid, "shut", "!closed"},
		{Options{AllowNoIndices: true, IgnoreUnavailable: true, ForbidClosed: true, ExpandOpen: true}, "logs-3,products", "products"},
		{StrictExpandOpen, "logs-3", "logs-3"},
		{deleting, "logs", "!The provided expression [logs] matches an alias, specify the corresponding concrete indices instead."},
		{deleting, "log*", "logs-1,logs-2,logs-3"},
		{SingleIndex, "logs", "!alias [logs] has more than one index associated with it [logs-1, logs-2], can't execute a single index op"},
		{SingleIndex, "one", "logs-1"},
		{SingleIndex, "x", "!no such index [x]"},
	} {
		wantIndices(t, l, c.o, c.expr, c.want)
	}
	var nf *NotFoundError
	if _, err := NewLookup(nil).Indices(Options{ExpandOpen: true}); !errors.As(err, &nf) || err.Error() != "no such index [null] and no indices exist" {
		t.Fatal(err)
	}
}

// wantIndices compares what expressions choose, or "!" and the error, with what is wanted.
func wantIndices(t *testing.T, l *Lookup, o Options, expr, want string) {
	t.Helper()
	got, err := l.Indices(o, Split(expr)...)
	text := strings.Join(got, ",")
	if err != nil {
		text = "!" + err.Error()
	}
	if text != want {
		t.Errorf("%+v %q: %s, want %s", o, expr, text, want)
	}
}

func TestWriteIndexAndNames(t *testing.T) {
	l := table()
	for name, want := range map[string]string{"logs": "logs-2", "one": "logs-1", "products": "products"} {
		if got, err := l.WriteIndex(SingleIndex, name); err != nil || got != want {
			t.Errorf("%s: %s %v", name, got, err)
		}
	}
	if _, err := l.WriteIndex(SingleIndex, "none"); err == nil || !strings.HasPrefix(err.Error(), "no write index is defined for alias [none].") {
		t.Error(err)
	}
	if !l.HasAlias("logs") || l.HasIndex("logs") || !l.HasIndex("logs-1") {
		t.Error("names")
	}
	if got, _ := l.Expressions(StrictExpandOpen, "l*"); !reflect.DeepEqual(got, []string{"logs", "logs-1", "logs-2"}) {
		t.Error(got)
	}
	if got := MatchNames([]string{"a1", "a2", "b"}, "a*", "-a1", "b"); !reflect.DeepEqual(got, []string{"a2", "b"}) {
		t.Error(got)
	}
	o, err := StrictExpandOpen.WithExpandWildcards("open,closed")
	if err != nil || !o.ExpandClosed || o.ExpandHidden {
		t.Error(o, err)
	}
	if _, err := o.WithExpandWildcards("x"); err == nil {
		t.Error("x was accepted")
	}
}

func TestDateMath(t *testing.T) {
	now := time.Date(2024, 3, 31, 22, 45, 1, 0, time.UTC)
	for expr, want := range map[string]string{
		"logs":                              "logs",
		"<logs-{now/d}>":                    "logs-2024.03.31",
		"<logs-{now/M{uuuu.MM}}>":           "logs-2024.03",
		"<logs-{now-1M{yyyy-MM-dd}}>":       "logs-2024-02-29",
		"<logs-{now/d{uuuu.MM.dd|+02:00}}>": "logs-2024.04.01",
		`<a\{b\}-{now+1d}>`:                 "a{b}-2024.04.01",
		"<w-{now/w}>":                       "w-2024.03.25",
		"<h-{now/h{HH.mm}}>":                "h-22.00",
	} {
		if got, err := DateMath(expr, now); err != nil || got != want {
			t.Errorf("%s: %s %v", expr, got, err)
		}
	}
	for _, bad := range []string{"<a-{now>", "<a-{now*2d}>", "<a-{now{}}>", "<a}>", "<a-{now{EEEE}}>"} {
		if got, err := DateMath(bad, now); err == nil {
			t.Errorf("%s: %s", bad, got)
		}
	}
}

func FuzzDateMath(f *testing.F) {
	f.Add("<logs-{now/d-1M{uuuu.MM|+02:00}}>")
	f.Fuzz(func(t *testing.T, s string) { _, _ = DateMath(s, time.Unix(0, 0)) })
}

func FuzzIndices(f *testing.F) {
	f.Add("logs*,-logs-1")
	l := table()
	f.Fuzz(func(t *testing.T, s string) { _, _ = l.Indices(StrictExpandOpen, Split(s)...) })
}
