# SPDX-License-Identifier: Apache-2.0
"""Pods that start from a template, and those that get a machine that waited, beside pods that boot, in turn: until they are
ready, until their first output, many at once, and their memory."""
import contextlib
import json
import os
import subprocess
import tempfile
import time

import pod_start
from rows import Row, median, table

SECTION = "clones"
AT_ONCE = (1, 8, 32)
# How the pods of each daemon start, with templates and so many machines that wait.
STARTS = {"cold": ("VM_START_COLD", "off", 0), "clone": ("VM_START_CLONE", "on", 0), "warm": ("VM_START_WARM", "on", 1)}
# Rounds for many at once: each takes as long as all others together.
MANY_ROUNDS = 3


def start_of(daemon, pod):
    return json.loads(daemon.run_vc("inspect", pod))


def machine_seconds(pod):
    """From the start of QEMU to the answer of the guest's agent."""
    timeline = pod["boot_timeline"]
    return timeline.get("vmm_boot_seconds", 0) + timeline.get("guest_connect_seconds", 0)


def await_warm(daemon):
    """Until a machine waits."""
    deadline = time.monotonic() + pod_start.TIMEOUT_SECONDS
    while json.loads(daemon.run_vc("template", "ls", "-o", "json"))["templates"][0].get("warm_machines", 0) == 0:
        if time.monotonic() > deadline:
            raise RuntimeError("no machine waits")
        time.sleep(0.02)


def one_pod(daemon, image, expected):
    if expected == "VM_START_WARM":
        await_warm(daemon)
    begin = time.monotonic()
    name = daemon.run_vc("run", "-d", "--rootfs", image, "--", "cat").strip()
    took = time.monotonic() - begin
    pod = start_of(daemon, name)
    daemon.run_vc("rm", "-f", name)
    if pod["vm"]["start"] != expected:
        raise RuntimeError("a pod was to be %s and is %s: %s" % (expected, pod["vm"]["start"], pod["vm"].get("start_reason")))
    return took, machine_seconds(pod)


def many_pods(daemon, image, count):
    """Until the last of so many RunPods at once is answered."""
    begin = time.monotonic()
    calls = [subprocess.Popen(daemon.vc("run", "-d", "--rootfs", image, "--", "cat"), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE) for _ in range(count)]
    names = [call.communicate()[0].decode().strip() for call in calls]
    took = time.monotonic() - begin
    daemon.run_vc("rm", "-f", *[name for name in names if name])
    if not all(names):
        raise RuntimeError("of %d pods at once %d did not start" % (count, names.count("")))
    return took


def unique_mib(daemon, pod):
    stats = json.loads(daemon.run_vc("stats", "--no-stream", "-o", "json", pod))
    stats = stats[0] if isinstance(stats, list) else stats
    return int(stats["vm"]["memory_unique_bytes"]) / 2**20


def memory(daemon, image, count):
    """Unique memory of the first pod while it is alone, and of the last while all are there."""
    names = []
    try:
        for _ in range(count):
            names.append(daemon.run_vc("run", "-d", "--rootfs", image, "--", "cat").strip())
            if len(names) == 1:
                first = unique_mib(daemon, names[0])
        return first, unique_mib(daemon, names[-1])
    finally:
        daemon.run_vc("rm", "-f", *names)


def run(binaries, rounds):
    load = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="vcd-bench-", dir="/var/tmp"))
        image = pod_start.make_image(directory)
        daemons = {}
        for kind, (_, templates, warm_machines) in STARTS.items():
            os.mkdir(os.path.join(directory, kind))
            daemons[kind] = pod_start.Daemon(binaries, os.path.join(directory, kind), templates, warm_machines)
            stack.callback(daemons[kind].close)
            daemons[kind].wait_until_it_serves()
        begin = time.monotonic()
        daemons["clone"].run_vc("template", "prepare")
        making = time.monotonic() - begin
        daemons["warm"].run_vc("template", "prepare")
        one_pod(daemons["warm"], image, "VM_START_CLONE")  # Before it none waits.
        expected = {kind: start for kind, (start, _, _) in STARTS.items()}
        for kind in daemons:  # Warms page cache and template.
            one_pod(daemons[kind], image, expected[kind])
        ready = {kind: [] for kind in daemons}
        machine = {kind: [] for kind in daemons}
        output = {kind: [] for kind in daemons}
        for number in range(rounds):
            for kind, daemon in daemons.items():
                took, of_machine = one_pod(daemon, image, expected[kind])
                ready[kind].append(took)
                machine[kind].append(of_machine)
                if kind == "warm":
                    await_warm(daemon)
                output[kind].append(pod_start.first_byte(daemon, image))
            print("round %d of %d: %s" % (number + 1, rounds, "  ".join(
                "%s %.0f ms" % (kind, ready[kind][-1] * 1e3) for kind in daemons)), flush=True)
        many = {}
        for count in AT_ONCE:
            many[count] = {kind: [] for kind in ("cold", "clone")}
            for _ in range(MANY_ROUNDS):
                for kind in many[count]:
                    daemon = daemons[kind]
                    many[count][kind].append(many_pods(daemon, image, count))
            print("%d at once: %s" % (count, many[count]), flush=True)
        cold_memory, _ = memory(daemons["cold"], image, 1)
        first_memory, last_memory = memory(daemons["clone"], image, 8)

    def beside(samples, kind="clone", other="cold"):
        return "%.0f ms beside %.0f ms" % (median(samples[kind]) * 1e3, median(samples[other]) * 1e3)

    def ratio(samples, kind="clone", other="cold"):
        return median(samples[kind]) / median(samples[other])

    rows = [
        Row(SECTION, "machine ready (QEMU's start to the agent's answer), clone ÷ cold", ratio(machine), "×", 0.15,
            beside=beside(machine)),
        Row(SECTION, "`vc run -d` answered, clone ÷ cold", ratio(ready), "×", beside=beside(ready)),
        Row(SECTION, "`vc run`, until the first byte of output, clone ÷ cold", ratio(output), "×", 0.35,
            beside=beside(output)),
        Row(SECTION, "machine ready, one that waited ÷ clone", ratio(machine, "warm", "clone"), "×",
            beside=beside(machine, "warm", "clone")),
        Row(SECTION, "`vc run -d` answered, with a machine that waited ÷ clone", ratio(ready, "warm", "clone"), "×",
            beside=beside(ready, "warm", "clone")),
    ]
    for count in AT_ONCE:
        rows.append(Row(SECTION, "%d pod%s at once, until all are ready, clone ÷ cold" % (count, "" if count == 1 else "s"), ratio(many[count]), "×",
                        beside=beside(many[count])))
    rows += [
        Row(SECTION, "unique memory of QEMU, 8th clone ÷ a pod that booted", last_memory / cold_memory, "×", 0.25,
            beside="%.1f MiB beside %.1f MiB" % (last_memory, cold_memory)),
        Row(SECTION, "the same, 8th clone ÷ first clone, which alone has the template's pages", last_memory / first_memory,
            "×", 0.25, beside="%.1f MiB beside %.1f MiB" % (last_memory, first_memory)),
        Row(SECTION, "making a template", making * 1e3, "ms", note="boot, and writing it down"),
    ]
    text = ("%s, medians of %d rounds in turn (many at once: %d); %d CPUs (%s), load average %.1f before.\n\n" %
            (time.strftime("%Y-%m-%d"), rounds, MANY_ROUNDS, os.cpu_count(), pod_start.cpu_model(), load)) + table(rows)
    return text, rows
