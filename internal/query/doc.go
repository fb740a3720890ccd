// Package query turns what a search request says into what lucene/search and internal/aggregation run: OpenSearch's
// query DSL, sorts, search_after, and the parts of documents that hits show.
//
// A request goes through two phases, as in OpenSearch, because their errors differ. Compile (ParseSort, ParseSource) reads JSON without any index: what is wrong there fails the whole request. The result is immutable and
// is then bound to each index by a Context: Compiled.Query, SortSpec.Bind. What is wrong there, such as a
// value that a field cannot hold, is a query_shard_exception of that index.
//
//	c, err := query.Compile(body)             // nil: match_all
//	q, err := c.Query(ctx)                    // the query of one index
//	q = ctx.Filtered(q, aliasFilter)          // hides nested documents where there are any
//	spec, err := query.ParseSort(raw)         // nil: by score
//	sort, err := spec.Bind(ctx)               // sort.Fields for search.ByFields; nil: search.ByScore
//	after, err := sort.After(values)          // for ByFields.After or ByScore.After
//	shown := sort.Render(hit.Sort)            // "sort" of a hit
//	agg, err := aggregation.Parse(raw, ctx.Aggregations(searcher))
//	src, err := query.ParseSource(raw)        // src.Apply(document)
//
// JSON is that of internal/xcontent: *xcontent.Object, []any, json.Number, string, bool, nil.
//
// Everything is safe for concurrent use.
package query
