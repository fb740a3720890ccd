package s3

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/varve-search/varve/blob"
)

// cloud stands for S3, STS, and what gives an instance or a container its credentials. Whoever asks gets those of the day.
type cloud struct {
	mu      sync.Mutex
	day     int
	life    time.Duration
	tokens  []string // web identities that were shown to STS
	used    []string // keys that requests to S3 were signed with
	refused string   // a key that S3 says has expired
	away    bool     // nobody gives credentials now
}

var signed = regexp.MustCompile(`Credential=([^/]+)/`)

func (c *cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, until := fmt.Sprint("KEY", c.day), time.Now().Add(c.life).UTC().Format(time.RFC3339Nano)
	document := map[string]string{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": key, "SecretAccessKey": "secret", "Token": "session", "Expiration": until}
	switch {
	case c.away && !r.URL.Query().Has("list-type"):
		w.WriteHeader(http.StatusForbidden)
	case r.Method == http.MethodPost && r.FormValue("Action") == "AssumeRoleWithWebIdentity":
		c.tokens = append(c.tokens, r.FormValue("WebIdentityToken"))
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, key, until)
	case r.URL.Path == "/latest/api/token":
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "600")
		fmt.Fprint(w, "token")
	case strings.HasSuffix(r.URL.Path, "/security-credentials/"):
		fmt.Fprint(w, "role")
	case strings.HasSuffix(r.URL.Path, "/security-credentials/role"), r.URL.Path == "/container":
		_ = json.NewEncoder(w).Encode(document)
	case r.URL.Query().Has("list-type"):
		key := "none"
		if m := signed.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
			key = m[1]
		}
		c.used = append(c.used, key)
		if key == c.refused {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>`)
			return
		}
		fmt.Fprint(w, `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated></ListBucketResult>`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// TestRotation: credentials that end are replaced without a restart, and so are those that the store says have ended.
func TestRotation(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, url, tokenFile string) blob.Settings{
		"web identity of the settings": func(_ *testing.T, url, tokenFile string) blob.Settings {
			return blob.Settings{"s3.client.default.identity_token_file": tokenFile, "s3.client.default.role_arn": "arn:aws:iam::123456789012:role/r", "s3.client.default.sts_endpoint": url}
		},
		"web identity of the environment": func(t *testing.T, url, tokenFile string) blob.Settings {
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", tokenFile)
			t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r")
			t.Setenv("AWS_ENDPOINT_URL_STS", url)
			return blob.Settings{}
		},
		"container": func(t *testing.T, url, _ string) blob.Settings {
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url+"/container")
			return blob.Settings{}
		},
		"instance": func(t *testing.T, url, _ string) blob.Settings {
			t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
			return blob.Settings{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, v := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} {
				t.Setenv(v, "")
			}
			t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
			c := &cloud{day: 1, life: refreshBefore + 1500*time.Millisecond}
			web := httptest.NewServer(c)
			defer web.Close()
			tokenFile := filepath.Join(dir, "token")
			token := func(text string) {
				t.Helper()
				if err := os.WriteFile(tokenFile, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			token("first")
			node := prepare(t, web.URL, tokenFile)
			node["s3.client.default.proxy.type"] = "direct"
			store := mustOpen(t, blob.Config{Settings: blob.Settings{"bucket": "backups", "endpoint": web.URL, "region": "us-east-1"}, Node: node})
			defer store.Close()
			ask := func(want string) {
				t.Helper()
				if err := store.List(t.Context(), "", func(blob.Info) error { return nil }); err != nil {
					t.Fatal(err)
				}
				c.mu.Lock()
				defer c.mu.Unlock()
				if got := c.used[len(c.used)-1]; got != want {
					t.Errorf("signed with %s, not with %s", got, want)
				}
			}
			next := func(life time.Duration) {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.day++
				c.life = life
			}
			ask("KEY1")
			next(time.Hour)
			token("second")
			ask("KEY1") // it has not come to its end
			time.Sleep(1600 * time.Millisecond)
			ask("KEY2")

			// The store does not take them any more, an hour before their end.
			next(time.Hour)
			c.mu.Lock()
			c.refused = "KEY2"
			c.mu.Unlock()
			ask("KEY3")

			// Who gives them is away for a while, before they end.
			next(refreshBefore + 20*time.Second)
			c.mu.Lock()
			c.refused = "KEY3"
			c.mu.Unlock()
			ask("KEY4")
			next(time.Hour)
			c.mu.Lock()
			c.away = true
			c.mu.Unlock()
			store.api.Options().Credentials.(*aws.CredentialsCache).Invalidate() // as at the end of their window
			ask("KEY4")
			c.mu.Lock()
			defer c.mu.Unlock()
			if want := []string{"first", "second", "second", "second"}; strings.HasPrefix(name, "web") && !slices.Equal(c.tokens, want) {
				t.Errorf("identities %q, not %q", c.tokens, want)
			}
		})
	}
}
