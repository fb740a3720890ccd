// Command varve is an OpenSearch-compatible search server and a tool for snapshot repositories: flags and wiring only. A file
// for each command; what the commands do is in internal/node (serve, demo), internal/repotool (repo) and internal/keystore.
package main
