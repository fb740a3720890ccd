package blob

import (
	"net/url"
	"strings"
)

// NameIn returns the blob that a request for a bucket is for, as [Attempt] has it: its key below base, or the prefix that is listed. root is the path of the
// store's endpoint. The bucket's name is in the host or the beginning of the path.
func NameIn(u *url.URL, root, bucket, base string) string {
	key := strings.TrimPrefix(strings.TrimPrefix(u.Path, strings.TrimSuffix(root, "/")), "/")
	if !strings.HasPrefix(u.Host, bucket+".") {
		rest, ok := strings.CutPrefix(key, bucket)
		if !ok {
			return ""
		}
		key = strings.TrimPrefix(rest, "/")
	}
	if key == "" {
		if strings.Contains(u.RawQuery, "prefix=") {
			key = u.Query().Get("prefix")
		}
	}
	if base != "" {
		key = strings.TrimPrefix(key, base+"/")
	}
	return key
}
