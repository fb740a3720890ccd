// Package javavalue is JSON values as OpenSearch's Java holds them while a pipeline or a template works on a document.
//
// It exists because pipelines show Java's ways: whether a number is an Integer or a Long stands in error texts, a
// double prints as 1.0E10, a map prints as {a=1}. A value is nil, bool, string, int32 (Integer), int64 (Long),
// *big.Int, float32, float64, time.Time, *Object or *List. Objects and lists change in place.
package javavalue
