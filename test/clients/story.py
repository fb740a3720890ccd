"""The snapshot story with opensearch-py:  story.py URL LOCATION"""
import sys

from opensearchpy import NotFoundError, OpenSearch, helpers

url, location = sys.argv[1:3]
c = OpenSearch([url])
assert c.info()["version"]["distribution"] == "opensearch"

c.indices.create("py-logs", body={"settings": {"number_of_shards": 2, "number_of_replicas": 0}, "mappings": {"properties": {"n": {"type": "integer"}, "word": {"type": "keyword"}}}})
done, errors = helpers.bulk(c, ({"_index": "py-logs", "_id": str(i), "_source": {"n": i, "word": "even" if i % 2 == 0 else "odd"}} for i in range(1000)), refresh=True)
assert done == 1000 and not errors

assert c.snapshot.create_repository("py-repo", body={"type": "fs", "settings": {"location": location}})["acknowledged"]
assert c.snapshot.verify_repository("py-repo")["nodes"]
first = c.snapshot.create("py-repo", "first", body={"indices": "py-*", "include_global_state": False, "metadata": {"taken_by": "story"}}, wait_for_completion=True)["snapshot"]
assert first["state"] == "SUCCESS" and first["shards"] == {"total": 2, "failed": 0, "successful": 2}, first

helpers.bulk(c, ({"_op_type": "delete", "_index": "py-logs", "_id": str(i)} for i in range(0, 1000, 2)), refresh=True)
assert c.count(index="py-logs")["count"] == 500
c.snapshot.create("py-repo", "second", body={"indices": "py-logs"}, wait_for_completion=True)

listed = c.snapshot.get("py-repo", "_all")["snapshots"]
assert [s["snapshot"] for s in listed] == ["first", "second"] and listed[0]["metadata"] == {"taken_by": "story"}
status = c.snapshot.status("py-repo", "second")["snapshots"][0]
assert status["state"] == "SUCCESS" and status["shards_stats"]["done"] == 2
assert [r["id"] for r in c.cat.snapshots("py-repo", format="json")] == ["first", "second"]

r = c.snapshot.restore("py-repo", "first", body={"indices": "py-logs", "rename_pattern": "py-(.+)", "rename_replacement": "restored-$1"}, wait_for_completion=True)["snapshot"]
assert r["indices"] == ["restored-logs"] and r["shards"]["failed"] == 0
assert c.count(index="restored-logs")["count"] == 1000
assert c.search(index="restored-logs", body={"query": {"term": {"word": "even"}}, "track_total_hits": True})["hits"]["total"]["value"] == 500
assert sum(1 for _ in helpers.scan(c, index="restored-logs", query={"query": {"range": {"n": {"gte": 900}}}}, size=30)) == 100
recovery = c.indices.recovery(index="restored-logs")["restored-logs"]["shards"]
assert all(s["type"] == "SNAPSHOT" and s["stage"] == "DONE" and s["source"]["snapshot"] == "first" for s in recovery), recovery

c.indices.delete("py-logs")
c.snapshot.restore("py-repo", "second", body={"indices": "py-logs"}, wait_for_completion=True)
assert c.count(index="py-logs")["count"] == 500

c.snapshot.clone("py-repo", "first", "copy", body={"indices": "py-logs"})
assert c.snapshot.get("py-repo", "copy")["snapshots"][0]["state"] == "SUCCESS"
c.snapshot.delete("py-repo", "first,second")
c.snapshot.cleanup_repository("py-repo")
c.indices.delete("restored-logs")
c.snapshot.restore("py-repo", "copy", body={"rename_pattern": "py-(.+)", "rename_replacement": "restored-$1"}, wait_for_completion=True)
assert c.count(index="restored-logs")["count"] == 1000
try:
    c.snapshot.get("py-repo", "first")
    raise AssertionError("a deleted snapshot is still there")
except NotFoundError as e:
    assert e.error == "snapshot_missing_exception", e
c.snapshot.delete("py-repo", "copy")
c.snapshot.delete_repository("py-repo")
c.indices.delete("py-logs,restored-logs")
print("opensearch-py: ok")
