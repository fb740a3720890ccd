// Command s3 measures how fast files go into a bucket and come back, in one run and on one server: with blob/s3, with the bare
// SDK and its transfer manager (the module in sdk), with s5cmd and with rclone; and then the same for snapshots and restores of a whole
// index, beside a real OpenSearch 3.8 with its own S3 plugin, without throttles on both sides.
//
//	go run ./bench/s3 [-rounds 3] [-sets big,small] [-product=false] [-out FILE]
//
// It needs the shared scripts (../shared, or VARVE_SHARED), installs pinned versions of the tools into the user's cache folder
// once (minutes), and takes less than ten minutes after that. big is 64 files of 16 MiB, small 5,000 of 20 KiB, of random bytes; uploads read from
// the page cache, downloads are not synced. Each round runs all tools on fresh buckets in a new order, and waits before each, for a while, until nothing else works on the
// machine; what other processes took all the same is in the last column. Ratios are medians of each round's ratio: trust them before the speeds.
package main
