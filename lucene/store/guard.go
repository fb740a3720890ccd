package store

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Guard runs fn and turns a memory fault in it into an error. A file that another process truncated, or a disk that fails,
// kills a process that touches the mapped page; in a goroutine under Guard it is an error instead.
// Call it at the root of every goroutine that reads an index. Other panics go on.
func Guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(old)
		r := recover()
		if r == nil {
			return
		}
		fault, ok := r.(interface {
			runtime.Error
			Addr() uintptr
		})
		if !ok {
			panic(r)
		}
		err = fmt.Errorf("a mapped index file cannot be read (truncated by another process, or the disk fails) at address %#x: %w", fault.Addr(), fault)
	}()
	return fn()
}
