package snapshot

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/repository"
)

// restorePlan is what a restore is going to make.
type restorePlan struct {
	req      RestoreRequest
	info     *repository.SnapshotInfo
	entry    repository.SnapshotEntry
	nodes    []*state.Node
	failed   map[string]map[int]string // shards that failed in the snapshot, with the reasons
	indices  []*plannedIndex
	streams  []*state.DataStream // that are asked for, as the snapshot has them
	aliases  map[string]bool     // of all indices, renamed
	global   smileObject
	warnings []string
}

type plannedIndex struct {
	from string // name in the snapshot
	id   repository.IndexID
	meta *state.Index
}

func (p *restorePlan) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

// choose returns the indices of the snapshot that are asked for, by their own names or by those of data streams.
func (p *restorePlan) choose() ([]string, error) {
	req := p.req
	if len(req.Indices) > 0 && len(p.streams) > 0 {
		req.Indices = slices.DeleteFunc(slices.Clone(req.Indices), func(n string) bool {
			return slices.ContainsFunc(p.streams, func(s *state.DataStream) bool { return s.Name == n })
		})
		var behind []string
		for _, s := range p.streams {
			behind = append(behind, s.IndexNames()...)
		}
		if !onlyExclusions(p.req.Indices) { // those choose from everything that is there
			req.Indices = append(behind, req.Indices...)
		}
		req.Indices = slices.DeleteFunc(req.Indices, func(n string) bool { return slices.Contains(behind, n) && !slices.Contains(p.info.Indices, n) })
		if len(req.Indices) == 0 {
			return nil, nil
		}
	}
	return filterIndices(p.info.Indices, req)
}

// filterIndices chooses among the snapshot's indices: what names and wildcards add, then what those behind a minus sign take away,
// wherever these stand. Where there are no others they take from everything.
func filterIndices(have []string, req RestoreRequest) ([]string, error) {
	if len(req.Indices) == 0 || slices.Equal(req.Indices, []string{"_all"}) || slices.Equal(req.Indices, []string{"*"}) {
		return have, nil
	}
	chosen := map[string]bool{}
	if onlyExclusions(req.Indices) {
		for _, n := range have {
			chosen[n] = true
		}
	}
	for _, exclusions := range []bool{false, true} {
		for _, p := range req.Indices {
			if excludes(p) != exclusions {
				continue
			}
			if exclusions {
				p = p[1:]
			} else {
				p = strings.TrimPrefix(p, "+")
			}
			hit := false
			for _, n := range have {
				if settings.Match(p, n) {
					hit, chosen[n] = true, !exclusions
				}
			}
			if !hit && (req.ForbidNoIndices && strings.Contains(p, "*") || !req.IgnoreUnavailable && !strings.Contains(p, "*")) {
				return nil, apierr.New(http.StatusNotFound, "index_not_found_exception", "no such index [%s]", p).With("index", p).With("index_uuid", "_na_")
			}
		}
	}
	out := make([]string, 0, len(chosen))
	for _, n := range have {
		if chosen[n] {
			out = append(out, n)
		}
	}
	return out, nil
}

func excludes(expression string) bool { return strings.HasPrefix(expression, "-") }

// onlyExclusions says whether expressions choose everything but what they name.
func onlyExclusions(expressions []string) bool {
	return !slices.ContainsFunc(expressions, func(e string) bool { return !excludes(e) })
}

// add plans one index: its metadata with the settings of this cluster.
func (p *restorePlan) add(ctx context.Context, repo *repository.Repository, data *repository.Data, name string) error {
	entry, err := data.IndexIn(p.entry.SnapshotID, name)
	if err != nil {
		return err
	}
	if n := len(p.failed[name]); n > 0 && !p.req.Partial {
		return restoreError(p.req, p.entry.UUID, "index [%s] wasn't fully snapshotted - cannot restore", name)
	}
	target, err := p.rename(name)
	if err != nil {
		return err
	}
	for _, other := range p.indices {
		if other.meta.Name == target {
			return apierr.New(http.StatusInternalServerError, "snapshot_restore_exception", "[%s:%s] indices [%s] and [%s] are renamed into the same index [%s]",
				p.req.Repository, p.req.Snapshot, name, other.from, target)
		}
	}
	m, err := repo.IndexMetadata(ctx, data, p.entry.SnapshotID, name)
	if err != nil {
		return err
	}
	if m, err = p.translate(m); err != nil {
		return err
	}
	ix, err := restoredIndex(m)
	if err != nil {
		return restoreError(p.req, p.entry.UUID, "%v", err)
	}
	if err := cluster.CheckIndexName(target); err != nil {
		return err
	}
	ix.Name = target
	if err := p.fromNewer(ix); err != nil {
		return err
	}
	if err := p.settle(ix); err != nil {
		return err
	}
	if p.req.Remote {
		p.stayRemote(ix, entry.IndexID)
	}
	if err := p.renameAliases(ix); err != nil {
		return err
	}
	p.indices = append(p.indices, &plannedIndex{from: name, id: entry.IndexID, meta: ix})
	return nil
}

// rename returns an index's name after the restore. The prefix of an index behind a data stream is not matched.
func (p *restorePlan) rename(name string) (string, error) {
	prefix := ""
	if strings.HasPrefix(name, state.BackingPrefix) && p.behind(name) {
		prefix = state.BackingPrefix
	}
	to, err := p.renamed(name[len(prefix):])
	return prefix + to, err
}

// renamed applies the pattern to a name.
func (p *restorePlan) renamed(name string) (string, error) {
	if p.req.RenamePattern == "" {
		return name, nil
	}
	return replaceAll(name, p.req.RenamePattern, p.req.RenameReplacement)
}

func (p *restorePlan) renameAliases(ix *state.Index) error {
	if !p.req.IncludeAliases {
		ix.Aliases = map[string]state.Alias{}
		return nil
	}
	if p.aliases == nil {
		p.aliases = map[string]bool{}
	}
	renamed := map[string]state.Alias{}
	for name, a := range ix.Aliases {
		to := name
		if p.req.RenameAliasPattern != "" {
			var err error
			if to, err = replaceAll(name, p.req.RenameAliasPattern, p.req.RenameAliasReplacement); err != nil {
				return err
			}
		}
		renamed[to] = a
		p.aliases[to] = true
	}
	ix.Aliases = renamed
	return nil
}

// checkAliases refuses an index that would have the name of an alias that comes with it.
func (p *restorePlan) checkAliases() error {
	for _, r := range p.indices {
		if p.aliases[r.meta.Name] {
			return restoreError(p.req, p.entry.UUID, "cannot rename index [%s] into [%s] because of conflict with an alias with the same name", r.from, r.meta.Name)
		}
	}
	return nil
}
