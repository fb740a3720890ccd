// Package oracletest finds the outside programs and data that judge Varve: real OpenSearch nodes,
// Lucene's CheckIndex, and the repositories that real nodes wrote.
//
// They live in a folder named shared beside the checkout, or where VARVE_SHARED says. A test that
// needs them and does not find them is skipped with a message that starts with SkipMark. CI fails on every skipped test
// but those of Long, which its long run has (.ci/summary.py).
package oracletest
