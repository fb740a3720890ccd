package restore

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/varve-search/varve/internal/oracletest"
	"github.com/varve-search/varve/internal/servertest"
)

// requests are sent to a real node and to us, in turns; answers are compared but for what must differ.
var requests = []string{
	`POST nope {}`,
	`POST snap-4 {"storage_type":"bogus"}`,
	`POST snap-4 {"storage_type":5}`,
	`POST snap-4 {"bogus":5}`,
	`POST snap-4 {"indices":5}`,
	`POST snap-4 {"rename_pattern":5}`,
	`POST snap-4 {"index_settings":5}`,
	`POST snap-4 {"ignore_index_settings":5}`,
	`POST snap-4 {"indices":"nope"}`,
	`POST snap-4 {"indices":"nope","ignore_unavailable":true}`,
	`POST snap-4 {"indices":"nope*"}`,
	`POST snap-4 {"indices":"nope*","allow_no_indices":false}`,
	`POST snap-4 {"indices":"*,-nope"}`, `POST snap-4 {"indices":"-nope"}`, `POST snap-4 {"indices":"products,-nope*","allow_no_indices":false}`, `POST snap-4 {"indices":"_all,-products"}`,
	`POST snap-2 {"indices":"-accounts,-nope,products","ignore_unavailable":true,"rename_pattern":"^","rename_replacement":"ex-"}`, `DELETE /ex-products`,
	`POST snap-2 {"rename_pattern":".*","rename_replacement":"same"}`,
	`POST snap-2 {"indices":"products","rename_pattern":"products","rename_replacement":"UPPER"}`,
	`POST snap-4 {"ignore_index_settings":["index.uuid"]}`,
	`POST snap-4 {"ignore_index_settings":["index.number_of_shards"]}`,
	`POST snap-4 {"index_settings":{"index.history.uuid":"x"}}`,
	`POST snap-4 {"index_settings":{"index.version.created":"136217827"}}`,
	`POST snap-4 {"index_settings":{"index.store.type":"remote_snapshot"}}`,
	`POST snap-4 {"index_settings":{"index.soft_deletes.enabled":false}}`,
	`POST snap-4 {"index_settings":{"index.number_of_replicas":-1}}`,
	`POST snap-4 {"ignore_index_settings":["index.refresh*"],"index_settings":{"index.max_result_window":77}}`,
	`GET /products/_settings`, `GET /products/_alias`, `GET /products/_recovery?detailed=true`,
	`POST snap-4 {}`,
	`POST /products/_close`,
	`POST snap-4 {}`,
	`GET /products/_recovery?detailed=true`, `GET /products/_settings`,
	`POST /products/_close`,
	`POST snap-2 {"indices":"products","include_aliases":false}`,
	`GET /products/_recovery?detailed=true`, `GET /products/_alias`,
	`POST snap-3 {"indices":"products","rename_pattern":"(.+)","rename_replacement":"x_$1","rename_alias_pattern":"(.+)","rename_alias_replacement":"a_$1"}`,
	`GET /x_products/_alias`,
	`POST snap-3 {"indices":"products","rename_pattern":"(.+)","rename_replacement":"a_$1","rename_alias_pattern":"(.+)","rename_alias_replacement":"a_products"}`,
	`DELETE /products,x_products`,
	`POST snap-3 {"include_global_state":true,"indices":"accounts"}`,
	`GET /_template`, `GET /_index_template`, `GET /_component_template`, `GET /_cluster/settings`,
	`GET /_cat/recovery?h=index,shard,type,stage,repository,snapshot,files,files_recovered,files_percent,files_total,bytes,bytes_recovered,bytes_percent,bytes_total,translog_ops`,
	`DELETE /accounts`,
	`POST snap-4 {"storage_type":"remote_snapshot","rename_pattern":"^","rename_replacement":"rs-"}`,
	`GET /rs-products/_settings`, `GET /rs-products/_recovery?detailed=true`, `GET /rs-products/_count`, `GET /rs-products/_stats/docs,store,refresh,flush,indexing`,
	`GET /_cat/indices/rs-products?h=health,status,index,pri,rep,docs.count,store.size`,
	`GET /_cat/recovery/rs-products?h=index,shard,type,stage,repository,snapshot,files,files_recovered,files_percent,files_total,bytes,bytes_recovered,bytes_percent,bytes_total,translog_ops`,
	`POST /rs-products/_doc/1 {"a":1}`, `POST /rs-products/_update/1 {"doc":{"a":1}}`, `DELETE /rs-products/_doc/1`, `PUT /rs-products/_mapping {"properties":{"q":{"type":"keyword"}}}`,
	`PUT /rs-products/_settings {"index.refresh_interval":"5s"}`, `PUT /rs-products/_settings {"index.max_result_window":12345}`,
	`PUT /rs-products/_settings {"index.max_result_window":12346,"index.refresh_interval":"6s"}`,
	`POST /rs-products/_refresh`, `POST /rs-products/_flush`, `POST /rs-products/_forcemerge?max_num_segments=1`, `POST /rs-products/_close`, `POST /rs-products/_open`,
	`PUT /rs-products/_block/write`, `GET /rs-products/_doc/p1`, `GET /_cluster/state/blocks/rs-products`,
	`POST /_aliases {"actions":[{"add":{"index":"rs-products","alias":"al"}}]}`,
	`DELETE /_snapshot/r/snap-4`, `DELETE /_snapshot/r/snap-*`,
	`PUT /newix {"settings":{"index.store.type":"remote_snapshot"}}`,
	`PUT /_snapshot/own {"type":"fs","settings":{"location":"OWN"}}`,
	`PUT /_snapshot/own/s?wait_for_completion=true {"indices":"rs-products"}`, `GET /_snapshot/own/s/_status`,
	`DELETE /rs-products`,
}

var (
	// changing are keys whose values differ with each run, each node or its version.
	changing = []string{"took", "uuid", "restoreUUID", "target", "cluster_uuid", "cluster_name", "start_time", "end_time", "version_id", "stack_trace"}
	withUUID = regexp.MustCompile(`([a-z][a-z0-9-]*)/[\w-]{22}\b`)
)

// norm takes out what must differ, and orders what has no order.
func norm(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			if slices.Contains(changing, k) || strings.HasSuffix(k, "_in_millis") || k == "version" && strings.HasPrefix(fmt.Sprint(v[k]), "2.19") {
				v[k] = "*"
			} else {
				v[k] = norm(v[k])
			}
		}
	case []any:
		for i := range v {
			v[i] = norm(v[i])
		}
		slices.SortFunc(v, func(a, b any) int {
			x, _ := at(a, "name").(string)
			y, _ := at(b, "name").(string)
			if x == "" && y == "" { // names themselves, as of indices
				x, _ = a.(string)
				y, _ = b.(string)
			}
			return strings.Compare(x, y)
		})
	case string:
		return withUUID.ReplaceAllString(v, "$1/U")
	}
	return v
}

// TestLikeReal sends the same requests to a real node and to us.
func TestLikeReal(t *testing.T) {
	oracletest.Shared(t)
	repos := t.TempDir()
	theirs := oracletest.Node(t, "opensearch", "2.19", repos, "--set", "node.roles=cluster_manager,data,search,ingest", "--set", "node.search.cache.size=200mb")
	ours := servertest.Start(t, t.TempDir(), repos).URL
	for side, url := range map[string]string{"theirs": theirs, "ours": ours} {
		fixture := oracletest.FixtureRepository(t, "opensearch-2.19/main")
		if err := os.CopyFS(filepath.Join(repos, side), os.DirFS(fixture)); err != nil {
			t.Fatal(err)
		}
		if code, out := ask(t, url, side, `PUT /_snapshot/r {"type":"fs","settings":{"location":"`+side+`"}}`); code != 200 {
			t.Fatal(out)
		}
	}
	sameMethods(t, theirs, ours)
	sameAnswers(t, theirs, ours, requests)
	sameAnswers(t, theirs, ours, snapshotRequests)
}

// ask sends a request such as "GET /path {body}" or "POST SNAPSHOT {what to restore}". OWN stands for a name that is the side's own.
func ask(t *testing.T, url, side, request string) (int, any) {
	t.Helper()
	method, rest, _ := strings.Cut(request, " ")
	path, body, _ := strings.Cut(rest, " ")
	if !strings.HasPrefix(path, "/") {
		path = "/_snapshot/r/" + path + "/_restore?wait_for_completion=true"
	}
	code, raw, err := servertest.Call(url, method, path, strings.ReplaceAll(body, "OWN", "own-"+side))
	if err != nil {
		t.Fatalf("%s: %v", request, err)
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return code, string(raw)
	}
	return code, norm(v)
}

// sameAnswers sends requests to a real node and to us, in turns.
func sameAnswers(t *testing.T, theirs, ours string, requests []string) {
	t.Helper()
	for _, r := range requests {
		wantCode, want := ask(t, theirs, "theirs", r)
		gotCode, got := ask(t, ours, "ours", r)
		a, err := json.Marshal(want)
		check(t, err)
		b, err := json.Marshal(got)
		check(t, err)
		if wantCode != gotCode || string(a) != string(b) {
			t.Errorf("%s\nthe real node: %d %.3000s\nours:          %d %.3000s", r, wantCode, a, gotCode, b)
		}
	}
}
