package rest

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

const (
	// minCompressed is from how many bytes on an answer is compressed for a client that takes it, as in OpenSearch.
	minCompressed = 1024
	// maxKept is the largest buffer that is kept for the next answer.
	maxKept = 1 << 20
)

// gzipper compresses answers, one at a time. Making one costs more than compressing a usual answer, so they are kept.
type gzipper struct {
	out bytes.Buffer
	gz  *gzip.Writer
}

var gzippers = sync.Pool{New: func() any {
	g := &gzipper{}
	g.gz, _ = gzip.NewWriterLevel(&g.out, gzip.BestSpeed) // the level is valid
	return g
}}

// compressible tells whether an answer is to be sent in gzip format.
func compressible(req *http.Request, data []byte) bool {
	return len(data) > minCompressed && strings.Contains(req.Header.Get("Accept-Encoding"), "gzip")
}

// writeCompressed sends an answer in gzip format.
func writeCompressed(w http.ResponseWriter, req *http.Request, status int, data []byte) {
	g := gzippers.Get().(*gzipper)
	g.out.Reset()
	g.gz.Reset(&g.out)
	_, err := g.gz.Write(data)
	if err == nil {
		err = g.gz.Close()
	}
	if err != nil { // a buffer takes everything
		http.Error(w, "the answer could not be compressed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Length", strconv.Itoa(g.out.Len()))
	w.WriteHeader(status)
	if req.Method != http.MethodHead {
		_, _ = w.Write(g.out.Bytes()) // the client is gone if this fails
	}
	if g.out.Cap() <= maxKept {
		gzippers.Put(g)
	}
}
