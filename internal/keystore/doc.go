// Package keystore keeps a node's secrets, such as s3.client.default.secret_key, in a file that is
// encrypted with a password, which may be empty as in OpenSearch.
//
// [File] is what the command line edits; [Secrets] is what a running node looks secrets up in, reloads,
// and seals texts with that must be kept elsewhere, such as a secret among the settings of a repository.
//
// The file (docs/formats/keystore.md) is AES-256-GCM over JSON, under a key that Argon2id makes of the
// password. It is replaced as a whole, and readable by its owner only. Secrets never appear in errors.
package keystore
