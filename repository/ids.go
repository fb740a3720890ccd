package repository

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"
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

// timeIDs makes ids that hold their time.
type timeIDs struct {
	mu       sync.Mutex
	node     [6]byte // in place of the machine's address
	sequence uint32
	last     int64
}

var timeUUIDs = sync.OnceValue(func() *timeIDs {
	g := &timeIDs{}
	var seed [4]byte
	rand.Read(g.node[:])
	rand.Read(seed[:])
	g.node[0] |= 1 // as of addresses that no machine has
	g.sequence = binary.LittleEndian.Uint32(seed[:])
	return g
})

// NewTimeUUID returns an id that holds the time, as OpenSearch gives them to metadata of indices: 15 bytes as 20 characters of
// unpadded URL-safe base64. They are 24 bits of a sequence, 48 of milliseconds since 1970 and 48 of a node's address, in the
// order of docs/formats/repository.md. The times of one process never run backwards.
func NewTimeUUID() string { return timeUUIDs().next(time.Now().UnixMilli()) }

func (g *timeIDs) next(now int64) string {
	g.mu.Lock()
	g.sequence++
	s, t := g.sequence, max(now, g.last)
	g.last = t
	g.mu.Unlock()
	n := g.node
	b := [15]byte{byte(s), byte(s >> 16), byte(t >> 16), byte(t >> 24), byte(t >> 32), byte(t >> 40), n[0], n[1], n[2], n[3], n[4], n[5], byte(t >> 8), byte(s >> 8), byte(t)}
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// timeOfUUID returns the milliseconds since 1970 that an id holds.
func timeOfUUID(id string) (int64, bool) {
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(b) != 15 {
		return 0, false
	}
	return int64(b[5])<<40 | int64(b[4])<<32 | int64(b[3])<<24 | int64(b[2])<<16 | int64(b[12])<<8 | int64(b[14]), true
}
