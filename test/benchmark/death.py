# SPDX-License-Identifier: Apache-2.0
"""How soon vcd knows that a pod's QEMU was killed: pods that are killed one after the other, beside the time that the
host's kernel takes to end the process."""
import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from datetime import datetime

import pod_start
from rows import Row, median, table

SECTION = "death"
PODS_PER_ROUND = 3
WAIT_SECONDS = 30


def seconds_of(timestamp):
    """A time of protobuf's JSON, to the microsecond."""
    head, _, fraction = timestamp.rstrip("Z").partition(".")
    return datetime.fromisoformat(head + "+00:00").timestamp() + float("0." + (fraction or "0"))


class Events:
    """What a client that watches sees of it."""

    def __init__(self, daemon):
        self.process = subprocess.Popen(daemon.vc("events", "-o", "json"), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE)

    def until_failed(self, pod):
        """The event that tells the end of the pod, and when it was read."""
        while True:
            if not select.select([self.process.stdout], [], [], WAIT_SECONDS)[0]:
                raise RuntimeError("no event of pod %s for %d s" % (pod, WAIT_SECONDS))
            event = json.loads(self.process.stdout.readline())
            if event.get("pod_id") == pod and "FAILED" in event.get("type", ""):
                return event, time.time()

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def kill_one(daemon, events, image):
    """Seconds from SIGKILL until the kernel has ended QEMU, vcd has told it, and a client has read it."""
    pod = daemon.run_vc("run", "-d", "--rootfs", image, "--", "cat").strip()
    pid = int(json.loads(daemon.run_vc("inspect", pod))["vm"]["pid"])
    pidfd = os.pidfd_open(pid)
    try:
        begin = time.time()
        os.kill(pid, signal.SIGKILL)
        select.select([pidfd], [], [], WAIT_SECONDS)
        ended = time.time() - begin
    finally:
        os.close(pidfd)
    event, read = events.until_failed(pod)
    if "killed by signal 9" not in event.get("reason", ""):
        raise RuntimeError("the event of pod %s tells another cause: %s" % (pod, event))
    daemon.run_vc("rm", "-f", pod)
    return ended, seconds_of(event["time"]) - begin, read - begin


def run(binaries, rounds):
    load = os.getloadavg()[0]
    samples = []
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="vcd-bench-", dir="/var/tmp"))
        image = pod_start.make_image(directory)
        daemon = pod_start.Daemon(binaries, directory, "on")
        stack.callback(daemon.close)
        daemon.wait_until_it_serves()
        daemon.run_vc("template", "prepare")
        events = stack.enter_context(contextlib.closing(Events(daemon)))
        kill_one(daemon, events, image)  # Warms up.
        for number in range(rounds):
            for _ in range(PODS_PER_ROUND):
                samples.append(kill_one(daemon, events, image))
            print("round %d of %d: told after %.1f ms" % (number + 1, rounds, samples[-1][1] * 1e3), flush=True)

    ended, told, read = ([sample[i] * 1e3 for sample in samples] for i in range(3))
    rows = [
        Row(SECTION, "SIGKILL of QEMU until vcd tells the pod's end, with its cause", median(told), "ms", 10,
            beside="the host's kernel has ended the process after %.1f ms; vcd takes %.1f ms from there" %
            (median(ended), median([t - e for t, e in zip(told, ended)])),
            note="most %.1f ms of %d" % (max(told), len(told))),
        Row(SECTION, "the same, until `vc events` has printed it", median(read), "ms"),
    ]
    text = ("%s, medians of %d kills; %d CPUs (%s), load average %.1f before.\n\n" %
            (time.strftime("%Y-%m-%d"), len(samples), os.cpu_count(), pod_start.cpu_model(), load)) + table(rows)
    return text, rows
