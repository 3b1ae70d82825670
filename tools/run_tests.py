#!/usr/bin/env python3
"""Runs `bazel test` and counts test cases: the closing line is `N passed, N failed`.

The numbers come from the build event stream of this very run, so that results of earlier runs cannot count. Each
GoogleTest case is one; a target that crashes, times out or does not build is one failure.
"""
import collections
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse
import xml.etree.ElementTree


class Tally:
    def __init__(self):
        self.passed = 0
        self.skipped = 0
        self.failures = []

    def add_case(self, label, case):
        name = "%s %s.%s" % (label, case.get("classname", ""), case.get("name", ""))
        if case.find("failure") is not None or case.find("error") is not None:
            self.failures.append(name)
        elif case.find("skipped") is not None or case.get("result") in ("skipped", "suppressed") or case.get("status") == "notrun":
            self.skipped += 1
            print("SKIPPED: " + name)
        else:
            self.passed += 1

    def add_target(self, label, result):
        before = len(self.failures)
        for output in result.get("testActionOutput", []):
            if output["name"] != "test.xml":
                continue
            path = urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path)
            try:
                for case in xml.etree.ElementTree.parse(path).iter("testcase"):
                    self.add_case(label, case)
            except (OSError, xml.etree.ElementTree.ParseError) as error:
                self.failures.append("%s: %s" % (label, error))
        status = result.get("status", "NO_STATUS")
        if status != "PASSED" and len(self.failures) == before:
            self.failures.append("%s: %s" % (label, status))


def read_events(path):
    if not os.path.exists(path):
        return []
    with open(path, errors="replace") as stream:
        return [json.loads(line) for line in stream if line.strip()]


def tally(events):
    counted = Tally()
    last_attempt = collections.OrderedDict()
    for event in events:
        identity = event.get("id", {})
        if "testResult" in identity:
            key = identity["testResult"]
            last_attempt[key["label"], key.get("run", 1), key.get("shard", 1)] = event.get("testResult", {})
        elif "targetCompleted" in identity and not event.get("completed", {}).get("success"):
            counted.failures.append(identity["targetCompleted"]["label"] + ": did not build")
    for (label, _, _), result in sorted(last_attempt.items()):
        counted.add_target(label, result)
    return counted


def main():
    arguments = sys.argv[1:]
    if not any(argument.startswith("//") for argument in arguments):
        arguments.append("//...")
    with tempfile.TemporaryDirectory() as scratch:
        stream = os.path.join(scratch, "events.json")
        command = ["bazel", "test", "--keep_going", "--config=ci", "--build_event_json_file=" + stream]
        status = subprocess.call(command + arguments)
        counted = tally(read_events(stream))
    if status != 0 and not counted.failures:
        counted.failures.append("bazel ended with status %d" % status)
    for failure in counted.failures:
        print("FAILED: " + failure)
    skipped = ", %d skipped" % counted.skipped if counted.skipped else ""
    print("%d passed, %d failed%s" % (counted.passed, len(counted.failures), skipped), flush=True)
    return 1 if counted.failures else 0


sys.exit(main())
