package oss

import (
	"strings"
	"testing"
	"time"

	"github.com/aliyun/alibabacloud-oss-go-sdk-v2/oss"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/oss/osstest"
	"github.com/varve-search/varve/blob/storecheck"
)

// TestUploadsOfKilled: uploads that a process which is gone left are found page by page and ended; those of others and young ones stay.
func TestUploadsOfKilled(t *testing.T) {
	for _, version := range []string{"v4", "v1"} {
		d := osstest.New()
		d.PageMax = 2
		c := fresh(t, d, start(t, d), "base_path", "some/pläce", "signature_version", version)
		begin := func(key string) {
			if _, err := c.api.InitiateMultipartUpload(t.Context(), &oss.InitiateMultipartUploadRequest{Bucket: &c.cfg.bucket, Key: &key}); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"a", "indices/u/0/__x y", "indices/u/0/__x y", "indices/u/0/__z", "b"} {
			begin(c.prefix + name)
		}
		begin("some/pläces/other")
		if young, err := c.ListTemp(t.Context(), 3600); err != nil || len(young) != 0 {
			t.Fatalf("%v, %v", young, err)
		}
		time.Sleep(5 * time.Millisecond) // the store tells milliseconds
		left, err := c.ListTemp(t.Context(), 0)
		if err != nil || len(left) != 5 {
			t.Fatalf("%v, %v", left, err)
		}
		var names []string
		for _, l := range left {
			names = append(names, l.Name)
		}
		if !strings.Contains(strings.Join(names, "\n"), "indices/u/0/__x y"+idMark) {
			t.Fatalf("%q", names)
		}
		readOnly := *c
		cfg := *c.cfg
		cfg.readOnly = true
		readOnly.client = &client{api: c.api, cfg: &cfg, counters: c.counters, http: c.http}
		if err := readOnly.DeleteTemp(t.Context(), names); blob.KindOf(err) != blob.KindReadOnly || d.Uploads() != 6 {
			t.Fatalf("%v, %d uploads", err, d.Uploads())
		}
		if err := c.DeleteTemp(t.Context(), append(names, names[0])); err != nil || d.Uploads() != 1 {
			t.Fatalf("%v, %d uploads", err, d.Uploads())
		}
		for _, bad := range []string{"a", "../x" + idMark + "U1", idMark + "U1"} {
			if err := c.DeleteTemp(t.Context(), []string{bad}); blob.KindOf(err) != blob.KindInvalidName {
				t.Errorf("%q: %v", bad, err)
			}
		}
	}
}

// TestStoreCheck: the store check tries uploads in parts and the clock out, too.
func TestStoreCheck(t *testing.T) {
	d := osstest.New()
	c := fresh(t, d, start(t, d))
	rep, err := storecheck.Run(t.Context(), c, storecheck.Options{Blobs: 4, MaxSize: 3 * mib, Contests: 2})
	if err != nil || len(rep.Issues) != 0 || d.Uploads() != 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if checks := strings.Join(rep.Checks, ","); !strings.Contains(checks, "upload in parts,aborted upload") || !strings.Contains(checks, "clock") {
		t.Error(checks)
	}
}
