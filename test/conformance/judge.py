#!/usr/bin/env python3
"""Compares a run of OpenSearch's REST tests with the list of known failures.

    judge.py RESULTS.json known-failures.txt MIN_PERCENT

A line of the list is a test's id, a tab, and the reason. Exit 1 on a failure outside the list, on a
listed test that passes, on a listed test that is not there, or below the percentage."""
import json
import sys

results = {r["id"]: r for r in json.load(open(sys.argv[1], encoding="utf-8"))["testcases"]}
known = {}
for line in open(sys.argv[2], encoding="utf-8"):
    if line.strip() and not line.startswith("#"):
        name, tab, reason = line.rstrip("\n").partition("\t")
        if not tab or not reason.strip():
            sys.exit("no reason is given for %r" % name)
        known[name] = reason
bad = 0
for name, r in sorted(results.items()):
    if r["status"] == "fail" and name not in known:
        print("NEW FAILURE %s\n    %s" % (name, r["message"]))
        bad += 1
    if r["status"] != "fail" and name in known:
        print("LISTED BUT %s: %s (take it off the list)" % ("PASSES" if r["status"] == "pass" else "SKIPPED", name))
        bad += 1
for name in sorted(set(known) - set(results)):
    print("LISTED BUT NOT RUN: %s" % name)
    bad += 1
passed = sum(r["status"] == "pass" for r in results.values())
failed = sum(r["status"] == "fail" for r in results.values())
percent = 100 * passed / max(1, passed + failed)
print("REST conformance: %.1f%% pass, %d known failures" % (percent, len(known)))
print("%d passed, %d failed" % (passed, bad))
if percent < float(sys.argv[3]):
    print("below %s%%" % sys.argv[3])
    bad += 1
sys.exit(1 if bad else 0)
