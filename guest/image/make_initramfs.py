#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the guest's initramfs: the agent as /init, and the kernel modules that it loads.

An uncompressed `newc` archive, the same byte for byte for the same input. /modules.list names the modules in the order in
which they are to be loaded; a blank line ends those that the link to the host needs.
"""
import argparse
import os
import re
import stat
import subprocess
import tempfile


class Archive:
    """A cpio archive of format `newc`, owned by root, without times."""

    def __init__(self):
        self.data = bytearray()
        self.inode = 0

    def add(self, name, mode, content=b"", device=(0, 0)):
        self.inode += 1
        encoded = name.encode() + b"\0"
        fields = [self.inode, mode, 0, 0, 1, 0, len(content), 0, 0, device[0], device[1], len(encoded), 0]
        self.data += b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
        self._pad()
        self.data += content
        self._pad()

    def _pad(self):
        self.data += b"\0" * (-len(self.data) % 4)

    def finish(self):
        self.inode = -1
        self.add("TRAILER!!!", 0)
        return bytes(self.data)


class Modules:
    """Kernel modules by name, with what each depends on as its own .modinfo says."""

    def __init__(self, paths):
        self.paths = {os.path.basename(path)[: -len(".ko")].replace("-", "_"): path for path in paths if path.endswith(".ko")}

    def order(self, names, done):
        """The modules to load for `names`, dependencies first, without those in `done`, which grows."""
        ordered = []
        for name in names:
            if name in done:
                continue
            if name not in self.paths:
                raise SystemExit("make_initramfs: the kernel has no module " + name)
            done.add(name)
            ordered += self.order(self.dependencies(name), done) + [name]
        return ordered

    def dependencies(self, name):
        with open(self.paths[name], "rb") as stream:
            found = re.search(rb"\0depends=([^\0]*)\0", stream.read())
        return [other.replace("-", "_") for other in found.group(1).decode().split(",") if other] if found else []

    def stripped(self, name):
        with tempfile.NamedTemporaryFile() as scratch:
            subprocess.run(["strip", "--strip-debug", "-o", scratch.name, self.paths[name]], check=True)
            return open(scratch.name, "rb").read()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agent", required=True)
    parser.add_argument("--link-modules", nargs="*", default=[], help="what the link to the host needs")
    parser.add_argument("--modules", nargs="*", default=[], help="what containers need")
    parser.add_argument("--module-files", required=True, help="a file that lists the kernel's modules")
    parser.add_argument("--output", required=True)
    args = parser.parse_args()

    with open(args.module_files) as stream:
        modules = Modules(stream.read().split())
    done = set()
    first = modules.order(args.link_modules, done)
    later = modules.order(args.modules, done)

    archive = Archive()
    for directory in ["dev", "etc", "modules", "proc", "run", "sys", "tmp"]:
        archive.add(directory, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    with open(args.agent, "rb") as stream:
        archive.add("init", stat.S_IFREG | 0o755, stream.read())
    for name in first + later:
        archive.add("modules/%s.ko" % name, stat.S_IFREG | 0o644, modules.stripped(name))
    listing = "".join("/modules/%s.ko\n" % name for name in first) + "\n" + "".join("/modules/%s.ko\n" % name for name in later)
    archive.add("modules.list", stat.S_IFREG | 0o644, listing.encode())
    with open(args.output, "wb") as stream:
        stream.write(archive.finish())


main()
