#!/usr/bin/env python3
"""Reads `go test -json` output: prints each package's result, the output of failed tests, and every
skipped test. A test skipped for want of the real programs (SKIP-ORACLE:) fails the run."""
import collections
import json
import sys

output = collections.defaultdict(list)
counts = collections.Counter()
failed, oracle_skips, other_skips, packages = [], [], [], []
for line in open(sys.argv[1], encoding="utf-8"):
    try:
        event = json.loads(line)
    except ValueError:
        print(line, end="")
        continue
    key = (event.get("Package", event.get("ImportPath", "")), event.get("Test", ""))
    action = event["Action"]
    if action in ("output", "build-output"):
        output[key].append(event.get("Output", ""))
        continue
    if action not in ("pass", "fail", "skip"):
        continue
    if not key[1]:
        if action != "skip":
            packages.append("%-4s %s %.1fs" % ("ok" if action == "pass" else "FAIL", key[0], event.get("Elapsed", 0)))
        if action == "fail":
            failed.append(key)
        continue
    counts[action] += 1
    if action == "fail":
        failed.append(key)
    elif action == "skip":
        text = "".join(output[key])
        (oracle_skips if "SKIP-ORACLE:" in text else other_skips).append((key, text))
print("\n".join(packages))
for key in failed:
    print("--- FAIL %s %s\n%s" % (key[0], key[1], "".join(output[key])[-6000:]))
for key, text in other_skips:
    print("skipped: %s %s: %s" % (key[0], key[1], " ".join(text.split())[:200]))
for key, text in oracle_skips:
    print("NOT RUN for want of a real program: %s %s: %s" % (key[0], key[1], " ".join(text.split())[:200]))
print("%d passed, %d failed, %d skipped" % (counts["pass"], counts["fail"], counts["skip"]))
sys.exit(1 if failed or oracle_skips else 0)
