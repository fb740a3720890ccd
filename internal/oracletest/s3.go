package oracletest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// S3 is a test server that speaks the protocol of S3.
type S3 struct {
	Endpoint  string // such as http://127.0.0.1:9000
	AccessKey string
	SecretKey string
	Region    string
	KMSKey    string // of MinIO
	data      string
}

// MakeBucket makes a bucket. For MinIO and versitygw one is a folder; moto asks nobody who he is.
func (s *S3) MakeBucket(t testing.TB, name string) {
	t.Helper()
	if s.data == "" {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.Endpoint+"/"+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusOK {
			t.Fatalf("make the bucket %s: %s", name, resp.Status)
		}
		return
	}
	if err := os.Mkdir(filepath.Join(s.data, name), 0o755); err != nil {
		t.Fatal(err)
	}
}

// S3Server starts an S3 server of a kind that shared/s3 knows, "minio", "versitygw" or "moto", and stops
// it when the test ends. The test is skipped where that server has not been built (.ci/s3 does it).
// Environment variables, as KEY=value, may follow; S3TEST_ACCESS is the access key.
func S3Server(t testing.TB, kind string, env ...string) *S3 {
	t.Helper()
	return S3ServerOn(t, kind, t.TempDir(), env...)
}

// S3ServerOn is S3Server with its data in a folder.
func S3ServerOn(t testing.TB, kind, dir string, env ...string) *S3 {
	t.Helper()
	srv := &S3{AccessKey: "testaccess", SecretKey: "testsecret123", Region: "us-east-1", KMSKey: "testkey"}
	for _, e := range env {
		if key, ok := strings.CutPrefix(e, "S3TEST_ACCESS="); ok {
			srv.AccessKey = key
		}
	}
	var args []string
	if kind != "moto" { // which keeps everything in memory
		srv.data = dir
		args = []string{"--data", srv.data}
	}
	srv.Endpoint = startS3(t, kind, args, env)
	return srv
}

// FaultProxy starts a proxy in front of a store that fails as it is told through POST /__faults, and
// returns its URL. Further arguments are the proxy's own.
func FaultProxy(t testing.TB, target string, args ...string) string {
	t.Helper()
	return startS3(t, "faultproxy", append([]string{"--", "-target", target}, args...), nil)
}

func startS3(t testing.TB, kind string, args, env []string) string {
	t.Helper()
	script := filepath.Join(Shared(t), "s3", "s3server")
	cache := os.Getenv("XDG_CACHE_HOME")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(home, ".cache")
	}
	built := filepath.Join(cache, "s3test", "bin", kind)
	if kind == "moto" {
		built = filepath.Join(cache, "s3test", "moto", "bin", "moto_server")
	}
	if _, err := os.Stat(built); err != nil && kind != "faultproxy" {
		t.Skipf("%s the S3 server %s is not built (run .ci/s3)", SkipMark, kind)
	}
	port := FreePort(t)
	name := fmt.Sprintf("varve-%s-%d-%d", kind, os.Getpid(), port)
	run := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, script, args...)
		cmd.Env = append(os.Environ(), env...)
		var out, errOut bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errOut
		err := cmd.Run()
		if err != nil {
			err = fmt.Errorf("s3server %s: %w: %s", strings.Join(args, " "), err, errOut.Bytes())
		}
		return strings.TrimSpace(out.String()), err
	}
	t.Cleanup(func() {
		if _, err := run("stop", name); err != nil {
			t.Logf("stop %s: %v", name, err)
		}
	})
	ep, err := run(append([]string{"start", name, "--kind", kind, "--port", fmt.Sprint(port)}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return ep
}
