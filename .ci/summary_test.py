#!/usr/bin/env python3
"""Tests summary.py on made-up output of `go test -json`."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

SUMMARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "summary.py")


def summary(*tests):
    """Runs summary.py on tests, each of a name, an action and what it said; returns its exit status and its output."""
    events = []
    for name, action, said in tests:
        events.append({"Action": "run", "Package": "p", "Test": name})
        events += [{"Action": "output", "Package": "p", "Test": name, "Output": line} for line in said.splitlines(True)]
        events.append({"Action": action, "Package": "p", "Test": name})
    events.append({"Action": "fail" if any(t[1] == "fail" for t in tests) else "pass", "Package": "p", "Elapsed": 1})
    events.append({"Action": "skip", "Package": "without-tests"})
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as f:
        f.write("".join(json.dumps(e) + "\n" for e in events))
    try:
        done = subprocess.run([sys.executable, SUMMARY, f.name], capture_output=True, text=True)
    finally:
        os.remove(f.name)
    return done.returncode, done.stdout


class SummaryTest(unittest.TestCase):
    def test_pass(self):
        code, out = summary(("TestA", "pass", "=== RUN\n"))
        self.assertEqual(code, 0, out)
        self.assertIn("1 passed, 0 failed, 0 left to -long, 0 not run", out)

    def test_long(self):
        code, out = summary(("TestA", "pass", ""), ("TestB", "skip", "=== RUN\n    a_test.go:1: SKIP-LONG: takes a minute\n"))
        self.assertEqual(code, 0, out)
        self.assertIn("left to -long: p TestB:", out)
        self.assertIn("1 passed, 0 failed, 1 left to -long, 0 not run", out)

    def test_missing_program(self):
        code, out = summary(("TestA", "skip", "    a_test.go:1: SKIP-ORACLE: no java on the path\n"))
        self.assertEqual(code, 1, out)
        self.assertIn("NOT RUN for want of a real program: p TestA:", out)

    def test_any_other_skip(self):
        for said in ("    a_test.go:1: starts a real node\n", ""):
            code, out = summary(("TestA", "pass", ""), ("TestB/sub", "skip", said))
            self.assertEqual(code, 1, out)
            self.assertIn("NOT RUN, and nothing allows that: p TestB/sub:", out)
            self.assertIn("1 passed, 0 failed, 0 left to -long, 1 not run", out)

    def test_failure(self):
        code, out = summary(("TestA", "fail", "    a_test.go:1: it is 2\n"))
        self.assertEqual(code, 1, out)
        self.assertIn("it is 2", out)


if __name__ == "__main__":
    unittest.main()
