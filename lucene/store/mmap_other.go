//go:build !linux

package store

import "os"

// openMmap reads with pread where memory maps are not wired up.
func openMmap(path, name string) (Input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return NewPreadInput(name, f, st.Size()), nil
}
