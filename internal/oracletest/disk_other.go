//go:build !linux

package oracletest

import "testing"

// SmallDisk skips the test: only on Linux is a file system of memory mounted.
func SmallDisk(t testing.TB, _ int64) string {
	t.Helper()
	t.Skipf("%s a test of a full disk needs Linux", SkipMark)
	return ""
}
