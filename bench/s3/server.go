package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// server is a MinIO on this machine.
type server struct {
	script, name string
	endpoint     string
	data         string
	pid          int
	env          []string // of clients
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

func (b *bench) startServer(ctx context.Context) (*server, error) {
	s := &server{script: filepath.Join(b.shared, "s3", "s3server"), name: fmt.Sprintf("varve-bench-%d", os.Getpid()), data: filepath.Join(b.work, "store")}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, s.script, "start", s.name, "--kind", "minio", "--port", port, "--data", s.data).Output()
	if err != nil {
		return nil, fmt.Errorf("start MinIO with %s: %w", s.script, err)
	}
	s.endpoint = strings.TrimSpace(string(out))
	text, err := exec.CommandContext(ctx, s.script, "env", s.name).Output()
	if err != nil {
		return nil, err
	}
	for _, word := range strings.Fields(string(text)) {
		if pid, ok := strings.CutPrefix(word, "S3TEST_PID="); ok {
			if s.pid, err = strconv.Atoi(pid); err != nil {
				return nil, err
			}
		} else if strings.Contains(word, "=") {
			s.env = append(s.env, word)
		}
	}
	return s, nil
}

func (s *server) stop() error { return exec.Command(s.script, "stop", s.name).Run() }

// bucket makes a bucket: with MinIO one is a folder.
func (s *server) bucket(name string) error { return os.Mkdir(filepath.Join(s.data, name), 0o755) }

func (s *server) remove(bucket string) error { return os.RemoveAll(filepath.Join(s.data, bucket)) }

// location is a bucket for blob.Open.
func (s *server) location(bucket string) string {
	return "s3://" + bucket + "?region=us-east-1&endpoint=" + s.endpoint
}

// secret returns a variable of the clients' environment.
func (s *server) secret(name string) string {
	for _, e := range s.env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}
