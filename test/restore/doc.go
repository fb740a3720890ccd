// Package restore proves restores over REST: searches while files still arrive from a slow repository, searchable snapshots
// against what real nodes answered, failures of a repository in the midst, processes that are killed.
package restore
