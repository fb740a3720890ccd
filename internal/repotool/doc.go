// Package repotool looks into snapshot repositories from a shell, without a cluster: what lies in one,
// whether it is whole, and the documents of an index. cmd/varve gives it flags; a Printer gives its
// answers as lines for people or as JSON for scripts.
package repotool
