// Package mem is a blob container in memory, for tests and for models of other stores. All
// containers made from one [New] share its blobs. Values are copied in and out, so nothing outside
// can change a blob.
package mem
