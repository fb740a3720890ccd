// Package oracletest finds the outside programs and data that judge Varve: real OpenSearch nodes,
// Lucene's CheckIndex, and the repositories that real nodes wrote.
//
// They live in a folder named shared beside the checkout, or where VARVE_SHARED says. A test that
// needs them and does not find them is skipped with a message that starts with SkipMark, so that a
// continuous-integration run can count such skips and fail.
package oracletest
