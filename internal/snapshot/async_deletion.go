package snapshot

import (
	"context"

	"github.com/varve-search/varve/blob"
	"github.com/varve-search/varve/internal/settings"
)

// asyncDeletion is a setting of OpenSearch 2.18, which later versions do not have any more: whether deletions of blobs go to the store
// side by side. Either way who deletes a snapshot is answered when they are over.
const asyncDeletion = "cluster.snapshot.async-deletion.enable"

func init() {
	settings.Cluster.Register(settings.Setting{Key: asyncDeletion, Type: "bool", Default: "true", Dynamic: true})
}

// deleting returns the context of a deletion of blobs as the setting wants it now.
func (s *Service) deleting(ctx context.Context) context.Context {
	if s.node.ClusterSetting(asyncDeletion) == "false" {
		return blob.WithDeletesInTurn(ctx)
	}
	return ctx
}
