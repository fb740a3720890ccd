// Command go is the snapshot story with opensearch-go. It is a module of its own, so that Varve does not depend on its client.
//
//	go run . URL LOCATION
package main
