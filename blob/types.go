package blob

import (
	"context"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"
)

// Config is what a type of repository is opened with.
type Config struct {
	// Settings are the repository's own.
	Settings Settings
	// Node are the settings of this node, such as s3.client.default.endpoint. They hold no secrets.
	Node Settings
	// Secret looks up a secret such as s3.client.default.secret_key in the node's key store. It may be nil.
	Secret func(name string) (string, bool)
	// Counters take the numbers of the container's requests; nil: counters of its own.
	Counters *Counters
}

// Count returns the counters to use.
func (c Config) Count() *Counters {
	if c.Counters != nil {
		return c.Counters
	}
	return &Counters{}
}

// LookupSecret returns a secret of the key store.
func (c Config) LookupSecret(name string) (string, bool) {
	if c.Secret == nil {
		return "", false
	}
	return c.Secret(name)
}

// TypeOpener opens the container of a repository. It checks all settings and sends no request: that
// is for [Checker].
type TypeOpener func(ctx context.Context, cfg Config) (Container, error)

// Checker is implemented by stores that can tell early and in one sentence what is wrong with their
// settings: a bucket that does not exist, credentials that are refused. Check writes nothing.
type Checker interface {
	Check(ctx context.Context) error
}

// Parted is implemented by stores that take large blobs in parts.
type Parted interface {
	// SmallParts returns the same place with parts of the smallest size in bytes that the store takes. A blob above that size goes in parts.
	SmallParts() (Container, int64)
}

// SmallParts is that of a container whose store is [Parted]; false of others.
func SmallParts(c Container) (Container, int64, bool) {
	if k, ok := innermost(c).(Parted); ok {
		in, least := k.SmallParts()
		return in, least, true
	}
	return nil, 0, false
}

// Clocked is implemented by stores that tell their time.
type Clocked interface {
	// StoreTime sends a request and returns what the store's clock shows; the zero time if the answer does not tell.
	StoreTime(ctx context.Context) (time.Time, error)
}

// StoreTime is that of a container whose store is [Clocked]; of others it is the zero time.
func StoreTime(ctx context.Context, c Container) (time.Time, error) {
	if k, ok := innermost(c).(Clocked); ok {
		return k.StoreTime(ctx)
	}
	return time.Time{}, nil
}

// innermost returns the container below all wrappers.
func innermost(c Container) Container {
	for {
		w, ok := c.(interface{ Unwrap() Container })
		if !ok {
			return c
		}
		c = w.Unwrap()
	}
}

// Check tries out the settings of a container whose store is a [Checker]; of others it asks nothing.
func Check(ctx context.Context, c Container) error {
	if k, ok := innermost(c).(Checker); ok {
		return k.Check(ctx)
	}
	return nil
}

// Close closes the connections that the store of a container keeps and nobody uses, if it has any. The container can
// be used on.
func Close(c Container) error {
	if k, ok := innermost(c).(io.Closer); ok {
		return k.Close()
	}
	return nil
}

// StatsOf returns what a container has counted; false where its store does not count.
func StatsOf(c Container) (Stats, bool) {
	if k, ok := innermost(c).(Counted); ok {
		return k.Stats(), true
	}
	return Stats{}, false
}

var types = map[string]TypeOpener{}

// RegisterType makes a type of repository known to OpenType, as Register does for schemes.
func RegisterType(typ string, open TypeOpener) {
	openersMu.Lock()
	defer openersMu.Unlock()
	if _, dup := types[typ]; dup {
		panic("blob: type registered twice: " + typ)
	}
	types[typ] = open
}

// Types returns the registered types, sorted.
func Types() []string {
	openersMu.RLock()
	defer openersMu.RUnlock()
	names := make([]string, 0, len(types))
	for n := range types {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// OpenType opens the container of a repository of a type such as "s3". An unknown type is an error of
// kind KindUnsupported that names the types there are.
func OpenType(ctx context.Context, typ string, cfg Config) (Container, error) {
	openersMu.RLock()
	open := types[typ]
	openersMu.RUnlock()
	if open == nil {
		return nil, &Error{Op: "open", Kind: KindUnsupported,
			Err: fmt.Errorf("no store for repositories of type [%s], only for %s", typ, strings.Join(Types(), ", "))}
	}
	return open(ctx, cfg)
}

// settingNames are the settings that each type of repository reads.
var settingNames = map[string]map[string]bool{}

// RegisterSettings says which settings of its own a type of repository reads.
func RegisterSettings(typ string, names ...string) {
	openersMu.Lock()
	defer openersMu.Unlock()
	if settingNames[typ] == nil {
		settingNames[typ] = map[string]bool{}
	}
	for _, n := range names {
		settingNames[typ][n] = true
	}
}

// UnknownSettings returns the settings that a type of repository does not read, sorted: mistakes in writing, or settings of other servers. It is
// nil for a type that did not say what it reads.
func UnknownSettings(typ string, set Settings) []string {
	openersMu.RLock()
	defer openersMu.RUnlock()
	known := settingNames[typ]
	var out []string
	for name := range set {
		if known != nil && !known[name] {
			out = append(out, name)
		}
	}
	sort.Strings(out)
	return out
}

// secretNames are what the key store may hold for each type of repository; a star stands for the name of a client.
var secretNames []string

// RegisterSecrets says which secrets a type of repository reads, such as s3.client.*.secret_key.
func RegisterSecrets(names ...string) {
	openersMu.Lock()
	defer openersMu.Unlock()
	secretNames = append(secretNames, names...)
}

// UnknownSecret tells whether a name is like that of a repository's secret, but none that is read: a mistake in writing.
func UnknownSecret(name string) bool {
	openersMu.RLock()
	defer openersMu.RUnlock()
	like := false
	for _, n := range secretNames {
		before, after, star := strings.Cut(n, "*")
		rest, ok := strings.CutPrefix(name, before)
		client, is := strings.CutSuffix(rest, after)
		if ok && is && star == (client != "") && !strings.Contains(client, ".") {
			return false
		}
		family, _, _ := strings.Cut(n, ".")
		like = like || strings.HasPrefix(name, family+".")
	}
	return like
}

// CheckLocation refuses a location with a setting that nobody reads. In a location nothing is carried along for other servers.
func CheckLocation(typ string, set Settings) error {
	if unknown := UnknownSettings(typ, set); len(unknown) > 0 {
		return SettingError(unknown[0], "there is no such setting of type %s", typ)
	}
	return nil
}
