#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures vcd beside its goals. Run by tools/benchmark.sh; what is measured, and how to read it: docs/performance.md."""
import argparse
import contextlib
import datetime
import json
import os
import platform
import signal
import sys

import boot
import clones
import counts
import death
import guest
import isolation
import mock_pods
import pod_start
import servers
from rows import table

DAEMON_SECTIONS = {
    "memory": mock_pods.memory,
    "reads": mock_pods.reads,
    "create": mock_pods.create,
    "cycle": mock_pods.cycle,
    "restart": mock_pods.restart,
    "isolation": isolation.isolation,
    "counts": counts.counts,
}
SECTIONS = ["pod-start", "clones", "death", "boot", "guest"] + list(DAEMON_SECTIONS)


def markers(block):
    return "<!-- begin: %s, written by tools/benchmark.sh -->" % block, "<!-- end: %s -->" % block


def update_docs(path, block, text):
    begin, end = markers(block)
    with open(path, encoding="utf-8") as stream:
        page = stream.read()
    before, rest = page.split(begin, 1)
    _, after = rest.split(end, 1)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(before + begin + "\n" + text + "\n" + end + after)


def conditions(bench, rounds, load):
    return ("%s, medians of %d rounds; %d CPUs (%s), kernel %s, load average %.1f before; state on %s, run directory on %s." %
            (datetime.date.today().isoformat(), rounds, os.cpu_count(), pod_start.cpu_model(), platform.release(), load,
             bench.disk, bench.run_disk))


def measure_daemon(arguments):
    load = os.getloadavg()[0]
    bench = servers.Bench(arguments.bin, arguments.disk)
    rows = []
    try:
        if bench.disk == "tmpfs":
            sys.exit("benchmark: %s is in memory, where nothing is durable; name a directory on a disk with --disk" %
                     arguments.disk)
        for name, measure in DAEMON_SECTIONS.items():
            if name in arguments.sections:
                print("measuring: " + name, file=sys.stderr, flush=True)
                rows += measure(bench, arguments.rounds)
        return conditions(bench, arguments.rounds, load), rows
    finally:
        bench.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help="of " + ", ".join(SECTIONS) + "; none: all")
    parser.add_argument("--bin", required=True, help="bazel-bin, with what is measured")
    parser.add_argument("--docs", help="page to put the tables in")
    parser.add_argument("--no-docs", action="store_true", help="leave the page as it is")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--disk", default="/var/tmp", help="directory on the disk that state is to be on")
    arguments = parser.parse_args()
    if arguments.rounds < 5:
        parser.error("--rounds: at least 5, for a median that means something")
    unknown = set(arguments.sections) - set(SECTIONS)
    if unknown:
        parser.error("no section %s; there are %s" % (", ".join(sorted(unknown)), ", ".join(SECTIONS)))
    arguments.sections = arguments.sections or SECTIONS
    # Ends through the clean-up, as an interrupt does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    rows, blocks, where = [], {}, ""
    daemon_sections = [name for name in DAEMON_SECTIONS if name in arguments.sections]

    def measured(block, text, block_rows):
        rows.extend(block_rows)
        blocks[block] = text
        if not arguments.docs or arguments.no_docs:
            return
        # At once: a later section may fail, or take longer than one likes to wait. Rows of one run only stand in one
        # table, so a part of them is not written.
        if block == "daemon" and len(daemon_sections) != len(DAEMON_SECTIONS):
            print("not written to %s, for want of the other sections: daemon" % arguments.docs, file=sys.stderr)
            return
        update_docs(arguments.docs, block, text)
        print("written to %s: %s" % (arguments.docs, block), file=sys.stderr)

    if daemon_sections:
        where, daemon_rows = measure_daemon(arguments)
        measured("daemon", where + "\n\n" + table(daemon_rows), daemon_rows)
    for name, section in (("pod-start", pod_start), ("clones", clones), ("death", death), ("boot", boot), ("guest", guest)):
        if name in arguments.sections:
            # Its rounds say how they go; standard output is for the result.
            with contextlib.redirect_stdout(sys.stderr):
                text, section_rows = section.run(arguments.bin, arguments.rounds)
            measured(name, text, section_rows)
    if arguments.json:
        json.dump({"conditions": where, "rows": [row.as_json() for row in rows]}, sys.stdout, indent=1, ensure_ascii=False)
        print()
    else:
        print("\n\n".join(blocks.values()))


if __name__ == "__main__":
    main()
