package s3

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/varve-search/varve/blob"
)

// Sizes in bytes.
const (
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40

	leastPart = 5 * mib // of an upload, but for its last one
)

// config is a repository's settings with those of its client, checked.
type config struct {
	bucket, base string
	counters     *blob.Counters

	// objects
	bufferSize   int64 // up to here one request, and the size of parts above
	acl          types.ObjectCannedACL
	storageClass types.StorageClass
	sse          types.ServerSideEncryption // empty: what the bucket does by itself
	kmsKey       string
	bucketKey    bool
	sseContext   string // base64 of JSON
	owner        string
	readOnly     bool

	// client
	endpoint  *url.URL // nil: Amazon's, by region
	region    string   // empty: whatever the environment says
	pathStyle bool
	// pathStyleSet: it was chosen, and does not follow from the endpoint.
	pathStyleSet bool
	attempts     int
	retryQuota   bool
	legacyMD5    bool
	signPayload  bool // over plain HTTP; over TLS nobody can change it
	readTimeout  time.Duration
	dialTimeout  time.Duration
	connections  int
	proxy        *url.URL // nil: by the environment, unless noProxy
	noProxy      bool
	caFile       string
	stsEndpoint  string

	// credentials; none of these texts may reach a message
	accessKey, secretKey, sessionToken string
	roleARN, roleSession, tokenFile    string
	client                             string // its name, for messages
}

// objectSettings are a repository's own, beside those that it may take from its client.
var objectSettings = []string{
	"bucket", "base_path", "client", "compress", "chunk_size", "buffer_size", "canned_acl", "storage_class", "expected_bucket_owner", "readonly",
	"server_side_encryption", "server_side_encryption_type", "server_side_encryption_kms_key_id", "server_side_encryption_bucket_key_enabled",
	"server_side_encryption_encryption_context", "s3_async_client_type", "max_snapshot_bytes_per_sec", "max_restore_bytes_per_sec",
}

// clientSettings are the parts behind s3.client.NAME. that are known. Those that are true name secrets.
var clientSettings = map[string]bool{
	"access_key": true, "secret_key": true, "session_token": true, "proxy.username": true, "proxy.password": true,
	"endpoint": false, "region": false, "protocol": false, "path_style_access": false, "proxy.type": false, "proxy.host": false, "proxy.port": false,
	"read_timeout": false, "connection_timeout": false, "max_connections": false, "max_retries": false, "throttle_retries": false,
	"use_throttle_retries": false, "role_arn": false, "role_session_name": false, "identity_token_file": false,
	"legacy_md5_checksum_calculation": false, "sign_payload": false, "ca_file": false, "sts_endpoint": false,
	// Of OpenSearch's client in Java; they have no meaning here.
	"request_timeout": false, "connection_ttl": false, "connection_acquisition_timeout": false, "max_pending_connection_acquires": false,
	"max_sync_connections": false, "disable_chunked_encoding": false, "signer_override": false,
}

// reader looks settings up: the repository's own first, then its client's.
type reader struct {
	cfg    blob.Config
	prefix string // s3.client.NAME.
	err    error  // the first
}

// find returns the settings that hold name, and its full name there.
func (r *reader) find(name string) (blob.Settings, string) {
	_, own := r.cfg.Settings[name]
	if _, ofClient := clientSettings[name]; own || !ofClient {
		return r.cfg.Settings, name
	}
	return r.cfg.Node, r.prefix + name
}

func (r *reader) note(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) text(name string) string {
	s, full := r.find(name)
	return s[full]
}

func (r *reader) bool(name string, def bool) bool {
	s, full := r.find(name)
	b, err := s.Bool(full, def)
	r.note(err)
	return b
}

func (r *reader) int(name string, def, lo, hi int) int {
	s, full := r.find(name)
	n, err := s.Int(full, def, lo, hi)
	r.note(err)
	return n
}

func (r *reader) duration(name string, def time.Duration) time.Duration {
	s, full := r.find(name)
	d, err := s.Duration(full, def)
	r.note(err)
	return d
}

func (r *reader) bytes(name string, def, lo, hi int64) int64 {
	s, full := r.find(name)
	n, err := s.Bytes(full, def, lo, hi)
	r.note(err)
	return n
}

func (r *reader) oneOf(name, def string, values ...string) string {
	s, full := r.find(name)
	v, err := s.OneOf(full, def, values...)
	r.note(err)
	return v
}

func (r *reader) refuse(name, format string, args ...any) {
	_, full := r.find(name)
	r.note(blob.SettingError(full, format, args...))
}

var (
	clientName   = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	ownerPattern = regexp.MustCompile(`^[0-9]{12}$`)
	bucketName   = regexp.MustCompile(`^(arn:aws[a-z-]*:s3[a-z-]*:[A-Za-z0-9:/._-]+|[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9])$`)
)

// parse checks all settings of a repository.
func parse(cfg blob.Config) (*config, error) {
	c := &config{client: "default", counters: cfg.Count()}
	if name, ok := cfg.Settings["client"]; ok {
		c.client = name
	}
	if !clientName.MatchString(c.client) {
		return nil, blob.SettingError("client", "[%s] is no name of a client", c.client)
	}
	r := &reader{cfg: cfg, prefix: "s3.client." + c.client + "."}
	if c.client != "default" && !r.knowsClient() {
		return nil, blob.SettingError("client", "unknown s3 client name [%s]: this node has no setting and no secret that starts with [%s]", c.client, r.prefix)
	}
	r.checkClientNames()
	c.parseObjects(r)
	c.parseEncryption(r)
	c.parseEndpoint(r)
	c.parseClient(r)
	c.parseProxy(r)
	c.parseCredentials(r)
	if r.err != nil {
		return nil, r.err
	}
	return c, nil
}

func (r *reader) knowsClient() bool {
	for k := range r.cfg.Node {
		if strings.HasPrefix(k, r.prefix) {
			return true
		}
	}
	for k, secret := range clientSettings {
		if _, ok := r.cfg.LookupSecret(r.prefix + k); secret && ok {
			return true
		}
	}
	return false
}

// checkClientNames refuses settings of the client that nobody reads, and secrets in a plain file.
func (r *reader) checkClientNames() {
	for k := range r.cfg.Node {
		name, ok := strings.CutPrefix(k, r.prefix)
		if !ok {
			continue
		}
		secret, known := clientSettings[name]
		switch {
		case !known:
			r.note(blob.SettingError(k, "there is no such setting of a client"))
		case secret:
			r.note(blob.SettingError(k, "a secret does not belong into the configuration file: put it into the key store with [varve keystore add %s]", k))
		}
	}
}

func (c *config) parseObjects(r *reader) {
	set := r.cfg.Settings
	var err error
	c.bucket = set["bucket"]
	switch {
	case c.bucket == "":
		r.note(blob.SettingError("bucket", "no bucket is named"))
	case !bucketName.MatchString(c.bucket):
		r.note(blob.SettingError("bucket", "[%s] is no name of a bucket", c.bucket))
	}
	c.base, err = set.BasePath()
	r.note(err)
	chunk := r.bytes("chunk_size", gib, 5*mib, 5*tib)
	c.bufferSize = r.bytes("buffer_size", min(16*mib, chunk), leastPart, 5*gib)
	if c.bufferSize > chunk {
		r.refuse("buffer_size", "[%d bytes] is larger than chunk_size", c.bufferSize)
	}
	r.bool("compress", false)
	c.readOnly = r.bool("readonly", false)
	r.oneOf("s3_async_client_type", "crt", "crt", "netty")
	for _, name := range []string{"max_snapshot_bytes_per_sec", "max_restore_bytes_per_sec"} {
		r.bytes(name, 0, -1, 1<<62)
	}
	if acl, ok := set["canned_acl"]; ok && acl != "" {
		c.acl = types.ObjectCannedACL(acl)
		if acl == "log-delivery-write" || !slices.Contains(c.acl.Values(), c.acl) {
			r.refuse("canned_acl", "[%s] is no canned ACL of objects; there are %v", acl, c.acl.Values())
		}
	}
	if class, ok := set["storage_class"]; ok && class != "" {
		c.storageClass = types.StorageClass(strings.ToUpper(class))
		switch {
		case c.storageClass == types.StorageClassGlacier || c.storageClass == types.StorageClassDeepArchive:
			r.refuse("storage_class", "[%s] is not supported: what lies there cannot be read at once", class)
		case !slices.Contains(c.storageClass.Values(), c.storageClass):
			r.refuse("storage_class", "[%s] is not a storage class", class)
		}
	}
	if owner, ok := set["expected_bucket_owner"]; ok && owner != "" {
		if c.owner = owner; !ownerPattern.MatchString(owner) {
			r.refuse("expected_bucket_owner", "[%s] is not the 12 digits of an account", owner)
		}
	}
}

func (c *config) parseEncryption(r *reader) {
	set := r.cfg.Settings
	typ := r.oneOf("server_side_encryption_type", "bucket_default", "AES256", "aws:kms", "bucket_default")
	if old := r.bool("server_side_encryption", false); old {
		if _, ok := set["server_side_encryption_type"]; !ok { // the older switch, up to OpenSearch 3.0
			typ = "AES256"
		}
	}
	c.kmsKey = set["server_side_encryption_kms_key_id"]
	c.bucketKey = r.bool("server_side_encryption_bucket_key_enabled", true)
	if text := set["server_side_encryption_encryption_context"]; text != "" {
		var object map[string]string
		if err := json.Unmarshal([]byte(text), &object); err != nil {
			r.refuse("server_side_encryption_encryption_context", "is not a JSON object of texts: %v", err)
		}
		c.sseContext = base64.StdEncoding.EncodeToString([]byte(text))
	}
	switch typ {
	case "AES256":
		c.sse = types.ServerSideEncryptionAes256
	case "aws:kms":
		c.sse = types.ServerSideEncryptionAwsKms
		if c.kmsKey == "" {
			r.refuse("server_side_encryption_kms_key_id", "must be set when server_side_encryption_type is aws:kms")
		}
		return
	}
	for _, name := range []string{"server_side_encryption_kms_key_id", "server_side_encryption_encryption_context"} {
		if set[name] != "" {
			r.refuse(name, "has a meaning only when server_side_encryption_type is aws:kms")
		}
	}
}
