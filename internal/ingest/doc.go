// Package ingest is OpenSearch's ingest pipelines: processors that change a document before it is indexed.
//
// Compile reads a pipeline's JSON with the checks and error texts of OpenSearch 2.19; a Pipeline is immutable and safe for
// concurrent use, a Document belongs to one goroutine. Registry keeps the compiled pipelines of the cluster state and counts what they do;
// Simulate runs a pipeline on given documents.
//
// The values of a document are those of internal/javavalue, so that types in error texts, printed numbers and comparisons are Java's.
// Regular expressions with look-around, atomic groups and possessive quantifiers, which grok's patterns need, run on a backtracking
// engine with a limit of one second for a match, as in OpenSearch; what Java or Oniguruma have beyond it is refused (regex.go).
//
// Scripts are not run: a pipeline with a script processor, or a condition beyond the small language of condition.go, is refused.
// One that a restore brought is kept as it is, and a write through it fails.
package ingest
