// Package interop lets Varve and real OpenSearch nodes work on the same snapshots: what one wrote, the other
// restores, searches with the same answers, and goes on writing to.
package interop
