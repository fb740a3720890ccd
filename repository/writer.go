package repository

import (
	"strconv"
	"strings"
	"time"

	"github.com/varve-search/varve/repository/smile"
)

// Writer is who wrote a root and when.
type Writer struct {
	Cluster string
	At      time.Time
}

// writerKey is a key of the newest snapshot's entry in the root. Other programs ignore a text there, and drop it when they write;
// the root itself takes no further key.
const writerKey = "varve_written_by"

// LastWriter returns who wrote this root. It is known where this package wrote it with Options.Writer, and a snapshot was left.
func (d *Data) LastWriter() (Writer, bool) {
	for _, s := range d.Snapshots {
		for _, m := range s.extra {
			text, ok := m.Value.(string)
			if !ok || m.Name != writerKey {
				continue
			}
			gen, rest, _ := strings.Cut(text, " ")
			at, cluster, ok := strings.Cut(rest, " ")
			if n, err := strconv.ParseInt(gen, 10, 64); err != nil || n != d.Generation || !ok {
				continue // what another program wrote since has kept or copied it
			}
			when, err := time.Parse(time.RFC3339, at)
			if err != nil {
				continue
			}
			return Writer{Cluster: cluster, At: when}, true
		}
	}
	return Writer{}, false
}

// signed returns a root that names who writes it as a generation.
func (d *Data) signed(cluster string, generation int64, at time.Time) *Data {
	if cluster == "" || len(d.Snapshots) == 0 {
		return d
	}
	n := *d
	n.Snapshots = make([]SnapshotEntry, len(d.Snapshots))
	for i, s := range d.Snapshots {
		var extra []member
		for _, m := range s.extra {
			if m.Name != writerKey {
				extra = append(extra, m)
			}
		}
		if i == len(d.Snapshots)-1 {
			text := strconv.FormatInt(generation, 10) + " " + at.UTC().Format(time.RFC3339) + " " + cluster
			extra = append(extra, smile.Member{Name: writerKey, Value: text})
		}
		s.extra = extra
		n.Snapshots[i] = s
	}
	return &n
}
