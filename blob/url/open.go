package url

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/varve-search/varve/blob"
	blobfs "github.com/varve-search/varve/blob/fs"
)

func init() {
	blob.RegisterType("url", Open)
	blob.RegisterSettings("url", "url", "http_max_retries", "http_socket_timeout")
	for _, scheme := range []string{"http", "https"} {
		blob.Register(scheme, func(_ context.Context, rest string) (blob.Container, error) {
			u, err := parse(scheme + ":" + rest)
			if err != nil {
				return nil, &blob.Error{Op: "open", Kind: blob.KindInvalid, Err: err}
			}
			return newContainer(u, defaults, nil, &blob.Counters{}), nil
		})
	}
}

// options are how requests are made.
type options struct {
	attempts int
	timeout  time.Duration // without a byte
}

var defaults = options{attempts: 5, timeout: 30 * time.Second}

// parse checks a URL. Credentials in it are refused: it is shown to whoever lists repositories.
func parse(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL")
	case u.User != nil:
		return nil, errors.New("credentials do not belong into a URL")
	case u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("it must end with its path: a signed URL is good for one object, and a repository has many")
	}
	if u.Scheme != "file" && u.Host == "" {
		return nil, errors.New("it names no host")
	}
	return u, nil
}

// Open opens the place of a repository of type url.
func Open(_ context.Context, cfg blob.Config) (blob.Container, error) {
	text := cfg.Settings["url"]
	if text == "" {
		text = cfg.Node["repositories.url.url"]
	}
	if text == "" {
		return nil, blob.SettingError("url", "missing url")
	}
	u, err := parse(text)
	if err != nil {
		return nil, blob.SettingError("url", "%w", err)
	}
	protocols := list(cfg.Node, "repositories.url.supported_protocols", "http,https,file")
	switch {
	case u.Scheme == "ftp" || u.Scheme == "jar":
		return nil, blob.SettingError("url", "[%s] is not built in this server; it has http, https and file", u.Scheme)
	case !contains(protocols, u.Scheme) || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "file":
		return nil, blob.SettingError("url", "unsupported url protocol [%s] from URL [%s]", u.Scheme, text)
	}
	opts := defaults
	retries, err := cfg.Settings.Int("http_max_retries", defaults.attempts, 0, 100)
	if err != nil {
		return nil, err
	}
	opts.attempts = max(retries, 1)
	if opts.timeout, err = cfg.Settings.Duration("http_socket_timeout", defaults.timeout); err != nil {
		return nil, err
	}
	var allowed []*url.URL
	for _, p := range list(cfg.Node, "repositories.url.allowed_urls", "") {
		pattern, err := url.Parse(p)
		if err != nil {
			return nil, blob.SettingError("repositories.url.allowed_urls", "[%s] is not a pattern of URLs", p)
		}
		allowed = append(allowed, pattern)
	}
	permit := func(u *url.URL) error {
		for _, p := range allowed {
			if matches(p, u) {
				return nil
			}
		}
		return fmt.Errorf("file url [%s] doesn't match any of the locations specified by path.repo or repositories.url.allowed_urls", u.Redacted())
	}
	if u.Scheme == "file" {
		if !belowRepo(u, cfg.Node) {
			if err := permit(u); err != nil {
				return nil, blob.SettingError("url", "%w", err)
			}
		}
		c, err := blobfs.New(filepath.FromSlash(u.Path))
		if err != nil {
			return nil, err
		}
		return blob.ReadOnly(blob.Count(c, cfg.Count())), nil
	}
	if err := permit(u); err != nil {
		return nil, blob.SettingError("url", "%w", err)
	}
	return newContainer(u, opts, permit, cfg.Count()), nil
}

func list(s blob.Settings, name, def string) []string {
	text, ok := s[name]
	if !ok {
		text = def
	}
	var out []string
	for v := range strings.SplitSeq(strings.Trim(text, "[]"), ",") {
		if v = strings.Trim(strings.TrimSpace(v), `"`); v != "" {
			out = append(out, v)
		}
	}
	return out
}

func contains(list []string, v string) bool {
	for _, w := range list {
		if w == v {
			return true
		}
	}
	return false
}

// belowRepo tells whether a file: URL leads into one of the folders of path.repo, wherever links go.
func belowRepo(u *url.URL, node blob.Settings) bool {
	dir, err := filepath.EvalSymlinks(filepath.FromSlash(u.Path))
	if err != nil {
		dir = filepath.Clean(filepath.FromSlash(u.Path))
	}
	for _, root := range list(node, "path.repo", "") {
		if abs, err := filepath.Abs(root); err == nil {
			if real, err := filepath.EvalSymlinks(abs); err == nil {
				abs = real
			}
			if rel, err := filepath.Rel(abs, dir); err == nil && filepath.IsLocal(rel) {
				return true
			}
		}
	}
	return false
}

// matches compares a URL with a pattern, part by part.
func matches(pattern, u *url.URL) bool {
	return wild(pattern.Scheme, u.Scheme) && wild(pattern.Hostname(), u.Hostname()) && pattern.Port() == u.Port() &&
		wild(pattern.Path, u.Path) && wild(pattern.RawQuery, u.RawQuery) && !strings.Contains("/"+u.Path+"/", "/../")
}

// wild tells whether text matches a pattern in which * is any text.
func wild(pattern, text string) bool {
	head, rest, more := strings.Cut(pattern, "*")
	if !more {
		return pattern == text
	}
	if !strings.HasPrefix(text, head) {
		return false
	}
	for text = text[len(head):]; ; text = text[1:] {
		if wild(rest, text) {
			return true
		}
		if text == "" {
			return false
		}
	}
}

// newClient makes the HTTP client; permit, where it is set, decides on redirections.
func newClient(opts options, permit func(*url.URL) error) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.ResponseHeaderTimeout = opts.timeout
	t.MaxIdleConnsPerHost = 32
	t.IdleConnTimeout = 30 * time.Second
	return &http.Client{Transport: t, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if len(via) > 5 {
			return errors.New("the server redirects again and again")
		}
		if permit != nil {
			return permit(req.URL)
		}
		return nil
	}}
}
