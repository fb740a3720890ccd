package interop

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/repotool"
	"github.com/varve-search/varve/internal/servertest"
)

// bucketCluster is a real 3.8 whose remote store lies in a bucket, and what its snapshots must hold.
type bucketCluster struct {
	remoteCluster
	srv  *oracletest.S3
	api  *s3.Client
	docs map[string]map[string]string // by snapshot and index, as the node restores them
}

const remoteBucket = "remote"

// TestRemoteStoreOnS3 reads snapshots that pin a timestamp of a real 3.8 whose remote store lies in a bucket: there the checkpoints of the
// translog are attributes of its objects. Then these are changed so that operations do not count, for the node and for us.
func TestRemoteStoreOnS3(t *testing.T) {
	oracletest.Long(t, "a real node with its remote store on S3")
	srv := oracletest.S3Server(t, "minio")
	srv.MakeBucket(t, remoteBucket)
	args := []string{"--with", "repository-s3", "--set", "s3.client.default.endpoint=" + srv.Endpoint,
		"--set", "s3.client.default.region=" + srv.Region, "--set", "s3.client.default.path_style_access=true",
		"--set", "secure:s3.client.default.access_key=" + srv.AccessKey, "--set", "secure:s3.client.default.secret_key=" + srv.SecretKey,
		"--set", "cluster.remote_store.state.enabled=true", "--set", "cluster.remote_store.pinned_timestamps.enabled=true"}
	for _, kind := range []string{"segment", "translog", "state"} {
		name := "node.attr.remote_store.repository.rs-" + kind
		args = append(args, "--set", "node.attr.remote_store."+kind+".repository=rs-"+kind, "--set", name+".type=s3", "--set", name+".settings.bucket="+remoteBucket,
			"--set", name+".settings.base_path=of/"+kind, "--set", name+".settings.server_side_encryption_type=bucket_default")
	}
	t.Setenv("AWS_ACCESS_KEY_ID", srv.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", srv.SecretKey)
	c := &bucketCluster{remoteCluster: remoteCluster{t: t}, srv: srv, docs: map[string]map[string]string{}, api: s3.New(s3.Options{Region: srv.Region, BaseEndpoint: &srv.Endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(srv.AccessKey, srv.SecretKey, ""), HTTPClient: http.DefaultClient})}
	c.url = oracletest.Node(t, "opensearch", "3", t.TempDir(), args...)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	c.node = func(method, path, body string, into any) {
		t.Helper()
		servertest.Must(t, c.url, method, path, body, into)
	}
	c.node("PUT", "/_snapshot/v2", c.repository("snapshots", `,"remote_store_index_shallow_copy":true,"shallow_snapshot_v2":true`), nil)
	c.fill()
	c.compare("as the node wrote it")
	before := maps.Clone(c.docs["p2"])
	c.trim()
	c.compare("trimmed")
	for ix, docs := range c.docs["p2"] {
		if docs == before[ix] || strings.Count(docs, "\n") > strings.Count(before[ix], "\n") {
			t.Errorf("the trimmed %s still has all: %s", ix, docs)
		}
	}
	c.cloneShallow()
}

// cloneShallow clones a shallow snapshot (v1), whose locks are objects, and deletes the source; the node restores the clone, clones and deletes it.
// The source is one that a 3.8 cannot restore itself when it has locked metadata without a file of the commit.
func (c *bucketCluster) cloneShallow() {
	t := c.t
	const shallow = `,"remote_store_index_shallow_copy":true`
	c.node("PUT", "/_snapshot/v1", c.repository("shallow", shallow), nil)
	c.node("PUT", "/_snapshot/v1/s1?wait_for_completion=true", `{"indices":"fixed,prefix"}`, nil)
	c.node("DELETE", "/_snapshot/v1", "", nil)
	locks := func(want int, when string) {
		t.Helper()
		if n := len(c.keys(".v2_lock")); n != want {
			t.Errorf("%d locks %s, want %d", n, when, want)
		}
	}
	locks(2, "of a snapshot of two shards")
	s := withS3(t, c.srv, c.srv.Endpoint)
	s.Must("PUT", "/_snapshot/v1", c.repository("shallow", ""), nil)
	s.Must("PUT", "/_snapshot/rs-segment", c.repository("of/segment", ""), nil)
	s.Must("PUT", "/_snapshot/v1/s1/_clone/o1", `{"indices":"*"}`, nil)
	locks(4, "with a clone")
	s.Must("DELETE", "/_snapshot/v1/s1", "", nil)
	locks(2, "of the clone alone")
	c.node("PUT", "/_snapshot/v1", c.repository("shallow", shallow), nil)
	c.restore(c.url, "v1", "o1")
	c.restore(s.URL, "v1", "o1")
	for _, ix := range c.live {
		want := shown(t, c.url, ix)
		for _, url := range []string{c.url, s.URL} {
			if got := shown(t, url, "r-"+ix); got != want || got == "" {
				t.Errorf("%s restored from the clone: %s, want %s", ix, got, want)
			}
		}
	}
	c.node("PUT", "/_snapshot/v1/o1/_clone/n1", `{"indices":"*"}`, nil)
	c.node("DELETE", "/_snapshot/v1/o1", "", nil)
	locks(2, "of the node's clone of ours")
	s.Must("DELETE", "/_snapshot/v1/n1", "", nil)
	locks(0, "at the end")
}

// keys are the objects of the bucket whose names end so.
func (c *bucketCluster) keys(suffix string) []string {
	c.t.Helper()
	var out []string
	bucket := remoteBucket
	for pages := s3.NewListObjectsV2Paginator(c.api, &s3.ListObjectsV2Input{Bucket: &bucket}); pages.HasMorePages(); {
		page, err := pages.NextPage(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		for _, o := range page.Contents {
			if strings.HasSuffix(*o.Key, suffix) {
				out = append(out, *o.Key)
			}
		}
	}
	return out
}

// repository is the body that registers a folder of the bucket.
func (c *bucketCluster) repository(folder, set string) string {
	return fmt.Sprintf(`{"type":"s3","settings":{"bucket":%q,"base_path":%q,"server_side_encryption_type":"bucket_default"%s}}`, remoteBucket, folder, set)
}

// at is the LOCATION of a folder of the bucket.
func (c *bucketCluster) at(folder string) string {
	return "s3://" + remoteBucket + "/" + folder + "?path_style_access=true&region=" + c.srv.Region + "&endpoint=" + c.srv.Endpoint
}

// fill makes two indices with other types of paths, and the snapshots p1 and p2 with operations that were not refreshed; in between the primary changes.
func (c *bucketCluster) fill() {
	for ix, pathType := range map[string]string{"fixed": "fixed", "prefix": "hashed_prefix"} {
		c.node("PUT", "/_cluster/settings", fmt.Sprintf(`{"persistent":{"cluster.remote_store.index.path.type":%q}}`, pathType), nil)
		c.node("PUT", "/"+ix, `{"settings":{"number_of_shards":1,"number_of_replicas":0,"refresh_interval":"-1"}}`, nil)
	}
	c.live = []string{"fixed", "prefix"}
	take := func(name string) {
		c.t.Helper()
		var res struct{ Snapshot struct{ State string } }
		if c.node("PUT", "/_snapshot/v2/"+name+"?wait_for_completion=true", `{}`, &res); res.Snapshot.State != "SUCCESS" {
			c.t.Fatalf("%s: %+v", name, res)
		}
		c.docs[name] = map[string]string{}
	}
	c.bulk(0, c.live...)
	c.node("POST", "/_refresh", "", nil)
	c.bulk(1, c.live...)
	take("p1")
	c.node("POST", "/_flush", "", nil)
	c.bulk(2, c.live...)
	c.movePrimaries(c.live)
	c.bulk(3, c.live...)
	take("p2")
	c.bulk(4, c.live...)
}

// restore restores the two indices under other names.
func (c *bucketCluster) restore(server, repo, snapshot string) {
	c.t.Helper()
	var res struct {
		Snapshot struct {
			Shards struct{ Failed, Successful int }
		}
	}
	servertest.Must(c.t, server, "POST", "/_snapshot/"+repo+"/"+snapshot+"/_restore?wait_for_completion=true",
		`{"indices":"fixed,prefix","include_global_state":false,"rename_pattern":"(.+)","rename_replacement":"r-$1"}`, &res)
	if res.Snapshot.Shards.Failed > 0 || res.Snapshot.Shards.Successful != 2 {
		_, why, err := servertest.Call(server, "GET", "/_cluster/allocation/explain", "")
		c.t.Fatalf("%s restores %s: %+v: %s %v", server, snapshot, res, why, err)
	}
}

// compare lets the node restore the snapshots, and us read and restore them.
func (c *bucketCluster) compare(when string) {
	t := c.t
	t.Helper()
	ctx := repotool.WithRemoteTranslog(repotool.WithRemoteStore(t.Context(), c.at("of/segment")), c.at("of/translog"))
	s := withS3(t, c.srv, c.srv.Endpoint)
	for name, folder := range map[string]string{"v2": "snapshots", "rs-segment": "of/segment", "rs-translog": "of/translog"} {
		s.Must("PUT", "/_snapshot/"+name, c.repository(folder, `,"readonly":true`), nil)
	}
	for _, name := range slices.Sorted(maps.Keys(c.docs)) {
		c.restore(c.url, "v2", name)
		c.restore(s.URL, "v2", name)
		for _, ix := range c.live {
			want := shown(t, c.url, "r-"+ix)
			c.docs[name][ix] = want
			if got := c.remoteCluster.docs(ctx, c.at("snapshots"), name, ix); got != want || got == "" {
				t.Errorf("%s %s %s: %s, want %s", when, name, ix, got, want)
			}
			if got := shown(t, s.URL, "r-"+ix); got != want {
				t.Errorf("%s %s %s restored: %s, want %s", when, name, ix, got, want)
			}
		}
		c.node("DELETE", "/r-*", "", nil)
		s.Must("DELETE", "/r-*", "", nil)
	}
	s.Stop()
}

// trim changes the checkpoint of each file of operations of the two indices so that the last half of them does not count.
func (c *bucketCluster) trim() {
	changed := 0
	for _, key := range c.keys(".tlog") {
		if c.trimObject(c.t.Context(), key) {
			changed++
		}
	}
	if beside := c.keys(".ckp"); changed < 4 || len(beside) > 0 {
		c.t.Errorf("%d checkpoints were changed; beside their files lie %v", changed, beside)
	}
}

func (c *bucketCluster) trimObject(ctx context.Context, key string) bool {
	t, bucket := c.t, remoteBucket
	head, err := c.api.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	ckp, err := base64.StdEncoding.DecodeString(head.Metadata["ckp-data"])
	const length, trimmed = 88, 88 - 16 - 8 // of a checkpoint, and where the number lies above which operations do not count
	if err != nil || len(ckp) != length {
		t.Fatalf("%s: %q, %v", key, head.Metadata, err)
	}
	least, most := int64(binary.LittleEndian.Uint64(ckp[trimmed-32:])), int64(binary.LittleEndian.Uint64(ckp[trimmed-24:]))
	if least < 0 || most <= least {
		return false
	}
	binary.LittleEndian.PutUint64(ckp[trimmed:], uint64(least+(most-least)/2))
	binary.BigEndian.PutUint64(ckp[length-8:], uint64(crc32.ChecksumIEEE(ckp[:length-8])))
	source := bucket + "/" + url.PathEscape(key)
	if _, err := c.api.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: &key, CopySource: &source, MetadataDirective: types.MetadataDirectiveReplace,
		Metadata: map[string]string{"ckp-data": base64.StdEncoding.EncodeToString(ckp)}}); err != nil {
		t.Fatal(err)
	}
	return true
}
