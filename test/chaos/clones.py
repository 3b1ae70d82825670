#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what machines out of one template must not have in common, and looks for what many of them leave behind. Run
by tools/chaos.sh --clones."""
import argparse
import concurrent.futures
import glob
import json
import os
import random
import subprocess
import time

import experiment
import inventory
from chaos import Vcd, busybox_rootfs, wait_for

# What a clone's first process says before it does anything else, a fact a line; then it waits to be ended.
PROGRAM = r"""
echo boot id: $(cat /proc/sys/kernel/random/boot_id)
echo kernel uuid: $(cat /proc/sys/kernel/random/uuid)
echo urandom: $(head -c 16 /dev/urandom | od -An -tx1)
echo stack address: $(grep '\[stack\]' /proc/self/maps)
echo vdso address: $(grep '\[vdso\]' /proc/self/maps)
echo host name: $(cat /proc/sys/kernel/hostname)
echo machine id: $(cat /etc/machine-id 2>/dev/null)
echo hardware address: $(cat /sys/class/net/eth0/address 2>/dev/null)
echo seconds: $(date +%s)
echo that is all
exec sleep 100000
"""
APPLETS = ("cat", "date", "echo", "grep", "head", "od", "sh", "sleep")

# A second is not a whole one in the guest and on the host at once, and a call takes its time.
CLOCK_TOLERANCE_SECONDS = 2

# Descriptors that the daemon may have more of afterwards: threads and channels that were made meanwhile.
MORE_DESCRIPTORS = 8


class Clones:
    def __init__(self, arguments, root):
        self.arguments, self.root = arguments, root
        self.random = random.Random(arguments.seed)
        self.accusations = []
        rootfs = busybox_rootfs(root + "/rootfs")
        for applet in APPLETS:
            if not os.path.lexists(rootfs + "/bin/" + applet):
                os.symlink("busybox", rootfs + "/bin/" + applet)
        self.image = root + "/rootfs.erofs"
        subprocess.run(["mkfs.erofs", "--quiet", self.image, rootfs], check=True, stdout=subprocess.DEVNULL)
        self.cgroup = "/vcd-clones-%d" % os.getpid()
        configuration = root + "/vcd.toml"
        with open(configuration, "w") as stream:
            stream.write("[templates]\nwarm_machines = %d\n" % arguments.warm)
        self.vcd = Vcd(arguments, root, ["--templates", "on", "--cgroup", self.cgroup, "--config", configuration])
        self.descriptors_before = None
        self.had_waited = 0

    def accuse(self, what):
        self.accusations.append(what)
        print("WRONG: " + what, flush=True)

    def call(self, *words):
        """The output of a call that must succeed."""
        done = self.vcd.call(*words)
        if done.returncode != 0:
            raise RuntimeError("vc %s: %s" % (" ".join(words[:2]), done.stderr.decode().strip()))
        return done.stdout.decode()

    def start(self, pod):
        network = ["--network", self.arguments.network] if self.arguments.network else []
        return self.vcd.call("run", "-d", "--id", pod, *network, "--rootfs", self.image, "--", "sh", "-c", PROGRAM)

    def is_clone(self, pod):
        machine = json.loads(self.call("inspect", pod))["vm"]
        if machine["start"] == "VM_START_WARM" and self.arguments.warm:
            self.had_waited += 1
        elif machine["start"] != "VM_START_CLONE":
            self.accuse("pod %s is no clone: %s" % (pod, machine.get("start_reason")))

    def facts(self, pod):
        """What the pod's program says, and the time of the host around it."""
        before = time.time()
        started = self.start(pod)
        if started.returncode != 0:
            raise RuntimeError("pod %s does not start: %s" % (pod, started.stderr.decode().strip()))
        self.is_clone(pod)
        said = ""

        def has_said_all():
            nonlocal said
            said = self.call("logs", pod)
            return "that is all" in said

        wait_for("the program of " + pod, has_said_all)
        facts = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
        at = float(facts.pop("seconds"))
        if not before - CLOCK_TOLERANCE_SECONDS <= at <= time.time() + CLOCK_TOLERANCE_SECONDS:
            self.accuse("pod %s: its clock says %.0f, between %.0f and %.0f of the host" % (pod, at, before, time.time()))
        return facts

    def compare(self):
        """All clones live at once, and no two may say the same."""
        pods = ["same-%d" % number for number in range(self.arguments.pods)]
        with concurrent.futures.ThreadPoolExecutor(self.arguments.at_once) as pool:
            said = dict(zip(pods, pool.map(self.facts, pods)))
        for what in sorted({what for facts in said.values() for what in facts}):
            values = {}
            for pod, facts in said.items():
                values.setdefault(facts.get(what, ""), []).append(pod)
            for value, having in values.items():
                if len(having) > 1:
                    self.accuse("%d clones have the same %s, %r: %s …" % (len(having), what, value, having[:3]))
            print("  %-17s %d different ones of %d clones, such as %s" % (what, len(values), len(said), max(values)),
                  flush=True)
        # A fact that there was none of was not compared.
        for what in ("machine id", "hardware address"):
            if not any(what in facts for facts in said.values()):
                print("  %-17s the pods have none" % what)
        self.call("rm", "-f", *pods)

    def in_a_row(self):
        begin = time.monotonic()
        for number in range(2 * self.arguments.pods):
            pod = "row-%d" % number
            started = self.start(pod)
            if started.returncode != 0:
                self.accuse("pod %s does not start: %s" % (pod, started.stderr.decode().strip()))
            else:
                self.is_clone(pod)
            self.call("rm", "-f", pod)
        return time.monotonic() - begin

    def under_fire(self):
        """Batches of clones that are started and deleted at once, while vcd is killed; what they come to, counted."""
        counts = {"started": 0, "cut off": 0}

        def come_and_go(pod):
            counts["started" if self.start(pod).returncode == 0 else "cut off"] += 1
            self.vcd.call("rm", "-f", pod)

        took = None
        with concurrent.futures.ThreadPoolExecutor(self.arguments.at_once) as pool:
            for first in range(0, 2 * self.arguments.pods, self.arguments.at_once):
                begin = time.monotonic()
                batch = [pool.submit(come_and_go, "fire-%d" % number)
                         for number in range(first, min(first + self.arguments.at_once, 2 * self.arguments.pods))]
                # The first tells how long one takes that is left alone.
                if took is not None:
                    time.sleep(self.random.uniform(0, 1.5 * took))
                    self.vcd.kill()
                    self.vcd.start()
                for one in batch:
                    one.result()
                took = took or time.monotonic() - begin
        for pod in self.vcd.pods():
            self.call("rm", "-f", pod["id"])
        return counts

    def look_for_leftovers(self, when):
        """Without pods and templates there is to be nothing. Afterwards there is a template again."""
        self.call("template", "rm", "--all")
        # What waited ends in the background, and what a plugin did not give back is tried again.
        wait_for("machines that waited", lambda: not inventory.names(self.vcd.run_dir + "/warm"))
        wait_for("networks to be given back", lambda: not inventory.names(self.vcd.run_dir + "/cni"))
        for accusation in inventory.leftovers(self.vcd, self.vcd.pods()):
            self.accuse("left over %s: %s" % (when, accusation))
        blocks = inventory.names(self.vcd.run_dir + "/uids")
        if blocks:
            self.accuse("left over %s: user ids %s" % (when, sorted(blocks)))
        for hierarchy in ("/sys/fs/cgroup", "/sys/fs/cgroup/*"):
            groups = glob.glob("%s%s/pod-*" % (hierarchy, self.cgroup))
            if groups:
                self.accuse("left over %s: control groups %s" % (when, groups))
        self.call("template", "prepare")

    def look_at_descriptors(self):
        """Of a vcd that was not killed meanwhile; while no machine is being made."""
        have = len(os.listdir("/proc/%d/fd" % self.vcd.process.pid))
        if self.descriptors_before is None:
            self.descriptors_before = have
            return
        print("descriptors of vcd: %d before, %d after" % (self.descriptors_before, have), flush=True)
        if have > self.descriptors_before + MORE_DESCRIPTORS:
            self.accuse("vcd has %d descriptors and had %d" % (have, self.descriptors_before))

    def run(self):
        self.call("template", "prepare")
        # The first clone has threads and channels made that stay.
        self.facts("first")
        self.call("rm", "-f", "first")
        self.look_for_leftovers("after the first")
        self.look_at_descriptors()
        print("%d clones at once:" % self.arguments.pods, flush=True)
        self.compare()
        self.look_for_leftovers("after the comparison")
        took = self.in_a_row()
        print("%d clones in a row: %.1f s" % (2 * self.arguments.pods, took), flush=True)
        self.look_for_leftovers("after those in a row")
        self.look_at_descriptors()
        counts = self.under_fire()
        print("%d at a time: %d started, %d cut off; %d kills of vcd" %
              (self.arguments.at_once, counts["started"], counts["cut off"], self.vcd.kills), flush=True)
        self.look_for_leftovers("after the kills")
        self.facts("last")
        self.call("rm", "-f", "last")
        if self.arguments.warm:
            print("machines that had waited: %d" % self.had_waited)

    def close(self):
        # Only after something went wrong: machines outlive their daemon.
        if self.vcd.process.poll() is None:
            pods = self.vcd.call("ps", "-a", "-q").stdout.decode().split()
            if pods:
                self.vcd.call("rm", "-f", *pods)
        self.vcd.stop()
        for hierarchy in ("/sys/fs/cgroup", "/sys/fs/cgroup/*"):
            for group in glob.glob(hierarchy + self.cgroup):
                try:
                    os.rmdir(group)
                except OSError as error:
                    self.accuse("left over in the end: %s" % error)
        print("seed %s: %d wrong" % (self.arguments.seed, len(self.accusations)))


def main():
    parser = argparse.ArgumentParser(prog="tools/chaos.sh --clones", description=__doc__)
    parser.add_argument("--pods", type=int, default=50, help="that are compared; twice as many come and go")
    parser.add_argument("--at-once", type=int, default=8, help="started at a time")
    parser.add_argument("--warm", type=int, default=0, help="machines that wait for pods; theirs count as clones")
    parser.add_argument("--network", default="", help="of the pods; without one no hardware addresses are compared")
    arguments = experiment.options(parser, "of when vcd is killed")
    arguments.mock = False
    experiment.conduct(Clones, arguments, parent="/var/tmp")


if __name__ == "__main__":
    main()
