package repository

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is a version of OpenSearch, or of Elasticsearch where Legacy is set.
type Version struct {
	Major, Minor, Patch int
	Legacy              bool
}

// WriteVersion is what everything that we write says: a node refuses snapshots of newer versions.
var WriteVersion = Version{Major: 2, Minor: 19}

// openSearchMask is set in the ids of OpenSearch's versions.
const openSearchMask = 0x08000000

// ID is the number that metadata holds: major·1,000,000 + minor·10,000 + patch·100 + 99.
func (v Version) ID() int64 {
	id := int64(v.Major*1000000 + v.Minor*10000 + v.Patch*100 + 99)
	if !v.Legacy {
		id ^= openSearchMask
	}
	return id
}

func (v Version) String() string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch) }

// VersionFromID is the inverse of ID.
func VersionFromID(id int64) (Version, error) {
	v := Version{Legacy: true}
	n := id
	if id&openSearchMask != 0 {
		v.Legacy, n = false, id^openSearchMask
	}
	if n <= 0 || n >= 100*1000000 {
		return v, fmt.Errorf("%d is no version id", id)
	}
	v.Major, v.Minor, v.Patch = int(n/1000000), int(n/10000%100), int(n/100%100)
	return v, nil
}

// ParseVersion reads "2.19.0". Majors from 5 are Elasticsearch's: OpenSearch counted from 1 again.
func ParseVersion(s string) (Version, error) {
	var v Version
	core, _, _ := strings.Cut(s, "-")
	parts := strings.Split(core, ".")
	if len(parts) != 3 {
		return v, fmt.Errorf("%q is no version", s)
	}
	for i, p := range []*int{&v.Major, &v.Minor, &v.Patch} {
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < 0 || n > 99 {
			return v, fmt.Errorf("%q is no version", s)
		}
		*p = n
	}
	v.Legacy = v.Major >= 5
	return v, nil
}

// Before orders versions in time; all of Elasticsearch's that matter here precede OpenSearch's.
func (v Version) Before(o Version) bool {
	if v.Legacy != o.Legacy {
		return v.Legacy
	}
	a, b := [3]int{v.Major, v.Minor, v.Patch}, [3]int{o.Major, o.Minor, o.Patch}
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}
