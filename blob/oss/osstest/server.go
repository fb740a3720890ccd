package osstest

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"
)

// Server is a handler that speaks as much of OSS's protocol as repositories need. It checks signatures of
// both versions as Alibaba's documentation describes them ("Include V4 signatures in the Authorization header").
// Its fields are set before the first request.
type Server struct {
	Region, KeyID, Key string
	Token              string // of temporary credentials; "": there is none
	PageMax            int    // the most keys that a page of a list has
	// Fault, where it is set, may answer a request with an error: with after only when it was carried out. Status 0: no error.
	Fault func(r *http.Request) (status int, code string, after bool)

	store *store
}

// New returns a server without buckets.
func New() *Server {
	return &Server{Region: "cn-hangzhou", KeyID: "id-1", Key: "key-1", PageMax: 1000, store: newStore()}
}

// MakeBucket makes an empty bucket and returns its name.
func (d *Server) MakeBucket() string {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	bucket := fmt.Sprintf("bucket-%d", len(d.store.buckets))
	d.store.buckets[bucket] = map[string]*object{}
	return bucket
}

// PutObject puts an object into a bucket, with headers such as x-oss-storage-class.
func (d *Server) PutObject(bucket, key string, data []byte, headers map[string]string) {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	d.store.buckets[bucket][key] = &object{data, headers}
}

// Uploads returns how many multipart uploads were begun and neither completed nor aborted.
func (d *Server) Uploads() int {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	return len(d.store.uploads)
}

// ServeHTTP implements http.Handler.
func (d *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.Fault != nil {
		if status, code, after := d.Fault(r); status != 0 {
			if after {
				d.store.serve(discard{http.Header{}}, r, d.PageMax)
			}
			fail(w, r, status, code)
			return
		}
	}
	if code := d.authorize(r); code != "" {
		fail(w, r, http.StatusForbidden, code)
		return
	}
	d.store.serve(w, r, d.PageMax)
}

// discard is an answer that gets lost.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// authorize returns the error code that a wrong signature gets.
func (d *Server) authorize(r *http.Request) string {
	if r.Header.Get("X-Oss-Security-Token") != d.Token {
		return "InvalidSecurityToken"
	}
	auth := r.Header.Get("Authorization")
	if rest, ok := strings.CutPrefix(auth, "OSS4-HMAC-SHA256 "); ok {
		return d.authorizeV4(r, rest)
	}
	if rest, ok := strings.CutPrefix(auth, "OSS "); ok {
		return d.authorizeV1(r, rest)
	}
	return "AccessDenied"
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// encode is the URI encoding of the signature: everything but unreserved characters, and slashes stay in paths.
func encode(s string, slashes bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.~", c) >= 0 || c == '/' && slashes {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func (d *Server) authorizeV4(r *http.Request, rest string) string {
	parts := map[string]string{}
	for p := range strings.SplitSeq(rest, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		parts[k] = v
	}
	cred := strings.Split(parts["Credential"], "/")
	stamp := r.Header.Get("X-Oss-Date")
	at, err := time.Parse("20060102T150405Z", stamp)
	if len(cred) != 5 || err != nil || cred[1] != stamp[:8] || cred[3] != "oss" || cred[4] != "aliyun_v4_request" {
		return "InvalidArgument"
	}
	switch {
	case cred[0] != d.KeyID:
		return "InvalidAccessKeyId"
	case cred[2] != d.Region:
		return "InvalidArgument"
	case time.Since(at).Abs() > 15*time.Minute:
		return "RequestTimeTooSkewed"
	}
	additional := []string{}
	if parts["AdditionalHeaders"] != "" {
		additional = strings.Split(parts["AdditionalHeaders"], ";")
	}
	var query []string
	for k, vs := range r.URL.Query() {
		p := encode(k, false)
		if vs[0] != "" {
			p += "=" + encode(vs[0], false)
		}
		query = append(query, p)
	}
	sort.Strings(query)
	var headers []string
	for k, vs := range r.Header {
		k = strings.ToLower(k)
		if strings.HasPrefix(k, "x-oss-") || k == "content-type" || k == "content-md5" || slices.Contains(additional, k) {
			headers = append(headers, k+":"+strings.TrimSpace(strings.Join(vs, ","))+"\n")
		}
	}
	sort.Strings(headers)
	bucket, key := place(r)
	payload := r.Header.Get("X-Oss-Content-Sha256")
	if payload == "" {
		payload = "UNSIGNED-PAYLOAD"
	}
	canonical := strings.Join([]string{r.Method, encode("/"+bucket+"/"+key, true), strings.Join(query, "&"), strings.Join(headers, ""), strings.Join(additional, ";"), payload}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	toSign := strings.Join([]string{"OSS4-HMAC-SHA256", stamp, strings.Join(cred[1:], "/"), hex.EncodeToString(sum[:])}, "\n")
	k := []byte("aliyun_v4" + d.Key)
	for _, s := range cred[1:] {
		k = mac(k, s)
	}
	if hex.EncodeToString(mac(k, toSign)) != parts["Signature"] {
		return "SignatureDoesNotMatch"
	}
	return ""
}

// subresources are the query parameters that a signature of version 1 covers, of those that are used here.
var subresources = []string{"uploads", "uploadId", "partNumber", "delete", "continuation-token"}

func (d *Server) authorizeV1(r *http.Request, rest string) string {
	id, signature, _ := strings.Cut(rest, ":")
	if id != d.KeyID {
		return "InvalidAccessKeyId"
	}
	var headers []string
	for k, vs := range r.Header {
		if k = strings.ToLower(k); strings.HasPrefix(k, "x-oss-") {
			headers = append(headers, k+":"+strings.TrimSpace(vs[0])+"\n")
		}
	}
	sort.Strings(headers)
	var query []string
	for k, vs := range r.URL.Query() {
		if slices.Contains(subresources, k) {
			if vs[0] != "" {
				k += "=" + vs[0]
			}
			query = append(query, k)
		}
	}
	sort.Strings(query)
	bucket, key := place(r)
	resource := "/" + bucket + "/" + key
	if len(query) > 0 {
		resource += "?" + strings.Join(query, "&")
	}
	date := r.Header.Get("X-Oss-Date")
	if date == "" {
		date = r.Header.Get("Date")
	}
	h := hmac.New(sha1.New, []byte(d.Key))
	h.Write([]byte(strings.Join([]string{r.Method, r.Header.Get("Content-Md5"), r.Header.Get("Content-Type"), date, strings.Join(headers, "") + resource}, "\n")))
	if base64.StdEncoding.EncodeToString(h.Sum(nil)) != signature {
		return "SignatureDoesNotMatch"
	}
	return ""
}

// place returns bucket and key of a request in path style.
func place(r *http.Request) (bucket, key string) {
	p, err := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/"))
	if err != nil {
		return "", ""
	}
	bucket, key, _ = strings.Cut(p, "/")
	return bucket, key
}

func fail(w http.ResponseWriter, r *http.Request, status int, code string) {
	body := fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>of the test server</Message><RequestId>R1</RequestId></Error>`, code)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("X-Oss-Request-Id", "R1")
	if r.Method == http.MethodHead {
		w.Header().Set("X-Oss-Err", base64.StdEncoding.EncodeToString([]byte(body)))
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		fmt.Fprint(w, body)
	}
}

// goodMD5 checks Content-MD5, where it is sent.
func goodMD5(r *http.Request, body []byte) bool {
	want := r.Header.Get("Content-Md5")
	sum := md5.Sum(body)
	return want == "" || want == base64.StdEncoding.EncodeToString(sum[:])
}
