package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/opensearch-project/opensearch-go/v4"
	"github.com/opensearch-project/opensearch-go/v4/opensearchapi"
)

func main() {
	if err := story(context.Background(), os.Args[1], os.Args[2]); err != nil {
		log.Fatalf("opensearch-go: %v", err)
	}
	fmt.Println("opensearch-go: ok")
}

func story(ctx context.Context, url, location string) error {
	c, err := opensearchapi.NewClient(opensearchapi.Config{Client: opensearch.Config{Addresses: []string{url}}})
	if err != nil {
		return err
	}
	var b strings.Builder
	for i := range 200 {
		fmt.Fprintf(&b, "{\"index\":{\"_index\":\"go-items\",\"_id\":\"%d\"}}\n{\"n\":%d}\n", i, i)
	}
	bulk, err := c.Bulk(ctx, opensearchapi.BulkReq{Body: strings.NewReader(b.String()), Params: opensearchapi.BulkParams{Refresh: "true"}})
	if err != nil || bulk.Errors {
		return fmt.Errorf("bulk: %w (errors: %v)", err, bulk != nil && bulk.Errors)
	}
	body := fmt.Sprintf(`{"type":"fs","settings":{"location":%q}}`, location)
	if _, err := c.Snapshot.Repository.Create(ctx, opensearchapi.SnapshotRepositoryCreateReq{Repo: "go-repo", Body: strings.NewReader(body)}); err != nil {
		return fmt.Errorf("repository: %w", err)
	}
	wait := true
	made, err := c.Snapshot.Create(ctx, opensearchapi.SnapshotCreateReq{Repo: "go-repo", Snapshot: "one", Body: strings.NewReader(`{"indices":"go-items"}`),
		Params: opensearchapi.SnapshotCreateParams{WaitForCompletion: &wait}})
	if err != nil || made.Snapshot.State != "SUCCESS" {
		return fmt.Errorf("snapshot: %w (%+v)", err, made)
	}
	if _, err := c.Indices.Delete(ctx, opensearchapi.IndicesDeleteReq{Indices: []string{"go-items"}}); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if _, err := c.Snapshot.Restore(ctx, opensearchapi.SnapshotRestoreReq{Repo: "go-repo", Snapshot: "one",
		Params: opensearchapi.SnapshotRestoreParams{WaitForCompletion: &wait}}); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	n, err := c.Indices.Count(ctx, &opensearchapi.IndicesCountReq{Indices: []string{"go-items"}})
	if err != nil || n.Count != 200 {
		return fmt.Errorf("count: %w (%+v)", err, n)
	}
	status, err := c.Snapshot.Status(ctx, opensearchapi.SnapshotStatusReq{Repo: "go-repo", Snapshots: []string{"one"}})
	if err != nil || len(status.Snapshots) != 1 || status.Snapshots[0].ShardsStats.Failed != 0 {
		return fmt.Errorf("status: %w (%+v)", err, status)
	}
	if _, err := c.Snapshot.Delete(ctx, opensearchapi.SnapshotDeleteReq{Repo: "go-repo", Snapshots: []string{"one"}}); err != nil {
		return fmt.Errorf("delete snapshot: %w", err)
	}
	var gone *opensearch.StructError
	if _, err := c.Snapshot.Get(ctx, opensearchapi.SnapshotGetReq{Repo: "go-repo", Snapshots: []string{"one"}}); !errors.As(err, &gone) || gone.Err.Type != "snapshot_missing_exception" {
		return fmt.Errorf("a deleted snapshot: %w", err)
	}
	_, err = c.Indices.Delete(ctx, opensearchapi.IndicesDeleteReq{Indices: []string{"go-items"}})
	return err
}
