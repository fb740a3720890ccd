package blob

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Info describes a blob. Size is in bytes.
type Info struct {
	Name string
	Size int64
	// Attributes are what the writer said of the blob beside its content, by names in lower case. Only Stat tells them, and only of stores that keep
	// such (those of S3). Nil: none.
	Attributes map[string]string
}

// PutOptions says how a blob is written.
type PutOptions struct {
	// IfAbsent refuses to replace a blob: the error is then of kind AlreadyExists. It is atomic
	// where the container has the capability AtomicIfAbsent.
	IfAbsent bool
	// Batch, if set, leaves it to [Batch.Flush] that the blob outlives a crash.
	Batch *Batch
}

// DeleteStats counts what DeleteTree removed.
type DeleteStats struct {
	Blobs int64
	Bytes int64
}

// Capabilities are bits that say what a container can do.
type Capabilities uint32

const (
	// CanWrite is set where Put may work.
	CanWrite Capabilities = 1 << iota
	// CanDelete is set where DeleteBatch and DeleteTree may work.
	CanDelete
	// CanList is set where List and Children work (a plain web server cannot list).
	CanList
	// AtomicIfAbsent is set where, of several concurrent Puts of one name with IfAbsent, exactly
	// one succeeds.
	AtomicIfAbsent
	// TempBelow is set where a [TempCleaner] lists what lies in sub-containers, too.
	TempBelow
)

// Has says whether all bits of want are set.
func (c Capabilities) Has(want Capabilities) bool { return c&want == want }

// Container is a flat set of named blobs, with named sub-containers. It is safe for concurrent use.
//
// Every method returns an error for which [KindOf] gives the kind. Names obey [CheckName], and paths
// of sub-containers [CheckPath]; others are refused with KindInvalidName before anything is touched.
// A sub-container need not be created: it is there when it holds a blob.
type Container interface {
	// Put writes a blob of exactly size bytes. Whoever reads it sees the old blob, none, or the whole
	// new one, even after a crash; when Put has returned nil the blob outlives a crash (with a [Batch], only once that is flushed). A reader
	// that gives another number of bytes makes Put fail and leaves no new blob. After an error the
	// blob may be there all the same (an answer can be lost on its way).
	Put(ctx context.Context, name string, r io.Reader, size int64, opts PutOptions) error
	// Get opens a whole blob. The caller closes it.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// GetRange opens length bytes of a blob from offset off. Fewer bytes follow when the blob ends
	// earlier; none when off is at or behind its end. Negative arguments are KindInvalid.
	GetRange(ctx context.Context, name string, off, length int64) (io.ReadCloser, error)
	// Stat returns the size of a blob; KindNotFound when there is none.
	Stat(ctx context.Context, name string) (Info, error)
	// List calls fn for each blob of this container (not of sub-containers) whose name starts with
	// prefix, in no promised order. A container that does not exist is empty. An error of fn ends
	// the listing and is returned as it is. A blob written or deleted meanwhile may or may not show.
	List(ctx context.Context, prefix string, fn func(Info) error) error
	// Children calls fn with the name of each direct sub-container. Empty folders may show.
	Children(ctx context.Context, fn func(name string) error) error
	// Container returns the sub-container at a slash-separated path.
	Container(path string) (Container, error)
	// DeleteBatch removes blobs. Names may be slash-separated paths of blobs in sub-containers, which obey CheckBlobPath. One that
	// does not exist is no error. It tries all names; when some fail the error is a *BatchError.
	DeleteBatch(ctx context.Context, names []string) error
	// DeleteTree removes all blobs of this container and of its sub-containers.
	DeleteTree(ctx context.Context) (DeleteStats, error)
	// Capabilities says what this container can do.
	Capabilities() Capabilities
	// String is the location for messages; it holds no secrets.
	String() string
}

// Exists says whether a blob is there.
func Exists(ctx context.Context, c Container, name string) (bool, error) {
	_, err := c.Stat(ctx, name)
	switch {
	case err == nil:
		return true, nil
	case KindOf(err) == KindNotFound:
		return false, nil
	default:
		return false, err
	}
}

// askLength is how many bytes ReadAll reads before it asks for a blob's length.
const askLength = 16 << 20

// ReadAll reads a blob into memory and refuses one that is larger than limit bytes.
func ReadAll(ctx context.Context, c Container, name string, limit int64) ([]byte, error) {
	r, err := c.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// Metadata is a few kilobytes mostly: that takes one read, and one that finds the end.
	b, in, asked := make([]byte, 0, 4<<10), io.LimitReader(r, limit+1), false
	for err == nil {
		if len(b) == cap(b) {
			more := len(b)
			if !asked && len(b) >= askLength { // large: to double it again and again would take several times its size
				asked = true
				if info, err := c.Stat(ctx, name); err == nil && info.Size > limit {
					return nil, tooLarge(c, name, limit)
				} else if err == nil {
					more = int(max(info.Size-int64(len(b)), 0)) + 1
				}
			}
			b = slices.Grow(b, more)
		}
		var n int
		n, err = in.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
	}
	if err != io.EOF { //nolint:errorlint // the end itself: a wrapped one is a failure
		return nil, fmt.Errorf("read blob [%s] of %s: %w", name, c, err)
	}
	if int64(len(b)) > limit {
		return nil, tooLarge(c, name, limit)
	}
	return b, nil
}

func tooLarge(c Container, name string, limit int64) error {
	return &Error{Op: "get", Name: name, Location: c.String(), Kind: KindCorrupt, Err: fmt.Errorf("larger than the limit of %d bytes", limit)}
}

// Names lists a container into a map from name to size.
func Names(ctx context.Context, c Container, prefix string) (map[string]int64, error) {
	names := make(map[string]int64)
	err := c.List(ctx, prefix, func(i Info) error {
		names[i.Name] = i.Size
		return nil
	})
	return names, err
}

// TempCleaner is implemented by containers whose interrupted writes leave files behind that List
// does not show.
type TempCleaner interface {
	// ListTemp returns what interrupted writes left in this container and that has not changed for at
	// least olderThan seconds. What sub-containers hold is included where the store lists both with one request, as
	// object stores do, which have TempBelow.
	ListTemp(ctx context.Context, olderThan int64) ([]Info, error)
	// DeleteTemp removes such leftovers by name.
	DeleteTemp(ctx context.Context, names []string) error
}

const maxNameLen = 255

// CheckName refuses names of blobs that could leave the container or that a store cannot keep:
// empty, "." and "..", with a slash, a backslash or a control character, or over 255 bytes.
func CheckName(name string) error {
	bad := ""
	switch {
	case name == "":
		bad = "is empty"
	case name == "." || name == "..":
		bad = "is a relative path"
	case len(name) > maxNameLen:
		bad = "is longer than 255 bytes"
	case strings.ContainsAny(name, "/\\"):
		bad = "contains a path separator"
	default:
		for i := 0; i < len(name); i++ {
			if name[i] < 0x20 || name[i] == 0x7f {
				bad = "contains a control character"
				break
			}
		}
	}
	if bad == "" {
		return nil
	}
	return &Error{Op: "check name", Name: fmt.Sprintf("%.80q", name), Kind: KindInvalidName, Err: fmt.Errorf("name %s", bad)}
}

// CheckBlobPath refuses what is neither the name of a blob nor the slash-separated path of one in a sub-container.
func CheckBlobPath(path string) error {
	if path == "" {
		return CheckName(path)
	}
	return CheckPath(path)
}

// CheckPath checks each component of a slash-separated path. The empty path is this container.
func CheckPath(path string) error {
	if path == "" {
		return nil
	}
	for _, part := range strings.Split(path, "/") {
		if err := CheckName(part); err != nil {
			return err
		}
	}
	return nil
}
