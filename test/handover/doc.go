// Package handover runs two nodes on one etcd and takes the manager's office from the one that works on a repository, at random
// moments of snapshots, clones, deletions, clean-ups and restores: the other goes on from the records, and what the first writes late does no harm.
package handover
