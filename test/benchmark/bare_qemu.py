# SPDX-License-Identifier: Apache-2.0
"""QEMU by itself, with the guest and the command line of a pod: what the boots of pods stand beside."""
import contextlib
import dataclasses
import json
import os
import re
import socket
import subprocess
import tempfile
import time

import servers

TIMEOUT_SECONDS = 120


def command_line_of(pid):
    """As it was given, but with the names of the files that the process has inherited."""
    with open("/proc/%d/cmdline" % pid, "rb") as stream:
        words = [word.decode() for word in stream.read().split(b"\0")[:-1]]
    return [os.readlink(word.replace("self", str(pid), 1)) if word.startswith("/proc/self/fd/") else word for word in words]


def options_of(argv, names):
    """The named options of a QEMU command line with their values, in order."""
    found = []
    for position, word in enumerate(argv):
        if word in names:
            found += [word, argv[position + 1]]
    return found


def proportional_kib(pid):
    """Resident memory, of which pages that several processes share are counted by their share."""
    with open("/proc/%d/smaps_rollup" % pid) as stream:
        return int(re.search(r"^Pss:\s+(\d+) kB", stream.read(), re.M).group(1))


@dataclasses.dataclass
class Boot:
    """From QEMU's exec until the agent has opened its port; memory at that moment."""
    seconds: float
    cpu_seconds: float
    pss_kib: int


class Qmp:
    """QEMU's monitor, as much of it as is needed here."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT_SECONDS)
        self.socket.connect(path)
        self.messages = (json.loads(line) for line in self.socket.makefile("rb"))
        self.ask("qmp_capabilities")

    def ask(self, command):
        self.socket.sendall(json.dumps({"execute": command}).encode() + b"\n")
        for message in self.messages:
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise RuntimeError("QEMU: %s: %s" % (command, message["error"]["desc"]))
        raise RuntimeError("QEMU: %s: it has ended" % command)

    def wait_for_port(self):
        """False when QEMU ends before."""
        return any(message.get("event") == "VSERPORT_CHANGE" and message["data"]["open"] for message in self.messages)

    def close(self):
        self.socket.close()


class BareQemu:
    SOCKETS = ("ctl", "mon", "agent")

    def __init__(self, argv):
        self.argv = argv

    @classmethod
    def least(cls, pod_argv):
        """The least command line that boots a pod's guest: without what the boot can do without."""
        argv = [pod_argv[0], "-display", "none"]
        argv += [word for word in pod_argv if word in ("-nodefaults", "-no-user-config", "-no-reboot")]
        argv += options_of(pod_argv, ("-machine", "-accel", "-cpu", "-object", "-m", "-smp", "-bios", "-kernel", "-initrd",
                                      "-append"))
        argv += ["-serial", "none", "-chardev", "socket,id=ctl,fd=0,server=on,wait=off", "-mon",
                 "chardev=ctl,mode=control", "-chardev", "socket,id=agent,fd=0,server=on,wait=off", "-device",
                 "virtio-serial-pci,id=serial0", "-device",
                 "virtserialport,bus=serial0.0,chardev=agent,id=agent0,name=vcd.agent"]
        return cls(argv)

    @classmethod
    def like_a_pods(cls, pod_argv):
        """All that vcd gives its machines, but that it runs at once."""
        argv = [re.sub(r"^socket,id=console,.*", "null,id=console", word) for word in pod_argv]
        return cls([word for word in argv if word != "-S"])

    def plus(self, *words):
        return BareQemu(self.argv + list(words))

    def with_console(self):
        argv = list(self.argv)
        argv[argv.index("-serial") + 1] = "chardev:console"
        return BareQemu(argv + ["-chardev", "null,id=console"])

    def on_pc(self):
        """The same on the older machine type, which has no root ports: its devices are on the first bus."""
        argv = []
        for word in self.argv:
            if word.startswith("pcie-root-port,"):
                argv.pop()
            else:
                argv.append(re.sub(r"^q35,", "pc,", word))
        return BareQemu(argv)

    def machine_type(self):
        return self.argv[self.argv.index("-machine") + 1].split(",")[0]

    def fixed_memory(self):
        """The same without room to add memory."""
        return BareQemu([re.sub(r"^(\d+M),slots=.*", r"\g<1>", word) for word in self.argv])

    def with_memory(self, mib):
        """The same with other memory at boot; what can be added later is left as it is."""
        argv = [re.sub(r"^(memory-backend-.*\bsize=)\d+\w?", r"\g<1>%d" % (mib << 20), word) for word in self.argv]
        position = argv.index("-m") + 1
        argv[position] = re.sub(r"^\d+M", "%dM" % mib, argv[position])
        return BareQemu(argv)

    def boot(self):
        """Boots it, until QMP says that the agent has opened its port, and ends it."""

        def opened(process, qmp, seconds):
            return Boot(seconds, servers.cpu_seconds(process.pid), proportional_kib(process.pid))

        return self.until_open([], opened)

    def instructions(self):
        """How many instructions the guest executes until then: nearly the same number every time, whatever else the
        machine does. Counted by QEMU, which emulates the guest more slowly for it."""

        def opened(process, qmp, seconds):
            return qmp.ask("query-replay")["icount"]

        with tempfile.TemporaryDirectory(prefix="vcd-bare-", dir="/tmp") as directory:
            # With a record of what comes from outside; without one QEMU does not tell its count.
            record = os.path.join(directory, "record")
            emulated = {"-accel": "tcg", "-cpu": "max,-erms"}
            counting = BareQemu([emulated.get(before, word) for before, word in zip([""] + self.argv, self.argv)])
            return counting.until_open(["-icount", "shift=0,rr=record,rrfile=" + record], opened)

    def until_open(self, more, opened):
        with contextlib.ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="vcd-bare-", dir="/tmp"))
            argv, listeners = self.argv + more, []
            for name in self.SOCKETS:
                # Listening before QEMU starts, so that connecting never has to be tried twice.
                listener = stack.enter_context(socket.socket(socket.AF_UNIX))
                listener.bind(os.path.join(directory, name))
                listener.listen(1)
                listeners.append(listener.fileno())
                argv = [re.sub(r"^(socket,id=%s,fd=)[0-9]+" % name, r"\g<1>%d" % listener.fileno(), word) for word in argv]
            begin = time.monotonic()
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=listeners)
            try:
                qmp = stack.enter_context(contextlib.closing(Qmp(os.path.join(directory, "ctl"))))
                if not qmp.wait_for_port():
                    raise RuntimeError("QEMU ended before the agent opened its port: " + " ".join(argv))
                return opened(process, qmp, time.monotonic() - begin)
            finally:
                process.kill()
                process.wait()

    def measure(self):
        return self.boot().seconds
