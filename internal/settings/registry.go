package settings

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Setting describes a setting that exists.
type Setting struct {
	Key     string // with * for the part that is free, or a prefix that ends with a dot
	Type    string // string, bool, int, long, double, bytes, memory, time, enum, and a few of their own
	List    bool
	Prefix  bool // Key is a prefix: analysis, allocation filters
	Min     string
	Max     string
	Default string
	Values  []string // of an enum, in lower case

	Dynamic  bool // may be changed while the index is open, or the node runs
	Final    bool // may never be changed
	Private  bool // the server sets it, not the user
	Internal bool // only a dedicated API sets it
	// UnmodifiableOnRestore settings may not be given in a restore request.
	UnmodifiableOnRestore bool

	enumError string
}

// Registry is a set of settings. It does not change once it is made, except by Register.
type Registry struct {
	name     string
	exact    map[string]*Setting
	patterns []*Setting
	private  []string // keys that a user may not set and that no setting stands for
}

//go:embed registry.tsv
var registryTable string

// Index holds the index-scoped settings, Cluster those of the node and the cluster, of OpenSearch
// 2.19 without plugins.
var (
	Index = newRegistry("index", []string{
		"index.creation_date", "index.uuid", "index.history.uuid", "index.version.upgraded", "index.provided_name",
		"index.merge.enabled", "index.shrink.source.uuid", "index.shrink.source.name", "index.resize.source.uuid",
		"index.resize.source.name", "index.routing.allocation.initial_recovery.*",
		"index.plugins.replication.translog.retention_lease.pruning.enabled",
	})
	Cluster = newRegistry("cluster", nil)
)

func newRegistry(scope string, private []string) *Registry {
	r := &Registry{name: scope, exact: map[string]*Setting{}, private: private}
	for line := range strings.Lines(registryTable) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 10 || f[0] != scope {
			continue
		}
		s := Setting{
			Key: f[2], Type: f[4], Min: f[5], Max: f[6], Default: f[7], enumError: f[9],
			List: f[1] == "list", Prefix: strings.HasSuffix(f[2], "."),
			Dynamic: strings.Contains(f[3], "D"), Final: strings.Contains(f[3], "F"), Private: strings.Contains(f[3], "P"),
			Internal: strings.Contains(f[3], "I"), UnmodifiableOnRestore: strings.Contains(f[3], "U"),
		}
		if f[8] != "" {
			s.Values = strings.Split(f[8], ",")
		}
		r.Register(s)
	}
	return r
}

// Register adds a setting of our own. It is for program start: it must not run beside anything else.
func (r *Registry) Register(s Setting) {
	if s.Prefix || strings.Contains(s.Key, "*") {
		r.patterns = append(r.patterns, &s)
		return
	}
	r.exact[s.Key] = &s
}

// Lookup returns the setting that name belongs to, or nil.
func (r *Registry) Lookup(name string) *Setting {
	if s := r.exact[name]; s != nil {
		return s
	}
	base := name
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			base = name[:i] // a list given element by element: "a.b.0"
		}
	}
	if s := r.exact[base]; s != nil && s.List {
		return s
	}
	for _, s := range r.patterns {
		if s.Prefix && len(name) > len(s.Key) && strings.HasPrefix(name, s.Key) || !s.Prefix && Match(s.Key, name) {
			return s
		}
	}
	return nil
}

// IsPrivate tells whether only the server may set name.
func (r *Registry) IsPrivate(name string) bool {
	if slices.ContainsFunc(r.private, func(p string) bool { return Match(p, name) }) {
		return true
	}
	s := r.Lookup(name)
	return s != nil && s.Private
}

// Defaults returns the defaults of all settings that have one and that s does not hold.
func (r *Registry) Defaults(s Settings) Settings {
	d := Settings{}
	for key, setting := range r.exact {
		if _, set := s[key]; set || setting.Private {
			continue
		}
		if setting.List {
			d[key] = splitList(setting.Default)
			if d[key] == nil || len(d[key].([]string)) == 0 {
				d[key] = []string{}
			}
			continue
		}
		d[key] = setting.Default
	}
	return d
}

// Validate checks what a user gives for a new index or node: each setting must be known and hold a
// valid value. The first failure in the order of names is returned, with OpenSearch's text.
func (r *Registry) Validate(s Settings) error {
	for _, name := range s.Keys() {
		if strings.HasSuffix(name, "*") && s[name] == nil {
			continue
		}
		setting := r.Lookup(name)
		if setting == nil {
			return r.unknown(name)
		}
		if err := setting.check(name, s[name]); err != nil {
			return err
		}
	}
	return nil
}

// ValidateUpdate checks a change of the settings of what already exists. kind is OpenSearch's word
// for it in the texts: "transient", "persistent", or an index's name in brackets.
func (r *Registry) ValidateUpdate(update Settings, kind string, onlyDynamic bool) error {
	for _, name := range update.Keys() {
		v := update[name]
		if v == nil && strings.HasSuffix(name, "*") {
			continue
		}
		s := r.Lookup(name)
		switch {
		case s == nil && v == nil && strings.HasPrefix(name, archivedPrefix):
		case s == nil:
			return fmt.Errorf("%s setting [%s], not recognized", kind, name)
		case s.Final:
			return fmt.Errorf("final %s setting [%s], not updateable", kind, name)
		case onlyDynamic && !s.Dynamic:
			return fmt.Errorf("%s setting [%s], not dynamically updateable", kind, name)
		case s.Internal:
			return fmt.Errorf("can not update internal setting [%s]; this setting is managed via a dedicated API", name)
		case s.Private:
			return fmt.Errorf("can not update private setting [%s]; this setting is managed by OpenSearch", name)
		default:
			if err := s.check(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// unknown returns the error for a setting that does not exist, with names that look alike.
func (r *Registry) unknown(name string) error {
	type scored struct {
		key   string
		score float64
	}
	var near []scored
	for key := range r.exact {
		if d := similarity(name, key); d > 0.7 {
			near = append(near, scored{key, d})
		}
	}
	for _, s := range r.patterns {
		if d := similarity(name, s.Key); d > 0.7 {
			near = append(near, scored{s.Key, d})
		}
	}
	sort.Slice(near, func(i, j int) bool {
		if near[i].score != near[j].score {
			return near[i].score > near[j].score
		}
		return near[i].key < near[j].key
	})
	switch len(near) {
	case 0:
		return fmt.Errorf("unknown setting [%s] please check that any required plugins are installed, or check the breaking changes documentation for removed settings", name)
	case 1:
		return fmt.Errorf("unknown setting [%s] did you mean [%s]?", name, near[0].key)
	}
	keys := make([]string, len(near))
	for i := range near {
		keys[i] = near[i].key
	}
	return fmt.Errorf("unknown setting [%s] did you mean any of [%s]?", name, strings.Join(keys, ", "))
}

// similarity is 1 minus the Levenshtein distance in proportion to the longer text.
func similarity(a, b string) float64 {
	ra, rb := []rune(a), []rune(b)
	longer := max(len(ra), len(rb))
	if longer == 0 {
		return 1
	}
	if longer > 1000 || float64(min(len(ra), len(rb))) < 0.7*float64(longer) {
		return 0
	}
	row := make([]int, len(rb)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range ra {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range rb {
			cost := diagonal
			if x != y {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return 1 - float64(row[len(rb)])/float64(longer)
}

// check verifies one value. nil, which asks for the default, is always valid.
func (s *Setting) check(name string, value any) error {
	if value == nil || s.Prefix {
		return nil
	}
	if _, isList := value.([]string); isList && s.List {
		return nil
	}
	v, _ := Settings{name: value}.Get(name)
	switch s.Type {
	case "bool":
		_, err := ParseBool(v)
		return err
	case "int", "long":
		bits := 32
		if s.Type == "long" {
			bits = 64
		}
		n, err := strconv.ParseInt(v, 10, bits)
		if err != nil {
			return parseError(v, name)
		}
		return s.checkBounds(name, v, float64(n), func(b string) (float64, error) { return strconv.ParseFloat(b, 64) }, false)
	case "double":
		n, err := strconv.ParseFloat(v, 64)
		if err != nil || math.IsNaN(n) {
			return parseError(v, name)
		}
		return s.checkBounds(name, v, n, func(b string) (float64, error) { return strconv.ParseFloat(b, 64) }, false)
	case "bytes":
		n, err := ParseBytes(v, name)
		if err != nil {
			return err
		}
		return s.checkBounds(name, v, float64(n), func(b string) (float64, error) { n, err := ParseBytes(b, name); return float64(n), err }, true)
	case "time":
		n, err := ParseDuration(v, name)
		if err != nil {
			return err
		}
		return s.checkBounds(name, v, float64(n), func(b string) (float64, error) { n, err := ParseDuration(b, name); return float64(n), err }, true)
	case "memory":
		if strings.HasSuffix(v, "%") {
			return checkPercent(v, name)
		}
		_, err := ParseBytes(v, name)
		return err
	case "watermark":
		if strings.HasSuffix(v, "%") {
			return checkPercent(v, name)
		}
		if f, err := strconv.ParseFloat(v, 64); err == nil && f >= 0 && f <= 1 {
			return nil
		}
		_, err := ParseBytes(v, name)
		return err
	case "enum":
		if slices.Contains(s.Values, strings.ToLower(v)) {
			return nil
		}
		if s.enumError == "" {
			return parseError(v, name)
		}
		return fmt.Errorf("%s", strings.NewReplacer("%s", v, "%S", strings.ToUpper(v)).Replace(s.enumError))
	case "expand":
		return checkExpand(v)
	case "active":
		return checkActive(v)
	case "compound":
		return checkCompound(v)
	}
	return nil
}

func (s *Setting) checkBounds(name, v string, n float64, parse func(string) (float64, error), bracketed bool) error {
	for _, b := range []struct {
		bound, op string
		outside   func(n, b float64) bool
	}{
		{s.Min, ">=", func(n, b float64) bool { return n < b }},
		{s.Max, "<=", func(n, b float64) bool { return n > b }},
	} {
		if b.bound == "" {
			continue
		}
		limit, err := parse(b.bound)
		if err != nil || !b.outside(n, limit) {
			continue
		}
		if bracketed {
			return fmt.Errorf("failed to parse value [%s] for setting [%s], must be %s [%s]", v, name, b.op, b.bound)
		}
		return fmt.Errorf("Failed to parse value [%s] for setting [%s] must be %s %s", v, name, b.op, b.bound) //nolint:staticcheck // OpenSearch's text
	}
	return nil
}

func checkPercent(v, name string) error {
	n, err := strconv.ParseFloat(strings.TrimSuffix(v, "%"), 64)
	if err != nil {
		return fmt.Errorf("failed to parse [%s] as a double", strings.TrimSuffix(v, "%"))
	}
	if n < 0 || n > 100 {
		return fmt.Errorf("percentage should be in [0-100], got [%s] for setting [%s]", v, name)
	}
	return nil
}

// checkActive verifies a number of active shard copies to wait for: "all" or a number.
func checkActive(v string) error {
	if v == "all" {
		return nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil {
		return fmt.Errorf("cannot parse ActiveShardCount[%s]", v)
	}
	if n < 0 {
		return fmt.Errorf("shard count cannot be a negative value")
	}
	return nil
}

// checkCompound verifies index.compound_format: a boolean, or the share of the index up to which a
// merged segment becomes a compound file.
func checkCompound(v string) error {
	if v == "true" || v == "false" {
		return nil
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return fmt.Errorf("Expected a boolean or a value in the interval [0..1] but was: [%s]", v) //nolint:staticcheck // OpenSearch's text
	}
	if n < 0 || n > 1 || math.IsNaN(n) {
		return fmt.Errorf("NoCFSRatio must be in the interval [0..1] but was: [%s]", v) //nolint:staticcheck // OpenSearch's text
	}
	return nil
}

// checkExpand verifies index.auto_expand_replicas: false, or "0-5", or "0-all".
func checkExpand(v string) error {
	if v == "false" {
		return nil
	}
	lo, hi, ok := strings.Cut(v, "-")
	if !ok {
		return fmt.Errorf("failed to parse [index.auto_expand_replicas] from value: [%s] at index -1", v)
	}
	from, err := strconv.Atoi(lo)
	if err != nil {
		return fmt.Errorf("failed to parse [index.auto_expand_replicas] from value: [%s] at index %d", v, len(lo))
	}
	if hi == "all" {
		return nil
	}
	to, err := strconv.Atoi(hi)
	if err != nil {
		return fmt.Errorf("failed to parse [index.auto_expand_replicas] from value: [%s] at index %d", v, len(lo))
	}
	if from > to {
		return fmt.Errorf("[index.auto_expand_replicas] minReplicas must be =< maxReplicas but wasn't %d > %d", from, to)
	}
	return nil
}
