package node

import (
	"context"
	"fmt"

	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/telemetry"
)

// tracingOf reads the settings of tracing: transient before persistent before this node's own.
func tracingOf(v *state.View, cfg settings.Settings) (telemetry.Change, error) {
	all := settings.Settings{}
	for _, s := range []settings.Settings{cfg, v.Settings().Persistent, v.Settings().Transient} {
		for _, k := range []string{telemetry.EnabledSetting, telemetry.ProbabilitySetting} {
			if value, ok := s[k]; ok {
				all[k] = value
			}
		}
	}
	return telemetry.ChangeOf(all)
}

// followTracing switches tracing as the settings say, now and whenever they change until ctx ends.
func (s *Server) followTracing(start, ctx context.Context, cfg settings.Settings) error {
	last, err := tracingOf(s.store.View(), cfg)
	if err == nil {
		err = s.tracer.Apply(start, last)
	}
	if err != nil {
		return fmt.Errorf("tracing: %w", err)
	}
	sub := s.store.Subscribe()
	s.follows.Go(func() {
		for {
			old, v, err := sub.Next(ctx)
			if err != nil {
				return
			}
			if len(v.Changes(old, state.KindClusterSettings)) == 0 {
				continue
			}
			now, err := tracingOf(v, cfg)
			if err == nil && now != last {
				last = now
				err = s.tracer.Apply(ctx, now)
			}
			if err != nil {
				s.log.Warn("the settings of tracing could not be followed", "error", err)
			}
		}
	})
	return nil
}
