# SPDX-License-Identifier: Apache-2.0
"""Instructions, system calls and fsyncs of one call: figures that a busy machine does not change."""
import re
import shutil
import signal
import subprocess
import time

import servers
from mock_pods import closing, say
from rows import Row

# In this order each finds its pods as it wants them.
CALLS = ("create", "get", "start", "stop", "delete", "health")
NAMES = {"create": "CreatePod", "start": "StartPod", "stop": "StopPod", "delete": "DeletePod", "get": "GetPod",
         "health": "a health check, for comparison"}
TRACED = 200
# The instructions of a call are the difference of two runs, one of which makes this many of them more.
SIMULATED = 200


def parse_strace(text):
    """Calls by name out of the table that `strace -c` prints."""
    counts = {}
    for line in text.splitlines():
        match = re.match(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
        if match and match.group(2) != "total":
            counts[match.group(2)] = int(match.group(1))
    return counts


def traced(bench, vcd, call):
    """System calls of vcd by name while a client makes TRACED calls."""
    tracer = subprocess.Popen(["strace", "-c", "-f", "-p", str(vcd.pid)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE)
    # It says so once it is attached; what it prints later is read at the end.
    first = tracer.stderr.readline()
    try:
        if b"attached" not in first:
            raise RuntimeError("strace: " + first.decode())
        bench.load(call, vcd=vcd, count=TRACED)
    finally:
        tracer.send_signal(signal.SIGINT)
        rest = tracer.stderr.read().decode()
        tracer.wait()
    return parse_strace(rest)


def system_calls(bench):
    if shutil.which("strace") is None:
        return [Row("counts", "system calls and fsyncs of a call", note="needs strace (apt-get install strace)")]
    rows = []
    with closing(servers.MockVcd(bench, "traced")) as vcd:
        for call in CALLS:
            try:
                counts = traced(bench, vcd, call)
            except RuntimeError as error:
                return [Row("counts", "system calls and fsyncs of a call", note=str(error).strip())]
            syncs = counts.get("fsync", 0) + counts.get("fdatasync", 0)
            waits = sum(counts.get(name, 0) for name in ("futex", "restart_syscall", "clock_nanosleep", "epoll_wait"))
            rows.append(Row("counts", "system calls of %s" % NAMES[call], (sum(counts.values()) - waits) / TRACED, "",
                            beside="and %.1f of waiting and waking (futex, epoll_wait); fsyncs: %.1f" %
                            (waits / TRACED, syncs / TRACED)))
    return rows


def hardware_counter():
    """Whether perf can count instructions here: a virtual machine often cannot."""
    if shutil.which("perf") is None:
        return False
    out = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", "true"], stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE).stderr.decode()
    return re.search(r"^\d+,", out, re.M) is not None


def by_perf(bench, vcd, call):
    counter = subprocess.Popen(["perf", "stat", "-x,", "-e", "instructions:u", "-p", str(vcd.pid)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(0.5)
    bench.load(call, vcd=vcd, count=TRACED)
    counter.send_signal(signal.SIGINT)
    out = counter.communicate()[1].decode()
    return int(re.search(r"^(\d+),", out, re.M).group(1)) / TRACED


def simulated(bench, calls):
    """All the instructions of a vcd under callgrind that answers SIMULATED of each of `calls`."""
    wrapper = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    with closing(servers.MockVcd(bench, "simulated-%d" % len(calls), wrapper=wrapper)) as vcd:
        for call in calls:
            bench.load(call, vcd=vcd, count=SIMULATED)
    with open(vcd.log_path) as stream:
        collected = re.findall(r"Collected : (\d+)", stream.read())
    return int(collected[-1])


def instructions(bench):
    what = "instructions of a call"
    if hardware_counter():
        with closing(servers.MockVcd(bench, "counted")) as vcd:
            counted = {call: by_perf(bench, vcd, call) for call in CALLS}
        note = "user space, perf stat"
    elif shutil.which("valgrind") is not None:
        # The first run has the start, the first connection and the end in it, and is what the others stand on.
        counted, calls, last = {}, ["health"], simulated(bench, ["health"])
        for call in CALLS:
            calls.append(call)
            total = simulated(bench, calls)
            counted[call] = (total - last) / SIMULATED
            last = total
            say("counts: %s %.0f instructions" % (call, counted[call]))
        note = "user space, callgrind"
    else:
        return [Row("counts", what, note="perf has no hardware counter here, and valgrind is not installed")]
    return [Row("counts", "instructions of %s" % NAMES[call], counted[call] / 1e3, "thousand", note=note) for call in CALLS]


def counts(bench, _):
    return system_calls(bench) + instructions(bench)
