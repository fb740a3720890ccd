package s3

import (
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/blob"
)

// amazonHost matches Amazon's endpoints of S3; the group is the region, where the name says it.
var amazonHost = regexp.MustCompile(`^s3(?:[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com(?:\.cn)?$`)

// amazon tells whether the endpoint is Amazon's.
func (c *config) amazon() bool {
	return c.endpoint == nil || amazonHost.MatchString(c.endpoint.Hostname())
}

func (c *config) parseEndpoint(r *reader) {
	protocol := r.oneOf("protocol", "https", "https", "http")
	c.region = r.text("region")
	if text := r.text("endpoint"); text != "" {
		c.endpoint = parseEndpoint(r, "endpoint", text, protocol)
	} else if text := firstEnv("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"); text != "" {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" {
			r.note(blob.SettingError("AWS_ENDPOINT_URL", "[%s] in the environment is not the URL of a store", text))
			return
		}
		c.endpoint = u
	}
	c.pathStyleSet = r.text("path_style_access") != ""
	if c.endpoint == nil {
		c.pathStyle = r.bool("path_style_access", false)
		return
	}
	if m := amazonHost.FindStringSubmatch(c.endpoint.Hostname()); m != nil && c.region == "" {
		c.region = m[1]
	}
	if !c.amazon() && c.region == "" {
		c.region = firstEnv("AWS_REGION", "AWS_DEFAULT_REGION")
		if c.region == "" {
			c.region = "us-east-1" // stores of one place accept this one
		}
	}
	c.pathStyle = r.bool("path_style_access", c.ownStyle())
}

// adoptEndpoint takes the endpoint of a profile in the AWS configuration of this machine, where neither the settings nor the environment name one.
func (c *config) adoptEndpoint(text string) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return // the SDK says so with the first request
	}
	c.endpoint = u
	if !c.pathStyleSet {
		c.pathStyle = c.ownStyle()
	}
}

// ownStyle tells whether an endpoint's buckets are named in paths unless something else is set: other stores than Amazon's seldom have a name in the
// DNS for each; Alibaba's accepts nothing else.
func (c *config) ownStyle() bool {
	return !c.amazon() && !strings.HasSuffix(c.endpoint.Hostname(), ".aliyuncs.com")
}

func parseEndpoint(r *reader, name, text, protocol string) *url.URL {
	if !strings.Contains(text, "://") {
		text = protocol + "://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		r.refuse(name, "[%s] is not a host, a host with a port, or an http(s) URL of one", r.text(name))
		return nil
	}
	return u
}

func firstEnv(names ...string) string {
	for _, n := range names {
		if v := os.Getenv(n); v != "" {
			return v
		}
	}
	return ""
}

func (c *config) parseClient(r *reader) {
	c.attempts = r.int("max_retries", 3, 0, 100)
	if c.attempts == 0 {
		c.attempts = 1 // no retries
	}
	c.retryQuota = r.bool("throttle_retries", r.bool("use_throttle_retries", true))
	c.legacyMD5 = r.bool("legacy_md5_checksum_calculation", false)
	c.signPayload = r.bool("sign_payload", false)
	c.readTimeout = r.duration("read_timeout", 50*time.Second)
	c.dialTimeout = r.duration("connection_timeout", 4*time.Second)
	c.connections = r.int("max_connections", 64, 1, 10000)
	if c.caFile = r.text("ca_file"); c.caFile != "" {
		if _, err := os.Stat(c.caFile); err != nil {
			r.refuse("ca_file", "cannot be read: %v", err)
		}
	}
	if text := r.text("sts_endpoint"); text != "" {
		if u := parseEndpoint(r, "sts_endpoint", text, "https"); u != nil {
			c.stsEndpoint = u.String()
		}
	}
}

func (c *config) parseProxy(r *reader) {
	typ := r.oneOf("proxy.type", "", "direct", "http", "https", "socks")
	host, port := r.text("proxy.host"), r.int("proxy.port", 0, 1, 65535)
	if c.noProxy = typ == "direct"; c.noProxy {
		if host != "" {
			r.refuse("proxy.host", "must not be set when proxy.type is direct")
		}
		return
	}
	switch {
	case host == "" && typ == "" && port == 0:
		return
	case host == "":
		r.refuse("proxy.host", "must be set with proxy.type and proxy.port")
	case port == 0:
		r.refuse("proxy.port", "must be set with proxy.host")
	}
	scheme := map[string]string{"": "http", "http": "http", "https": "https", "socks": "socks5"}[typ]
	c.proxy = &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, strconv.Itoa(port))}
	if user, ok := r.cfg.LookupSecret(r.prefix + "proxy.username"); ok {
		password, _ := r.cfg.LookupSecret(r.prefix + "proxy.password")
		c.proxy.User = url.UserPassword(user, password)
	}
}

func (c *config) parseCredentials(r *reader) {
	c.roleARN, c.roleSession, c.tokenFile = r.text("role_arn"), r.text("role_session_name"), r.text("identity_token_file")
	if c.roleARN != "" && !strings.HasPrefix(c.roleARN, "arn:") {
		r.refuse("role_arn", "[%s] is not the ARN of a role", c.roleARN)
	}
	if c.tokenFile != "" {
		if c.roleARN == "" && os.Getenv("AWS_ROLE_ARN") == "" {
			r.refuse("identity_token_file", "needs role_arn")
		}
		if _, err := os.Stat(c.tokenFile); err != nil {
			r.refuse("identity_token_file", "cannot be read: %v", err)
		}
	}
	insecure, err := r.cfg.Node.Bool("repository_s3.allow_insecure_settings", false)
	r.note(err)
	own := false
	for _, s := range []struct {
		name string
		to   *string
	}{{"access_key", &c.accessKey}, {"secret_key", &c.secretKey}, {"session_token", &c.sessionToken}} {
		if v, ok := r.cfg.Settings[s.name]; ok {
			if !insecure {
				r.note(blob.SettingError(s.name, "a secret in the settings of a repository is refused unless the node's setting repository_s3.allow_insecure_settings is true; "+
					"put it into the key store with [varve keystore add %s%s]", r.prefix, s.name))
			}
			*s.to, own = v, true
		}
	}
	if !own {
		c.accessKey, _ = r.cfg.LookupSecret(r.prefix + "access_key")
		c.secretKey, _ = r.cfg.LookupSecret(r.prefix + "secret_key")
		c.sessionToken, _ = r.cfg.LookupSecret(r.prefix + "session_token")
	}
	prefix := r.prefix
	if own {
		prefix = ""
	}
	switch {
	case c.accessKey != "" && c.secretKey == "":
		r.note(blob.SettingError(prefix+"secret_key", "is missing although the access key is there"))
	case c.accessKey == "" && c.secretKey != "":
		r.note(blob.SettingError(prefix+"access_key", "is missing although the secret key is there"))
	case c.accessKey == "" && c.sessionToken != "":
		r.note(blob.SettingError(prefix+"session_token", "needs an access key and a secret key beside it"))
	}
}
