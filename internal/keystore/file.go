package keystore

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// FileName is what the file is called, beside the configuration file.
const FileName = "varve.keystore"

// seedName is the entry that every key store has: random bytes from which other keys are derived.
const seedName = "keystore.seed"

var validName = regexp.MustCompile(`^[A-Za-z0-9_\-.]+$`)

// File is an open key store. It is not safe for concurrent use.
type File struct {
	path    string
	entries map[string]string
}

// Create makes a key store, and fails where a file is already.
func Create(path, password string) (*File, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("make the key store %s: %w", path, fs.ErrExist)
	}
	var seed [32]byte
	if _, err := rand.Read(seed[:]); err != nil {
		return nil, err
	}
	f := &File{path, map[string]string{seedName: base64.RawURLEncoding.EncodeToString(seed[:])}}
	return f, f.Save(password)
}

// Open decrypts a key store. The error is fs.ErrNotExist where there is none, and ErrPassword where the
// password is wrong.
func Open(path, password string) (*File, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	entries, err := decode(b, password)
	if err != nil {
		return nil, fmt.Errorf("open the key store %s: %w", path, err)
	}
	return &File{path, entries}, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the key store: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the key store %s: %w", path, err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("read the key store %s: it is larger than %d bytes", path, maxFile)
	}
	return b, nil
}

// Names returns the names of the secrets, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.entries)) }

// Has tells whether there is a secret of this name.
func (f *File) Has(name string) bool { _, ok := f.entries[name]; return ok }

// Set adds or replaces a secret.
func (f *File) Set(name, value string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("the name %q of a secret may have letters, digits, and the characters _ - . only", name)
	}
	if name == seedName {
		return fmt.Errorf("%s cannot be set: other secrets are sealed with it", seedName)
	}
	if value == "" {
		return fmt.Errorf("the secret %s is empty", name)
	}
	f.entries[name] = value
	return nil
}

// Remove removes a secret.
func (f *File) Remove(name string) error {
	if name == seedName {
		return fmt.Errorf("%s cannot be removed: other secrets are sealed with it", seedName)
	}
	if !f.Has(name) {
		return fmt.Errorf("the key store has no secret %s", name)
	}
	delete(f.entries, name)
	return nil
}

// Save writes the file with a password, in the place of the old one.
func (f *File) Save(password string) error {
	b, err := encode(f.entries, password)
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("it would be larger than %d bytes", maxFile)
	}
	if err == nil {
		err = replaceFile(f.path, b)
	}
	if err != nil {
		return fmt.Errorf("write the key store %s: %w", f.path, err)
	}
	return nil
}

func replaceFile(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".varve-keystore-*") // readable by its owner only
	if err != nil {
		return err
	}
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
