package osstest

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"hash/crc64"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

type object struct {
	data    []byte
	headers map[string]string // x-oss-meta-…, x-oss-storage-class, …
}

type multipart struct {
	bucket  string
	key     string
	begun   time.Time
	parts   map[int][]byte
	headers map[string]string
}

// store is what the test server keeps. Its buckets exist when they are in the map.
type store struct {
	mu      sync.Mutex
	buckets map[string]map[string]*object
	uploads map[string]*multipart
	serial  int
}

func newStore() *store {
	return &store{buckets: map[string]map[string]*object{}, uploads: map[string]*multipart{}}
}

var ecma = crc64.MakeTable(crc64.ECMA)

func keep(h http.Header) map[string]string {
	out := map[string]string{}
	for k, v := range h {
		k = strings.ToLower(k)
		if strings.HasPrefix(k, "x-oss-meta-") || k == "x-oss-storage-class" || k == "x-oss-server-side-encryption" || k == "x-oss-object-acl" {
			out[k] = v[0]
		}
	}
	return out
}

func (s *store) serve(w http.ResponseWriter, r *http.Request, pageMax int) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if !goodMD5(r, body) {
		fail(w, r, 400, "InvalidDigest")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	bucket, key := place(r)
	objects, ok := s.buckets[bucket]
	if !ok {
		fail(w, r, 404, "NoSuchBucket")
		return
	}
	w.Header().Set("X-Oss-Request-Id", "R1")
	q := r.URL.Query()
	forbidden := func() bool {
		_, there := objects[key]
		if there && r.Header.Get("X-Oss-Forbid-Overwrite") == "true" {
			fail(w, r, 409, "FileAlreadyExists")
			return true
		}
		return false
	}
	switch {
	case key == "" && q.Get("list-type") == "2":
		s.list(w, pageMax, objects, q)
	case key == "" && q.Has("uploads"):
		s.listUploads(w, bucket, pageMax, q)
	case key == "" && q.Has("delete"):
		s.deleteMany(w, r, objects, body)
	case r.Method == http.MethodPost && q.Has("uploads"):
		if !forbidden() {
			s.serial++
			id := fmt.Sprintf("U%d", s.serial)
			s.uploads[id] = &multipart{bucket, key, time.Now(), map[int][]byte{}, keep(r.Header)}
			fmt.Fprintf(w, `<InitiateMultipartUploadResult><Bucket>%s</Bucket><Key>x</Key><UploadId>%s</UploadId></InitiateMultipartUploadResult>`, bucket, id)
		}
	case q.Has("uploadId"):
		up := s.uploads[q.Get("uploadId")]
		if up == nil || up.key != key {
			fail(w, r, 404, "NoSuchUpload")
			return
		}
		switch r.Method {
		case http.MethodPut:
			n, _ := strconv.Atoi(q.Get("partNumber"))
			up.parts[n] = body
			written(w, body)
		case http.MethodDelete:
			delete(s.uploads, q.Get("uploadId"))
			w.WriteHeader(204)
		case http.MethodPost:
			if forbidden() {
				return
			}
			var in struct {
				Part []struct {
					PartNumber int
					ETag       string
				}
			}
			if xml.Unmarshal(body, &in) != nil {
				fail(w, r, 400, "MalformedXML")
				return
			}
			var data []byte
			for i, p := range in.Part {
				part, ok := up.parts[p.PartNumber]
				if !ok || p.ETag != etag(part) || i < len(in.Part)-1 && len(part) < 100<<10 {
					fail(w, r, 400, "InvalidPart")
					return
				}
				data = append(data, part...)
			}
			objects[key] = &object{data, up.headers}
			delete(s.uploads, q.Get("uploadId"))
			w.Header().Set("X-Oss-Hash-Crc64ecma", strconv.FormatUint(crc64.Checksum(data, ecma), 10))
			fmt.Fprintf(w, `<CompleteMultipartUploadResult><Bucket>%s</Bucket><Key>x</Key><ETag>e</ETag></CompleteMultipartUploadResult>`, bucket)
		}
	case r.Method == http.MethodPut:
		if !forbidden() {
			objects[key] = &object{body, keep(r.Header)}
			written(w, body)
		}
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		s.get(w, r, objects[key])
	default:
		fail(w, r, 501, "NotImplemented")
	}
}

// listUploads lists uploads that were begun, in the order of keys and then of IDs.
func (s *store) listUploads(w http.ResponseWriter, bucket string, pageMax int, q url.Values) {
	type upload struct {
		Key, UploadId string //nolint:revive,stylecheck // the element's name
		Initiated     string
	}
	var all []upload
	for id, up := range s.uploads {
		if up.bucket == bucket && strings.HasPrefix(up.key, q.Get("prefix")) &&
			(up.key > q.Get("key-marker") || up.key == q.Get("key-marker") && q.Get("upload-id-marker") != "" && id > q.Get("upload-id-marker")) {
			all = append(all, upload{url.QueryEscape(up.key), id, up.begun.UTC().Format("2006-01-02T15:04:05.000Z")})
		}
	}
	slices.SortFunc(all, func(a, b upload) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), strings.Compare(a.UploadId, b.UploadId))
	})
	out := struct {
		XMLName                                         xml.Name `xml:"ListMultipartUploadsResult"`
		EncodingType, NextKeyMarker, NextUploadIdMarker string
		IsTruncated                                     bool
		Upload                                          []upload
	}{EncodingType: "url", Upload: all}
	if pageMax > 0 && len(all) > pageMax {
		out.Upload, out.IsTruncated = all[:pageMax], true
		last := all[pageMax-1]
		out.NextKeyMarker, out.NextUploadIdMarker = last.Key, last.UploadId
	}
	b, err := xml.Marshal(out)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(b)
}

func etag(b []byte) string { return fmt.Sprintf(`"%X"`, md5.Sum(b)) }

func written(w http.ResponseWriter, b []byte) {
	sum := md5.Sum(b)
	w.Header().Set("ETag", etag(b))
	w.Header().Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	w.Header().Set("X-Oss-Hash-Crc64ecma", strconv.FormatUint(crc64.Checksum(b, ecma), 10))
}

func (s *store) get(w http.ResponseWriter, r *http.Request, o *object) {
	if o == nil {
		fail(w, r, 404, "NoSuchKey")
		return
	}
	if o.headers["x-oss-storage-class"] == "Archive" && r.Method == http.MethodGet {
		fail(w, r, 403, "InvalidObjectState")
		return
	}
	for k, v := range o.headers {
		w.Header().Set(k, v)
	}
	w.Header().Set("ETag", etag(o.data))
	if m := r.Header.Get("If-Match"); m != "" && m != etag(o.data) {
		fail(w, r, 412, "PreconditionFailed")
		return
	}
	data, status := o.data, 200
	if rng, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		from, to, _ := strings.Cut(rng, "-")
		first, _ := strconv.ParseInt(from, 10, 64)
		last, err := strconv.ParseInt(to, 10, 64)
		if err != nil || last >= int64(len(data)) {
			last = int64(len(data)) - 1
		}
		switch {
		case first <= last:
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, last, len(data)))
			data, status = data[first:last+1], 206
		case r.Header.Get("X-Oss-Range-Behavior") == "standard":
			fail(w, r, 416, "InvalidRange")
			return
		}
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		_, _ = io.Copy(w, bytes.NewReader(data))
	}
}

func (s *store) deleteMany(w http.ResponseWriter, r *http.Request, objects map[string]*object, body []byte) {
	var in struct {
		Object []struct{ Key string }
	}
	if r.Header.Get("Content-Md5") == "" || xml.Unmarshal(body, &in) != nil || len(in.Object) > 1000 {
		fail(w, r, 400, "MalformedXML")
		return
	}
	for _, o := range in.Object {
		delete(objects, o.Key)
	}
	fmt.Fprint(w, `<DeleteResult></DeleteResult>`)
}

// list answers ListObjectsV2 with url encoding.
func (s *store) list(w http.ResponseWriter, pageMax int, objects map[string]*object, q url.Values) {
	limit := pageMax
	if n, err := strconv.Atoi(q.Get("max-keys")); err == nil {
		limit = min(limit, n)
	}
	keys := make([]string, 0, len(objects))
	for k := range objects {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var b strings.Builder
	n, last, truncated, seen := 0, "", false, ""
	for _, k := range keys {
		if !strings.HasPrefix(k, q.Get("prefix")) {
			continue
		}
		rest := strings.TrimPrefix(k, q.Get("prefix"))
		name, common := k, false
		if d := q.Get("delimiter"); d != "" {
			if i := strings.Index(rest, d); i >= 0 {
				name, common = q.Get("prefix")+rest[:i+1], true
			}
		}
		if common && name == seen || name <= q.Get("continuation-token") {
			continue
		}
		if n == limit {
			truncated = true
			break
		}
		n++
		last = name
		if common {
			seen = name
			fmt.Fprintf(&b, `<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>`, url.QueryEscape(name))
			continue
		}
		fmt.Fprintf(&b, `<Contents><Key>%s</Key><Size>%d</Size><LastModified>%s</LastModified><StorageClass>Standard</StorageClass></Contents>`,
			url.QueryEscape(k), len(objects[k].data), time.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	next := ""
	if truncated {
		next = "<NextContinuationToken>" + url.QueryEscape(last) + "</NextContinuationToken>"
	}
	fmt.Fprintf(w, `<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>%t</IsTruncated>%s%s</ListBucketResult>`, truncated, next, b.String())
}
