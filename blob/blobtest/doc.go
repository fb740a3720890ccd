// Package blobtest is the conformance suite of blob.Container: each store's tests call [Run] with a
// maker of fresh containers.
package blobtest
