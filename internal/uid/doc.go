// Package uid converts document ids between their text and the bytes that the index keeps in the field
// _id: digits in nibbles, URL-safe base64 decoded, anything else as UTF-8 behind a marker byte. It is
// OpenSearch's encoding, so that a real node finds our documents and we find its.
package uid
