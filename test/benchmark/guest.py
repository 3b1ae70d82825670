# SPDX-License-Identifier: Apache-2.0
"""Measures the guest's agent and the link to it, over a socket pair of this host and over virtio-serial of a machine."""
import datetime
import json
import os
import platform
import subprocess
import sys

import pod_start
from rows import Row, median, table

SECTION = "guest"
STREAMS = (1, 8, 64)


def measure(binaries, over):
    program = os.path.join(binaries, "test/benchmark/guest_load")
    # The machine prints its console before the result.
    out = subprocess.run([program, over], cwd=binaries, stdout=subprocess.PIPE, check=True, timeout=900).stdout
    return next(json.loads(line) for line in out.splitlines() if line.startswith(b"{"))


def exec_row(where, samples):
    exec_us = median(sample["exec"]["p50_us"] for sample in samples)
    bare_us = median(sample["bare"]["p50_us"] for sample in samples)
    return Row(SECTION, "exec, from the request to the told exit, %s, p50" % where, exec_us / 1e3, "ms",
               beside="the same program started and waited for by a program in the container: %.1f ms; %.1f ×" %
               (bare_us / 1e3, exec_us / bare_us))


def throughput_rows(where, samples):
    plain = median(sample["throughput_mbps"] for sample in samples)
    logged = median(sample["throughput_into_log_mbps"] for sample in samples)
    slow = median(sample["throughput_beside_slow_mbps"] for sample in samples)
    return [
        Row(SECTION, "standard output of `cat FILE`, %s" % where, plain, "MB/s"),
        Row(SECTION, "the same into a container's log, ÷ that, %s" % where, logged / plain, "×", note="%.0f MB/s" % logged),
        Row(SECTION, "the same beside a process whose output nobody takes, ÷ alone, %s" % where, slow / plain, "×",
            note="%.0f MB/s" % slow)
    ]


def control_rows(where, samples):
    def of(streams, percentile):
        return median(sample["control"][str(streams)][percentile] for sample in samples) / 1e3

    return [
        Row(SECTION, "a request and its answer while %d stream%s say all they can, %s, p99" %
            (streams, "" if streams == 1 else "s", where), of(streams, "p99_us"), "ms",
            beside="p50 %.1f ms; idle p50 %.1f, p99 %.1f ms" %
            (of(streams, "p50_us"), of(0, "p50_us"), of(0, "p99_us"))) for streams in STREAMS
    ]


def run(binaries, rounds):
    """Measures, and returns the text for the page and the rows."""
    load = os.getloadavg()[0]
    pair, machine = [], []
    for number in range(rounds):
        pair.append(measure(binaries, "socketpair"))
        machine.append(measure(binaries, "virtio-serial"))
        print("guest: round %d of %d" % (number + 1, rounds), file=sys.stderr, flush=True)
    rows = [
        Row(SECTION, "agent, size of the program", os.path.getsize(os.path.join(binaries, "guest/agent/vcd-agent")) / 1e6,
            "MB", 2),
        Row(SECTION, "agent, RSS after all of this", median(sample["agent_rss_kib"] for sample in pair) * 1024 / 1e6, "MB", 2,
            note="the same program, on this host"),
        Row(SECTION, "from the start of pid 1 to its answer to HELLO", median(sample["hello_ms"] for sample in machine), "ms",
            note="by the guest's clock; HELLO was there before"),
    ]
    for where, samples in (("socket pair", pair), ("virtio-serial", machine)):
        rows += [exec_row(where, samples)] + throughput_rows(where, samples) + control_rows(where, samples)
    conditions = ("%s, medians of %d rounds; %d CPUs (%s), kernel %s, load average %.1f before; the machine is emulated "
                  "(TCG), with one CPU." % (datetime.date.today().isoformat(), rounds, os.cpu_count(), pod_start.cpu_model(),
                                            platform.release(), load))
    return conditions + "\n\n" + table(rows), rows
