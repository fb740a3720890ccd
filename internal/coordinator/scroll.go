package coordinator

import "sync"

// scrolls are the searches that go on with a later request.
type scrolls struct {
	mu   sync.Mutex
	byID map[string]any
}

func (s *scrolls) init() { s.byID = map[string]any{} }
