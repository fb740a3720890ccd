// Package node makes a running server of its parts: it reads the configuration, opens the data folder and the
// cluster state, joins the cluster, starts the shards and the snapshot service, and serves the HTTP API. Start
// returns when requests are answered; Stop leaves cleanly.
package node
