# SPDX-License-Identifier: Apache-2.0
"""What the daemon itself costs: measured with mock pods, so that no guest's boot hides it."""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

import servers
from rows import Row, median

NO_CONTAINERD = "beside: containerd is not installed (apt-get install containerd)"
PODS = 10000
RESTARTED = 1000
CLIENTS = 64


def say(text):
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def closing(server):
    try:
        yield server
    finally:
        server.close()


def start_containerd(bench, stack):
    """None where there is none."""
    if shutil.which("containerd") is None:
        return None
    return stack.enter_context(closing(servers.Containerd(bench)))


def beside(measured, text):
    return text % measured if measured is not None else NO_CONTAINERD


def settle(pid):
    """Memory once the threads of the load have ended, which vcd gives ten seconds."""
    time.sleep(11)
    return servers.resident_kib(pid)


def memory(bench, rounds):
    rows, idle, per_pod = [], [], []
    containerd_idle = containerd_per_pod = None
    with contextlib.ExitStack() as stack:
        containerd = start_containerd(bench, stack)
        if containerd is not None:
            before = servers.resident_kib(containerd.pid)["VmRSS"]
            bench.load("containerd-create", containerd=containerd, count=PODS, clients=CLIENTS)
            time.sleep(1)
            containerd_idle = before
            containerd_per_pod = (servers.resident_kib(containerd.pid)["VmRSS"] - before) / PODS
    for _ in range(rounds):
        with closing(servers.MockVcd(bench, "idle")) as vcd:
            idle.append(servers.resident_kib(vcd.pid))
    say("idle: %s KiB" % [sample["VmRSS"] for sample in idle])
    # One filling tells: every pod is a sample.
    with closing(servers.MockVcd(bench, "full")) as vcd:
        before = servers.resident_kib(vcd.pid)["VmRSS"]
        bench.load("run", vcd=vcd, count=PODS, clients=CLIENTS)
        after = settle(vcd.pid)["VmRSS"]
        per_pod.append((after - before) / PODS)
        say("full: %d KiB, before %d KiB" % (after, before))
    with closing(servers.MockVcd(bench, "full")) as vcd:
        bench.load("restart", vcd=vcd, count=PODS, clients=8)
        restarted = settle(vcd.pid)["VmRSS"]
    mib = median(sample["VmRSS"] for sample in idle) * 1024 / 1e6
    own = median(sample["RssAnon"] for sample in idle) * 1024 / 1e6
    rows.append(Row("memory", "idle daemon, RSS", mib, "MB", 20, beside=beside(
        containerd_idle and containerd_idle * 1024 / 1e6, "containerd without CRI %.1f MB"),
                    note="%.1f MB of it the daemon's own, the rest pages of programs and libraries" % own))
    rows.append(Row("memory", "memory per pod, %d running mock pods" % PODS, median(per_pod), "KiB", 8,
                    beside=beside(containerd_per_pod, "containerd %.1f KiB a record"),
                    note="after the load; %.1f KiB after a restart with them" % ((restarted - before) / PODS)))
    return rows


def reads(bench, rounds):
    with contextlib.ExitStack() as stack:
        containerd = start_containerd(bench, stack)
        vcd = stack.enter_context(closing(servers.MockVcd(bench, "reads")))
        empty = stack.enter_context(closing(servers.EmptyServer(bench)))
        bench.load("run", vcd=vcd, count=PODS, clients=CLIENTS)
        if containerd is not None:
            bench.load("containerd-create", containerd=containerd, count=PODS, clients=CLIENTS)
        measured = bench.load("latency", vcd=vcd, empty=empty, containerd=containerd, id="pod-100000", count=2000,
                              rounds=rounds)["rounds"]
        listed = bench.load("list", vcd=vcd, containerd=containerd, rounds=rounds)["rounds"]

    def of(name, percentile):
        return median(sample[name][percentile] for sample in measured)

    def ratio(percentile):
        return median(sample["get"][percentile] / sample["empty"][percentile] for sample in measured)

    figures = "GetPod %.0f µs, empty call %.0f µs, vcd's health check %.0f µs"
    if containerd is not None:
        figures += ", containerd's Get %.0f µs"

    def compare(percentile):
        names = ("get", "empty", "health") + (("containerd",) if containerd is not None else ())
        return figures % tuple(of(name, percentile) for name in names)

    rows = [
        Row("reads", "GetPod ÷ an empty gRPC call, p50, %d pods there" % PODS, ratio("p50_us"), "×", 1.15,
            beside=compare("p50_us")),
        Row("reads", "GetPod ÷ an empty gRPC call, p99", ratio("p99_us"), "×", beside=compare("p99_us")),
    ]
    containerd_list = containerd and median(sample["containerd"]["us_per_record"] for sample in listed)
    rows.append(Row("reads", "ListPods, %d pods, a record" % PODS,
                    median(sample["vcd"]["us_per_record"] for sample in listed), "µs", 4,
                    beside=beside(containerd_list, "containerd %.1f µs, of smaller records"),
                    note="ten pages, read by the client"))
    return rows


def create(bench, rounds):
    with contextlib.ExitStack() as stack:
        containerd = start_containerd(bench, stack)
        vcd = stack.enter_context(closing(servers.MockVcd(bench, "create")))
        measured = bench.load("create-rounds", vcd=vcd, containerd=containerd, count=800, clients=CLIENTS,
                              rounds=rounds)["rounds"]
    serial = median(sample["vcd_serial"]["p50_us"] for sample in measured)
    many = median(sample["vcd_many"]["per_second"] for sample in measured)
    if containerd is None:
        return [Row("create", "durable CreatePod, one client, p50", serial, "µs", note=NO_CONTAINERD),
                Row("create", "durable CreatePod, %d clients" % CLIENTS, many, "/s", note=NO_CONTAINERD)]
    return [
        Row("create", "durable CreatePod ÷ containerd's Create, one client, p50",
            median(sample["vcd_serial"]["p50_us"] / sample["containerd_serial"]["p50_us"] for sample in measured), "×", 1,
            beside="%.0f µs beside %.0f µs" %
            (serial, median(sample["containerd_serial"]["p50_us"] for sample in measured))),
        Row("create", "durable CreatePod ÷ containerd's Create, %d clients, rate" % CLIENTS,
            median(sample["vcd_many"]["per_second"] / sample["containerd_many"]["per_second"] for sample in measured),
            "×", 5, at_least=True, beside="%.0f/s beside %.0f/s" %
            (many, median(sample["containerd_many"]["per_second"] for sample in measured))),
    ]


def cycle(bench, rounds):
    with closing(servers.MockVcd(bench, "cycle")) as vcd:
        before = servers.cpu_seconds(vcd.pid)
        measured = bench.load("cycle", vcd=vcd, count=2000, clients=CLIENTS, rounds=rounds)["rounds"]
        cpu = (servers.cpu_seconds(vcd.pid) - before) / (2000 * (rounds + 1)) * 1e6
    return [Row("cycle", "durable create → start → stop → delete, %d clients" % CLIENTS,
                median(sample["per_second"] for sample in measured), "pods/s", 1000, at_least=True,
                beside="CPU time a pod: vcd %.0f µs, the clients %.0f µs" %
                (cpu, median(sample["client_cpu_us_per_pod"] for sample in measured)),
                note="%d CPUs for both" % os.cpu_count())]


def restart(bench, rounds):
    """Kills the daemon and starts another one over what it left, as after a crash."""
    serving, reconciled = [], []
    vcd = servers.MockVcd(bench, "restart")
    try:
        bench.load("run", vcd=vcd, count=RESTARTED, clients=CLIENTS)
        for _ in range(rounds):
            vcd.kill()
            vcd.close()
            probe = subprocess.Popen(bench.load_argv("restart", vcd=vcd, count=RESTARTED, clients=8),
                                     stdout=subprocess.PIPE)
            probe.stdout.readline()
            begin = time.monotonic()
            vcd = servers.MockVcd(bench, "restart", wait=False)
            out, _ = probe.communicate(timeout=servers.START_SECONDS)
            times = json.loads(out)
            if times["listed"] != RESTARTED:
                raise RuntimeError("%d of %d pods came back" % (times["listed"], RESTARTED))
            serving.append((times["answered"] - begin) * 1e3)
            reconciled.append((times["reconciled"] - begin) * 1e3)
            say("restart: %.0f ms, %.0f ms" % (serving[-1], reconciled[-1]))
    finally:
        vcd.close()
    return [Row("restart", "restart after kill -9, %d running pods: serving" % RESTARTED, median(serving), "ms", 100,
                beside="from the exec of vcd to its first answer"),
            Row("restart", "the same: reconciled", median(reconciled), "ms", 1000,
                beside="from the exec of vcd until an operation was answered for every pod")]
