// Package aggregation computes OpenSearch's aggregations over the documents that a query found.
//
// Parse turns the request's "aggs" into a Plan. Each slice of a shard (one goroutine) makes a Collector
// of the plan and feeds it documents leaf by leaf; its Result is merged with those of other slices and
// shards by Reduce, and rendered by Results.Render. Buckets are numbered per aggregator: a document is
// collected into the bucket of its parent, and top-level aggregations have the one bucket 0.
//
// The package sees columns through Resolver and Column, which the mapping provides: it knows doc values
// and not field types.
package aggregation
