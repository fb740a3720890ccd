// Package bench holds comparisons of Varve with real programs on the same data in one run. bench/compare prints a table of
// ratios; bench/results keeps what was measured, with the commit and the machine.
package bench
