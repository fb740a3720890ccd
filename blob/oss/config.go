package oss

import (
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/varve-search/varve/blob"
)

const (
	mib = 1 << 20

	leastPart = mib // of an upload, as far as buffer_size goes
)

// config is a repository's settings, checked.
type config struct {
	bucket, base  string
	endpoint      *url.URL
	region        string
	pathStyle, v1 bool
	bufferSize    int64
	attempts      int
	readOnly      bool

	keyID, key, securityToken string // none of them may reach a message
}

var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)
	regionHost = regexp.MustCompile(`^(?:s3\.)?oss-([a-z0-9-]+?)(?:-internal)?\.aliyuncs\.com$`)
)

const secretPrefix = "oss.client.default."

func parse(cfg blob.Config) (*config, error) {
	c, set := &config{}, cfg.Settings
	var err error
	note := func(e error) {
		if err == nil {
			err = e
		}
	}
	if c.bucket = set["bucket"]; !bucketName.MatchString(c.bucket) {
		note(blob.SettingError("bucket", "[%s] is no name of a bucket", c.bucket))
	}
	var e error
	c.base, e = set.BasePath()
	note(e)
	chunk, e := set.Bytes("chunk_size", 1<<30, 5*mib, 5<<40)
	note(e)
	c.bufferSize, e = set.Bytes("buffer_size", min(16*mib, chunk), leastPart, 64*mib)
	note(e)
	_, e = set.Bool("compress", false)
	note(e)
	c.readOnly, e = set.Bool("readonly", false)
	note(e)
	c.attempts, e = set.Int("max_retries", 3, 1, 100)
	note(e)
	version, e := set.OneOf("signature_version", "v4", "v4", "v1")
	note(e)
	c.v1 = version == "v1"
	if class := set["storage_class"]; class != "" && !strings.EqualFold(class, "standard") {
		note(blob.SettingError("storage_class", "[%s] is not supported: repositories need the class Standard, whose objects can be read at once", class))
	}
	c.parseEndpoint(set, note)
	c.parseCredentials(cfg, note)
	return c, err
}

func (c *config) parseEndpoint(set blob.Settings, note func(error)) {
	text := set["endpoint"]
	if text == "" {
		note(blob.SettingError("endpoint", "no endpoint is named, such as oss-cn-hangzhou.aliyuncs.com"))
		return
	}
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || strings.Trim(u.Path, "/") != "" {
		note(blob.SettingError("endpoint", "it is not a host, a host with a port, or an http(s) URL of one"))
		return
	}
	c.endpoint = u
	c.region = set["region"]
	if m := regionHost.FindStringSubmatch(u.Hostname()); m != nil && c.region == "" {
		c.region = m[1]
	}
	if c.region == "" && !c.v1 {
		note(blob.SettingError("region", "must be set, because the endpoint does not tell it and signatures of version v4 contain it"))
	}
	c.pathStyle, err = set.Bool("path_style_access", net.ParseIP(u.Hostname()) != nil)
	note(err)
}

func (c *config) parseCredentials(cfg blob.Config, note func(error)) {
	look := func(get func(string) (string, bool)) bool {
		c.keyID, _ = get("access_key_id")
		c.key, _ = get("secret_access_key")
		c.securityToken, _ = get("security_token")
		return c.keyID != "" || c.key != ""
	}
	env := map[string]string{"access_key_id": "OSS_ACCESS_KEY_ID", "secret_access_key": "OSS_ACCESS_KEY_SECRET", "security_token": "OSS_SESSION_TOKEN"}
	switch {
	case look(func(n string) (string, bool) { v, ok := cfg.Settings[n]; return v, ok }):
	case look(func(n string) (string, bool) { return cfg.LookupSecret(secretPrefix + n) }):
	case look(func(n string) (string, bool) { v := os.Getenv(env[n]); return v, v != "" }):
	default:
		note(blob.SettingError("access_key_id", "no credentials: neither in the settings, nor as %saccess_key_id in the key store, nor as OSS_ACCESS_KEY_ID in the environment", secretPrefix))
		return
	}
	if c.keyID == "" {
		note(blob.SettingError("access_key_id", "is missing beside secret_access_key"))
	}
	if c.key == "" {
		note(blob.SettingError("secret_access_key", "is missing beside access_key_id"))
	}
}
