package rest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/telemetry"
	"github.com/varve-search/varve/internal/xcontent"
	"github.com/varve-search/varve/lucene/store"
)

// Limits of a request, as OpenSearch has them.
const (
	maxBody    = 100 << 20 // http.max_content_length
	maxURL     = 4096      // http.max_initial_line_length
	maxHeaders = 16 << 10
)

// Server answers HTTP requests with the handlers of a Router.
type Server struct {
	router *Router
	log    *slog.Logger
	http   *http.Server

	// Tracer makes a span of each request; nil makes none. Set it before Serve.
	Tracer *telemetry.Tracer
}

// NewServer returns a server; Serve starts it.
func NewServer(router *Router, log *slog.Logger) *Server {
	s := &Server{router: router, log: log}
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    maxHeaders,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	return s
}

// Serve answers requests on l until Shutdown. ctx is the parent of every request's context.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	s.http.BaseContext = func(net.Listener) context.Context { return ctx }
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown stops accepting requests and waits for those under way, as long as ctx allows.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.http.Shutdown(ctx); err != nil {
		_ = s.http.Close()
		return fmt.Errorf("shut down HTTP: %w", err)
	}
	return nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	if id := hr.Header.Get("X-Opaque-Id"); id != "" {
		w.Header().Set("X-Opaque-Id", id)
	}
	req := &Request{HTTP: hr, params: map[string]string{}, used: map[string]bool{}}
	resp := s.answer(w, req)
	for _, text := range req.warnings {
		w.Header().Add("Warning", "299 OpenSearch-2.19.0-varve "+quoteWarning(text))
	}
	s.write(w, req, resp)
}

func quoteWarning(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// answer finds the handler and runs it; whatever goes wrong becomes an answer too.
func (s *Server) answer(w http.ResponseWriter, req *Request) (resp *Response) {
	hr := req.HTTP
	for k, v := range hr.URL.Query() {
		req.params[k] = v[len(v)-1]
	}
	if len(hr.RequestURI) > maxURL {
		return renderError(apierr.New(http.StatusRequestURITooLong, "too_long_http_line_exception", "An HTTP line is larger than %d bytes.", maxURL))
	}
	target, params, allowed := s.router.find(hr.Method, hr.URL.EscapedPath())
	if target == nil {
		return noHandler(hr, allowed)
	}
	for k, v := range params {
		req.params[k] = v
		req.used[k] = true // the path itself
	}
	if s.Tracer.On() {
		ctx, span := s.Tracer.Server(hr.Context(), hr.Header, hr.Method+" "+target.pattern, telemetry.String("http.request.method", hr.Method), telemetry.String("http.route", target.pattern))
		hr = hr.WithContext(ctx)
		req.HTTP = hr
		defer func() { endSpan(span, resp) }()
	}
	if err := s.readBody(w, req); err != nil {
		return renderError(err)
	}
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("a request handler panicked", "method", hr.Method, "path", hr.URL.Path, "panic", p, "stack", string(debug.Stack()))
			resp = renderError(fmt.Errorf("an internal fault stopped the request: %v", p))
		}
	}()
	err := store.Guard(func() (err error) {
		resp, err = target.handler(req)
		return err
	})
	if err == nil {
		err = req.unknownParams()
	}
	if err != nil {
		err = translate(err)
		if apierr.StatusOf(err) >= http.StatusInternalServerError && hr.Context().Err() == nil {
			s.log.Warn("a request failed", "method", hr.Method, "path", hr.URL.Path, "error", err)
		}
		return renderError(err)
	}
	return resp
}

// endSpan ends the span of a request with what it was answered.
func endSpan(span telemetry.Span, resp *Response) {
	span.Set(telemetry.Int("http.response.status_code", int64(resp.Status)))
	if resp.Status >= http.StatusInternalServerError {
		span.Failed("")
	}
	span.End(nil)
}

func noHandler(hr *http.Request, allowed []string) *Response {
	var headers map[string]string
	if len(allowed) > 0 {
		headers = map[string]string{"Allow": strings.Join(allowed, ",")}
	}
	if hr.Method == http.MethodOptions { // of whatever path
		return &Response{Status: http.StatusOK, Headers: headers}
	}
	if len(allowed) > 0 {
		return &Response{
			Status:  http.StatusMethodNotAllowed,
			Headers: headers,
			Body: xcontent.Obj("error", fmt.Sprintf("Incorrect HTTP method for uri [%s] and method [%s], allowed: [%s]", hr.URL.RequestURI(), hr.Method, strings.Join(allowed, ", ")),
				"status", http.StatusMethodNotAllowed),
		}
	}
	return &Response{Status: http.StatusBadRequest, Body: xcontent.Obj("error",
		fmt.Sprintf("no handler found for uri [%s] and method [%s]", hr.URL.RequestURI(), hr.Method))}
}

// readBody reads the body, unpacked, or takes it from the parameter source.
func (s *Server) readBody(w http.ResponseWriter, req *Request) error {
	var body io.Reader = http.MaxBytesReader(w, req.HTTP.Body, maxBody)
	switch enc := req.HTTP.Header.Get("Content-Encoding"); enc {
	case "", "identity":
	case "gzip":
		gz, err := gzip.NewReader(body)
		if err != nil {
			return apierr.IllegalArgument("the body is not in gzip format: %v", err)
		}
		body = io.LimitReader(gz, maxBody+1)
	default:
		return apierr.New(http.StatusUnsupportedMediaType, "illegal_argument_exception", "Content-Encoding [%s] is not supported", enc)
	}
	var buf bytes.Buffer
	if n := req.HTTP.ContentLength; n > 0 && n <= maxBody {
		buf.Grow(int(n) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(body); err != nil {
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			return apierr.New(http.StatusRequestEntityTooLarge, "content_too_long_exception", "entity content is longer than %d bytes", int64(maxBody))
		}
		return apierr.IllegalArgument("the request body could not be read: %v", err)
	}
	if buf.Len() > maxBody {
		return apierr.New(http.StatusRequestEntityTooLarge, "content_too_long_exception", "entity content is longer than %d bytes", int64(maxBody))
	}
	req.Body = buf.Bytes()
	if buf.Len() == 0 {
		if src, ok := req.params["source"]; ok {
			req.Body = []byte(src)
		}
		return nil
	}
	return checkContentType(req.HTTP)
}

func checkContentType(hr *http.Request) error {
	ct := hr.Header.Get("Content-Type")
	base, _, _ := strings.Cut(strings.ToLower(ct), ";")
	switch strings.TrimSpace(base) {
	case "application/json", "application/x-ndjson", "application/vnd.opensearch+json", "application/vnd.elasticsearch+json":
		return nil
	case "application/yaml", "application/smile", "application/cbor":
		return &apierr.Error{Type: "not_implemented_exception", Status: http.StatusNotImplemented,
			Reason: "a request body of type [" + ct + "] is not supported by this server; send application/json"}
	}
	if ct == "" {
		return apierr.New(http.StatusNotAcceptable, "media_type_header_exception", "Content-Type header is missing")
	}
	return apierr.New(http.StatusNotAcceptable, "media_type_header_exception", "Content-Type header [%s] is not supported", ct)
}

func (s *Server) write(w http.ResponseWriter, req *Request, resp *Response) {
	h := w.Header()
	for k, v := range resp.Headers {
		h.Set(k, v)
	}
	if resp.Stream != nil {
		s.stream(w, req, resp)
		return
	}
	var data []byte
	switch {
	case resp.NoContent:
	case resp.Body == nil:
		data = []byte(resp.Text)
		if h.Get("Content-Type") == "" {
			h.Set("Content-Type", "text/plain; charset=UTF-8")
		}
	default:
		var ct string
		var err error
		if data, ct, err = encode(req, resp.Body, resp.whole); err != nil {
			s.log.Error("an answer could not be encoded", "path", req.HTTP.URL.Path, "error", err)
			http.Error(w, "the answer could not be encoded", http.StatusInternalServerError)
			return
		}
		h.Set("Content-Type", ct)
	}
	if compressible(req.HTTP, data) {
		writeCompressed(w, req.HTTP, resp.Status, data)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(resp.Status)
	if req.HTTP.Method != http.MethodHead {
		_, _ = w.Write(data) // the client is gone if this fails
	}
}

// stream sends an answer piece by piece.
func (s *Server) stream(w http.ResponseWriter, req *Request, resp *Response) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(resp.Status)
	if err := resp.Stream(flushing{w, http.NewResponseController(w)}); err != nil && req.HTTP.Context().Err() == nil {
		s.log.Warn("an answer ended early", "path", req.HTTP.URL.Path, "error", err)
		panic(http.ErrAbortHandler) // the connection breaks off: nobody takes what was sent for the whole
	}
}

// flushing sends each piece at once.
type flushing struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

func (f flushing) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if err == nil {
		err = f.rc.Flush()
	}
	return n, err
}
