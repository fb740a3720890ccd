package wildcard

import (
	"errors"
	"strings"
	"testing"
)

func streams() *Lookup {
	return NewLookup([]*Index{
		{Name: ".ds-logs-000001", Hidden: true, Closed: true},
		{Name: ".ds-logs-000002", Hidden: true, Aliases: []Alias{{Name: "al"}}},
		{Name: ".ds-logs-000003", Hidden: true},
		{Name: "logbook"},
		{Name: "secret", Hidden: true},
	}, Stream{Name: "logs", Indices: []string{".ds-logs-000001", ".ds-logs-000002", ".ds-logs-000003", "gone"}})
}

func TestStreams(t *testing.T) {
	l := streams()
	with, without := StrictExpandOpen, StrictExpandOpen.WithoutStreams()
	hidden := LenientExpandHidden
	for _, c := range []struct {
		o          Options
		expr, want string
	}{
		{with, "", ".ds-logs-000002,.ds-logs-000003,logbook"},
		{with, "*", ".ds-logs-000002,.ds-logs-000003,logbook"},
		{without, "*", "logbook"},
		{with, "logs", ".ds-logs-000001,.ds-logs-000002,.ds-logs-000003"},
		{StrictExpandOpenForbidClosed, "logs", "!closed"},
		{with, "log*", ".ds-logs-000002,.ds-logs-000003,logbook"},
		{without, "log*", "logbook"},
		{with, "log*,-logs", ".ds-logs-000002,.ds-logs-000003,logbook"},
		{with, "log*,-.ds-logs-000003", ".ds-logs-000002,logbook"},
		{without, "logs", "!no such index [logs]"},
		{without, ".ds-*", ".ds-logs-000002,.ds-logs-000003"},
		{hidden, "*", ".ds-logs-000001,.ds-logs-000002,.ds-logs-000003,logbook,secret"},
		{SingleIndex.WithoutStreams(), "logs", "!no such index [null]"},
		{SingleIndex, "logs", "!data_stream [logs] has more than one index associated with it [.ds-logs-000001, .ds-logs-000002, .ds-logs-000003], can't execute a single index op"},
	} {
		wantIndices(t, l, c.o, c.expr, c.want)
	}
	var nf *NotFoundError
	if _, err := l.Indices(SingleIndex.WithoutStreams(), "logs"); !errors.As(err, &nf) || !nf.ExcludedStream {
		t.Errorf("a data stream where none may be: %v", err)
	}
	if got, err := l.WriteIndex(SingleIndex, "logs"); err != nil || got != ".ds-logs-000003" {
		t.Errorf("write index: %s %v", got, err)
	}
	for expr, want := range map[string]string{"": "logs", "*": "logs", "l*": "logs", "logs": "logs", "logbook": "", ".ds-*": "", "nope*": ""} {
		if got, err := l.Streams(with, Split(expr)...); err != nil || strings.Join(got, ",") != want {
			t.Errorf("streams of %q: %v %v", expr, got, err)
		}
	}
	for expr, want := range map[string]string{"*": "al,logbook,logs", "logs,nope": "logs", "*,-logs": "al,logbook", ".ds-*3": ".ds-logs-000003"} {
		if got, err := l.Abstractions(with, Split(expr)); err != nil || strings.Join(got, ",") != want {
			t.Errorf("abstractions of %q: %v %v", expr, got, err)
		}
	}
	if !l.HasStream("logs") || l.HasIndex("logs") || l.HasAlias("logs") || l.StreamOf(".ds-logs-000001") != "logs" || l.StreamOf("logbook") != "" || l.StreamWriteIndex("al") != "" {
		t.Error("names")
	}
}
