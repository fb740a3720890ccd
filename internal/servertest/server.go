package servertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/varve-search/varve/internal/oracletest"
)

var build = sync.OnceValues(func() (string, error) {
	root, err := oracletest.ModuleRoot()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "varve-servertest-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "varve")
	cmd := exec.Command("go", "build", "-o", bin, "./cmd/varve")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build varve: %w\n%s", err, out)
	}
	return bin, nil
})

// Binary returns the path of the varve binary of this checkout.
func Binary(t testing.TB) string {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// Server is a running varve process.
type Server struct {
	t    testing.TB
	URL  string
	Data string // path.data
	Repo string // path.repo
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// Start starts a server on the folders data and repo, and waits until it answers. It is stopped when the test ends.
func Start(t testing.TB, data, repo string, settings ...string) *Server {
	t.Helper()
	portFile := filepath.Join(t.TempDir(), "port")
	args := []string{"serve", "-E", "path.data=" + data, "-E", "path.repo=" + repo, "-E", "http.port=0", "-E", "http.port_file=" + portFile, "--log-level", "warn"}
	for _, s := range settings {
		args = append(args, "-E", s)
	}
	log, err := os.CreateTemp(t.TempDir(), "log-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(Binary(t), args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, Data: data, Repo: repo, cmd: cmd, log: log.Name(), done: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended does not matter to a test that kills it
		log.Close()
		close(s.done)
	}()
	t.Cleanup(s.Kill)
	deadline := time.Now().Add(60 * time.Second)
	for {
		if b, err := os.ReadFile(portFile); err == nil && len(b) > 0 {
			s.URL = "http://127.0.0.1:" + string(b)
			return s
		}
		select {
		case <-s.done:
			t.Fatalf("the server ended at once:\n%s", s.Log())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not answer:\n%s", s.Log())
		}
	}
}

// Log returns what the process printed.
func (s *Server) Log() string {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Kill ends the process at once, as a crash would.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended already
	<-s.done
}

// Stop asks the process to leave, and waits for it.
func (s *Server) Stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Fatal(err)
	}
	select {
	case <-s.done:
	case <-time.After(90 * time.Second):
		s.t.Fatalf("the server does not stop:\n%s", s.Log())
	}
	if !s.cmd.ProcessState.Success() {
		s.t.Fatalf("the server stopped with %s:\n%s", s.cmd.ProcessState, s.Log())
	}
}

// Call sends a request and returns status and body; an error where no answer came.
func Call(url, method, path, body string) (int, []byte, error) {
	req, err := http.NewRequest(method, url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

var client = &http.Client{Timeout: 2 * time.Minute}

// Must sends a request to any OpenSearch-like server and fails the test unless it answers with success. The answer is decoded into v unless that is nil.
func Must(t testing.TB, url, method, path, body string, v any) []byte {
	t.Helper()
	status, b, err := Call(url, method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, status, b)
	}
	if v != nil {
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		if err := dec.Decode(v); err != nil {
			t.Fatalf("%s %s: %v in %.300s", method, path, err, b)
		}
	}
	return b
}

// Must is the function Must for this server.
func (s *Server) Must(method, path, body string, v any) []byte {
	s.t.Helper()
	return Must(s.t, s.URL, method, path, body, v)
}
