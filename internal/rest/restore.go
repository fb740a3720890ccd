package rest

import (
	"encoding/json"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) restoreSnapshot(r *Request) (*Response, error) {
	if err := a.managerTimeout(r); err != nil {
		return nil, err
	}
	wait, err := r.Bool("wait_for_completion", false)
	if err != nil {
		return nil, err
	}
	req := snapshot.RestoreRequest{Repository: r.Param("repository"), Snapshot: r.Param("snapshot"), IncludeAliases: true}
	o, err := r.lenientObject()
	if err != nil {
		return nil, err
	}
	if err := readRestore(o, &req); err != nil {
		return nil, err
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	res, err := a.Snapshots.Restore(r.Context(), req)
	if err != nil {
		return nil, err
	}
	for _, w := range res.Warnings {
		r.Warn(w)
	}
	if !wait && res.Total > 0 {
		return OK(xcontent.Obj("accepted", true))
	}
	if err := a.Snapshots.WaitRestore(r.Context(), res); err != nil {
		return nil, err
	}
	out := xcontent.Obj("snapshot", res.Snapshot, "indices", emptyNotNull(res.Indices),
		"shards", xcontent.Obj("total", res.Total, "failed", res.Failed, "successful", res.Total-res.Failed))
	if res.Failed > 0 { // OpenSearch does not say why
		list := []any{}
		for _, f := range res.Failures {
			list = append(list, xcontent.Obj("index", f.Index, "shard_id", f.Shard, "reason", f.Reason))
		}
		out.Add("failures", list)
	}
	return OK(xcontent.Obj("snapshot", out))
}

func readRestore(o *xcontent.Object, req *snapshot.RestoreRequest) error {
	if o == nil {
		return nil
	}
	texts := map[string]*string{"rename_pattern": &req.RenamePattern, "rename_replacement": &req.RenameReplacement,
		"rename_alias_pattern": &req.RenameAliasPattern, "rename_alias_replacement": &req.RenameAliasReplacement}
	flags := map[string]*bool{"partial": &req.Partial, "include_global_state": &req.IncludeGlobalState, "include_aliases": &req.IncludeAliases}
	for _, m := range o.Members {
		var err error
		text, isText := m.Value.(string)
		to, isName := texts[m.Key]
		flag, isFlag := flags[m.Key]
		switch {
		case isName:
			if !isText {
				return apierr.IllegalArgument("malformed %s", m.Key)
			}
			*to = text
		case isFlag:
			if *flag, err = boolean(m.Key, m.Value); err != nil {
				err = apierr.IllegalArgument("Could not convert [%s] to boolean", m.Key).Because(err)
			}
		case m.Key == "ignore_unavailable":
			req.IgnoreUnavailable, err = boolean(m.Key, m.Value)
		case m.Key == "allow_no_indices":
			var allow bool
			allow, err = boolean(m.Key, m.Value)
			req.ForbidNoIndices = !allow
		case m.Key == "expand_wildcards":
		case m.Key == "indices":
			req.Indices, err = names(m.Key, m.Value)
		case m.Key == "ignore_index_settings":
			req.IgnoreIndexSettings, err = names(m.Key, m.Value)
		case m.Key == "index_settings":
			req.IndexSettings, err = restoreSettings(m.Value)
		case m.Key == "settings":
			if _, ok := m.Value.(*xcontent.Object); !ok {
				return apierr.IllegalArgument("malformed settings section")
			}
		case m.Key == "storage_type":
			req.Remote, err = storageType(m.Value)
		case m.Key == "source_remote_store_repository" || m.Key == "source_remote_translog_repository":
			if !isText {
				return apierr.IllegalArgument("malformed %s", m.Key)
			}
			return apierr.NotImplemented("restoring with [%s] is not built in this server: it keeps no remote-backed indices", m.Key)
		default:
			return apierr.IllegalArgument("Unknown parameter %s", m.Key)
		}
		if err != nil {
			return err
		}
	}
	// A pattern without a replacement renames nothing; an empty replacement takes away what the pattern finds.
	if _, ok := o.Get("rename_replacement"); !ok {
		req.RenamePattern = ""
	}
	if _, ok := o.Get("rename_alias_replacement"); !ok {
		req.RenameAliasPattern = ""
	}
	return nil
}

func restoreSettings(v any) (settings.Settings, error) {
	if _, ok := v.(*xcontent.Object); !ok {
		return nil, apierr.IllegalArgument("malformed index_settings section")
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	set, err := settings.Parse(raw)
	return cluster.Normalize(set), err
}

// storageType tells whether the files stay in the repository.
func storageType(v any) (remote bool, err error) {
	text, ok := v.(string)
	switch {
	case !ok:
		return false, apierr.IllegalArgument("malformed storage_type")
	case text == "local":
		return false, nil
	case text == "remote_snapshot":
		return true, nil
	}
	return false, apierr.IllegalArgument("Invalid storage_type: %s", text)
}
