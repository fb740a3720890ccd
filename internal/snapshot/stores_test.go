package snapshot

import (
	"slices"
	"testing"

	"github.com/varve-search/varve/internal/settings"
)

// Every setting that docs/repositories.md has is known; slips of the pen are not.
func TestUnknownSettings(t *testing.T) {
	general := []string{"compress", "chunk_size", "base_path", "readonly", "shard_path_type", "shared_from", "max_snapshot_bytes_per_sec", "max_restore_bytes_per_sec"}
	for typ, own := range map[string][]string{
		"fs": {"location"},
		"s3": {"bucket", "client", "buffer_size", "max_retries", "throttle_retries", "storage_class", "canned_acl", "server_side_encryption_type", "server_side_encryption_kms_key_id",
			"server_side_encryption_bucket_key_enabled", "server_side_encryption_encryption_context", "expected_bucket_owner", "role_arn", "s3_async_client_type",
			"endpoint", "protocol", "region", "path_style_access", "role_session_name", "identity_token_file", "sts_endpoint", "legacy_md5_checksum_calculation", "sign_payload",
			"proxy.type", "proxy.host", "proxy.port", "ca_file", "read_timeout", "connection_timeout", "max_connections", "access_key", "secret_key", "session_token"},
		"oss": {"endpoint", "bucket", "access_key_id", "secret_access_key", "security_token", "region", "buffer_size", "max_retries", "signature_version", "path_style_access", "storage_class"},
		"url": {"url", "http_max_retries", "http_socket_timeout"},
	} {
		set := settings.Settings{}
		for _, k := range append(own, general...) {
			set[k] = "x"
		}
		if got := UnknownSettings(typ, set); len(got) != 0 {
			t.Errorf("%s: %v", typ, got)
		}
		set["base_pathh"], set["max_retry"] = "x", "x"
		if got := UnknownSettings(typ, set); !slices.Equal(got, []string{"base_pathh", "max_retry"}) {
			t.Errorf("%s: %v", typ, got)
		}
	}
}
