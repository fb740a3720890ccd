package keystore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// magic begins a file of version 1.
const magic = "VARVEKS1"

// header stands before the encrypted bytes, all numbers big-endian, and is authenticated with them.
type header struct {
	Time    uint32 // passes of Argon2id
	Memory  uint32 // in KiB
	Threads uint8
	Salt    [16]byte
	Nonce   [12]byte
}

// Limits of what a file may ask for, and of its size in bytes.
const (
	maxTime    = 16
	maxMemory  = 1 << 20
	maxThreads = 16
	maxFile    = 4 << 20
)

// cost is what new files take to open: about a tenth of a second.
var cost = header{Time: 3, Memory: 64 << 10, Threads: 4}

// ErrPassword is the error of a wrong password, or of a file that was changed: the two cannot be told apart.
var ErrPassword = errors.New("the password is wrong, or the key store was damaged")

func (h *header) cipher(password string) (cipher.AEAD, error) {
	key := argon2.IDKey([]byte(password), h.Salt[:], h.Time, h.Memory, h.Threads, 32)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// encode encrypts entries.
func encode(entries map[string]string, password string) ([]byte, error) {
	plain, err := json.Marshal(entries)
	if err != nil {
		return nil, err
	}
	h := cost
	for _, b := range [][]byte{h.Salt[:], h.Nonce[:]} {
		if _, err := rand.Read(b); err != nil {
			return nil, err
		}
	}
	aead, err := h.cipher(password)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	buf.WriteString(magic)
	if err := binary.Write(&buf, binary.BigEndian, &h); err != nil {
		return nil, err
	}
	return aead.Seal(buf.Bytes(), h.Nonce[:], plain, buf.Bytes()), nil
}

// readHeader returns the header and how many bytes it and the magic take.
func readHeader(file []byte) (*header, int, error) {
	var h header
	n := len(magic) + binary.Size(&h)
	if len(file) < n || string(file[:len(magic)]) != magic {
		return nil, 0, errors.New("this is no key store of Varve")
	}
	if _, err := binary.Decode(file[len(magic):n], binary.BigEndian, &h); err != nil {
		return nil, 0, err
	}
	if h.Time == 0 || h.Time > maxTime || h.Memory == 0 || h.Memory > maxMemory || h.Threads == 0 || h.Threads > maxThreads {
		return nil, 0, fmt.Errorf("the key store asks for %d passes over %d KiB in %d threads, which is out of range: it was damaged", h.Time, h.Memory, h.Threads)
	}
	return &h, n, nil
}

// decode decrypts a file.
func decode(file []byte, password string) (map[string]string, error) {
	h, n, err := readHeader(file)
	if err != nil {
		return nil, err
	}
	aead, err := h.cipher(password)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, h.Nonce[:], file[n:], file[:n])
	if err != nil {
		return nil, ErrPassword
	}
	entries := map[string]string{}
	if err := json.Unmarshal(plain, &entries); err != nil {
		return nil, errors.New("the decrypted key store is not the JSON it should be")
	}
	return entries, nil
}
