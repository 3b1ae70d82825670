#!/usr/bin/env python3
"""Writes compile_commands.json out of Bazel's action graph, for clang-tidy and editors."""
import json
import os
import subprocess
import sys

# Options that only gcc knows.
_GCC_ONLY = {"-fno-canonical-system-headers", "-Wno-free-nonheap-object", "-Wunused-but-set-parameter"}


def bazel(*arguments):
    return subprocess.run(["bazel", *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def main():
    workspace = bazel("info", "workspace").strip()
    query = 'mnemonic("CppCompile", //...)'
    graph = json.loads(bazel("aquery", "--output=jsonproto", "--include_artifacts=false", *sys.argv[1:], query))
    entries = {}
    for action in graph.get("actions", []):
        arguments = [argument for argument in action["arguments"] if argument not in _GCC_ONLY]
        if "-c" not in arguments:
            continue
        source = arguments[arguments.index("-c") + 1]
        if not source.startswith("external/"):
            entries[source] = {"directory": workspace, "file": source, "arguments": arguments}
    with open(os.path.join(workspace, "compile_commands.json"), "w") as out:
        json.dump(list(entries.values()), out, indent=1)
    print("%d files" % len(entries))


main()
