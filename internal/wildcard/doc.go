// Package wildcard resolves index expressions such as "logs-*,-logs-old,alias" to index names, with
// OpenSearch's rules and error texts.
//
// A [Lookup] is an immutable table of indices and aliases; [Options] are expand_wildcards,
// ignore_unavailable, allow_no_indices and what an API fixes for itself. Date math names are
// resolved with [DateMath] first.
package wildcard
