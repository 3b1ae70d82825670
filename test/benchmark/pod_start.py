# SPDX-License-Identifier: Apache-2.0
"""Measures the start of a pod beside a bare QEMU boot of the same kernel and initramfs, in turn.

What is measured, and how to read it: docs/performance.md.
"""
import contextlib
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time

from bare_qemu import TIMEOUT_SECONDS, BareQemu, command_line_of
from rows import Row

EMPTY_CALL = "`vc version`, for comparison: an empty call"
APPLETS = ("cat", "echo", "sh", "true")


def make_rootfs(directory):
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp"):
        os.makedirs(os.path.join(directory, name))
    shutil.copy("/bin/busybox", os.path.join(directory, "bin/busybox"))
    for applet in APPLETS:
        os.symlink("busybox", os.path.join(directory, "bin", applet))


def make_image(directory):
    """An erofs image of that root, beside it."""
    rootfs = os.path.join(directory, "rootfs")
    make_rootfs(rootfs)
    image = rootfs + ".erofs"
    subprocess.run(["mkfs.erofs", "--quiet", image, rootfs], check=True, stdout=subprocess.DEVNULL)
    return image


class Daemon:
    """A vcd of our own in a directory of our own."""

    def __init__(self, binaries, directory, templates="off", warm_machines=0):
        self.binaries = binaries
        self.address = "unix://" + os.path.join(directory, "vcd.sock")
        self.log = open(os.path.join(directory, "vcd.log"), "wb")
        config = os.path.join(directory, "vcd.toml")
        with open(config, "w") as file:
            file.write("[templates]\nwarm_machines = %d\n" % warm_machines)
        self.process = subprocess.Popen(
            [os.path.join(binaries, "daemon/vcd"), "--config", config, "--listen", self.address,
             "--state-dir", os.path.join(directory, "state"), "--run-dir", os.path.join(directory, "run"),
             "--templates", templates, "--kernel", self.kernel, "--initrd", self.initrd],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            # An interrupt of ours must not end it before its pods are deleted.
            start_new_session=True)

    @property
    def kernel(self):
        return os.path.join(self.binaries, "guest/image/vmlinux")

    @property
    def initrd(self):
        return os.path.join(self.binaries, "guest/image/initramfs.cpio")

    def vc(self, *words):
        return [os.path.join(self.binaries, "client/vc"), "--address", self.address] + list(words)

    def run_vc(self, *words):
        return subprocess.run(self.vc(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                              timeout=TIMEOUT_SECONDS).stdout.decode()

    def wait_until_it_serves(self):
        deadline = time.monotonic() + 30
        while subprocess.run(self.vc("version"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("vcd does not serve; see " + self.log.name)
            time.sleep(0.05)

    def close(self):
        if self.process.poll() is None:
            pods = self.run_vc("ps", "-a", "-q").split()
            if pods:
                self.run_vc("rm", "-f", *pods)
            self.process.terminate()
            self.process.wait(30)
        self.log.close()


def run_pod(daemon, rootfs):
    begin = time.monotonic()
    pod = daemon.run_vc("run", "-d", "--rootfs", rootfs, "--", "cat").strip()
    took = time.monotonic() - begin
    daemon.run_vc("rm", "-f", pod)
    return took


def first_byte(daemon, rootfs):
    begin = time.monotonic()
    process = subprocess.Popen(daemon.vc("run", "--rm", "--rootfs", rootfs, "--", "echo", "x"),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    byte = process.stdout.read(1)
    took = time.monotonic() - begin
    process.stdout.close()
    if process.wait(TIMEOUT_SECONDS) != 0 or byte != b"x":
        raise RuntimeError("vc run ended with status %d and printed %r" % (process.returncode, byte))
    return took


def empty_call(daemon):
    begin = time.monotonic()
    daemon.run_vc("version")
    return time.monotonic() - begin


def measure(daemon, rootfs, image, rounds):
    # A first pod warms the page cache and tells the command line that vcd gives to QEMU.
    pod = daemon.run_vc("run", "-d", "--rootfs", image, "--", "cat").strip()
    status = json.loads(daemon.run_vc("inspect", pod))
    argv = command_line_of(int(status["vm"]["pid"]))
    daemon.run_vc("rm", "-f", pod)
    least, like_a_pods = BareQemu.least(argv), BareQemu.like_a_pods(argv)
    least.measure()
    rows = (
        ("bare QEMU, until the agent opens its port", least.measure),
        ("the same with all devices of a pod's machine", like_a_pods.measure),
        ("`vc run -d` (RunPod), until it is answered", lambda: run_pod(daemon, image)),
        ("`vc run`, image (erofs), until the first byte of output", lambda: first_byte(daemon, image)),
        ("`vc run`, directory (virtiofs), until the first byte of output", lambda: first_byte(daemon, rootfs)),
        (EMPTY_CALL, lambda: empty_call(daemon)),
    )
    samples = {name: [] for name, _ in rows}
    for number in range(rounds):
        for name, take in rows:
            samples[name].append(take())
        print("round %d of %d: %s" % (number + 1, rounds, "  ".join("%.2f s" % samples[name][-1] for name, _ in rows)),
              flush=True)
    return samples, status["vm"]


def table(samples):
    base = statistics.median(next(iter(samples.values())))
    lines = ["| what | median | least | most | ÷ bare | − bare |", "| --- | --- | --- | --- | --- | --- |"]
    for name, times in samples.items():
        median = statistics.median(times)
        boots = "| |" if name == EMPTY_CALL else "%.2f | %+.0f ms |" % (median / base, (median - base) * 1e3)
        lines.append("| %s | %.0f ms | %.0f ms | %.0f ms | %s" %
                     (name, median * 1e3, min(times) * 1e3, max(times) * 1e3, boots))
    return "\n".join(lines)


def cpu_model():
    with open("/proc/cpuinfo") as stream:
        for line in stream:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def conditions(vm, rounds, load):
    qemu = subprocess.run(["/usr/bin/qemu-system-x86_64", "--version"], stdout=subprocess.PIPE).stdout.decode()
    return ("%s, %d rounds in turn; %d CPUs (%s), host kernel %s, load average %.1f before; %s, accelerator %s, guest "
            "kernel %s." % (datetime.date.today().isoformat(), rounds, os.cpu_count(), cpu_model(), platform.release(),
                            load, qemu.splitlines()[0], vm["accelerator"], vm["guest_kernel"]))


def run(binaries, rounds):
    """Measures, and returns the text for the page and the rows with a goal."""
    load = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="vcd-bench-", dir="/tmp"))
        image = make_image(directory)
        daemon = Daemon(binaries, directory)
        stack.callback(daemon.close)
        daemon.wait_until_it_serves()
        samples, vm = measure(daemon, os.path.join(directory, "rootfs"), image, rounds)
    medians = {name: statistics.median(times) for name, times in samples.items()}
    rows = [Row("pod-start", name.replace("`", ""), seconds * 1e3, "ms") for name, seconds in medians.items()]
    bare, _, ready = list(medians.values())[:3]
    rows.append(Row("pod-start", "pod ready ÷ a bare QEMU boot", ready / bare, "×", 1.05,
                    beside="%.0f ms beside %.0f ms, accelerator %s; or + 30 ms" % (ready * 1e3, bare * 1e3, vm["accelerator"])))
    return conditions(vm, rounds, load) + "\n\n" + table(samples), rows
