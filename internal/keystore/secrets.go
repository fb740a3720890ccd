package keystore

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// Secrets is a node's view of its key store. It is safe for concurrent use.
type Secrets struct {
	path string

	mu       sync.Mutex
	password string
	file     *File // nil where there is none
}

// Load opens the key store at a path. A node without one has no secrets, and that is no error.
func Load(path, password string) (*Secrets, error) {
	s := &Secrets{path: path, password: password}
	return s, s.reload(password)
}

// Path is where the file is, or would be.
func (s *Secrets) Path() string { return s.path }

// Reload reads the file anew. Without a password the one of before serves. When it fails the secrets of
// before stay.
func (s *Secrets) Reload(password string) error {
	s.mu.Lock()
	if password == "" {
		password = s.password
	}
	s.mu.Unlock()
	return s.reload(password)
}

func (s *Secrets) reload(password string) error {
	f, err := Open(s.path, password)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = nil, nil
	}
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file, s.password = f, password
	return nil
}

// Lookup returns a secret.
func (s *Secrets) Lookup(name string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return "", false
	}
	v, ok := s.file.entries[name]
	return v, ok
}

// sealedPrefix begins a sealed text.
const sealedPrefix = "sealed:1:"

// IsSealed tells whether a text is what Seal returns.
func IsSealed(text string) bool { return strings.HasPrefix(text, sealedPrefix) }

// Seal encrypts a text that is kept under a name outside of the key store. The same text under the same
// name gives the same result, so that a repeated request changes nothing. A key store is made where the
// node has none.
func (s *Secrets) Seal(name, text string) (string, error) {
	seed, err := s.seed(true)
	if err != nil {
		return "", err
	}
	aead, mac, err := sealKeys(seed)
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, mac)
	h.Write([]byte(name + "\x00" + text))
	nonce := h.Sum(nil)[:aead.NonceSize()]
	return sealedPrefix + base64.RawURLEncoding.EncodeToString(aead.Seal(nonce, nonce, []byte(text), []byte(name))), nil
}

// Unseal returns what Seal was given. A text that is not sealed is returned as it is.
func (s *Secrets) Unseal(name, text string) (string, error) {
	coded, ok := strings.CutPrefix(text, sealedPrefix)
	if !ok {
		return text, nil
	}
	fail := func(why string) error {
		return fmt.Errorf("the sealed setting [%s] cannot be opened: %s; set it anew, or give every node of the cluster the same key store", name, why)
	}
	seed, err := s.seed(false)
	if err != nil {
		return "", fail(err.Error())
	}
	aead, _, err := sealKeys(seed)
	if err != nil {
		return "", err
	}
	b, err := base64.RawURLEncoding.DecodeString(coded)
	if err != nil || len(b) < aead.NonceSize() {
		return "", fail("it is damaged")
	}
	plain, err := aead.Open(nil, b[:aead.NonceSize()], b[aead.NonceSize():], []byte(name))
	if err != nil {
		return "", fail("it was sealed with another key store")
	}
	return string(plain), nil
}

func (s *Secrets) seed(create bool) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil && create {
		f, err := Create(s.path, s.password)
		if errors.Is(err, fs.ErrExist) {
			f, err = Open(s.path, s.password) // somebody was faster
		}
		if err != nil {
			return "", err
		}
		s.file = f
	}
	if s.file == nil {
		return "", fmt.Errorf("this node has no key store at %s", s.path)
	}
	return s.file.entries[seedName], nil
}

func sealKeys(seed string) (cipher.AEAD, []byte, error) {
	if seed == "" {
		return nil, nil, errors.New("the key store has no " + seedName)
	}
	keys, err := hkdf.Key(sha256.New, []byte(seed), nil, "varve sealed settings", 64)
	if err != nil {
		return nil, nil, err
	}
	block, err := aes.NewCipher(keys[:32])
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	return aead, keys[32:], err
}

// Environment variables that hold the password, or the name of a file that does.
const (
	passwordVar     = "VARVE_KEYSTORE_PASSWORD"
	passwordFileVar = "VARVE_KEYSTORE_PASSWORD_FILE"
)

// WithoutPassword is the error of a key store that was opened without a password: it says where one is taken from.
func WithoutPassword(err error) error {
	if !errors.Is(err, ErrPassword) {
		return err
	}
	return fmt.Errorf("%w; no password was given: set %s, or %s to a file that holds it", err, passwordVar, passwordFileVar)
}

// EnvPassword returns the password that the environment holds; false where it holds none.
func EnvPassword() (string, bool, error) {
	if p, ok := os.LookupEnv(passwordVar); ok {
		return p, true, nil
	}
	name, ok := os.LookupEnv(passwordFileVar)
	if !ok {
		return "", false, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return "", false, fmt.Errorf("%s: %w", passwordFileVar, err)
	}
	return strings.TrimRight(string(b), "\r\n"), true, nil
}
