// Package scale measures the snapshot API on repositories of many snapshots and of many indices beside real nodes: times on a file
// system with bench/scale/run, and here which requests each program sends to a bucket for the same operations:
//
//	go test ./bench/scale -run xxx -bench Requests -benchtime 1x
package scale
