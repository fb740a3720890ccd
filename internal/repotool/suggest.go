package repotool

import (
	"fmt"
	"strings"

	"github.com/varve-search/varve/repository"
)

// named returns the snapshot of a name; the error where there is none says which there are.
func (r *Repo) named(name string) (repository.SnapshotEntry, error) {
	s, err := r.Data.Snapshot(name)
	if err == nil {
		return s, nil
	}
	var names []string
	for _, s := range r.Data.Snapshots {
		names = append(names, s.Name)
	}
	return s, fmt.Errorf("%w: %s", err, suggest(name, names, "snapshot", "snapshots"))
}

// indexIn returns an index of a snapshot; the error where there is none says which there are.
func (r *Repo) indexIn(id repository.SnapshotID, name string) (repository.IndexEntry, error) {
	ix, err := r.Data.IndexIn(id, name)
	if err == nil {
		return ix, nil
	}
	var names []string
	for _, ix := range r.Data.SnapshotIndices(id) {
		names = append(names, ix.Name)
	}
	return ix, fmt.Errorf("%w: %s", err, suggest(name, names, "index", "indices"))
}

// suggested is how many names an error shows.
const suggested = 5

// suggest says which of the names there are was meant, or may have been: those that are near to what was asked for, else the first ones.
func suggest(asked string, names []string, one, many string) string {
	near := nearest(asked, names)
	switch {
	case len(names) == 0:
		return "there are no " + many
	case len(near) > 0:
		return "did you mean [" + strings.Join(near[:min(len(near), suggested)], "], [") + "]?"
	case len(names) == 1:
		return "the only " + one + " is [" + names[0] + "]"
	}
	text := fmt.Sprintf("there are %d %s: [%s]", len(names), many, strings.Join(names[:min(len(names), suggested)], "], ["))
	if len(names) > suggested {
		text += ", …"
	}
	return text
}

// nearest returns the names that fewest letters make the one that was asked for, if they are at most one in four; else those of which one
// begins with the other.
func nearest(asked string, names []string) []string {
	asked = strings.ToLower(strings.TrimRight(asked, "*"))
	if asked == "" {
		return nil
	}
	var near, begins []string
	best := max(1, len(asked)/4)
	for _, n := range names {
		low := strings.ToLower(n)
		if strings.HasPrefix(low, asked) || strings.HasPrefix(asked, low) {
			begins = append(begins, n)
		}
		switch d := distance([]rune(asked), []rune(low)); {
		case d < best:
			best, near = d, []string{n}
		case d == best:
			near = append(near, n)
		}
	}
	if len(near) == 0 {
		return begins
	}
	return near
}

// distance is that of Levenshtein. Names of snapshots and indices have at most 255 bytes; of what else was typed only as much is looked at.
func distance(a, b []rune) int {
	a, b = a[:min(len(a), 255)], b[:min(len(b), 255)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
