package rest

import (
	"bufio"
	"bytes"
	"io"
	"net/http"

	"github.com/varve-search/varve/internal/xcontent"
)

const (
	// streamFrom is how many elements a list has at least that is sent as it comes about.
	streamFrom = 64
	// streamBuffer is how much of it is held back, in bytes.
	streamBuffer = 64 << 10
)

// wantsWhole says that a parameter changes the answer as a whole, which therefore has to be there before it is sent.
func (r *Request) wantsWhole() bool {
	return r.Has("filter_path") || r.Has("pretty") || r.Has("human") || r.Param("format") == "yaml"
}

// streamList answers {key:[…]} with n elements. An answer of streamFrom elements or more, or one that weighs as much, is sent element by
// element, and never whole in memory. The first element is made before the status is sent, so that what is wrong with all is answered as
// an error; an error later on breaks the answer off, so that nobody takes it for whole.
func streamList(r *Request, key string, n, weight int, element func(i int) (any, error)) (*Response, error) {
	if n == 0 || weight < streamFrom || r.wantsWhole() || r.HTTP.Method == http.MethodHead {
		list := make([]any, n)
		for i := range list {
			var err error
			if list[i], err = element(i); err != nil {
				return nil, err
			}
		}
		return OK(xcontent.Obj(key, list))
	}
	next, err := element(0)
	if err != nil {
		return nil, err
	}
	return &Response{Status: http.StatusOK, Stream: func(w io.Writer) error {
		out := bufio.NewWriterSize(w, streamBuffer)
		var b bytes.Buffer
		b.WriteString(`{"` + key + `":[`)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
				if next, err = element(i); err != nil {
					_ = out.Flush() // what is whole; the error is what counts
					return err
				}
			}
			if err := xcontent.Append(&b, next); err != nil {
				return err
			}
			if _, err := b.WriteTo(out); err != nil {
				return err
			}
		}
		_, _ = out.WriteString("]}") // Flush tells
		return out.Flush()
	}}, nil
}
