// Package cluster is a node's part in the cluster: it holds the shards that the routing in the cluster
// state gives to this node, and, while this node is the elected manager, decides where shards go.
//
// Everything goes by records: creating an index writes its metadata and its routing; the manager gives
// unassigned copies to nodes; the node that a copy is given to opens the shard (empty, from its own disk, or
// from a snapshot) and marks it started. A single node is a cluster of one and does the same. What a client
// waits for, it waits for in the state.
//
// Main types: Node, the running part; Index, an index with its mapping and the shards that are here.
package cluster
