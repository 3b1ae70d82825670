# SPDX-License-Identifier: Apache-2.0
"""What a machine's type, devices and memory cost at boot: bare boots of a pod's guest, and pods, in turn."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile

import pod_start
from bare_qemu import BareQemu, command_line_of, proportional_kib
from rows import Row, median

SECTION = "boot"
MEMORY_MIB = (64, 128, 256)
LEAST = "bare QEMU with a port for the agent"
POD = "all that a pod's machine has"


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


def variants(pod_argv):
    """Names and machines, in the order of the table."""
    least, full = BareQemu.least(pod_argv), BareQemu.like_a_pods(pod_argv)
    named = [(LEAST, least), ("the same without room to add memory", least.fixed_memory()),
             ("the same with a serial console", least.with_console())]
    named += [("the same with " + name, least.plus(*words)) for name, words in devices(pod_argv)]
    named += [(POD, full), (POD + ", machine type `pc`", full.on_pc())]
    for mib in MEMORY_MIB:
        named += [("%s, %d MiB, `%s`" % (POD, mib, machine.machine_type()), machine.with_memory(mib))
                  for machine in (full, full.on_pc())]
    return named


def pod_memory_kib(daemon, image, mib):
    """QEMU's memory when RunPod of a container that waits for input has been answered."""
    pod = daemon.run_vc("run", "-d", "--memory", str(mib), "--rootfs", image, "--", "cat").strip()
    try:
        return proportional_kib(int(json.loads(daemon.run_vc("inspect", pod))["vm"]["pid"]))
    finally:
        daemon.run_vc("rm", "-f", pod)


def first_try(name, take):
    """What does not work at all is said once, and is not tried in each round."""
    try:
        take()
        return True
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        print("boot: %s: %s" % (name, error), file=sys.stderr, flush=True)
        return False


def boots_table(named, boots, instructions):
    lines = ["| what | instructions | beyond bare | ready, median | least | PSS of QEMU |",
             "| --- | ---: | ---: | ---: | ---: | ---: |"]
    for name, _ in named:
        if not boots[name]:
            lines.append("| %s | does not boot | | | | |" % name)
            continue
        seconds = [boot.seconds for boot in boots[name]]
        beyond = instructions[name] - instructions[LEAST]
        lines.append("| %s | %.0f M | %+.1f M, %+.1f %% | %.0f ms | %.0f ms | %.0f MiB |" %
                     (name, instructions[name] / 1e6, beyond / 1e6, beyond * 100 / instructions[LEAST], median(seconds) * 1e3,
                      min(seconds) * 1e3, median(boot.pss_kib for boot in boots[name]) / 1024))
    return "\n".join(lines)


def pods_table(pods):
    lines = ["| a pod whose container waits for input, guest memory | PSS of QEMU |", "| --- | ---: |"]
    for mib, samples in pods.items():
        lines.append("| %d MiB | %s |" % (mib, "%.0f MiB" % (median(samples) / 1024) if samples else "does not start"))
    return "\n".join(lines)


def run(binaries, rounds):
    """Measures, and returns the text for the page and the rows."""
    load = os.getloadavg()[0]
    with contextlib.ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="vcd-bench-", dir="/tmp"))
        image = pod_start.make_image(directory)
        daemon = pod_start.Daemon(binaries, directory)
        stack.callback(daemon.close)
        daemon.wait_until_it_serves()
        pod = daemon.run_vc("run", "-d", "--rootfs", image, "--", "cat").strip()
        vm = json.loads(daemon.run_vc("inspect", pod))["vm"]
        named = variants(command_line_of(int(vm["pid"])))
        daemon.run_vc("rm", "-f", pod)
        boots, instructions = {name: [] for name, _ in named}, {}
        pods = {mib: [] for mib in MEMORY_MIB}
        works = {name: first_try(name, machine.boot) for name, machine in named}
        works.update({mib: first_try("a pod of %d MiB" % mib, lambda mib=mib: pod_memory_kib(daemon, image, mib))
                      for mib in MEMORY_MIB})
        for name, machine in named:
            if works[name]:
                instructions[name] = machine.instructions()
        for number in range(rounds):
            for name, machine in named:
                if works[name]:
                    boots[name].append(machine.boot())
            for mib in MEMORY_MIB:
                if works[mib]:
                    pods[mib].append(pod_memory_kib(daemon, image, mib))
            print("boot: round %d of %d" % (number + 1, rounds), file=sys.stderr, flush=True)
    rows = [Row(SECTION, name.replace("`", ""), median(boot.seconds for boot in boots[name]) * 1e3, "ms",
                beside="%.0f M instructions; PSS %.0f MiB" %
                (instructions[name] / 1e6, median(boot.pss_kib for boot in boots[name]) / 1024)) for name in boots if boots[name]]
    rows += [Row(SECTION, "PSS of QEMU, a pod of %d MiB" % mib, median(pods[mib]) / 1024, "MiB") for mib in pods if pods[mib]]
    text = "\n\n".join((pod_start.conditions(vm, rounds, load), boots_table(named, boots, instructions), pods_table(pods)))
    return text, rows
