# SPDX-License-Identifier: Apache-2.0
"""What one pod that hangs costs the others."""
import contextlib
import json
import os
import shutil
import subprocess

import servers
from mock_pods import CLIENTS, closing, say
from rows import Row, median

PODS = 1000
WAITING = 16


class StoppedMachine:
    """A pod of real QEMU among the mock ones, whose VMM is stopped. Another way to hang is another class with the same
    two methods: `hang`, a context in which the pod hangs, and `calls`, command lines that then wait for it."""

    def __init__(self, bench, vcd):
        self.bench, self.vcd = bench, vcd
        rootfs = os.path.join(bench.directory, "rootfs")
        os.makedirs(os.path.join(rootfs, "bin"))
        for name in ("dev", "proc", "sys", "tmp"):
            os.makedirs(os.path.join(rootfs, name))
        shutil.copy("/bin/busybox", os.path.join(rootfs, "bin/busybox"))
        image = rootfs + ".erofs"
        subprocess.run(["mkfs.erofs", "--quiet", image, rootfs], check=True, stdout=subprocess.DEVNULL)
        self.vc("run", "-d", "--id", "hung", "--hypervisor", "qemu", "--agent", "native", "--rootfs", image, "--",
                "/bin/busybox", "cat")
        self.pid = int(json.loads(self.vc("inspect", "hung"))["vm"]["pid"])

    @staticmethod
    def arguments(binaries):
        return ["--kernel", os.path.join(binaries, "guest/image/vmlinux"), "--initrd",
                os.path.join(binaries, "guest/image/initramfs.cpio")]

    def argv(self, *words):
        return [os.path.join(self.bench.binaries, "client/vc"), "--address", "unix://" + self.vcd.socket] + list(words)

    def vc(self, *words):
        return subprocess.run(self.argv(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                              timeout=120).stdout.decode()

    def hang(self):
        return servers.stopped(self.pid)

    def calls(self):
        return [self.argv("exec", "hung", "--", "/bin/busybox", "true")] * WAITING

    def close(self):
        self.vc("rm", "-f", "hung")


@contextlib.contextmanager
def waiting_calls(argvs):
    """Calls that hang with the pod while the others are measured."""
    processes = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                 for argv in argvs]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def isolation(bench, rounds):
    if not os.path.exists("/usr/bin/qemu-system-x86_64"):
        return [Row("isolation", "p99 of the others, one pod of %d hangs" % PODS, note="needs QEMU")]
    measured = {"well": [], "hung": []}
    with contextlib.ExitStack() as stack:
        vcd = stack.enter_context(closing(servers.MockVcd(bench, "isolation",
                                                          arguments=StoppedMachine.arguments(bench.binaries))))
        bench.load("run", vcd=vcd, count=PODS - 1, clients=CLIENTS)
        pod = stack.enter_context(contextlib.closing(StoppedMachine(bench, vcd)))

        def others():
            return bench.load("neighbours", vcd=vcd, count=PODS - 1, clients=4)

        others()
        for number in range(rounds):
            # In turn, and the other way round every second time.
            for state in ("well", "hung") if number % 2 == 0 else ("hung", "well"):
                if state == "well":
                    measured["well"].append(others())
                    continue
                with pod.hang(), waiting_calls(pod.calls()):
                    measured["hung"].append(others())
            say("isolation: round %d" % (number + 1))

    def of(state, kind, percentile):
        return median(sample[kind][percentile] for sample in measured[state])

    rows = []
    for kind, what in (("read", "GetPod"), ("change", "UpdatePodAnnotations")):
        rows.append(Row("isolation", "%s of the others, p99, one pod of %d hung ÷ none" % (what, PODS),
                        of("hung", kind, "p99_us") / of("well", kind, "p99_us"), "×", 1.1,
                        beside="%.0f µs beside %.0f µs; p50 %.0f beside %.0f µs" %
                        (of("hung", kind, "p99_us"), of("well", kind, "p99_us"), of("hung", kind, "p50_us"),
                         of("well", kind, "p50_us")),
                        note="QEMU stopped by SIGSTOP, %d calls waiting for it" % WAITING))
    return rows
