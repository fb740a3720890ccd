package repository

import (
	"fmt"
	"strings"
)

// quarrel is where the index of a shard does not fit the lists of its snapshots. It is one thing that is wrong, however many snapshots
// and files it concerns.
type quarrel struct {
	snapshots []string // all that it is about, in the order in which they were seen
	strangers []string // that the shard's index does not know
	files     int      // in the lists of the others, on which the two disagree
	example   string
}

func (q *quarrel) unknown(snapshot string) {
	q.snapshots = append(q.snapshots, snapshot)
	q.strangers = append(q.strangers, snapshot)
}

func (q *quarrel) disagree(snapshot string, files []string) {
	if q.files == 0 {
		q.example = files[0]
	}
	q.snapshots = append(q.snapshots, snapshot)
	q.files += len(files)
}

// String says what is wrong with the shard's index; "" if nothing is.
func (q *quarrel) String() string {
	var parts []string
	switch n := len(q.strangers); n {
	case 0:
	case 1:
		parts = append(parts, "does not know snapshot ["+q.strangers[0]+"]")
	default:
		parts = append(parts, fmt.Sprintf("does not know %d snapshots, such as [%s]", n, q.strangers[0]))
	}
	if q.files > 0 {
		text := "disagrees with the snapshot on file [" + q.example + "]"
		if q.files > 1 {
			text = fmt.Sprintf("disagrees with the lists of %d snapshots on %d files, such as [%s]", len(q.snapshots)-len(q.strangers), q.files, q.example)
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return ""
	}
	return "the shard's index " + strings.Join(parts, ", and ")
}

// compare returns the files of a snapshot's list of which the shard's index says something else, or nothing; and one that the index does
// not know and of which no blob is there either, which is the list's fault. Where all that it does not know are files that lie in the list
// itself, it is the list's fault unless the index is of a place where other blobs lie.
func (x *ShardIndex) compare(files []FileInfo, listed map[string]int64) (other []string, strange string) {
	inList, blobs := "", false
	for _, f := range files {
		known, ok := x.ByName(f.Name)
		if ok && known.Same(f.PhysicalName, f.Length, f.Checksum, f.MetaHash) && known.PartSize == f.PartSize {
			continue
		}
		other = append(other, f.PhysicalName)
		_, there := listed[f.PartName(0)]
		switch {
		case ok:
		case f.Virtual():
			inList = f.PhysicalName
		case there:
			blobs = true
		default:
			strange = f.PhysicalName
		}
	}
	if strange == "" && !blobs && inList != "" && x.fits(listed) {
		strange = inList
	}
	return other, strange
}

// fits tells whether an index is of the shard that has these blobs: most that it names are there.
func (x *ShardIndex) fits(listed map[string]int64) bool {
	here, gone := 0, 0
	for _, f := range x.Files {
		if f.Virtual() {
			continue
		}
		if _, ok := listed[f.PartName(0)]; ok {
			here++
		} else {
			gone++
		}
	}
	return here > gone
}
