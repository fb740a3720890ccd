// Command compare measures Varve beside a real OpenSearch on the same documents in one run, and prints ratios.
//
//	go run ./bench/compare -varve URL -varve-pid PID -varve-data DIR -peer URL -peer-pid PID -peer-data DIR -repo DIR -packages FILE
//
// bench/run starts both servers and calls it. The documents are Debian's package index, repeated with variations. On both sides request caches
// and snapshot and recovery throttles are off.
package main
