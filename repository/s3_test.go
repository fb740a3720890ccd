package repository

import (
	"testing"

	"github.com/varve-search/varve/blob"
	blobs3 "github.com/varve-search/varve/blob/s3"
	"github.com/varve-search/varve/internal/oracletest"
)

// walkBucket calls fn with the path of each blob below a container.
func walkBucket(t *testing.T, c blob.Container, path string, fn func(string)) {
	t.Helper()
	if err := c.List(bg, "", func(i blob.Info) error { fn(join(path, i.Name)); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := c.Children(bg, func(name string) error {
		sub, err := c.Container(name)
		if err == nil {
			walkBucket(t, sub, join(path, name), fn)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestModelInBucket is TestModel over a real S3 server. A snapshot asks for no sizes. (The lists counted include those of the model.)
func TestModelInBucket(t *testing.T) {
	srv := oracletest.S3Server(t, "minio")
	srv.MakeBucket(t, "repo")
	secrets := map[string]string{"s3.client.default.access_key": srv.AccessKey, "s3.client.default.secret_key": srv.SecretKey}
	store, err := blobs3.New(bg, blob.Config{
		Settings: blob.Settings{"bucket": "repo", "base_path": "some/place", "endpoint": srv.Endpoint, "region": srv.Region},
		Secret:   func(n string) (string, bool) { v, ok := secrets[n]; return v, ok },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	r := open(t, store, Options{})
	m := newModel(t, random(t), r)
	for range 8 {
		m.change()
		before := store.Stats().Requests
		snapshot := false
		switch m.rnd.Intn(5) {
		case 0:
			err = m.remove(r)
		case 1:
			err = m.clone(r)
		default:
			snapshot, err = true, m.snapshot(r)
		}
		if err != nil {
			t.Fatal(err)
		}
		after := store.Stats().Requests
		if lists, heads := after["ListObjectsV2"]-before["ListObjectsV2"], after["HeadObject"]-before["HeadObject"]; snapshot {
			t.Logf("a snapshot: %d lists, %d heads, %d puts, %d gets, %d deletes", lists, heads, after["PutObject"]-before["PutObject"],
				after["GetObject"]-before["GetObject"], after["DeleteObject"]+after["DeleteObjects"]-before["DeleteObject"]-before["DeleteObjects"])
			if heads > 0 {
				t.Errorf("a snapshot sent %d requests for sizes", heads)
			}
		}
		m.check(r)
		need := referenced(t, r)
		walkBucket(t, store, "", func(path string) {
			if !need[path] {
				t.Errorf("left over: %s", path)
			}
			delete(need, path)
		})
		for path := range need {
			t.Errorf("lost: %s", path)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	m.healthy(r, true)
}
