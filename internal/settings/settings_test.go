package settings

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseAndNest(t *testing.T) {
	s, err := Parse([]byte(`{"index":{"number_of_shards":3,"sort.field":["a","b"],"blocks":{"write":true}},"index.refresh_interval":"1.50","x":null}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		"index.number_of_shards": "3", "index.sort.field": []string{"a", "b"}, "index.blocks.write": "true",
		"index.refresh_interval": "1.50", "x": nil,
	}
	if !s.Equal(want) {
		t.Fatalf("%v", s)
	}
	delete(s, "x")
	s["a"], s["a.b"], s["a.c.d"], s["l.0"], s["l.1"] = "1", "2", "3", "x", "y"
	s["p.l.0"], s["p.l.1"] = "x", "y"
	b, _ := json.Marshal(s.Nested())
	const nested = `{"a":"1","a.b":"2","a.c":{"d":"3"},"index":{"blocks":{"write":"true"},"number_of_shards":"3","refresh_interval":"1.50","sort":{"field":["a","b"]}},"l":["x","y"],"p":{"l":["x","y"]}}`
	if string(b) != nested {
		t.Fatalf("%s", b)
	}
	var again Settings
	flat, _ := json.Marshal(want)
	if err := json.Unmarshal(flat, &again); err != nil || !again.Equal(want) {
		t.Fatalf("%v %v", again, err)
	}
	for _, bad := range []string{`[]`, `{"a":[{}]}`, `{"a":1} {}`, `{"a"`, strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestFromMapApplyGroups(t *testing.T) {
	s, err := FromMap(map[string]any{"a": map[string]any{"b": 1.5, "c": []any{1, "x"}}, "d": int64(1) << 60})
	if err != nil || !s.Equal(Settings{"a.b": "1.5", "a.c": []string{"1", "x"}, "d": "1152921504606846976"}) {
		t.Fatalf("%v %v", s, err)
	}
	got := s.Apply(Settings{"a.*": nil, "e": "f"})
	if !got.Equal(Settings{"d": "1152921504606846976", "e": "f"}) || len(s) != 3 {
		t.Fatalf("%v", got)
	}
	g := Settings{"an.x.type": "t", "an.x.y.z": "1", "an.q": "2", "other": "3"}.Groups("an.")
	if !reflect.DeepEqual(g, map[string]Settings{"x": {"type": "t", "y.z": "1"}}) {
		t.Fatalf("%v", g)
	}
	if p := (Settings{"a": "1", "index.b": "2", "c*": nil}).WithPrefix("index."); !p.Equal(Settings{"index.a": "1", "index.b": "2", "c*": nil}) {
		t.Fatalf("%v", p)
	}
}

// The texts below are those of OpenSearch 2.19.
func TestValues(t *testing.T) {
	for v, want := range map[string]time.Duration{"30s": 30 * time.Second, "-1": -time.Millisecond, "0": 0, "5 s": 5 * time.Second, "10nanos": 10, "7d": 168 * time.Hour, "1m": time.Minute} {
		if d, err := ParseDuration(v, "k"); err != nil || d != want {
			t.Errorf("%s: %v %v", v, d, err)
		}
	}
	for v, want := range map[string]string{
		"3":    "failed to parse setting [k] with value [3] as a time value: unit is missing or unrecognized",
		"1.5h": "failed to parse [1.5h], fractional time values are not supported",
		"-5s":  "failed to parse setting [k] with value [-5s] as a time value: negative durations are not supported",
	} {
		if _, err := ParseDuration(v, "k"); err == nil || err.Error() != want {
			t.Errorf("%s: %v", v, err)
		}
	}
	for d, want := range map[time.Duration]string{90 * time.Second: "1.5m", 1500 * time.Millisecond: "1.5s", 61 * time.Minute: "1h", 36 * time.Hour: "1.5d", 0: "0s", 999: "999nanos", -time.Millisecond: "-1"} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
	for v, want := range map[string]int64{"1gb": 1 << 30, "1k": 1 << 10, "5b": 5, "-1": -1, "-1b": -1, "0": 0, "2 PB": 2 << 50} {
		if n, err := ParseBytes(v, "k"); err != nil || n != want {
			t.Errorf("%s: %v %v", v, n, err)
		}
	}
	for v, want := range map[string]string{
		"x":                "failed to parse setting [k] with value [x] as a size in bytes: unit is missing or unrecognized",
		"xgb":              "failed to parse [xgb]",
		"1.5gb":            "Failed to parse bytes value [1.5gb]. Fractional bytes values have been deprecated since Legacy 6.2. Use non-fractional bytes values instead: found for setting [k]",
		"99999999999999gb": "failed to parse setting [k] with value [99999999999999gb] as a size in bytes",
	} {
		if _, err := ParseBytes(v, "k"); err == nil || err.Error() != want {
			t.Errorf("%s: %v", v, err)
		}
	}
	for n, want := range map[int64]string{0: "0b", 1023: "1023b", 1024: "1kb", 1536: "1.5kb", 5 << 30: "5gb", 1<<30 - 1: "1023.9mb"} {
		if got := FormatBytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestValidate(t *testing.T) {
	ok := Settings{
		"index.number_of_shards": "3", "index.analysis.analyzer.a.type": "custom", "index.routing.allocation.require.zone": "a",
		"index.sort.field": []string{"a"}, "index.refresh_interval": "-1", "index.codec": "best_compression", "index.auto_expand_replicas": "0-all",
		"index.write.wait_for_active_shards": "all", "index.translog.durability": "ASYNC",
	}
	if err := Index.Validate(ok); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ value, want string }{
		"index.number_of_shard":        {"1", "unknown setting [index.number_of_shard] did you mean [index.number_of_shards]?"},
		"index.nothing_like_it":        {"1", "unknown setting [index.nothing_like_it] please check that any required plugins are installed, or check the breaking changes documentation for removed settings"},
		"index.number_of_shards":       {"0", "Failed to parse value [0] for setting [index.number_of_shards] must be >= 1"},
		"index.number_of_replicas":     {"x", "Failed to parse value [x] for setting [index.number_of_replicas]"},
		"index.blocks.write":           {"yes", "Failed to parse value [yes] as only [true] or [false] are allowed."},
		"index.translog.durability":    {"never", "No enum constant org.opensearch.index.translog.Translog.Durability.NEVER"},
		"index.translog.sync_interval": {"1ms", "failed to parse value [1ms] for setting [index.translog.sync_interval], must be >= [100ms]"},
	} {
		if err := Index.Validate(Settings{name: c.value}); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"cluster.name":    "persistent setting [cluster.name], not dynamically updateable",
		"no.such.setting": "persistent setting [no.such.setting], not recognized",
	} {
		if err := Cluster.ValidateUpdate(Settings{name: "x"}, "persistent", true); err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Cluster.ValidateUpdate(Settings{"cluster.routing.allocation.enable": nil, "logger.org.x": "debug", "cluster.*": nil}, "transient", true); err != nil {
		t.Fatal(err)
	}
	if !Index.IsPrivate("index.uuid") || Index.IsPrivate("index.hidden") {
		t.Fatal("private settings")
	}
	if d := Index.Defaults(ok); d["index.number_of_replicas"] != "1" || d["index.number_of_shards"] != nil {
		t.Fatalf("defaults %v", d)
	}
}

func TestSecretsAndMatch(t *testing.T) {
	for name, secret := range map[string]bool{"s3.client.default.secret_key": true, "access_key": true, "location": false, "server_side_encryption": false} {
		if IsSecret(name) != secret {
			t.Errorf("%s", name)
		}
	}
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{{"*", "", true}, {"a*b*c", "axxbyyc", true}, {"a*b*c", "axxbyy", false}, {"a*a", "a", false}, {"ab", "ab", true}, {"*x*", "x", true}, {"", "", true}} {
		if Match(c.pattern, c.text) != c.want {
			t.Errorf("%+v", c)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,"x"]},"c.0":"1","c":true}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err != nil {
			return
		}
		if _, err := json.Marshal(s.Nested()); err != nil {
			t.Fatal(err)
		}
		_ = Index.Validate(s)
	})
}
