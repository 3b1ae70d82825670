# SPDX-License-Identifier: Apache-2.0
"""The servers that are measured: a vcd with mock machines, a server of empty calls, a containerd. Each is our own, in a
directory of our own, and ended by its process id."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

START_SECONDS = 30
LOAD_SECONDS = 900


def wait_for(condition, what, process=None):
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if process is not None and process.poll() is not None:
            raise RuntimeError("%s: it ended with status %s" % (what, process.returncode))
        if time.monotonic() > deadline:
            raise RuntimeError("%s: not within %d s" % (what, START_SECONDS))
        time.sleep(0.01)


def file_system_of(path):
    return subprocess.run(["stat", "-f", "-c", "%T", path], stdout=subprocess.PIPE, check=True).stdout.decode().strip()


def resident_kib(pid):
    """Resident memory: of which what no other process shares is the smaller part."""
    with open("/proc/%d/status" % pid) as stream:
        fields = dict(line.split(":", 1) for line in stream)
    return {name: int(fields[name].split()[0]) for name in ("VmRSS", "RssAnon", "RssFile")}


def cpu_seconds(pid):
    """User and system time of a process with all its threads, so far."""
    with open("/proc/%d/stat" % pid) as stream:
        fields = stream.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Server:
    """A process that serves at `address` until it is closed."""

    name = "server"

    def __init__(self, argv, address, log, **options):
        self.address, self.log_path = address, log
        self.log = open(log, "ab")
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=self.log, stderr=self.log,
                                        # An interrupt of ours must not end it before it is closed.
                                        start_new_session=True, **options)

    @property
    def pid(self):
        return self.process.pid

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process.stdin.close()
        self.log.close()


class EmptyServer(Server):
    def __init__(self, bench):
        path = os.path.join(bench.directory, "empty.sock")
        super().__init__([bench.load_binary, "serve-empty", "--empty", "unix:" + path], "unix:" + path,
                         os.path.join(bench.directory, "empty.log"))
        wait_for(lambda: os.path.exists(path), "the server of empty calls", self.process)

    def close(self):
        self.process.stdin.close()
        self.process.wait(START_SECONDS)
        self.log.close()


class MockVcd(Server):
    """A vcd whose pods are mock ones unless they ask for something else. Its state directory is on the disk under test,
    its run directory in memory where it can be, as on a host."""

    def __init__(self, bench, name, wrapper=(), arguments=(), wait=True):
        self.name = name
        self.root = os.path.join(bench.directory, name)
        self.run_dir = os.path.join(bench.run_directory, name)
        self.socket = os.path.join(bench.directory, name + ".sock")
        os.makedirs(self.root, exist_ok=True)
        super().__init__(
            list(wrapper) + [os.path.join(bench.binaries, "daemon/vcd"), "--listen", "unix://" + self.socket,
                             "--templates", "off", "--state-dir", os.path.join(self.root, "state"), "--run-dir", self.run_dir, "--hypervisor", "mock", "--agent",
                             "noop", "--accelerator", "tcg", "--log-level", "warning",
                             # There is nothing to boot that would need a bound.
                             "--max-parallel-boots", "64"] + list(arguments),
            "unix:" + self.socket, os.path.join(bench.directory, name + ".log"))
        if wait:
            bench.load("health", vcd=self, count=1)


class Containerd(Server):
    """A containerd for its store of containers only: no CRI, no network, nothing is run."""

    def __init__(self, bench):
        root = tempfile.mkdtemp(prefix="containerd-", dir=bench.directory)
        config = os.path.join(root, "config.toml")
        address = os.path.join(root, "sock")
        disabled = ["grpc.v1.cri", "snapshotter.v1.btrfs", "snapshotter.v1.zfs", "snapshotter.v1.aufs",
                    "snapshotter.v1.devmapper", "internal.v1.opt", "internal.v1.tracing"]
        with open(config, "w") as stream:
            stream.write('version = 2\nroot = "%s/root"\nstate = "%s/state"\ndisabled_plugins = [%s]\n'
                         '[grpc]\naddress = "%s"\n' %
                         (root, root, ", ".join('"io.containerd.%s"' % name for name in disabled), address))
        super().__init__(["containerd", "--config", config, "--log-level", "error"], "unix:" + address,
                         os.path.join(bench.directory, "containerd.log"))
        # It makes the socket early and serves when all its plugins are there.
        wait_for(lambda: os.path.exists(address), "containerd", self.process)
        bench.load("containerd-create", containerd=self, count=1, prefix="warm-up")


class Bench:
    """Where a run has its files, and how it starts the load."""

    def __init__(self, binaries, disk):
        self.binaries = binaries
        self.load_binary = os.path.join(binaries, "test/benchmark/daemon_load")
        self.directory = tempfile.mkdtemp(prefix="vcd-bench-", dir=disk)
        in_memory = "/dev/shm" if os.path.isdir("/dev/shm") and file_system_of("/dev/shm") == "tmpfs" else self.directory
        self.run_directory = tempfile.mkdtemp(prefix="vcd-bench-", dir=in_memory)
        self.disk = file_system_of(self.directory)
        self.run_disk = file_system_of(self.run_directory)

    def load_argv(self, command, **options):
        argv = [self.load_binary, command]
        for name, value in options.items():
            argv += ["--" + name, value.address if isinstance(value, Server) else str(value)]
        return argv

    def load(self, command, **options):
        """Runs the load to its end and returns what it measured."""
        options = {name: value for name, value in options.items() if value is not None}
        out = subprocess.run(self.load_argv(command, **options), stdout=subprocess.PIPE, check=True, timeout=LOAD_SECONDS)
        return json.loads(out.stdout.splitlines()[-1])

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self.run_directory, ignore_errors=True)


def stopped(pid):
    """Stops a process as a VMM that hangs; a context that lets it go on again."""

    class Stopped:
        def __enter__(self):
            os.kill(pid, signal.SIGSTOP)

        def __exit__(self, *_):
            os.kill(pid, signal.SIGCONT)

    return Stopped()
