# SPDX-License-Identifier: Apache-2.0
"""What a machine's type, devices, memory and kernel cost at boot: bare boots of a pod's guest, and pods, in turn."""
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time

import pod_start
from bare_qemu import BareQemu, command_line_of, proportional_kib
from rows import Row, median

SECTION = "boot"
MEMORY_MIB = (64, 128, 256)
LEAST = "bare QEMU with a port for the agent"
POD = "all that a pod's machine has"
# By the label of a guest's rows; Debian's, which pods have when nothing is asked for, has none.
SMALL = "small kernel"
ON_PC = ", machine type `pc`"
MACHINE_TYPES = ("q35", "pc")


@dataclasses.dataclass
class Guest:
    """A kernel with its initramfs."""
    label: str
    options: list  # Of `vc run`.
    argv: list = None  # Of QEMU, as vcd boots it.
    name: str = ""  # What the kernel calls itself.

    def row(self, what):
        return "%s: %s" % (self.label, what) if self.label else what


def guests(binaries):
    """Those that are built: the small one only where `tools/setup.sh --small-kernel` has made its kernel."""
    found = [Guest("", [])]
    small = os.path.join(binaries, "guest/image/small")
    if os.path.exists(os.path.join(small, "vmlinux")):
        found.append(Guest(SMALL, ["--kernel", os.path.join(small, "vmlinux"), "--initrd",
                                   os.path.join(small, "initramfs.cpio")]))
    return found


def root_ports(argv):
    return [word for word in argv if word.startswith("pcie-root-port,")]


def devices(pod_argv):
    """What a pod's machine has beyond the least that boots, one by one, as (name, words of the command line)."""
    ports = root_ports(pod_argv)
    all_ports = [word for port in ports for word in ("-device", port)]
    sandbox = pod_argv[pod_argv.index("-sandbox") + 1]
    return [
        ("virtio-rng", ["-device", "virtio-rng-pci,id=rng0"]),
        ("virtio-scsi", ["-device", "virtio-scsi-pci,id=scsi0"]),
        ("one root port", ["-device", ports[0]]),
        ("all %d root ports" % len(ports), all_ports),
        ("QEMU's seccomp filter", ["-sandbox", sandbox]),
    ]


def variants(guest):
    """Names and machines, in the order of the table. What a device costs is not the kernel's affair: asked of one."""
    least, full = BareQemu.least(guest.argv), BareQemu.like_a_pods(guest.argv)
    named = [(LEAST, least), (LEAST + ON_PC, least.on_pc())]
    if not guest.label:
        named += [("the same without room to add memory", least.fixed_memory()),
                  ("the same with a serial console", least.with_console())]
        named += [("the same with " + name, least.plus(*words)) for name, words in devices(guest.argv)]
    named += [(POD, full), (POD + ON_PC, full.on_pc())]
    for mib in MEMORY_MIB:
        named += [("%s, %d MiB, `%s`" % (POD, mib, machine.machine_type()), machine.with_memory(mib))
                  for machine in (full, full.on_pc())]
    return [(guest.row(name), machine) for name, machine in named]


@dataclasses.dataclass(frozen=True)
class Pod:
    """What a pod's machine is asked to be."""
    guest: str
    machine_type: str
    mib: int

    def what(self):
        return "%s%s, %d MiB" % (self.guest + ", " if self.guest else "", self.machine_type, self.mib)

    def config(self):
        return {"hypervisor_config": {"machine_type": self.machine_type}, "resources": {"memory_mib": self.mib}}


def bare_of(pod):
    """The name of the least machine of that guest and type."""
    return Guest(pod.guest, []).row(LEAST if pod.machine_type == "q35" else LEAST + ON_PC)


@dataclasses.dataclass
class Start:
    """Of a pod: until it is answered; memory then."""
    seconds: float
    pss_kib: int


class Pods:
    """Starts pods that do no more than to be there."""

    def __init__(self, daemon, directory, image):
        self.daemon = daemon
        self.directory = directory
        self.image = image

    def start(self, config, guest):
        path = os.path.join(self.directory, "pod.json")
        with open(path, "w") as file:
            json.dump(config, file)
        return self.daemon.run_vc("run", "-d", "-f", path, *guest.options, "--rootfs", self.image, "--", "cat").strip()

    def look_at(self, guest):
        """Fills in what only a running pod tells."""
        pod = self.start({}, guest)
        vm = json.loads(self.daemon.run_vc("inspect", pod))["vm"]
        guest.argv, guest.name = command_line_of(int(vm["pid"])), vm["guest_kernel"]
        self.daemon.run_vc("rm", "-f", pod)
        return vm

    def measure(self, config, guest):
        """The seconds until RunPod of a container that waits for input is answered, and QEMU's memory then."""
        begin = time.monotonic()
        pod = self.start(config, guest)
        seconds = time.monotonic() - begin
        try:
            return Start(seconds, proportional_kib(int(json.loads(self.daemon.run_vc("inspect", pod))["vm"]["pid"])))
        finally:
            self.daemon.run_vc("rm", "-f", pod)


def first_try(name, take):
    """What does not work at all is said once, and is not tried in each round."""
    try:
        take()
        return True
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        print("boot: %s: %s" % (name, error), file=sys.stderr, flush=True)
        return False


def seconds_of(samples):
    return median(sample.seconds for sample in samples)


def mib_of(samples):
    return median(sample.pss_kib for sample in samples) / 1024


def boots_table(named, boots, instructions):
    lines = ["| what | instructions | beyond bare | ready, median | least | PSS of QEMU |",
             "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for name, _ in named:
        if not boots[name]:
            lines.append("| %s | does not boot | | | | |" % name)
            continue
        beyond, samples = instructions[name] - instructions[LEAST], boots[name]
        lines.append("| %s | %.0f M | %+.1f M, %+.1f %% | %.0f ms | %.0f ms | %.0f MiB |" %
                     (name, instructions[name] / 1e6, beyond / 1e6, beyond * 100 / instructions[LEAST],
                      seconds_of(samples) * 1e3, min(boot.seconds for boot in samples) * 1e3, mib_of(samples)))
    return "\n".join(lines)


def pods_table(pods, boots):
    lines = ["| a pod whose container waits for input | ready | ÷ bare | PSS of QEMU |",
             "| --- | ---: | ---: | ---: |"]
    for pod, starts in pods.items():
        if not starts:
            lines.append("| %s | does not start | | |" % pod.what())
            continue
        ready, bare = seconds_of(starts), seconds_of(boots[bare_of(pod)])
        lines.append("| %s | %.0f ms | %.2f | %.0f MiB |" % (pod.what(), ready * 1e3, ready / bare, mib_of(starts)))
    return "\n".join(lines)


def rows_of(boots, instructions, pods):
    rows = [Row(SECTION, name.replace("`", ""), seconds_of(boots[name]) * 1e3, "ms",
                beside="%.0f M instructions; PSS %.0f MiB" % (instructions[name] / 1e6, mib_of(boots[name])))
            for name in boots if boots[name]]
    for pod, starts in pods.items():
        if starts:
            rows.append(Row(SECTION, "a pod, " + pod.what(), seconds_of(starts) * 1e3, "ms",
                            beside="PSS %.0f MiB" % mib_of(starts)))
    return rows


def run(binaries, rounds):
    """Measures, and returns the text for the page and the rows."""
    load = os.getloadavg()[0]
    kernels = guests(binaries)
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="vcd-bench-", dir="/tmp"))
        image = pod_start.make_image(directory)
        daemon = pod_start.Daemon(binaries, directory)
        stack.callback(daemon.close)
        daemon.wait_until_it_serves()
        starter = Pods(daemon, directory, image)
        vm = [starter.look_at(guest) for guest in kernels][0]
        named = [variant for guest in kernels for variant in variants(guest)]
        wanted = {Pod(guest.label, machine_type, mib): guest
                  for guest in kernels for mib in MEMORY_MIB for machine_type in MACHINE_TYPES}
        boots, instructions = {name: [] for name, _ in named}, {}
        pods = {pod: [] for pod in wanted}
        works = {name: first_try(name, machine.boot) for name, machine in named}
        works.update({pod: first_try("a pod, " + pod.what(), lambda pod=pod: starter.measure(pod.config(), wanted[pod]))
                      for pod in pods})
        for name, machine in named:
            if works[name]:
                instructions[name] = machine.instructions()
        for number in range(rounds):
            for name, machine in named:
                if works[name]:
                    boots[name].append(machine.boot())
            for pod, guest in wanted.items():
                if works[pod]:
                    pods[pod].append(starter.measure(pod.config(), guest))
            print("boot: round %d of %d" % (number + 1, rounds), file=sys.stderr, flush=True)
    conditions = pod_start.conditions(vm, rounds, load)
    if len(kernels) > 1:
        conditions = "%s, small kernel %s." % (conditions.rstrip("."), kernels[1].name)
    return "\n\n".join((conditions, boots_table(named, boots, instructions), pods_table(pods, boots))), rows_of(
        boots, instructions, pods)
