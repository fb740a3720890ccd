package codec

import "errors"

// UnsupportedError says that a file, field or segment is sound but of a format that this library does not
// read: that of a plugin, or of another generation of Lucene. It is never returned for damage.
type UnsupportedError struct {
	Format string // name of the format or codec as the index records it
	Where  string // what uses it, such as a field or a segment; may be empty
	Reason string // what it is, for a person
}

func (e *UnsupportedError) Error() string {
	s := "unsupported index format " + e.Format
	if e.Where != "" {
		s += " of " + e.Where
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// IsUnsupported tells whether err, or a cause of it, is an UnsupportedError.
func IsUnsupported(err error) bool {
	var u *UnsupportedError
	return errors.As(err, &u)
}
