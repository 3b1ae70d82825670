# SPDX-License-Identifier: Apache-2.0
"""What a host holds of pods, beside what the daemon says of them."""
import os
import re

from model import WITH_MACHINE


def processes(marker):
    """Pids whose command line holds the marker, by the name of their program."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/cmdline" % name, "rb") as stream:
                words = stream.read().split(b"\0")
            with open("/proc/%s/stat" % name) as stream:
                state = stream.read().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if state != "Z" and any(marker.encode() in word for word in words):
            found[int(name)] = os.path.basename(words[0].decode(errors="replace"))
    return found


def is_machine(program):
    return program.startswith("qemu")


def names(directory):
    return set(os.listdir(directory)) if os.path.isdir(directory) else set()


def leftovers(vcd, pods):
    """Accusations: what is there and no pod accounts for, or the other way round. The daemon is at rest."""
    wrong = []
    ids = {pod["id"] for pod in pods}
    with_machine = {pod["id"] for pod in pods if pod["state"] in WITH_MACHINE}
    for what, directory in (("state directories", vcd.state_dir), ("run directories", vcd.run_dir)):
        there = names(os.path.join(directory, "pods"))
        if there != ids:
            wrong.append("%s: %s, pods: %s" % (what, sorted(there), sorted(ids)))
    for directory in (vcd.state_dir, vcd.run_dir):
        for path, _, files in os.walk(directory):
            wrong += ["file %s" % os.path.join(path, name) for name in files if name.endswith(".tmp")]
    quarantined = names(os.path.join(vcd.state_dir, "quarantine"))
    if quarantined:
        wrong.append("in quarantine: %s" % sorted(quarantined))
    for pod in pods:
        # "main.log", and "main.log.7" once it is full.
        logs = {re.sub(r"\.\d+$", "", name) for name in names(os.path.join(vcd.state_dir, "pods", pod["id"], "logs"))}
        strange = logs - {container["id"] + ".log" for container in pod.get("containers", [])}
        if strange:
            wrong.append("logs of %s: %s" % (pod["id"], sorted(strange)))
        if pod["id"] not in with_machine:
            sockets = names(os.path.join(vcd.run_dir, "pods", pod["id"])) & {"ctl", "mon", "agent"}
            if sockets:
                wrong.append("sockets of %s, which is %s: %s" % (pod["id"], pod["state"], sorted(sockets)))
    with open("/proc/self/mountinfo") as stream:
        wrong += ["mount %s" % line.split()[4] for line in stream if vcd.root in line]
    return wrong + (machines(vcd, pods, with_machine) if not vcd.mock else [])


def machines(vcd, pods, with_machine):
    wrong = []
    # That a pod has may have waited for it, and stays where it was then.
    running = {**processes(vcd.run_dir + "/pods/"), **processes(vcd.run_dir + "/warm/")}
    expected = {pod["vm"]["pid"] for pod in pods if pod["id"] in with_machine}
    there = {pid for pid, program in running.items() if is_machine(program)}
    if there != expected:
        wrong.append("machines: pids %s, the pods' are %s" % (sorted(there), sorted(expected)))
    others = {pid: program for pid, program in running.items() if not is_machine(program)}
    if others and not expected:
        wrong.append("helpers without a machine: %s" % others)
    return wrong
