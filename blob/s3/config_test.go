package s3

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/varve-search/varve/blob"
)

// TestSettings makes sure that each setting is checked and named.
func TestSettings(t *testing.T) {
	for _, k := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ROLE_ARN"} {
		t.Setenv(k, "")
	}
	const p = "s3.client.default."
	bad := []struct{ name, value, named string }{
		{"bucket", "", "bucket"}, {"bucket", "a/b", "bucket"}, {"base_path", "a//b", "base_path"}, {"base_path", "../x", "base_path"},
		{"chunk_size", "1mb", "chunk_size"}, {"chunk_size", "large", "chunk_size"}, {"buffer_size", "4mb", "buffer_size"}, {"buffer_size", "6gb", "buffer_size"},
		{"buffer_size", "2gb", "buffer_size"}, {"compress", "yes", "compress"}, {"readonly", "1", "readonly"}, {"max_retries", "-1", "max_retries"}, {"max_retries", "x", "max_retries"},
		{"throttle_retries", "no", "throttle_retries"}, {"canned_acl", "everybody", "canned_acl"}, {"storage_class", "glacier", "storage_class"},
		{"storage_class", "DEEP_ARCHIVE", "storage_class"}, {"storage_class", "cheap", "storage_class"}, {"server_side_encryption_type", "aes", "server_side_encryption_type"},
		{"server_side_encryption_type", "aws:kms", "server_side_encryption_kms_key_id"}, {"server_side_encryption_kms_key_id", "k", "server_side_encryption_kms_key_id"},
		{"server_side_encryption_encryption_context", "{", "server_side_encryption_encryption_context"}, {"server_side_encryption_bucket_key_enabled", "x", "server_side_encryption_bucket_key_enabled"},
		{"expected_bucket_owner", "12345", "expected_bucket_owner"}, {"max_snapshot_bytes_per_sec", "fast", "max_snapshot_bytes_per_sec"},
		{"max_restore_bytes_per_sec", "40", "max_restore_bytes_per_sec"}, {"s3_async_client_type", "x", "s3_async_client_type"}, {"client", "a b", "client"}, {"client", "other", "client"},
		{"endpoint", "http://", "endpoint"}, {"endpoint", "ftp://h", "endpoint"}, {"endpoint", "http://u:p@h", "endpoint"}, {"role_arn", "me", "role_arn"},
		{"access_key", "k", "access_key"}, {"session_token", "k", "session_token"},
		{p + "endpoint", "a b", p + "endpoint"}, {p + "protocol", "ftp", p + "protocol"}, {p + "path_style_access", "x", p + "path_style_access"},
		{p + "proxy.type", "x", p + "proxy.type"}, {p + "proxy.host", "h", p + "proxy.port"}, {p + "proxy.port", "0", p + "proxy.port"}, {p + "proxy.port", "80", p + "proxy.host"},
		{p + "read_timeout", "soon", p + "read_timeout"}, {p + "max_connections", "0", p + "max_connections"}, {p + "ca_file", "/nowhere/ca", p + "ca_file"},
		{p + "identity_token_file", "/nowhere/t", p + "identity_token_file"}, {p + "sts_endpoint", "x y", p + "sts_endpoint"}, {p + "legacy_md5_checksum_calculation", "x", p + "legacy_md5_checksum_calculation"},
		{p + "secret_key", "hidden", p + "secret_key"}, {p + "acces_key", "x", p + "acces_key"}, {"repository_s3.allow_insecure_settings", "x", "repository_s3.allow_insecure_settings"},
	}
	for _, b := range bad {
		cfg := blob.Config{Settings: blob.Settings{"bucket": "some-bucket"}, Node: blob.Settings{}}
		if strings.Contains(b.name, ".") {
			cfg.Node[b.name] = b.value
		} else {
			cfg.Settings[b.name] = b.value
		}
		_, err := parse(cfg)
		if err == nil {
			t.Errorf("%s=%s is accepted", b.name, b.value)
			continue
		}
		if blob.KindOf(err) != blob.KindInvalid || !strings.Contains(err.Error(), "["+b.named+"]") {
			t.Errorf("%s=%s: %v does not name %s", b.name, b.value, err, b.named)
		}
		if b.value == "hidden" && strings.Contains(err.Error(), b.value) || strings.Contains(err.Error(), "u:p@") && b.name != "endpoint" {
			t.Errorf("shows a secret: %v", err)
		}
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	full := blob.Settings{
		"bucket": "some-bucket", "base_path": "/a/b/", "client": "other", "compress": "true", "chunk_size": "2gb", "buffer_size": "100mb", "max_retries": "7",
		"throttle_retries": "false", "canned_acl": "bucket-owner-full-control", "storage_class": "standard_ia", "server_side_encryption_type": "AWS:KMS",
		"server_side_encryption_kms_key_id": "k", "server_side_encryption_bucket_key_enabled": "false", "server_side_encryption_encryption_context": `{"a":"b"}`,
		"expected_bucket_owner": "123456789012", "max_restore_bytes_per_sec": "-1", "max_snapshot_bytes_per_sec": "0", "readonly": "true", "role_arn": "arn:aws:iam::1:role/x",
		"s3_async_client_type": "netty", "location": "ignored",
	}
	const o = "s3.client.other."
	node := blob.Settings{o + "endpoint": "store.example:9000", o + "protocol": "http", o + "region": "eu-west-1", o + "path_style_access": "false", o + "proxy.type": "socks",
		o + "proxy.host": "p", o + "proxy.port": "1080", o + "read_timeout": "10s", o + "max_connections": "5", o + "identity_token_file": token, o + "legacy_md5_checksum_calculation": "true"}
	secrets := map[string]string{o + "access_key": "A", o + "secret_key": "S", o + "session_token": "T", o + "proxy.username": "U", o + "proxy.password": "P"}
	c, err := parse(blob.Config{Settings: full, Node: node, Secret: func(n string) (string, bool) { v, ok := secrets[n]; return v, ok }})
	if err != nil {
		t.Fatal(err)
	}
	if c.base != "a/b" || c.bufferSize != 100*mib || c.attempts != 7 || c.retryQuota || c.endpoint.String() != "http://store.example:9000" || c.region != "eu-west-1" || c.pathStyle ||
		c.proxy.String() != "socks5://U:P@p:1080" || c.accessKey != "A" || c.secretKey != "S" || c.sessionToken != "T" || !c.legacyMD5 || c.bucketKey || !c.readOnly || c.amazon() {
		t.Fatalf("%+v", c)
	}
	// Secrets of the repository go before those of the key store, where they are allowed.
	node["repository_s3.allow_insecure_settings"] = "true"
	own := maps.Clone(full)
	own["access_key"], own["secret_key"] = "A2", "S2"
	if c, err = parse(blob.Config{Settings: own, Node: node, Secret: func(n string) (string, bool) { v, ok := secrets[n]; return v, ok }}); err != nil || c.accessKey != "A2" || c.secretKey != "S2" || c.sessionToken != "" {
		t.Fatalf("%v", err)
	}
	for host, region := range map[string]string{"s3.eu-central-1.amazonaws.com": "eu-central-1", "s3.amazonaws.com": "", "https://s3.dualstack.us-gov-west-1.amazonaws.com": "us-gov-west-1"} {
		c, err := parse(blob.Config{Settings: blob.Settings{"bucket": "some-bucket", "endpoint": host}})
		if err != nil || !c.amazon() || c.region != region || c.pathStyle {
			t.Errorf("%s: %+v, %v", host, c, err)
		}
	}
	if c, err := parse(blob.Config{Settings: blob.Settings{"bucket": "some-bucket", "endpoint": "minio.local:9000"}}); err != nil || !c.pathStyle || c.region != "us-east-1" || c.endpoint.Scheme != "https" {
		t.Fatalf("%+v, %v", c, err)
	}
}

func TestLocation(t *testing.T) {
	ctx := t.Context()
	c, err := blob.Open(ctx, "s3://some-bucket/a/b?endpoint=http://127.0.0.1:1&region=eu-west-3&buffer_size=8mb")
	if err != nil || c.String() != "s3://some-bucket/a/b" {
		t.Fatalf("%v, %v", c, err)
	}
	if cfg := c.(*Container).cfg; cfg.region != "eu-west-3" || cfg.bufferSize != 8*mib || cfg.endpoint.Port() != "1" {
		t.Fatalf("%+v", cfg)
	}
	for _, bad := range []string{"s3:", "s3:bucket", "s3://u:p@bucket/x", "s3://some-bucket/x?secret_key=y", "s3://some-bucket/x?bucket=y", "s3://some-bucket/../x"} {
		if _, err := blob.Open(ctx, bad); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
