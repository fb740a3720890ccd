// Package search runs queries over the segments of an index.
//
// A Query describes what is sought. Rewrite turns it into simpler ones until nothing changes; its Weight holds what is
// the same for all segments (statistics, boosts); the Weight's Scorer walks one segment's matches in doc ID order and
// scores them. Searcher.Search runs a query into Collectors, segments in parallel, and Reduce puts their results
// together. TopDocs by score or by fields, counts and sets of documents are at hand; aggregations bring their own.
//
// Scores agree with Lucene 9.12's to the last bit wherever the order of additions allows: BM25 in float32, sums of
// clauses in float64, rounded once per boolean query.
//
// Where only the best k hits count, impacts (the best frequency and norm of each block of postings) bound the score of
// what lies ahead, and blocks that cannot compete are skipped; the hits are those of an exhaustive run.
//
// A Searcher, its Queries and Weights are immutable and safe for concurrent use; Scorers and Collectors are for one
// goroutine. Deleted documents are filtered by the searcher, not by the scorers.
package search
