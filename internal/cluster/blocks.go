package cluster

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/settings"
	"github.com/varve-search/varve/internal/state"
)

// Block forbids some kinds of access to an index.
type Block struct {
	Setting string // within index.blocks.; "" where no setting stands for it
	ID      int
	Text    string
	Levels  []string
}

// The kinds of access that a block may forbid.
const (
	BlockRead          = "read"
	BlockWrite         = "write"
	BlockMetadataRead  = "metadata_read"
	BlockMetadataWrite = "metadata_write"
)

// blocks are OpenSearch's, by their ids.
var blocks = []Block{
	{"read_only", 5, "index read-only (api)", []string{BlockWrite, BlockMetadataWrite}},
	{"read", 7, "index read (api)", []string{BlockRead}},
	{"write", 8, "index write (api)", []string{BlockWrite}},
	{"metadata", 9, "index metadata (api)", []string{BlockMetadataWrite, BlockMetadataRead}},
	{"read_only_allow_delete", 12, "disk usage exceeded flood-stage watermark, index has read-only-allow-delete block", []string{BlockWrite, BlockMetadataWrite}},
	{"", 13, "remote index is read-only", []string{BlockWrite, BlockMetadataWrite}},
}

// idAllowDelete and idRemote are the blocks under which an index may be deleted.
const (
	idAllowDelete = 12
	idRemote      = 13
)

// Blocks returns the blocks of an index.
func Blocks(ix *state.Index) []Block {
	var out []Block
	for _, b := range blocks {
		if b.ID == idRemote && RemoteSnapshot(ix) || b.Setting != "" && ix.Settings.GetOr("index.blocks."+b.Setting, "false") == "true" {
			out = append(out, b)
		}
	}
	return out
}

// CheckBlocks refuses an access of a kind that a block of the index forbids. Some blocks let the index be deleted.
func CheckBlocks(ix *state.Index, kind string, deleting bool) error {
	var found []string
	status := http.StatusForbidden
	for _, b := range Blocks(ix) {
		if !slices.Contains(b.Levels, kind) || deleting && (b.ID == idAllowDelete || b.ID == idRemote) {
			continue
		}
		word := "FORBIDDEN"
		if b.ID == idAllowDelete {
			word = "TOO_MANY_REQUESTS"
			status = http.StatusTooManyRequests
		}
		found = append(found, word+"/"+strconv.Itoa(b.ID)+"/"+b.Text)
	}
	if len(found) == 0 {
		return nil
	}
	return apierr.New(status, "cluster_block_exception", "index [%s] blocked by: [%s];", ix.Name, strings.Join(found, "];["))
}

// remoteUpdatable are the settings of an index that stays in its repository which may be changed.
var remoteUpdatable = []string{"index.max_result_window", "index.max_inner_result_window", "index.max_rescore_window", "index.max_docvalue_fields_search",
	"index.max_script_fields", "index.max_terms_count", "index.max_regex_length", "index.highlight.max_analyzed_offset", "index.number_of_replicas",
	"index.search.slowlog*", "index.routing.allocation*"}

// RemoteUpdatable tells whether a change of settings is allowed on an index that stays in its repository.
func RemoteUpdatable(change settings.Settings) bool {
	for k := range change {
		if !slices.ContainsFunc(remoteUpdatable, func(p string) bool { return settings.Match(p, k) }) {
			return false
		}
	}
	return true
}
