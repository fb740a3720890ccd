package blob

import "context"

type deletesKey struct{}

// WithDeletesInTurn returns a context whose requests to delete are sent one after the other. It is for stores that do not stand
// many of them at a time.
func WithDeletesInTurn(ctx context.Context) context.Context {
	return context.WithValue(ctx, deletesKey{}, true)
}

// DeletesAtOnce returns how many requests to delete may be under way at a time where otherwise there would be n.
func DeletesAtOnce(ctx context.Context, n int) int {
	if ctx.Value(deletesKey{}) != nil {
		return 1
	}
	return n
}
