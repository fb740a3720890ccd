package snapshot

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/lucene/codec"
	"github.com/varve-search/varve/lucene/index"
	"github.com/varve-search/varve/lucene/store"
	"github.com/varve-search/varve/repository"
	"github.com/varve-search/varve/repository/smile"
)

// newestRead is the newest version of OpenSearch whose snapshots are restored: its indices are rewritten. See
// docs/decisions/0009-lucene-10-sources.md.
var newestRead = repository.Version{Major: 3, Minor: 8, Patch: math.MaxInt}

// tooNew tells whether nobody knows yet what a snapshot of a version holds.
func tooNew(v repository.Version) bool { return newestRead.Before(v) }

// newer tells whether a version is above ours, so that what it made is translated.
func newer(v repository.Version) bool {
	return !v.Legacy && v.Major > repository.WriteVersion.Major
}

// versionSettings hold ids of versions.
var versionSettings = []string{"index.version.created", "index.version.upgraded"}

// lowered returns the value of a setting for a snapshot of ours: no version in it may be higher than that of the snapshot,
// or 2.19 refuses the index.
func lowered(key, value string) string {
	if id, err := strconv.ParseInt(value, 10, 64); err == nil && slices.Contains(versionSettings, key) {
		if v, err := repository.VersionFromID(id); err == nil && newer(v) {
			return strconv.FormatInt(repository.WriteVersion.ID(), 10)
		}
	}
	return value
}

// fromNewer makes of the metadata of an index of OpenSearch 3 that of one of ours: what 2.19 does not know would keep it
// from taking the index back. The version that created it stays: scores are computed as it did.
func (p *restorePlan) fromNewer(ix *state.Index) error {
	for _, key := range versionSettings {
		id, err := strconv.ParseInt(ix.Settings.GetOr(key, ""), 10, 64)
		if err != nil {
			continue
		}
		if v, err := repository.VersionFromID(id); err == nil && tooNew(v) {
			return restoreError(p.req, p.entry.UUID, "index [%s] was created with OpenSearch version [%s]; this node has version [%s] and reads those up to [%s]", ix.Name, v, repository.WriteVersion, newestReadText())
		}
	}
	if !newer(p.info.Version) {
		return nil
	}
	if err := p.dropNewMetadata(ix); err != nil {
		return err
	}
	m, err := parseObject(ix.Mapping)
	if err != nil || m == nil {
		return err
	}
	if n := dropSkipLists(m); n > 0 {
		p.warn("the mapping of index [%s] asks for skip indexes over the doc values of %d fields, which only OpenSearch 3 has; they were left out", ix.Name, n)
		ix.Mapping, err = rawJSON(m)
	}
	return err
}

// internals are parts of index metadata that OpenSearch 3 has, and makes again where they are missing.
var internals = []string{"primary_terms_map", "split_shards_metadata"}

// dropNewMetadata takes away the parts of an index's metadata that are new in OpenSearch 3. 2.19 takes an unknown part for a map
// of strings, and refuses an index where it is something else.
func (p *restorePlan) dropNewMetadata(ix *state.Index) error {
	for _, name := range slices.Sorted(maps.Keys(ix.Custom)) {
		o, err := parseObject(ix.Custom[name])
		if err != nil || o == nil {
			return err
		}
		if name == "split_shards_metadata" {
			children, _ := o.Get("root_shards_to_all_children")
			if c, ok := children.(*smile.Object); ok && c.Len() > 0 {
				return restoreError(p.req, p.entry.UUID, "index [%s] has shards that OpenSearch [%s] split in place; this node cannot restore those", ix.Name, p.info.Version)
			}
		}
		plain := !slices.ContainsFunc(o.Members, func(m smile.Member) bool { _, ok := m.Value.(string); return !ok })
		if plain && !slices.Contains(internals, name) {
			continue
		}
		if !slices.Contains(internals, name) && name != "ingestion_status" {
			p.warn("the metadata [%s] of index [%s] is not known here and was left out", name, ix.Name)
		}
		delete(ix.Custom, name)
	}
	return nil
}

func newestReadText() string { return fmt.Sprintf("%d.%d", newestRead.Major, newestRead.Minor) }

// dropSkipLists takes the parameter skip_list, new in OpenSearch 3, from all fields below a mapping, and counts it.
func dropSkipLists(o *smile.Object) (n int) {
	for _, m := range o.Members {
		fields, ok := m.Value.(*smile.Object)
		if !ok || m.Name != "properties" && m.Name != "fields" {
			continue
		}
		for _, f := range fields.Members {
			field, ok := f.Value.(*smile.Object)
			if !ok {
				continue
			}
			if _, ok := field.Get("skip_list"); ok {
				*field = *smile.NewObject(slices.DeleteFunc(field.Members, func(m smile.Member) bool { return m.Name == "skip_list" })...)
				n++
			}
			n += dropSkipLists(field)
		}
	}
	return n
}

// rewritten tells whether a shard's files are written again after they arrived: they cannot be searched meanwhile.
func rewritten(src state.RecoverySource) bool {
	v, err := repository.VersionFromID(int64(src.Version))
	return err == nil && newer(v)
}

// rewriteNewer makes what a newer Lucene wrote into the folder of a shard something to write on.
func (s *Service) rewriteNewer(ctx context.Context, dir store.Directory) error {
	n, err := index.Rewrite(ctx, dir, nil)
	switch {
	case codec.IsUnsupported(err): // such as a field of a plugin; it will be so the next time
		return &cluster.PermanentError{Err: err}
	case err != nil:
		return err
	case n > 0:
		s.log.Info("segments of Lucene 10 were rewritten", "segments", n)
	}
	return nil
}
