package snapshot

import (
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
)

func logsStream() *state.DataStream {
	return &state.DataStream{Name: "logs", TimestampField: "@timestamp", Generation: 3, Indices: []state.StreamIndex{
		{Name: ".ds-logs-000001", UUID: "u1"}, {Name: ".ds-logs-000002", UUID: "u2"}, {Name: ".ds-logs-000003", UUID: "u3"}}}
}

// TestStreamsMetadata writes data streams as a snapshot holds them and reads them again, also what is damaged.
func TestStreamsMetadata(t *testing.T) {
	g := repository.EmptyGlobalMetadata()
	g.Set(streamsKey, streamsObject([]*state.DataStream{logsStream()}))
	raw, err := smile.AppendJSON(nil, member(g, streamsKey))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"data_stream":{"logs":{"name":"logs","timestamp_field":{"name":"@timestamp"},"indices":[{"index_name":".ds-logs-000001","index_uuid":"u1"},` +
		`{"index_name":".ds-logs-000002","index_uuid":"u2"},{"index_name":".ds-logs-000003","index_uuid":"u3"}],"generation":3}}}`
	if string(raw) != want {
		t.Errorf("written as %s", raw)
	}
	got, err := parseStreams(g)
	if err != nil || len(got) != 1 || got[0].Generation != 3 || !slices.Equal(got[0].Indices, logsStream().Indices) {
		t.Errorf("read as %+v, %v", got, err)
	}
	for text, ok := range map[string]bool{
		`{}`: true, `{"data_stream":5}`: true, `{"data_stream":{"data_stream":{}}}`: true,
		`{"data_stream":{"data_stream":{"a":5}}}`:                                                                                                   false,
		`{"data_stream":{"data_stream":{"a":{"timestamp_field":{"name":"t"},"generation":1,"indices":[]}}}}`:                                        false,
		`{"data_stream":{"data_stream":{"a":{"timestamp_field":{"name":"t"},"generation":1,"indices":[5]}}}}`:                                       false,
		`{"data_stream":{"data_stream":{"a":{"timestamp_field":"t","generation":1,"indices":[{"index_name":"i"}]}}}}`:                               false,
		`{"data_stream":{"data_stream":{"a":{"timestamp_field":{"name":"t"},"generation":-1,"indices":[{"index_name":"i"}]}}}}`:                     false,
		`{"data_stream":{"data_stream":{"a":{"timestamp_field":{"name":"t"},"generation":2,"hidden":false,"indices":[{"index_name":".ds-a-1"}]}}}}`: true,
	} {
		v, err := smile.ParseJSON([]byte(text), smile.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseStreams(v.(*smile.Object)); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestReduced leaves indices of a data stream out, as when it was rolled over while a snapshot was taken.
func TestReduced(t *testing.T) {
	s := logsStream()
	c := reduced(s, func(ix state.StreamIndex) bool { return ix.UUID != "u3" })
	if c.Generation != 2 || c.WriteIndex() != ".ds-logs-000002" || len(s.Indices) != 3 {
		t.Errorf("%+v of %+v", c, s)
	}
	if c = reduced(s, func(ix state.StreamIndex) bool { return ix.UUID == "u3" }); c.Generation != 3 || len(c.Indices) != 1 {
		t.Errorf("%+v", c)
	}
	if c = reduced(s, func(state.StreamIndex) bool { return false }); c != nil {
		t.Errorf("%+v", c)
	}
}

// TestChooseStreams asks for data streams, the indices behind them, and others, as a restore does.
func TestChooseStreams(t *testing.T) {
	g := repository.EmptyGlobalMetadata()
	other := &state.DataStream{Name: "logbook", TimestampField: "t", Generation: 1, Indices: []state.StreamIndex{{Name: ".ds-logbook-000001", UUID: "b1"}}}
	g.Set(streamsKey, streamsObject([]*state.DataStream{logsStream(), other}))
	for asked, want := range map[string]string{
		"":                      ".ds-logbook-000001 .ds-logs-000001 .ds-logs-000002 .ds-logs-000003 plain; logbook logs",
		"*":                     ".ds-logbook-000001 .ds-logs-000001 .ds-logs-000002 .ds-logs-000003 plain; logbook logs",
		"logs":                  ".ds-logs-000001 .ds-logs-000002 .ds-logs-000003; logs",
		"log*":                  ".ds-logbook-000001 .ds-logs-000001 .ds-logs-000002 .ds-logs-000003; logbook logs",
		"plain,logbook":         ".ds-logbook-000001 plain; logbook",
		"plain":                 "plain;",
		".ds-logs-000002":       ".ds-logs-000002;",
		"logs,-.ds-logs-000001": ".ds-logs-000002 .ds-logs-000003; logs",
		"*,-logs":               "no such index [logs]", // as a real node: what is excluded is an index
		"*,-logs,-.ds-logs-*":   "no such index [logs]",
		"nope":                  "no such index [nope]",
		"logs,nope":             "no such index [nope]",
	} {
		p := planFor(RestoreRequest{Snapshot: "s"})
		if asked != "" {
			p.req.Indices = strings.Split(asked, ",")
		}
		p.info = &repository.SnapshotInfo{Indices: []string{".ds-logbook-000001", ".ds-logs-000001", ".ds-logs-000002", ".ds-logs-000003", "plain"}, DataStreams: []string{"logbook", "logs"}}
		got := ""
		err := p.chooseStreams(func() (smileObject, error) { return g, nil })
		var names []string
		if err == nil {
			names, err = p.choose()
		}
		var streams []string
		for _, s := range p.streams {
			streams = append(streams, s.Name)
		}
		if got = strings.TrimSpace(strings.Join(names, " ") + "; " + strings.Join(streams, " ")); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || err == nil && got != want {
			t.Errorf("%q: %s, want %s", asked, got, want)
		}
	}
	p := planFor(RestoreRequest{RenamePattern: "(.+)", RenameReplacement: "r-$1"})
	p.streams = []*state.DataStream{logsStream()}
	for from, want := range map[string]string{".ds-logs-000001": ".ds-r-logs-000001", ".ds-else-000001": "r-.ds-else-000001", "plain": "r-plain"} {
		if got, err := p.rename(from); err != nil || got != want {
			t.Errorf("%s becomes %s, %v", from, got, err)
		}
	}
}
