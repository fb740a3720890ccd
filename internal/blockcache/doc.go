// Package blockcache keeps blocks of remote files in memory and on disk, both bounded, for directories that read a
// repository on demand.
//
// The disk holds a file per block: its bytes, and a trailer with their CRC-32C. What a process left there the next one
// goes on with, oldest first to leave; a block whose bytes are damaged is dropped and fetched again. Files are never
// synced: what a crash leaves half written the checksum finds. Before a block is written as many others are removed as
// it takes, so that the sum of the files' sizes never exceeds the limit.
package blockcache
