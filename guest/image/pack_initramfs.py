#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the guest's initramfs: the agent as /init, and the kernel modules that it loads.

An uncompressed cpio in the "newc" format, which the kernel unpacks as fast as it can copy. The same input gives the same
bytes, so that templates of machines can be keyed by its hash.
"""

import argparse
import os
import stat
import tarfile

TRAILER = "TRAILER!!!"


class Cpio:
    def __init__(self, out):
        self._out = out
        self._inode = 0

    def add(self, name, mode, data=b"", rdev=(0, 0)):
        """One entry. All are root's, of the beginning of time."""
        self._inode += 1
        encoded = name.encode() + b"\0"
        inode = 0 if name == TRAILER else self._inode
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = [inode, mode, 0, 0, links, 0, len(data), 0, 0, rdev[0], rdev[1], len(encoded), 0]
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._out.write(self._padded(header + encoded))
        self._out.write(self._padded(data))

    @staticmethod
    def _padded(data):
        return data + b"\0" * (-len(data) % 4)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agent", required=True)
    parser.add_argument("--modules", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()

    with open(options.out, "wb") as out:
        cpio = Cpio(out)
        for directory in ["dev", "modules", "proc", "run", "sys"]:
            cpio.add(directory, stat.S_IFDIR | 0o755)
        # The kernel gives process 1 its descriptors from here, before anything is mounted.
        cpio.add("dev/console", stat.S_IFCHR | 0o600, rdev=(5, 1))
        with open(options.agent, "rb") as f:
            cpio.add("init", stat.S_IFREG | 0o755, f.read())
        with tarfile.open(options.modules) as tar:
            for member in sorted(tar.getmembers(), key=lambda m: m.name):
                cpio.add(member.name, stat.S_IFREG | 0o644, tar.extractfile(member).read())
        cpio.add(TRAILER, 0)
        # The kernel takes archives that begin at multiples of four only; a block's multiple lets others be appended.
        out.write(b"\0" * (-out.tell() % 512))


if __name__ == "__main__":
    main()
