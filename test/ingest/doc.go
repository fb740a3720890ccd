// Package ingest tests ingest pipelines and stored scripts beside a real OpenSearch 2.19.6: the same requests, the same answers, and
// pipelines that go from the one to the other in snapshots.
package ingest
