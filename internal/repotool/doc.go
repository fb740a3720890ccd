// Package repotool looks into snapshot repositories from a shell, without a cluster: what lies in one, what it takes,
// whether it is whole, the documents of an index, and how two snapshots differ; it copies snapshots, takes shards
// out, removes what is left over, and puts right what is damaged. cmd/varve gives it flags.
//
// Every function takes a [Printer], which gives answers as lines for people or as JSON for scripts. The shapes of the JSON are the
// exported structs, and docs/repo-tool.md lists them.
//
// Invariants: a location is opened read-only unless the command is told to write; memory is bounded, whatever the size
// of the repository's data; a context ends every command, and then nothing is left half-written under its final name.
package repotool
