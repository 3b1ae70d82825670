#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills vcd, and the machines of its pods, under the load of several clients, and compares. Run by tools/chaos.sh."""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import experiment
import inventory
from model import ABSENT, OPERATIONS, Pod

# How long something that takes milliseconds may take before it counts as a hang.
HANG_SECONDS = 300


def wait_for(what, condition):
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("hangs: " + what)
        time.sleep(0.01)


class Vcd:
    """The daemon: started, killed and started again over one state. Everything that it makes is under `root`."""

    def __init__(self, arguments, root, options=("--templates", "off")):
        self.root, self.mock = root, arguments.mock
        self.bin = os.path.abspath(arguments.bin)
        self.state_dir, self.run_dir = root + "/state", root + "/run"
        self.address = "unix://" + root + "/sock"
        self.log = open(root + "/vcd.log", "ab")
        self.argv = [self.bin + "/daemon/vcd", "--listen", self.address, "--state-dir", self.state_dir, "--run-dir", self.run_dir,
                     "--log-level", "info", *options]
        if self.mock:
            self.argv += ["--hypervisor", "mock", "--agent", "mock", "--network", "mock", "--accelerator", "tcg"]
        else:
            self.argv += ["--kernel", arguments.kernel] if arguments.kernel else []
            self.argv += ["--initrd", arguments.initrd] if arguments.initrd else []
        self.process = None
        self.kills = 0
        self.start()

    def start(self):
        # A group of its own, so that an interrupt of ours reaches only us.
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True)
        process = self.process

        def serves():
            if process.poll() is not None:
                raise RuntimeError("vcd ended with status %s when it was started again" % process.returncode)
            return self.call("version").returncode == 0

        wait_for("vcd does not serve", serves)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(HANG_SECONDS)

    def call(self, *words):
        """Runs vc; its own timeout is below ours, so that a hang is seen as one."""
        return subprocess.run([self.bin + "/client/vc", "--address", self.address, "--timeout", "%ds" % (HANG_SECONDS // 2)] +
                              list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=HANG_SECONDS, check=False)

    def pods(self):
        listed = self.call("ps", "-a", "-o", "json")
        if listed.returncode != 0:
            raise RuntimeError("vc ps: " + listed.stderr.decode())
        pods = json.loads(listed.stdout)["pods"]
        for pod in pods:
            pod["state"] = pod["state"].replace("POD_STATE_", "").lower()
        return pods


class Client(threading.Thread):
    """Does what it likes to pods of its own, and judges what it sees of them. Its choices follow from the seed."""

    def __init__(self, chaos, number):
        super().__init__(daemon=True)
        self.chaos, self.random = chaos, random.Random("%s/%d" % (chaos.arguments.seed, number))
        self.pods = [Pod("pod-%d-%d" % (number, i), not chaos.arguments.mock) for i in range(chaos.arguments.pods)]
        self.done = {}
        self.failed = {}

    def run(self):
        try:
            while not self.chaos.ending.is_set():
                self.act(self.random.choice(self.pods))
        except Exception as error:  # Whatever it is, it is to be told, and not lost with the thread.
            self.chaos.accuse("client: %r" % error)

    def act(self, pod):
        # Mostly one that the pod takes; what it must refuse is asked, too.
        taken = [name for name, (states, _) in OPERATIONS.items() if states & pod.possible]
        operation = self.random.choice(taken if self.random.random() < 0.75 else list(OPERATIONS))
        succeeded = self.perform(operation, pod.id)
        count = self.done if succeeded else self.failed
        count[operation] = count.get(operation, 0) + 1
        self.chaos.accuse(pod.called(operation, succeeded))
        self.chaos.accuse(pod.seen(self.settled_state(pod.id)))

    def perform(self, operation, pod_id):
        rootfs = self.chaos.rootfs
        call = lambda *words: self.chaos.vcd.call(*words).returncode == 0
        shell = ["sleep", "1000"]
        simple = {"start": ["start"], "pause": ["pause"], "resume": ["resume"], "stop": ["stop", "-t", "1"],
                  "stop-force": ["stop", "-f"], "rm": ["rm"], "rm-force": ["rm", "-f"]}
        if operation in simple:
            return call(*simple[operation], pod_id)
        if operation in ("create", "run"):
            verb = ["create"] if operation == "create" else ["run", "-d"]
            return call(*verb, "--id", pod_id, "--rootfs", rootfs, "--", *shell)
        if operation == "exec":
            return call("exec", pod_id, "--", "true")
        if operation == "annotate":
            return call("annotate", pod_id, "org.example/n=%d" % self.random.randrange(1000))
        if operation == "container-force":
            return call("container", "stop", "-f", pod_id, "main")
        side = "side-%d" % self.random.randrange(2)
        call("container", "rm", "-f", pod_id, side)
        return (call("container", "create", "--id", side, "--rootfs", rootfs, pod_id, "--", *shell) and
                call("container", "start", pod_id, side) and call("container", "rm", "-f", pod_id, side))

    def settled_state(self, pod_id):
        """The pod's state once the daemon of the moment has reconciled it: reads alone never wait for that."""
        state = None

        def settle():
            nonlocal state
            # Waits for the pod's lock. What is refused was refused by a daemon that knows the pod.
            if self.chaos.vcd.call("annotate", pod_id, "org.example/seen=1").returncode != 0 and not self.absent(pod_id):
                return False
            shown = self.chaos.vcd.call("inspect", "-o", "json", pod_id)
            if shown.returncode == 0:
                state = json.loads(shown.stdout)["state"].replace("POD_STATE_", "").lower()
            elif b"there is none" in shown.stderr:
                state = ABSENT
            return state not in (None, "creating", "stopping")

        wait_for("the state of " + pod_id, settle)
        return state

    def absent(self, pod_id):
        return b"there is none" in self.chaos.vcd.call("inspect", pod_id).stderr


def busybox_rootfs(path):
    for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp"):
        os.makedirs(os.path.join(path, name))
    shutil.copy("/bin/busybox", path + "/bin/busybox")
    for applet in ("sh", "sleep", "true"):
        os.symlink("busybox", path + "/bin/" + applet)
    with open(path + "/etc/passwd", "w") as stream:
        stream.write("root:x:0:0:root:/root:/bin/sh\n")
    return path


class Chaos:
    def __init__(self, arguments, root):
        self.arguments, self.root = arguments, root
        # Nobody looks at that of a mock pod.
        self.rootfs = root if arguments.mock else busybox_rootfs(root + "/rootfs")
        self.random = random.Random(arguments.seed)
        self.ending = threading.Event()
        self.mutex = threading.Lock()
        self.accusations = []
        self.machines_killed = 0
        self.vcd = Vcd(arguments, root)

    def accuse(self, accusation):
        if not accusation:
            return
        with self.mutex:
            self.accusations.append(accusation)
        print("WRONG: " + accusation, flush=True)

    def kill_machine(self):
        """One QEMU of ours: the run directory is on its command line, and is like no other's."""
        mine = [pid for pid, program in inventory.processes(self.vcd.run_dir + "/pods/").items()
                if inventory.is_machine(program)]
        if not mine:
            return
        self.machines_killed += self.end(self.random.choice(sorted(mine)))

    def end(self, pid):
        """Kills a process of our run directory, and no later one that has its pid; whether there was one."""
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        try:
            if pid not in inventory.processes(self.vcd.run_dir + "/pods/"):
                return False
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            return True
        except ProcessLookupError:
            return False
        finally:
            os.close(pidfd)

    def run(self):
        clients = [Client(self, number) for number in range(self.arguments.clients)]
        for client in clients:
            client.start()
        end = time.monotonic() + self.arguments.seconds
        while time.monotonic() < end and not self.accusations:
            time.sleep(min(self.random.uniform(0.05, self.arguments.interval), max(0, end - time.monotonic())))
            if not self.arguments.mock and self.random.random() < 0.5:
                self.kill_machine()
            else:
                self.vcd.kill()
                self.vcd.start()
        self.ending.set()
        for client in clients:
            client.join(HANG_SECONDS)
            if client.is_alive():
                self.accuse("a client hangs")
        self.judge(clients)
        self.report(clients)

    def judge(self, clients):
        # One daemon more, at rest: what it found at its start is reconciled when each pod has answered.
        self.vcd.kill()
        self.vcd.start()
        for client in clients:
            for pod in client.pods:
                self.accuse(pod.seen(client.settled_state(pod.id)))
        pods = self.vcd.pods()
        for accusation in inventory.leftovers(self.vcd, pods):
            self.accuse("left over: " + accusation)
        for pod in pods:
            deleted = self.vcd.call("rm", "-f", pod["id"])
            if deleted.returncode != 0:
                self.accuse("cannot be deleted: " + deleted.stderr.decode().strip())
        for accusation in inventory.leftovers(self.vcd, self.vcd.pods()):
            self.accuse("left over after all was deleted: " + accusation)

    def report(self, clients):
        total = lambda counts: sum(sum(count.values()) for count in counts)
        done, failed = [client.done for client in clients], [client.failed for client in clients]
        print("seed %s: %d kills of vcd, %d of machines; %d calls succeeded, %d did not; %d wrong" %
              (self.arguments.seed, self.vcd.kills, self.machines_killed, total(done), total(failed),
               len(self.accusations)))
        for operation in OPERATIONS:
            print("  %-16s %6d done %6d refused or cut off" %
                  (operation, sum(count.get(operation, 0) for count in done),
                   sum(count.get(operation, 0) for count in failed)))

    def close(self):
        self.vcd.stop()
        # Only after something went wrong: machines outlive their daemon.
        for pid in inventory.processes(self.vcd.run_dir + "/pods/"):
            self.end(pid)


def main():
    parser = argparse.ArgumentParser(prog="tools/chaos.sh", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long to go on killing")
    parser.add_argument("--mock", action="store_true", help="mock pods: no QEMU, no root")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--pods", type=int, default=2, help="of each client")
    parser.add_argument("--interval", type=float, default=1.5, help="longest time between two kills, seconds")
    experiment.conduct(Chaos, experiment.options(parser, "of the choices; not of the scheduling"))


if __name__ == "__main__":
    main()
