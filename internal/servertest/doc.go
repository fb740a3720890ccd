// Package servertest starts the varve binary as its users do, for tests that kill it, or that compare it with
// real programs.
package servertest
