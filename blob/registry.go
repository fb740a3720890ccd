package blob

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
)

// Opener opens the container behind a scheme; rest is what follows the colon.
type Opener func(ctx context.Context, rest string) (Container, error)

var (
	openersMu sync.RWMutex
	openers   = map[string]Opener{}
)

// Register makes a scheme known to Open. A store's package calls it from init; a scheme that is
// registered twice is a programming error and panics.
func Register(scheme string, open Opener) {
	openersMu.Lock()
	defer openersMu.Unlock()
	if _, dup := openers[scheme]; dup {
		panic("blob: scheme registered twice: " + scheme)
	}
	openers[scheme] = open
}

// Schemes returns the registered schemes, sorted.
func Schemes() []string {
	openersMu.RLock()
	defer openersMu.RUnlock()
	names := make([]string, 0, len(openers))
	for n := range openers {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// Open opens the container at a location such as "fs:/var/backups". An unknown scheme is an error
// of kind KindUnsupported that names the schemes there are.
func Open(ctx context.Context, location string) (Container, error) {
	scheme, rest, found := strings.Cut(location, ":")
	if !found {
		return nil, &Error{Op: "open", Location: location, Kind: KindInvalid,
			Err: fmt.Errorf("a location is SCHEME:PLACE, with one of the schemes %s", strings.Join(Schemes(), ", "))}
	}
	openersMu.RLock()
	open := openers[scheme]
	openersMu.RUnlock()
	if open == nil {
		return nil, &Error{Op: "open", Location: location, Kind: KindUnsupported,
			Err: fmt.Errorf("no store for the scheme %q, only for %s", scheme, strings.Join(Schemes(), ", "))}
	}
	return open(ctx, rest)
}
