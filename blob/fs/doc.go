// Package fs keeps blobs as files below a folder, the layout that OpenSearch's fs repository has.
//
// A blob is written to a temporary file beside its place, synced, and moved: by rename(2), or by
// link(2) where it must not replace another, because rename overwrites and O_EXCL would show half a
// file. Then the folder is synced. Temporary names start with "pending-", which OpenSearch cleans up
// too; List hides them, and ListTemp and DeleteTemp handle what a killed process left.
//
// Removed files give back their space a little later where that makes a removal wait (ext4):
// docs/decisions/0019.
//
// The scheme "fs:PATH" opens such a container.
package fs
