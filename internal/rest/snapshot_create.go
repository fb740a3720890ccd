package rest

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/snapshot"
	"github.com/varve-search/varve/internal/wildcard"
	"github.com/varve-search/varve/internal/xcontent"
)

func (a *API) createSnapshot(r *Request) (*Response, error) {
	if err := a.managerTimeout(r); err != nil {
		return nil, err
	}
	wait, err := r.Bool("wait_for_completion", false)
	if err != nil {
		return nil, err
	}
	human, err := r.Bool("human", false)
	if err != nil {
		return nil, err
	}
	req := snapshot.CreateRequest{Repository: r.Param("repository"), Snapshot: r.Param("snapshot"), IncludeGlobalState: true, Options: wildcard.StrictExpandOpen}
	req.Options.ExpandHidden = true
	o, err := r.lenientObject()
	if err != nil {
		return nil, err
	}
	unknown, err := readCreate(o, &req)
	if err != nil {
		return nil, err
	}
	for _, key := range unknown {
		r.Warn("[" + key + "] in the body means nothing to a snapshot and is left out")
	}
	if err := r.unknownParams(); err != nil {
		return nil, err
	}
	if req.Snapshot, err = wildcard.DateMath(req.Snapshot, time.Now()); err != nil {
		return nil, apierr.IllegalArgument("%v", err)
	}
	uuid, err := a.Snapshots.Create(r.Context(), req)
	if err != nil {
		return nil, err
	}
	if !wait {
		return OK(xcontent.Obj("accepted", true))
	}
	info, err := a.Snapshots.Wait(r.Context(), req.Repository, uuid)
	if err != nil {
		return nil, err
	}
	return OK(xcontent.Obj("snapshot", infoObject(info, human)))
}

// readCreate reads the body of a request that takes a snapshot, and returns the keys in it that mean nothing: a real node minds none.
func readCreate(o *xcontent.Object, req *snapshot.CreateRequest) (unknown []string, err error) {
	if o == nil {
		return nil, nil
	}
	flags := map[string]*bool{"partial": &req.Partial, "include_global_state": &req.IncludeGlobalState,
		"ignore_unavailable": &req.Options.IgnoreUnavailable, "allow_no_indices": &req.Options.AllowNoIndices}
	for _, m := range o.Members {
		if flag, ok := flags[m.Key]; ok {
			if m.Value == nil && flag != &req.IncludeGlobalState && flag != &req.Partial {
				continue
			}
			if *flag, err = boolean(m.Key, m.Value); err != nil {
				return nil, apierr.IllegalArgument("Could not convert [%s] to boolean", m.Key).Because(err)
			}
			continue
		}
		switch m.Key {
		case "indices":
			req.Indices, err = names("indices", m.Value)
		case "expand_wildcards":
			var list []string
			if list, err = names(m.Key, m.Value); err == nil {
				req.Options, err = req.Options.WithExpandWildcards(strings.Join(list, ","))
			}
		case "metadata":
			if _, ok := m.Value.(*xcontent.Object); !ok && m.Value != nil {
				return nil, apierr.IllegalArgument("malformed metadata, should be an object")
			}
			req.Metadata, err = json.Marshal(m.Value)
			if err == nil && len(req.Metadata) > 1024 {
				return nil, apierr.Validation("metadata must be smaller than 1024 bytes, but was [" + strconv.Itoa(len(req.Metadata)) + "]")
			}
		case "settings":
			if _, ok := m.Value.(*xcontent.Object); !ok {
				return nil, apierr.IllegalArgument("malformed settings section, should indices an inner object")
			}
		default:
			unknown = append(unknown, m.Key)
		}
		if err != nil {
			return nil, err
		}
	}
	return unknown, nil
}
