package coordinator

import (
	"github.com/varve-search/varve/internal/apierr"
	"github.com/varve-search/varve/internal/cluster"
	"github.com/varve-search/varve/internal/shard"
	"github.com/varve-search/varve/internal/state"
	"github.com/varve-search/varve/internal/wildcard"
)

// bulkNames is what the operations of one bulk know of each other's names.
type bulkNames struct {
	written map[string]string // write indices of the data streams that an operation before had
	aliases map[string]bool   // names that an operation requires to be an alias: no index is made of them
}

func newBulkNames(items []Item) bulkNames {
	n := bulkNames{written: map[string]string{}}
	for i := range items {
		if items[i].RequireAlias {
			if n.aliases == nil {
				n.aliases = map[string]bool{}
			}
			n.aliases[items[i].Index] = true
		}
	}
	return n
}

// appendOnly refuses a write that a data stream, or an index behind one, does not take. name is what the operation names, ix where
// it leads: data streams are written to by op_type create alone, the indices behind them by all that needs a document there.
func appendOnly(lookup *wildcard.Lookup, it *Item, name string, ix *state.Index) error {
	stream := lookup.StreamOf(ix.Name)
	if stream == "" {
		return nil
	}
	switch {
	case name != ix.Name && it.Type != OpCreate:
		return cluster.OnlyCreates()
	case name == ix.Name && it.Type == OpCreate:
		return apierr.IllegalArgument("index request with op_type=create targeting backing indices is disallowed, target corresponding data stream [%s] instead", stream)
	case name == ix.Name && it.Type == OpIndex && it.IfSeqNo == -2 && it.IfPrimaryTerm == 0:
		return apierr.IllegalArgument("index request with op_type=index and no if_primary_term and if_seq_no set targeting backing indices is disallowed, target corresponding data stream [%s] instead", stream)
	case name == stream && it.Routing != "":
		return apierr.IllegalArgument("index request targeting data stream [%s] specifies a custom routing. target the backing indices directly or remove the custom routing.", stream)
	}
	return nil
}

// autoCreates refuses a write that must not make the index that it names and that is not there: a deletion finds nothing to
// delete, what has to be an alias cannot become one, and a data stream is not made for an update that it would refuse.
func autoCreates(v *state.View, it *Item, name string, names bulkNames) error {
	switch {
	case it.Type == OpDelete && it.VersionType == shard.Internal || names.aliases[it.Index]:
		return apierr.New(404, "index_not_found_exception", "no such index [%s]", name).With("index", name).
			With("resource.id", name).With("resource.type", "index_expression").With("index_uuid", "_na_")
	case it.Type == OpUpdate:
		return cluster.RefuseStreamName(v, name)
	}
	return nil
}
