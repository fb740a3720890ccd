// Package storetest has a directory for tests of what a crash or a failing disk leaves behind.
//
// A [Directory] keeps, beside what a process sees, what would be on the disk if power failed now: the bytes of files
// that were synced, and the names as of the last sync of the folder plus any number of the changes since, in their order. It can
// fail the Nth change, once or for ever.
package storetest
