// Package chunkindex maps documents to the chunks of a file that holds them in order: where the chunk
// of a document begins. Stored fields (.fdx) and term vectors (.tvx) share it.
//
// Writer collects the chunks of a new file; Index reads an existing one, and each goroutine takes a
// Cursor of its own. The bytes are specified in docs/formats/storedfields.md. What a Cursor returns
// lies within the file and covers the document that was asked for.
package chunkindex
