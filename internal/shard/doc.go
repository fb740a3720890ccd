// Package shard is one shard of an index: a Lucene index with a translog, and the rules of OpenSearch's
// engine about versions and sequence numbers.
//
// A Shard resolves each operation against the newest version of its document, gives it a sequence number,
// writes it to Lucene and the translog, and acknowledges when the translog is as durable as the index
// wants. Refresh makes operations visible to searches, Flush commits them and trims the translog. After a
// crash, Open replays what the last commit lacks.
//
// Invariants: operations on one document happen one after another (keyLock); an operation that was
// acknowledged with durability request survives any crash; a failed fsync fails the shard for good. The
// shard knows nothing of cluster state: its mapping comes through Parser, and its settings through Config.
package shard
