package shard

import (
	"fmt"
	"net/http"

	"github.com/varve-search/varve/internal/apierr"
)

// conflict is an operation that another one came before: 409.
func (s *Shard) conflict(id, format string, args ...any) error {
	return apierr.New(http.StatusConflict, "version_conflict_engine_exception", "[%s]: version conflict, %s", id, fmt.Sprintf(format, args...)).
		With("index", s.cfg.Index).With("shard", fmt.Sprint(s.cfg.ID)).With("index_uuid", s.cfg.UUID)
}

// closedError says that the shard takes no operations any more.
func (s *Shard) closedError() error {
	return apierr.New(http.StatusServiceUnavailable, "already_closed_exception", "shard [%s][%d] is closed", s.cfg.Index, s.cfg.ID).
		With("index", s.cfg.Index).With("shard", fmt.Sprint(s.cfg.ID)).With("index_uuid", s.cfg.UUID)
}

// engineFailed wraps an error after which the shard must be opened again.
func (s *Shard) engineFailed(err error) error {
	return apierr.New(http.StatusInternalServerError, "engine_exception",
		"shard [%s][%d] failed and must be recovered: %v", s.cfg.Index, s.cfg.ID, err).
		With("index", s.cfg.Index).With("shard", fmt.Sprint(s.cfg.ID)).With("index_uuid", s.cfg.UUID).Because(err)
}
