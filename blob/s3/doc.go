// Package s3 keeps blobs in a bucket of Amazon S3 or of a store that speaks its protocol.
//
// Repositories of type "s3" take the settings of OpenSearch's repository-s3; every one is checked before
// a request is sent, and the error names it. Locations are
// s3://BUCKET/BASE_PATH?endpoint=…&region=…, with credentials from the environment.
//
// How it works:
//   - A blob up to buffer_size goes up in one request, a larger one in parts of that size, several at a
//     time. Its reader need not be seekable: parts are held in memory until they are acknowledged, within
//     one bound for the whole process.
//   - Reading fetches a large blob in ranges, several ahead, and goes on behind a connection that broke.
//     Ranges of one version of a blob can be read side by side, past that memory (blob.Ranged).
//   - Requests for objects go past most of the SDK's steps (direct.go): those are half of the work for a small one.
//   - Creation of what is absent uses If-None-Match. When an answer was lost and the repeated request is
//     refused, a random mark in the object's metadata tells whether it was ours.
//   - Requests follow the SDK's standard mode: a number of attempts, exponential waits with jitter, and a
//     quota that stops retries when nothing works. When the store asks to slow down, fewer requests are
//     let out at a time.
//   - Where the context has patience (blob.WithPatience) an operation goes on for as long as that lasts.
//   - Amazon gets CRC32 checksums in trailers. Other stores get none over TLS, a CRC32C in a header over plain HTTP, or Content-MD5 where
//     legacy_md5_checksum_calculation asks for it.
package s3
