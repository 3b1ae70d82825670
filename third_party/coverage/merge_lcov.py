#!/usr/bin/env python3
"""Merges the coverage that gcc wrote for one test, or for all, into one lcov file.

Bazel 4 would download a Java program for this; every test target needs it to be there, covered or not.
"""
import argparse
import collections
import glob
import gzip
import json
import os
import re


class Coverage:
    """Hits per line, by source file."""

    def __init__(self, wanted):
        self.hits = collections.defaultdict(collections.Counter)
        self.wanted = wanted

    def add(self, source, line, count):
        source = re.sub(r"^(/proc/self/cwd/|.*/execroot/[^/]+/)", "", source)
        outside = source.startswith(("/", "external/", "bazel-out/"))
        if not outside and (self.wanted is None or source in self.wanted):
            self.hits[source][line] += count

    def add_gcov(self, path):
        with gzip.open(path) as stream:
            for file in json.load(stream)["files"]:
                for line in file["lines"]:
                    self.add(file["file"], line["line_number"], line["count"])

    def add_lcov(self, path):
        source = None
        with open(path, errors="replace") as stream:
            for record in stream:
                kind, _, value = record.strip().partition(":")
                if kind == "SF":
                    source = value
                elif kind == "DA" and source:
                    line, count = value.split(",")[:2]
                    self.add(source, int(line), int(count))

    def write(self, path):
        with open(path, "w") as out:
            for source, lines in sorted(self.hits.items()):
                records = ["DA:%d,%d" % item for item in sorted(lines.items())]
                covered = sum(1 for count in lines.values() if count)
                out.write("\n".join(["TN:", "SF:" + source] + records))
                out.write("\nLF:%d\nLH:%d\nend_of_record\n" % (len(lines), covered))


def words(path):
    with open(path) as stream:
        return stream.read().split()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--coverage_dir")
    parser.add_argument("--reports_file")
    parser.add_argument("--output_file", required=True)
    parser.add_argument("--source_file_manifest")
    args, _ = parser.parse_known_args()

    manifest = args.source_file_manifest
    coverage = Coverage(set(words(manifest)) if manifest else None)
    if args.coverage_dir:
        for path in glob.glob(args.coverage_dir + "/**/*.gcov.json.gz", recursive=True):
            coverage.add_gcov(path)
    for path in words(args.reports_file) if args.reports_file else []:
        if path.endswith(".dat") and os.path.exists(path):
            coverage.add_lcov(path)
    coverage.write(args.output_file)


main()
