package migrate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
)

// Oldest is the oldest version whose indices are restored.
var Oldest = repository.Version{Major: 5, Legacy: true}

// newest of Elasticsearch is the last version before its indices hold Lucene 9.
const newestElasticsearch = 7

// CheckVersion refuses versions that nothing here can restore. what says whose version it is.
func CheckVersion(what string, v repository.Version) error {
	product := "OpenSearch"
	if v.Legacy {
		product = "Elasticsearch"
	}
	switch {
	case v.Legacy && v.Major > newestElasticsearch:
		return fmt.Errorf("the %s was created with version [%s] of %s which is newer than this server (version [%s]) can restore: of Elasticsearch, versions 5.0 to 7.17", what, v, product, repository.WriteVersion)
	case v.Before(Oldest):
		return fmt.Errorf("the %s was created with version [%s] of %s which is older than this server (version [%s]) can restore: of Elasticsearch, versions 5.0 to 7.17", what, v, product, repository.WriteVersion)
	}
	return nil
}

// Old tells whether an index of that version may hold segments of Lucene 8 or older, and metadata that has to be translated.
func Old(v repository.Version) bool { return v.Legacy || v.Major < 2 }

// CreatedBy returns the version that created an index.
func CreatedBy(m *repository.IndexMetadata) (repository.Version, error) {
	text := m.Setting("index.version.created")
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return repository.Version{}, fmt.Errorf("the setting [index.version.created] of index [%s] is %q, no version", m.Name, text)
	}
	return repository.VersionFromID(id)
}

// keptKeys are the parts of an old index's metadata that are restored.
var keptKeys = []string{"version", "mapping_version", "settings_version", "aliases_version", "routing_num_shards", "state", "aliases", "primary_terms", "rollover_info", "system"}

// Index translates the metadata of an index of Elasticsearch 5 to 7 or OpenSearch 1 into that of an index of today, with a
// warning for each thing that is lost. The metadata of newer indices is returned as it is. Number of shards, routing and everything that
// decides where a document lies stay the same.
func Index(m *repository.IndexMetadata) (*repository.IndexMetadata, []string, error) {
	created, err := CreatedBy(m)
	if err != nil {
		return nil, nil, err
	}
	if err := CheckVersion("index ["+m.Name+"]", created); err != nil {
		return nil, nil, err
	}
	if !Old(created) {
		return m, nil, nil
	}
	t := newTranslator("index ["+m.Name+"]", created)
	body := smile.NewObject()
	for _, k := range keptKeys {
		if v, ok := m.Body.Get(k); ok {
			body.Set(k, v)
		}
	}
	set, err := settingsOf(m.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("the settings of index [%s]: %w", m.Name, err)
	}
	types, err := m.Mappings()
	if err != nil {
		return nil, nil, err
	}
	mapping, err := t.types(types)
	if err != nil {
		return nil, nil, err
	}
	body.Set("settings", t.settings(set))
	mappings := []any{}
	if mapping.Len() > 0 {
		mappings = append(mappings, smile.NewObject(smile.Member{Name: "_doc", Value: mapping}))
	}
	body.Set("mappings", mappings)
	return &repository.IndexMetadata{Name: m.Name, Body: body}, t.report(), nil
}

// settingsOf reads the settings of a body as flat ones.
func settingsOf(body *smile.Object) (settings.Settings, error) {
	v, ok := body.Get("settings")
	if !ok {
		return settings.Settings{}, nil
	}
	raw, err := smile.AppendJSON(nil, v)
	if err != nil {
		return nil, err
	}
	return settings.Parse(raw)
}

// object writes settings as a body holds them.
func object(s settings.Settings) *smile.Object {
	o := smile.NewObject()
	for _, k := range s.Keys() {
		switch v := s[k].(type) {
		case string:
			o.Set(k, v)
		case []string:
			list := make([]any, len(v))
			for i := range v {
				list[i] = v[i]
			}
			o.Set(k, list)
		}
	}
	return o
}

// maxNamed is how many fields a warning names.
const maxNamed = 5

// translator collects what is lost of one index or template.
type translator struct {
	what    string // index [x]
	joda    bool   // date patterns are those of Joda-Time
	details map[string][]string
	order   []string
	classic map[string]bool // similarities that became BM25
}

func newTranslator(what string, created repository.Version) *translator {
	return &translator{what: what, joda: created.Legacy && created.Major < 7, details: map[string][]string{}, classic: map[string]bool{"classic": true, "default": true}}
}

// lost notes that something was lost, at a place; equal ones become one warning.
func (t *translator) lost(what, place string) {
	if _, ok := t.details[what]; !ok {
		t.order = append(t.order, what)
	}
	t.details[what] = append(t.details[what], place)
}

func (t *translator) report() []string {
	out := make([]string, 0, len(t.order))
	for _, what := range t.order {
		places := slices.DeleteFunc(slices.Clone(t.details[what]), func(p string) bool { return p == "" })
		text := t.what + ": " + what
		if n := len(places); n > maxNamed {
			text += fmt.Sprintf(" (%s and %d more)", strings.Join(places[:maxNamed], ", "), n-maxNamed)
		} else if n > 0 {
			text += " (" + strings.Join(places, ", ") + ")"
		}
		out = append(out, text)
	}
	return out
}
