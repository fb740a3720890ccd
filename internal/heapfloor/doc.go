// Package heapfloor keeps the collector from running every few requests in a process that holds little.
package heapfloor
