// Package bench holds comparisons of Varve with real programs on the same data in one run. bench/run measures indexing, queries,
// snapshots and restores with bench/compare; bench/scale/run the snapshot API on repositories of many snapshots. Both print a
// table of ratios; bench/results keeps what was measured, with the commit and the machine.
package bench
