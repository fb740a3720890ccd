package repository

import (
	"crypto/rand"
	"encoding/base64"
)

// NewUUID returns a random UUID (version 4) as OpenSearch writes it: 22 characters of unpadded
// URL-safe base64.
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: the runtime ends the program when the system has no randomness
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return base64.RawURLEncoding.EncodeToString(b[:])
}
