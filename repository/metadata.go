package repository

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/varve-search/varve/repository/smile"
)

// Format: docs/formats/repository.md, "Index metadata".

// IndexMetadata is the metadata of one index. Body holds all of it, verbatim and in order, so that
// nothing is lost that this package does not know.
type IndexMetadata struct {
	Name string
	Body *smile.Object
}

// NewIndexMetadata makes metadata from the JSON of its body.
func NewIndexMetadata(name string, body []byte) (*IndexMetadata, error) {
	v, err := smile.ParseJSON(body, smile.Limits{})
	if err != nil {
		return nil, fmt.Errorf("metadata of index [%s]: %w", name, err)
	}
	o, ok := v.(*smile.Object)
	if !ok {
		return nil, fmt.Errorf("metadata of index [%s] is no object", name)
	}
	m := &IndexMetadata{Name: name, Body: o}
	return m, m.check()
}

func parseIndexMetadata(o *smile.Object) (*IndexMetadata, error) {
	if o.Len() != 1 {
		return nil, fmt.Errorf("%d indices in one metadata blob", o.Len())
	}
	body, ok := o.Members[0].Value.(*smile.Object)
	if !ok {
		return nil, fmt.Errorf("the metadata of index [%s] is no object", o.Members[0].Name)
	}
	m := &IndexMetadata{Name: o.Members[0].Name, Body: body}
	return m, m.check()
}

// maxShards is OpenSearch's own limit on the shards of an index.
const maxShards = 1024

func (m *IndexMetadata) check() error {
	n, err := strconv.Atoi(m.Setting("index.number_of_shards"))
	if err != nil || n < 1 || n > maxShards {
		return fmt.Errorf("metadata of index [%s]: [index.number_of_shards] is %q", m.Name, m.Setting("index.number_of_shards"))
	}
	return nil
}

// Setting returns an index setting by its full key, such as "index.number_of_shards", or "". Settings
// are flat strings; nested objects and other scalars are understood too.
func (m *IndexMetadata) Setting(key string) string {
	v, _ := m.Body.Get("settings")
	o, _ := v.(*smile.Object)
	if v, ok := o.Get(key); ok && v != nil {
		return fmt.Sprint(v)
	}
	if len(key) > 6 && key[:6] == "index." {
		if v, ok := o.Get("index"); ok {
			if in, ok := v.(*smile.Object); ok {
				if v, ok := in.Get(key[6:]); ok && v != nil {
					return fmt.Sprint(v)
				}
			}
		}
	}
	return ""
}

// Shards is the number of primary shards.
func (m *IndexMetadata) Shards() int {
	n, _ := strconv.Atoi(m.Setting("index.number_of_shards"))
	return n
}

// UUID is the index UUID in the cluster that took the snapshot.
func (m *IndexMetadata) UUID() string { return m.Setting("index.uuid") }

func (m *IndexMetadata) number(name string, def int64) int64 {
	v, _ := m.Body.Get(name)
	if n, ok := v.(int64); ok {
		return n
	}
	return def
}

// Identifier is the key under which snapshots share one metadata blob: it changes whenever the
// metadata does.
func (m *IndexMetadata) Identifier() string {
	history := m.Setting("index.history.uuid")
	if history == "" {
		history = "_na_"
	}
	return fmt.Sprintf("%s-%s-%d-%d-%d", m.UUID(), history, m.number("settings_version", 1), m.number("mapping_version", 1), m.number("aliases_version", 0))
}

// Mappings returns the mapping objects by type; there is one type, "_doc", since 7.0.
func (m *IndexMetadata) Mappings() (*smile.Object, error) {
	v, ok := m.Body.Get("mappings")
	if !ok || v == nil {
		return &smile.Object{}, nil
	}
	if o, ok := v.(*smile.Object); ok {
		return o, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, fmt.Errorf("mappings of index [%s] are neither array nor object", m.Name)
	}
	all := &smile.Object{}
	for _, v := range list {
		o, ok := v.(*smile.Object)
		if !ok {
			return nil, fmt.Errorf("a mapping of index [%s] is no object; binary mappings are not supported", m.Name)
		}
		for _, t := range o.Members {
			all.Set(t.Name, t.Value)
		}
	}
	return all, nil
}

// WithoutRemoteStore returns the metadata of an index that keeps its data itself: without the settings that bind it to a remote
// store, with which other nodes refuse it, and the kind of replication that comes with them.
func (m *IndexMetadata) WithoutRemoteStore() *IndexMetadata {
	if m.Setting("index.remote_store.enabled") != "true" {
		return m
	}
	body := &smile.Object{}
	for _, f := range m.Body.Members {
		if f.Name == "remote_store" { // the form of its paths there
			continue
		}
		if set, ok := f.Value.(*smile.Object); ok && f.Name == "settings" {
			kept := &smile.Object{}
			for _, s := range set.Members {
				if !strings.HasPrefix(s.Name, "index.remote_store.") && s.Name != "index.replication.type" {
					kept.Set(s.Name, s.Value)
				}
			}
			f.Value = kept
		}
		body.Set(f.Name, f.Value)
	}
	return &IndexMetadata{Name: m.Name, Body: body}
}

func (m *IndexMetadata) tree() *smile.Object {
	return smile.NewObject(member{Name: m.Name, Value: m.Body})
}

const globalKey = "meta-data"

// EmptyGlobalMetadata is what a snapshot without global state holds.
func EmptyGlobalMetadata() *smile.Object {
	return smile.NewObject(
		member{Name: "version", Value: int64(0)},
		member{Name: "cluster_uuid", Value: "_na_"},
		member{Name: "cluster_uuid_committed", Value: false},
		member{Name: "templates", Value: &smile.Object{}})
}

func parseGlobalMetadata(o *smile.Object) (*smile.Object, error) {
	v, _ := o.Get(globalKey)
	g, ok := v.(*smile.Object)
	if !ok {
		return nil, fmt.Errorf("[%s] is missing", globalKey)
	}
	return g, nil
}
