// Package compound reads and writes compound files: all files of a small segment in one .cfs, with the
// table of their places in .cfe.
//
// Open returns a read-only store.Directory over the inner files, which go by their full names.
// The bytes are specified in docs/formats/compound.md. Inner files keep their own headers and footers,
// so that each can be verified alone.
package compound
