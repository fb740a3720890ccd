package migrate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
)

// silentSettings mean nothing outside of the cluster they come from.
var silentSettings = []string{"index.version.*", "index.legacy.*", "index.shrink.*", "index.resize.*", "index.mapping.single_type", "index.verified_before_close",
	"index.soft_deletes.*", "index.history.uuid", "index.routing.allocation.initial_recovery.*", "index.merge.policy.reclaim_deletes_weight"}

// settings translates the settings of an index.
func (t *translator) settings(old settings.Settings) *smile.Object {
	s := foldLists(old)
	t.analysis(s)
	t.similarities(s)
	for _, k := range s.Keys() {
		if slices.ContainsFunc(silentSettings, func(p string) bool { return settings.Match(p, k) }) {
			delete(s, k)
			continue
		}
		known := settings.Index.Lookup(k)
		if k == "index.mapper.dynamic" { // which is known, and refused for indices of 7.0 and later
			known = nil
		}
		if known == nil && !settings.Index.IsPrivate(k) {
			t.lost("settings that are not supported any more were dropped", k)
			delete(s, k)
		} else if err := settings.Index.Validate(settings.Settings{k: s[k]}); err != nil && known != nil && !known.Private && !settings.Index.IsPrivate(k) {
			t.lost("settings with values that are not understood any more were dropped", k)
			delete(s, k)
		}
	}
	s["index.version.created"] = strconv.FormatInt(repository.WriteVersion.ID(), 10)
	return object(s)
}

// foldLists makes lists of what Elasticsearch 5 wrote element by element: a.0, a.1, …
func foldLists(s settings.Settings) settings.Settings {
	out := s.Clone()
	for k := range s {
		base, ok := strings.CutSuffix(k, ".0")
		if _, single := s[base]; !ok || single {
			continue
		}
		var list []string
		for i := 0; ; i++ {
			name := base + "." + strconv.Itoa(i)
			v, ok := s[name].(string)
			if !ok {
				break
			}
			list = append(list, v)
			delete(out, name)
		}
		out[base] = list
	}
	return out
}

const analysisPrefix = "index.analysis."

// renamedAnalysis are parts of analysis by their old names.
var renamedAnalysis = map[string]string{"delimited_payload_filter": "delimited_payload", "nGram": "ngram", "edgeNGram": "edge_ngram", "PathHierarchy": "path_hierarchy",
	"pathHierarchy": "path_hierarchy", "htmlStrip": "html_strip"}

func newName(name string) string {
	if n, ok := renamedAnalysis[name]; ok {
		return n
	}
	return name
}

// analysis renames and drops what analyzers are made of.
func (t *translator) analysis(s settings.Settings) {
	gone := map[string]bool{}
	if _, own := s[analysisPrefix+"filter.standard.type"]; !own {
		gone["standard"] = true
	}
	for _, k := range s.Keys() {
		kind, rest, _ := strings.Cut(strings.TrimPrefix(k, analysisPrefix), ".")
		name, ok := strings.CutSuffix(rest, ".type")
		typ, isText := s[k].(string)
		if !strings.HasPrefix(k, analysisPrefix) || !ok || !isText {
			continue
		}
		switch {
		case kind == "filter" && typ == "standard":
			gone[name] = true
			dropBelow(s, analysisPrefix+"filter."+name+".")
		case kind != "analyzer" && newName(typ) != typ:
			s[k] = newName(typ)
			typ = newName(typ)
		}
		t.widths(s, kind, name, typ)
	}
	for _, k := range s.Keys() {
		if !strings.HasPrefix(k, analysisPrefix) {
			continue
		}
		switch {
		case strings.HasSuffix(k, ".filter"), strings.HasSuffix(k, ".char_filter"), strings.HasSuffix(k, ".filters"):
			list := s.List(k)
			next := make([]string, 0, len(list))
			for _, f := range list {
				if gone[f] && !strings.HasSuffix(k, ".char_filter") {
					t.lost("the token filter [standard] was dropped: it did nothing", strings.TrimPrefix(k, analysisPrefix))
					continue
				}
				if s[analysisPrefix+"filter."+f+".type"] == nil && s[analysisPrefix+"char_filter."+f+".type"] == nil {
					f = newName(f)
				}
				next = append(next, f)
			}
			s[k] = next
		case strings.HasSuffix(k, ".tokenizer"):
			if v, ok := s[k].(string); ok && s[analysisPrefix+"tokenizer."+v+".type"] == nil {
				s[k] = newName(v)
			}
		}
	}
}

// widths allows n-grams and shingles as wide as the index has them: from 7.0 on an index says so itself.
func (t *translator) widths(s settings.Settings, kind, name, typ string) {
	own := analysisPrefix + kind + "." + name + "."
	allow := func(setting string, def int, least string, leastDef int, most string, mostDef int) {
		lo, err1 := s.Int(own+least, leastDef)
		hi, err2 := s.Int(own+most, mostDef)
		have, err3 := s.Int(setting, def)
		if err1 == nil && err2 == nil && err3 == nil && hi-lo > have {
			s[setting] = strconv.Itoa(hi - lo)
		}
	}
	switch typ {
	case "ngram":
		allow("index.max_ngram_diff", 1, "min_gram", 1, "max_gram", 2)
	case "shingle":
		allow("index.max_shingle_diff", 3, "min_shingle_size", 2, "max_shingle_size", 2)
	}
}

const similarityPrefix = "index.similarity."

// similarities makes BM25 of the classic similarity, which Lucene does not have any more.
func (t *translator) similarities(s settings.Settings) {
	for _, k := range s.Keys() {
		name, ok := strings.CutSuffix(strings.TrimPrefix(k, similarityPrefix), ".type")
		if !ok || !strings.HasPrefix(k, similarityPrefix) || s[k] != "classic" && s[k] != "default" {
			continue
		}
		t.lost("the similarity [classic] became [BM25]", k)
		dropBelow(s, similarityPrefix+name+".")
		s[k] = "BM25"
	}
	if s[similarityPrefix+"base.type"] != nil { // it was for query coordination only
		dropBelow(s, similarityPrefix+"base.")
	}
}

// dropBelow deletes all settings whose names begin with a prefix.
func dropBelow(s settings.Settings, prefix string) {
	for k := range s {
		if strings.HasPrefix(k, prefix) {
			delete(s, k)
		}
	}
}
