package blob

import (
	"net/url"
	"testing"
)

func TestNameIn(t *testing.T) {
	for _, c := range []struct{ url, root, base, want string }{
		{"http://127.0.0.1:9000/bucket/a/b/indices/x/0/__1", "", "a/b", "indices/x/0/__1"},
		{"http://127.0.0.1:9000/bucket/index-0?x-id=GetObject", "", "", "index-0"},
		{"https://bucket.s3.amazonaws.com/a/bucket/index-0", "", "a", "bucket/index-0"},
		{"https://bucket.s3.amazonaws.com/bucket/index-0", "", "bucket", "index-0"},
		{"http://store/under/bucket/a%20%C3%BC%252F/index-0", "/under/", "a ü%2F", "index-0"},
		{"http://127.0.0.1:9000/bucket?list-type=2&prefix=a%2Findex-&delimiter=%2F", "", "a", "index-"},
		{"https://bucket.oss-cn-hangzhou.aliyuncs.com/?list-type=2&prefix=a%2F", "", "a", ""},
		{"http://127.0.0.1:9000/bucket?delete=", "", "a", ""},
		{"http://169.254.169.254/latest/meta-data", "", "a", ""},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := NameIn(u, c.root, "bucket", c.base); got != c.want {
			t.Errorf("%s: %q, not %q", c.url, got, c.want)
		}
	}
}

// TestUnknownSecret: names that are like a repository's secret and that nobody reads.
func TestUnknownSecret(t *testing.T) {
	RegisterSecrets("kind.client.*.secret_key", "one.client.default.key")
	for name, want := range map[string]bool{"kind.client.a.secret_key": false, "kind.client.a.secrt_key": true, "kind.client.a.b.secret_key": true, "kind.client..secret_key": true,
		"one.client.default.key": false, "one.client.other.key": true, "somebody.else": false} {
		if UnknownSecret(name) != want {
			t.Error(name)
		}
	}
}
