// Package storecheck tries out whether a store does what a snapshot repository needs of it: whole writes, reads of ranges,
// lists that show what was written, atomic creation of what is absent, deletes. It works in a folder of its own, whose name
// starts with "tests-" as that of OpenSearch's probes does, and removes it.
package storecheck
