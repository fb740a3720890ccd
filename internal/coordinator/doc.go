// Package coordinator fans a request out to the shards that it concerns and merges their answers:
// document writes and reads, bulk, searches with their fetch phase, scrolls.
//
// It resolves names and routing, and asks the node's shards (internal/cluster). It knows neither HTTP nor the
// formats of requests beyond what OpenSearch's JSON means; internal/rest parses and renders.
package coordinator
