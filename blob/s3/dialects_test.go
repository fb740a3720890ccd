package s3

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/blob/blobtest"
	"github.com/varve-search/varve/internal/oracletest"
)

// TestVersityGW asks a server of another make, which also knows who owns a bucket: here an account of 12 digits.
func TestVersityGW(t *testing.T) {
	const owner = "123456789012"
	srv := oracletest.S3Server(t, "versitygw", "S3TEST_ACCESS="+owner)
	t.Run("Conformance", func(t *testing.T) {
		for name, settings := range map[string][]string{
			"plain": {"expected_bucket_owner", owner},
			"md5":   {"legacy_md5_checksum_calculation", "true"},
		} {
			t.Run(name, func(t *testing.T) {
				blobtest.Run(t, func(t *testing.T) blob.Container { return fresh(t, srv, settings...) })
			})
		}
	})
	t.Run("Owner", func(t *testing.T) { testOwner(t, srv, owner) })
	t.Run("Bodies", func(t *testing.T) { testBodies(t, srv) })
	t.Run("Direct", func(t *testing.T) { testDirect(t, srv) })
	t.Run("Parts", func(t *testing.T) {
		c := fresh(t, srv, "buffer_size", "5mb", "expected_bucket_owner", owner)
		b := randomBytes(21*mib+5, 1)
		putOnce(t, c, "large", b)
		if err := c.Put(t.Context(), "half", bytes.NewReader(b[:7*mib]), 9*mib, blob.PutOptions{}); err == nil {
			t.Fatal("half a blob was accepted")
		}
		noUploads(t, c, "half")
	})
	t.Run("Diagnosis", func(t *testing.T) {
		bucket := fresh(t, srv).cfg.bucket
		wrong, unknown := *srv, *srv
		wrong.SecretKey, unknown.AccessKey = "some-other-secret", "some-other-key"
		for name, c := range map[string]struct {
			srv  *oracletest.S3
			set  []string
			kind blob.Kind
			says string
		}{
			"secret": {&wrong, nil, blob.KindPermission, "secret key is wrong"},
			"key":    {&unknown, nil, blob.KindPermission, "does not know the access key"},
			"bucket": {srv, []string{"bucket", "no-such-bucket"}, blob.KindInvalid, "bucket does not exist"},
			"owner":  {srv, []string{"expected_bucket_owner", "999988887777"}, blob.KindPermission, "expected_bucket_owner"},
		} {
			err := mustOpen(t, testConfig(c.srv, srv.Endpoint, append([]string{"bucket", bucket}, c.set...)...)).Check(t.Context())
			if blob.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v: %v", name, blob.KindOf(err), err)
			}
		}
	})
}

// testOwner lets each kind of request name the owner of the bucket: a right one is served, and with a wrong one none is.
func testOwner(t *testing.T, srv *oracletest.S3, owner string) {
	good := fresh(t, srv, "expected_bucket_owner", owner, "buffer_size", "5mb")
	large := randomBytes(6*mib, 1)
	if err := putBytes(good, "small", []byte("abc"), blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := putBytes(good, "large", large, blob.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	bad := mustOpen(t, testConfig(srv, srv.Endpoint, "bucket", good.cfg.bucket, "expected_bucket_owner", "999988887777", "buffer_size", "5mb"))
	_, getErr := bad.Get(t.Context(), "small")
	_, statErr := bad.Stat(t.Context(), "small")
	_, listErr := blob.Names(t.Context(), bad, "")
	_, treeErr := bad.DeleteTree(t.Context())
	_, tempErr := bad.ListTemp(t.Context(), 0)
	for what, err := range map[string]error{
		"get": getErr, "stat": statErr, "list": listErr, "delete tree": treeErr, "list of uploads": tempErr, "check": bad.Check(t.Context()),
		"put": putBytes(bad, "small", []byte("xyz"), blob.PutOptions{}), "put in parts": putBytes(bad, "large", large[1:], blob.PutOptions{}),
		"delete": bad.DeleteBatch(t.Context(), []string{"small"}), "delete of two": bad.DeleteBatch(t.Context(), []string{"small", "large"}),
	} {
		if blob.KindOf(err) != blob.KindPermission {
			t.Errorf("%s in somebody else's bucket: %v", what, err)
		}
	}
	if string(getBytes(t, good, "small")) != "abc" || !bytes.Equal(getBytes(t, good, "large"), large) {
		t.Error("something changed in somebody else's bucket")
	}
}

// TestMoto asks a server that keeps what other test servers refuse or forget: storage classes, grants, encryption.
func TestMoto(t *testing.T) {
	srv := oracletest.S3Server(t, "moto")
	t.Run("Conformance", func(t *testing.T) {
		blobtest.Run(t, func(t *testing.T) blob.Container { return fresh(t, srv) })
	})
	t.Run("Recorded", func(t *testing.T) { testRecorded(t, srv) })
	t.Run("Archived", func(t *testing.T) { testArchived(t, srv) })
}

// testRecorded looks at what became of the settings of objects, for each kind of write.
func testRecorded(t *testing.T, srv *oracletest.S3) {
	const (
		key     = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
		meaning = `{"department":"search"}`
	)
	for class, asked := range map[string]types.StorageClass{"standard_ia": types.StorageClassStandardIa, "ONEZONE_IA": types.StorageClassOnezoneIa,
		"intelligent_tiering": types.StorageClassIntelligentTiering} {
		for enabled, want := range map[string]bool{"true": true, "false": false} {
			proxy, sent := watch(t, srv.Endpoint)
			c := mustOpen(t, testConfig(srv, proxy, "storage_class", class, "canned_acl", "public-read", "buffer_size", "5mb",
				"server_side_encryption_type", "aws:kms", "server_side_encryption_kms_key_id", key, "server_side_encryption_bucket_key_enabled", enabled,
				"server_side_encryption_encryption_context", meaning))
			makeBucket(t, c)
			for name, b := range map[string][]byte{"whole": []byte("abc"), "parts": randomBytes(6*mib, 1)} {
				if err := putBytes(c, name, b, blob.PutOptions{}); err != nil {
					t.Fatal(err)
				}
				out, err := c.head(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				if out.StorageClass != asked || out.ServerSideEncryption != types.ServerSideEncryptionAwsKms || aws.ToString(out.SSEKMSKeyId) != key ||
					name == "whole" && aws.ToBool(out.BucketKeyEnabled) != want { // of objects in parts moto forgets that
					t.Errorf("%s: %s %s %s %v", name, out.StorageClass, out.ServerSideEncryption, aws.ToString(out.SSEKMSKeyId), aws.ToBool(out.BucketKeyEnabled))
				}
				acl, err := c.api.GetObjectAcl(t.Context(), &s3.GetObjectAclInput{Bucket: &c.cfg.bucket, Key: c.key(name)})
				if err != nil {
					t.Fatal(err)
				}
				public := false
				for _, g := range acl.Grants {
					public = public || g.Permission == types.PermissionRead && aws.ToString(g.Grantee.URI) == "http://acs.amazonaws.com/groups/global/AllUsers"
				}
				if !public {
					t.Errorf("%s: the grants %v", name, acl.Grants)
				}
			}
			writes := 0
			for _, h := range sent() {
				text := h.Get("X-Amz-Server-Side-Encryption-Context")
				if text == "" {
					continue
				}
				writes++
				if b, err := base64.StdEncoding.DecodeString(text); err != nil || string(b) != meaning {
					t.Errorf("the context of the encryption is %s, %v", text, err)
				}
				if got := h.Get("X-Amz-Server-Side-Encryption-Bucket-Key-Enabled"); got != enabled {
					t.Errorf("the bucket key is [%s], not %s", got, enabled)
				}
			}
			if writes != 2 { // one object in whole, one in parts
				t.Errorf("%d requests had a context of the encryption", writes)
			}
		}
	}
	c := fresh(t, srv, "server_side_encryption_type", "AES256")
	if err := putBytes(c, "a", []byte("abc"), blob.PutOptions{IfAbsent: true}); err != nil {
		t.Fatal(err)
	}
	if out, err := c.head(t.Context(), "a"); err != nil || out.ServerSideEncryption != types.ServerSideEncryptionAes256 {
		t.Errorf("%+v, %v", out, err)
	}
}

// testArchived refuses archives where they are asked for, and says so where an object lies in one.
func testArchived(t *testing.T, srv *oracletest.S3) {
	c := fresh(t, srv)
	for class, want := range map[types.StorageClass]string{types.StorageClassGlacier: "glacier", types.StorageClassDeepArchive: "DEEP_ARCHIVE"} {
		_, err := New(t.Context(), testConfig(srv, srv.Endpoint, "storage_class", want))
		if err == nil || !strings.Contains(err.Error(), "storage_class") || !strings.Contains(err.Error(), "cannot be read at once") {
			t.Errorf("%s: %v", want, err)
		}
		if _, err := c.api.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &c.cfg.bucket, Key: c.key(want), Body: strings.NewReader("abc"), StorageClass: class}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err = c.Get(t.Context(), want); blob.KindOf(err) != blob.KindArchived || !strings.Contains(err.Error(), "restore it in the store first") {
			t.Errorf("%s: %v", want, err)
		}
		if _, err = c.GetRange(t.Context(), want, 1, 1); blob.KindOf(err) != blob.KindArchived {
			t.Errorf("%s: %v", want, err)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("%s: asked again and again for %s", want, took)
		}
		if _, err = c.Stat(t.Context(), want); err != nil { // that is still allowed
			t.Errorf("%s: %v", want, err)
		}
	}
}

// watch puts a proxy in front of a server and returns its URL, and what tells the headers of all requests that went through.
func watch(t *testing.T, target string) (string, func() []http.Header) {
	t.Helper()
	headers := make(chan http.Header, 1000)
	url := plainFront(t, target, func(r *http.Request) { headers <- r.Header.Clone() })
	return url, func() (all []http.Header) {
		for {
			select {
			case h := <-headers:
				all = append(all, h)
			default:
				return all
			}
		}
	}
}
