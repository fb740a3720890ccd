package rest

import (
	"net/http"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/snapshot"
)

// catSnapshots lists the snapshots of one repository, oldest first.
func (a *API) catSnapshots(r *Request) (*Table, error) {
	ignore, err := r.Bool("ignore_unavailable", false)
	if err != nil {
		return nil, err
	}
	repo := r.Param("repository")
	if repo == "" {
		return nil, apierr.New(http.StatusBadRequest, "action_request_validation_exception", "Validation Failed: 1: repository is missing;")
	}
	entries, err := a.Snapshots.List(r.Context(), repo, []string{"_all"}, ignore, true)
	if err != nil {
		return nil, err
	}
	t := catTable("snapshots")
	for _, e := range entries {
		t.put(snapshotRow(e, time.Now().UnixMilli()))
	}
	return t, nil
}

func snapshotRow(e snapshot.Entry, now int64) map[string]any {
	start, end, duration := int64(0), int64(0), int64(0)
	row := map[string]any{"id": e.ID.Name, "status": e.State, "indices": len(e.Indices), "successful_shards": 0, "failed_shards": 0, "total_shards": 0}
	switch {
	case e.Info != nil:
		start, end = e.Info.StartTime, e.Info.EndTime
		duration = end - start
		row["indices"], row["successful_shards"], row["failed_shards"], row["total_shards"] = len(e.Info.Indices), e.Info.SuccessfulShards, len(e.Info.Failures), e.Info.TotalShards
		if e.Info.Reason != "" {
			row["reason"] = e.Info.Reason
		}
	case e.Job != nil:
		start = e.Job.Started.UnixMilli()
		duration = now - start
		row["indices"] = len(e.Job.Indices)
	}
	clock := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("15:04:05") }
	row["start_epoch"], row["start_time"], row["end_epoch"], row["end_time"] = start/1000, clock(start), end/1000, clock(end)
	row["duration"] = Millis(duration)
	return row
}
