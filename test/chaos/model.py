# SPDX-License-Identifier: Apache-2.0
"""What a client may find of a pod that is its own, after each call that it made, whatever was killed meanwhile."""

ABSENT = "absent"
WITH_MACHINE = {"ready", "running", "paused"}

# Operation → the states that it is taken in, and what the pod is afterwards ("" for: as before).
OPERATIONS = {
    "create": ({ABSENT}, "ready"),
    "run": ({ABSENT}, "running"),
    "start": ({"ready", "stopped"}, "running"),
    "pause": ({"running"}, "paused"),
    "resume": ({"paused"}, "running"),
    "stop": ({"ready", "running", "paused", "stopped", "failed"}, "stopped"),
    "stop-force": ({"ready", "running", "paused", "stopped", "failed", ABSENT}, "stopped"),
    "rm": ({"ready", "stopped", "failed"}, ABSENT),
    "rm-force": ({"ready", "running", "paused", "stopped", "failed", ABSENT}, ABSENT),
    "exec": ({"running"}, ""),
    "annotate": ({"ready", "running", "paused", "stopped", "failed"}, ""),
    "container-cycle": ({"running"}, ""),
    "container-force": ({"ready", "running", "paused", "stopped", ABSENT}, ""),
}


class Pod:
    """The states that a pod may be in now."""

    def __init__(self, pod_id, machines_die):
        self.id = pod_id
        self.machines_die = machines_die
        self.possible = {ABSENT}

    def called(self, operation, succeeded):
        """Notes a call. One that failed may have happened all the same: its answer was lost, or it was finished by the
        next daemon. One that succeeded was taken in one of the states that were possible."""
        taken_in, after = OPERATIONS[operation]
        done = {after} if after else self.possible & taken_in
        # With force vc does not complain when there is nothing to stop.
        if operation == "stop-force" and ABSENT in self.possible:
            done = {ABSENT} if self.possible == {ABSENT} else {after, ABSENT}
        if succeeded and not self.possible & taken_in and not self.machines_die:
            return "%s of %s succeeded, which can only be %s" % (operation, self.id, " or ".join(sorted(self.possible)))
        self.possible = done or self.possible if succeeded else self.possible | (done if self.possible & taken_in else set())
        # A start of which the answer was lost may have been undone.
        if not succeeded and operation == "start" and "ready" in self.possible:
            self.possible = self.possible | {"stopped"}
        return None

    def seen(self, state):
        """Compares what the daemon says with what may be; an accusation, or nothing."""
        possible = set(self.possible)
        if self.machines_die and possible & WITH_MACHINE:
            # The start of a pod whose machine was killed is undone, and its creation too.
            possible |= {"failed", "stopped"}
        self.possible = {state}
        if state in possible:
            return None
        return "%s is %s, and may be %s" % (self.id, state, " or ".join(sorted(possible)))
