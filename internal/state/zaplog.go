package state

import (
	"context"
	"log/slog"
	"sync/atomic"

	"go.uber.org/zap/zapcore"
)

// zapCore hands etcd's log to slog: errors and warnings as they are, all else as debug. While a
// server starts or stops, what etcd calls a warning or an error (closed listeners) is debug too.
type zapCore struct {
	log      *slog.Logger
	expected *atomic.Bool
	fields   []zapcore.Field
}

func newZapCore(log *slog.Logger, expected *atomic.Bool) zapcore.Core {
	return &zapCore{log: log.With("component", "etcd"), expected: expected}
}

func (c *zapCore) level(l zapcore.Level) slog.Level {
	switch {
	case l <= zapcore.ErrorLevel && c.expected.Load():
		return slog.LevelDebug
	case l >= zapcore.ErrorLevel:
		return slog.LevelError
	case l == zapcore.WarnLevel:
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func (c *zapCore) Enabled(l zapcore.Level) bool {
	return l >= zapcore.InfoLevel && c.log.Enabled(context.Background(), c.level(l))
}

func (c *zapCore) With(fields []zapcore.Field) zapcore.Core {
	return &zapCore{log: c.log, expected: c.expected, fields: append(c.fields[:len(c.fields):len(c.fields)], fields...)}
}

func (c *zapCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}

// freshData is what etcd says a moment after its first start on an empty folder.
var freshData = map[string]bool{"Failed to detect schema version": true, "failed to update storage version": true}

func (c *zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	level := c.level(e.Level)
	if freshData[e.Message] {
		level = slog.LevelDebug
	}
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range c.fields {
		f.AddTo(enc)
	}
	for _, f := range fields {
		f.AddTo(enc)
	}
	attrs := make([]slog.Attr, 0, len(enc.Fields))
	for k, v := range enc.Fields {
		attrs = append(attrs, slog.Any(k, v))
	}
	c.log.LogAttrs(context.Background(), level, e.Message, attrs...)
	return nil
}

func (c *zapCore) Sync() error { return nil }
