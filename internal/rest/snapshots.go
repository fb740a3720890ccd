package rest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/repository"
)

func (a *API) routeSnapshots(rt *Router) {
	rt.Handle("GET", "/_snapshot", a.getRepositories)
	rt.Handle("GET", "/_snapshot/{repository}", a.getRepositories)
	rt.Handle("PUT|POST", "/_snapshot/{repository}", a.putRepository)
	rt.Handle("DELETE", "/_snapshot/{repository}", a.deleteRepository)
	rt.Handle("POST", "/_snapshot/{repository}/_verify", a.snapshotTask(verifyAction, a.verifyRepository))
	rt.Handle("POST", "/_snapshot/{repository}/_cleanup", a.snapshotTask("cluster:admin/repository/_cleanup", a.cleanupRepository))
	rt.Handle("PUT|POST", "/_snapshot/{repository}/{snapshot}", a.snapshotTask("cluster:admin/snapshot/create", a.createSnapshot))
	rt.Handle("GET", "/_snapshot/{repository}/{snapshot}", a.getSnapshots)
	rt.Handle("DELETE", "/_snapshot/{repository}/{snapshot}", a.snapshotTask("cluster:admin/snapshot/delete", a.deleteSnapshots))
	rt.Handle("POST", "/_snapshot/{repository}/{snapshot}/_restore", a.snapshotTask("cluster:admin/snapshot/restore", a.restoreSnapshot))
	rt.Handle("PUT", "/_snapshot/{repository}/{snapshot}/_clone/{target_snapshot}", a.snapshotTask("cluster:admin/snapshot/clone", a.cloneSnapshot))
	rt.Handle("GET", "/_snapshot/_status", a.snapshotStatus)
	rt.Handle("GET", "/_snapshot/{repository}/_status", a.snapshotStatus)
	rt.Handle("GET", "/_snapshot/{repository}/{snapshot}/_status", a.snapshotStatus)
	rt.Handle("GET", "/_snapshot/{repository}/{snapshot}/{index}/_status", a.snapshotStatus)
}

// managerTimeout reads the time to wait for the manager, under its name now and before.
func (a *API) managerTimeout(r *Request) error {
	if r.Has("master_timeout") {
		if r.Has("cluster_manager_timeout") {
			return apierr.New(http.StatusBadRequest, "parse_exception", "Please only use one of the request parameters [master_timeout, cluster_manager_timeout].")
		}
	}
	for _, name := range []string{"master_timeout", "cluster_manager_timeout"} {
		if _, err := r.Time(name, 30*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// waitTimes is managerTimeout for requests that also take a time to wait for other nodes.
func (a *API) waitTimes(r *Request) error {
	if err := a.managerTimeout(r); err != nil {
		return err
	}
	_, err := r.Time("timeout", 30*time.Second)
	return err
}

func repositoryObject(rec *state.Repository) *xcontent.Object {
	set := &xcontent.Object{}
	for _, k := range rec.Settings.Keys() {
		if !settings.IsSecret(k) {
			set.Add(k, rec.Settings[k])
		}
	}
	o := xcontent.Obj("type", rec.Type)
	if rec.UUID != "" && rec.UUID != "_na_" {
		o.Add("uuid", rec.UUID)
	}
	return o.Add("settings", set)
}

// repositories returns the registered ones that names and wildcards choose.
func (a *API) repositories(patterns []string) ([]*state.Repository, error) {
	all := a.view().Repositories()
	if len(patterns) == 0 || slices.Equal(patterns, []string{"_all"}) {
		return all, nil
	}
	names := make([]string, len(all))
	for i, r := range all {
		names[i] = r.Name
	}
	var out []*state.Repository
	for _, p := range patterns {
		found := wildcard.MatchNames(names, p)
		if len(found) == 0 && !strings.Contains(p, "*") {
			return nil, apierr.RepositoryMissing(p)
		}
		for _, r := range all {
			if slices.Contains(found, r.Name) && !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	return out, nil
}

func (a *API) getRepositories(r *Request) (*Response, error) {
	if _, err := r.Bool("local", false); err != nil {
		return nil, err
	}
	if err := a.managerTimeout(r); err != nil {
		return nil, err
	}
	list, err := a.repositories(r.Names("repository"))
	if err != nil {
		return nil, err
	}
	o := &xcontent.Object{}
	for _, rec := range list {
		o.Add(rec.Name, repositoryObject(rec))
	}
	return OK(o)
}

func (a *API) putRepository(r *Request) (*Response, error) {
	if err := a.waitTimes(r); err != nil {
		return nil, err
	}
	verify, err := r.Bool("verify", true)
	if err != nil {
		return nil, err
	}
	body, err := r.BodyObject()
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, apierr.New(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	typ := ""
	if v := body["type"]; v != nil {
		typ = fmt.Sprint(v)
	}
	if typ == "" {
		return nil, apierr.Validation("type is missing")
	}
	cfg := settings.Settings{}
	if v, ok := body["settings"]; ok {
		raw, isObject := v.(map[string]any)
		if !isObject {
			return nil, apierr.IllegalArgument("Malformed settings section, should include an inner object")
		}
		if cfg, err = settings.FromMap(raw); err != nil {
			return nil, apierr.IllegalArgument("the repository's settings: %v", err)
		}
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if err := a.Snapshots.PutRepository(r.Context(), r.Param("repository"), typ, cfg, verify); err != nil {
		return nil, err
	}
	for _, name := range snapshot.UnknownSettings(typ, cfg) {
		r.Warn(fmt.Sprintf("the setting [%s] is none of repositories of type [%s] here: it is kept, and has no effect", name, typ))
	}
	return Acknowledged()
}

func (a *API) deleteRepository(r *Request) (*Response, error) {
	if err := a.waitTimes(r); err != nil {
		return nil, err
	}
	pattern := r.Param("repository")
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if err := a.Snapshots.DeleteRepositories(r.Context(), pattern); err != nil {
		return nil, err
	}
	return Acknowledged()
}

func (a *API) verifyRepository(r *Request) (*Response, error) {
	if err := a.waitTimes(r); err != nil {
		return nil, err
	}
	name := r.Param("repository")
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	nodes, err := a.Snapshots.VerifyRepository(r.Context(), name)
	if err != nil {
		return nil, err
	}
	o := &xcontent.Object{}
	for _, n := range nodes {
		o.Add(n.ID, xcontent.Obj("name", n.Name))
	}
	return OK(xcontent.Obj("nodes", o))
}

func (a *API) cleanupRepository(r *Request) (*Response, error) {
	if err := a.waitTimes(r); err != nil {
		return nil, err
	}
	deep, err := r.Bool("deep", false)
	if err != nil {
		return nil, err
	}
	name := r.Param("repository")
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	report, err := a.Snapshots.Cleanup(r.Context(), name, deep)
	if err != nil {
		return nil, err
	}
	warnAll(r, "the clean-up left blobs behind", append(report.Warnings, report.Kept...))
	return OK(xcontent.Obj("results", xcontent.Obj("deleted_bytes", report.DeletedBytes, "deleted_blobs", report.Deleted)))
}

// names reads a list of names: an array, or text with commas.
func names(key string, v any) ([]string, error) {
	switch v := v.(type) {
	case string:
		return splitNames(v), nil
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, apierr.IllegalArgument("malformed %s section, should be an array of strings", key)
			}
			out = append(out, s)
		}
		return out, nil
	}
	return nil, apierr.IllegalArgument("malformed %s section, should be an array of strings", key)
}

func boolean(key string, v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		if v == "true" || v == "false" {
			return v == "true", nil
		}
	}
	return false, apierr.IllegalArgument("Failed to parse value [%v] as only [true] or [false] are allowed.", v)
}

func (a *API) deleteSnapshots(r *Request) (*Response, error) {
	if err := a.managerTimeout(r); err != nil {
		return nil, err
	}
	repo, list := r.Param("repository"), r.Names("snapshot")
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, apierr.Validation("snapshots are missing")
	}
	warnings, err := a.Snapshots.Delete(r.Context(), repo, list)
	if err != nil {
		return nil, err
	}
	warnAll(r, "the deletion left blobs behind", warnings)
	return Acknowledged()
}

// infoObject renders a snapshot that is done.
func infoObject(i *repository.SnapshotInfo, human bool) *xcontent.Object {
	o := xcontent.Obj("snapshot", i.Name, "uuid", i.UUID, "version_id", i.Version.ID(), "version", i.Version.String(), "remote_store_index_shallow_copy", i.Shallow(),
		"indices", emptyNotNull(i.Indices), "data_streams", emptyNotNull(i.DataStreams))
	if i.IncludeGlobalState != nil {
		o.Add("include_global_state", *i.IncludeGlobalState)
	}
	if i.UserMetadata != nil {
		o.Add("metadata", i.UserMetadata)
	}
	o.Add("state", i.State.String())
	if i.Reason != "" {
		o.Add("reason", i.Reason)
	}
	o.Add("start_time", isoMillis(i.StartTime)).Add("start_time_in_millis", i.StartTime)
	o.Add("end_time", isoMillis(i.EndTime)).Add("end_time_in_millis", i.EndTime)
	took := max(0, i.EndTime-i.StartTime)
	if human {
		o.Add("duration", settings.FormatDuration(time.Duration(took)*time.Millisecond))
	}
	o.Add("duration_in_millis", took)
	failures := []any{}
	for _, f := range i.Failures {
		failures = append(failures, xcontent.Obj("index", f.Index, "index_uuid", f.Index, "shard_id", f.Shard, "reason", f.Reason, "node_id", f.NodeID, "status", f.Status))
	}
	o.Add("failures", failures)
	return o.Add("shards", xcontent.Obj("total", i.TotalShards, "failed", i.TotalShards-i.SuccessfulShards, "successful", i.SuccessfulShards))
}

func emptyNotNull(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// entryObject renders a snapshot of a list.
func entryObject(e snapshot.Entry, verbose, human bool) *xcontent.Object {
	switch {
	case e.Job != nil:
		indices := []string{}
		for _, ix := range e.Job.Indices {
			indices = append(indices, ix.Name)
		}
		o := xcontent.Obj("snapshot", e.ID.Name, "uuid", e.ID.UUID)
		if verbose {
			o.Add("version_id", repository.WriteVersion.ID()).Add("version", repository.WriteVersion.String())
			o.Add("remote_store_index_shallow_copy", false)
		}
		o.Add("indices", indices).Add("data_streams", emptyNotNull(e.Job.DataStreams))
		if verbose {
			o.Add("include_global_state", e.Job.IncludeGlobalState)
			if len(e.Job.UserMetadata) > 0 {
				o.Add("metadata", e.Job.UserMetadata)
			}
		}
		o.Add("state", e.State)
		if verbose {
			ms := e.Job.Started.UnixMilli()
			o.Add("start_time", isoMillis(ms)).Add("start_time_in_millis", ms).Add("end_time", isoMillis(0)).Add("end_time_in_millis", 0).Add("duration_in_millis", 0)
			o.Add("failures", []any{}).Add("shards", xcontent.Obj("total", 0, "failed", 0, "successful", 0))
		}
		return o
	case e.Info != nil && verbose:
		return infoObject(e.Info, human)
	}
	return xcontent.Obj("snapshot", e.ID.Name, "uuid", e.ID.UUID, "indices", emptyNotNull(e.Indices), "data_streams", []string{}, "state", e.State)
}

func (a *API) getSnapshots(r *Request) (*Response, error) {
	if err := a.managerTimeout(r); err != nil {
		return nil, err
	}
	verbose, err := r.Bool("verbose", true)
	if err != nil {
		return nil, err
	}
	ignore, err := r.Bool("ignore_unavailable", false)
	if err != nil {
		return nil, err
	}
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	repo, patterns := r.Param("repository"), r.Names("snapshot")
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	entries, err := a.Snapshots.List(r.Context(), repo, patterns, ignore, verbose)
	if err != nil {
		return nil, err
	}
	return streamList(r, "snapshots", len(entries), len(entries), func(i int) (any, error) { return entryObject(entries[i], verbose, human), nil })
}
