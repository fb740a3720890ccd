package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// small is up to which size of files, in bytes, plain requests are made.
const small = 5 << 20

func main() {
	endpoint, bucket := flag.String("endpoint", "", "URL"), flag.String("bucket", "", "name")
	dir, op := flag.String("dir", "", "folder"), flag.String("op", "up", "up or down")
	n := flag.Int("n", 8, "files at a time")
	flag.Parse()
	if err := run(*endpoint, *bucket, *dir, *op, *n); err != nil {
		fmt.Fprintln(os.Stderr, "sdk: "+err.Error())
		os.Exit(1)
	}
}

type mover struct {
	api    *s3.Client
	up     *manager.Uploader
	down   *manager.Downloader
	bucket string
}

func run(endpoint, bucket, dir, op string, n int) error {
	ctx := context.Background()
	api := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &endpoint, UsePathStyle: true,
		HTTPClient:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, WriteBufferSize: 256 << 10, ReadBufferSize: 256 << 10}},
		Credentials: credentials.NewStaticCredentialsProvider(os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), ""),
		// What this SDK does unless it is told otherwise.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		DisableLogOutputChecksumValidationSkipped: true,
	})
	m := &mover{api: api, bucket: bucket,
		up:   manager.NewUploader(api, func(u *manager.Uploader) { u.Concurrency, u.PartSize = 2, 8<<20 }),
		down: manager.NewDownloader(api, func(d *manager.Downloader) { d.Concurrency, d.PartSize = 2, 8<<20 })}
	jobs, failed := make(chan func() error), make(chan error, n)
	for range n {
		go func() {
			var err error
			for j := range jobs { // to the end, for who sends them must not wait for ever
				if err == nil {
					err = j()
				}
			}
			failed <- err
		}()
	}
	err := m.walk(ctx, dir, op, func(j func() error) { jobs <- j })
	close(jobs)
	for range n {
		if e := <-failed; err == nil {
			err = e
		}
	}
	return err
}

// walk makes a job of each file.
func (m *mover) walk(ctx context.Context, dir, op string, do func(func() error)) error {
	if op == "up" {
		return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				do(func() error { return m.put(ctx, path, strings.TrimPrefix(path, dir+"/")) })
			}
			return err
		})
	}
	pages := s3.NewListObjectsV2Paginator(m.api, &s3.ListObjectsV2Input{Bucket: &m.bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			do(func() error { return m.get(ctx, *o.Key, *o.Size, filepath.Join(dir, *o.Key)) })
		}
	}
	return nil
}

func (m *mover) put(ctx context.Context, path, key string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	in := &s3.PutObjectInput{Bucket: &m.bucket, Key: &key, Body: f}
	if st.Size() > small {
		_, err = m.up.Upload(ctx, in)
		return err
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	in.Body = bytes.NewReader(b)
	_, err = m.api.PutObject(ctx, in)
	return err
}

func (m *mover) get(ctx context.Context, key string, size int64, path string) error {
	f, err := os.Create(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
			f, err = os.Create(path)
		}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	in := &s3.GetObjectInput{Bucket: &m.bucket, Key: &key}
	if size > small {
		_, err = m.down.Download(ctx, f, in)
		return err
	}
	out, err := m.api.GetObject(ctx, in)
	if err != nil {
		return err
	}
	defer out.Body.Close()
	_, err = io.Copy(f, out.Body)
	return err
}
