package fs

import (
	"os"
	"syscall"
)

// openFile is os.OpenFile for files and folders. That one tries whether the file can be polled, which those never can: five
// system calls of its six. A deletion opens some hundred thousand of them.
func openFile(path string, flag int, perm os.FileMode) (*os.File, error) {
	for {
		fd, err := syscall.Open(path, flag|syscall.O_CLOEXEC, uint32(perm.Perm()))
		switch err {
		case nil:
			return os.NewFile(uintptr(fd), path), nil
		case syscall.EINTR:
			continue
		}
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
}

// rename is os.Rename without a look at what it replaces: the kernel refuses a folder by itself.
func rename(from, to string) error {
	for {
		err := syscall.Rename(from, to)
		switch err {
		case nil:
			return nil
		case syscall.EINTR:
			continue
		}
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
}
