// Package bench holds comparisons of Varve with real programs on the same data in one run. bench/run measures indexing, queries,
// snapshots and restores with bench/compare; bench/scale/run the snapshot API on repositories of many snapshots;
//
//	go run ./bench/s3 -out bench/results/DATE-s3.md
//
// the way into a bucket and back, beside s5cmd, rclone, the bare SDK and a real OpenSearch with its S3 plugin. All print
// tables of ratios; bench/results keeps what was measured, with the commit and the machine.
package bench
