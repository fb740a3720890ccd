"""Prepares and measures for bench/scale/run.

  measure.py prepare URL LOCATION INDICES SHARDS
  measure.py compare URL PID LOCATION PEER_URL PEER_PID PEER_LOCATION INDICES SHARDS
"""
import json
import os
import sys
import time
import urllib.request


class Side:
    def __init__(self, name, url, pid, location):
        self.name, self.url, self.pid, self.location = name, url, pid, location

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        req = urllib.request.Request(self.url + path, data=data, method=method, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(req, timeout=3600) as resp:
            return json.loads(resp.read() or b"null")

    def memory(self, key):
        for line in open("/proc/%s/status" % self.pid):
            if line.startswith(key + ":"):
                return int(line.split()[1]) / 1024

    def cpu(self):
        """Seconds that the process has computed for: what the load of the machine falsifies least."""
        fields = open("/proc/%s/stat" % self.pid).read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def fill(self, indices, shards):
        for i in range(indices):
            self.call("PUT", "/scale-%04d" % i, {"settings": {"number_of_shards": shards, "number_of_replicas": 0}})
            lines = "".join('{"index":{"_id":"%d"}}\n{"n":%d,"text":"document %d of index %d"}\n' % (d, d, d, i) for d in range(2 * shards))
            req = urllib.request.Request(self.url + "/scale-%04d/_bulk" % i, data=lines.encode(), headers={"Content-Type": "application/x-ndjson"})
            urllib.request.urlopen(req).read()


def register(side):
    side.call("PUT", "/_snapshot/scale", {"type": "fs", "settings": {"location": side.location, "max_snapshot_bytes_per_sec": "0"}})


def prepare(url, location, indices, shards):
    s = Side("varve", url, None, location)
    s.fill(indices, shards)
    register(s)
    answer = s.call("PUT", "/_snapshot/scale/base?wait_for_completion=true", {"indices": "scale-*"})
    assert answer["snapshot"]["state"] == "SUCCESS", answer
    s.call("DELETE", "/_snapshot/scale")


def compare(ours, peer, indices, shards):
    peer.fill(indices, shards)
    for s in (ours, peer):
        register(s)
    names = [x["snapshot"] for x in ours.call("GET", "/_snapshot/scale/_all?verbose=false")["snapshots"]]
    hundred = ",".join(names[10:110]) if len(names) > 120 else ",".join(names[3:6])
    steps = [
        ("list without details", "GET", "/_snapshot/scale/_all?verbose=false", None),
        ("list all, first", "GET", "/_snapshot/scale/_all", None),
        ("list all, again", "GET", "/_snapshot/scale/_all", None),
        ("get one", "GET", "/_snapshot/scale/" + names[-1], None),
        ("status of one", "GET", "/_snapshot/scale/%s/_status" % names[-1], None),
        ("create", "PUT", "/_snapshot/scale/new?wait_for_completion=true", {"indices": "scale-*"}),
        ("create, nothing changed", "PUT", "/_snapshot/scale/newer?wait_for_completion=true", {"indices": "scale-*"}),
        ("delete one", "DELETE", "/_snapshot/scale/" + names[2], None),
        ("delete %d" % len(hundred.split(",")), "DELETE", "/_snapshot/scale/" + hundred, None),
        ("clean up", "POST", "/_snapshot/scale/_cleanup", None),
    ]
    print("| what | varve, s | opensearch, s | time, ratio to opensearch | varve, CPU s | opensearch, CPU s |\n|---|---:|---:|---:|---:|---:|")
    for what, method, path, body in steps:
        took, counts, cpu = [], [], []
        for s in (ours, peer):
            start, computed = time.time(), s.cpu()
            answer = s.call(method, path, body)
            took.append(time.time() - start)
            cpu.append(s.cpu() - computed)
            counts.append(len(answer.get("snapshots", [])))
            if "snapshot" in answer:
                assert answer["snapshot"]["state"] == "SUCCESS", answer
        assert counts[0] == counts[1], (what, counts)
        print("| %s | %.3f | %.3f | %.2f | %.2f | %.2f |" % (what, took[0], took[1], took[0] / took[1], cpu[0], cpu[1]), flush=True)
    for key, what in (("RssAnon", "anonymous memory at the end, MB"), ("VmHWM", "peak of resident memory, MB")):
        a, b = ours.memory(key), peer.memory(key)
        print("| %s | %.0f | %.0f | %.2f | | |" % (what, a, b, a / b))


if sys.argv[1] == "prepare":
    prepare(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
else:
    compare(Side("varve", *sys.argv[2:5]), Side("opensearch", *sys.argv[5:8]), int(sys.argv[8]), int(sys.argv[9]))
