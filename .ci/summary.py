#!/usr/bin/env python3
"""Reads `go test -json` output: prints each package's result, the output of failed tests, and every
skipped test. A skipped test fails the run, unless it says that it belongs to `.ci/run -long` (SKIP-LONG:)."""
import collections
import json
import sys

output = collections.defaultdict(list)
counts = collections.Counter()
failed, packages = [], []
skipped = {"SKIP-LONG:": [], "SKIP-ORACLE:": [], "": []}  # by the mark in their messages
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
        mark = next(m for m in skipped if m in text)
        skipped[mark].append("%s %s: %s" % (key[0], key[1], " ".join(text.split())[:200]))
print("\n".join(packages))
for key in failed:
    print("--- FAIL %s %s\n%s" % (key[0], key[1], "".join(output[key])[-6000:]))
for text in skipped["SKIP-LONG:"]:
    print("left to -long: " + text)
for text in skipped["SKIP-ORACLE:"]:
    print("NOT RUN for want of a real program: " + text)
for text in skipped[""]:
    print("NOT RUN, and nothing allows that: " + text)
print("%d passed, %d failed, %d left to -long, %d not run" % (counts["pass"], counts["fail"], len(skipped["SKIP-LONG:"]), len(skipped["SKIP-ORACLE:"]) + len(skipped[""])))
sys.exit(1 if failed or skipped["SKIP-ORACLE:"] or skipped[""] else 0)
