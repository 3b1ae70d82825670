#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Takes out of a Debian kernel package what a guest boots: vmlinux, uncompressed, and the modules the agent loads.

QEMU starts an ELF vmlinux by its PVH entry in a fraction of the time that firmware, boot sector and decompression take.
The modules go into a tar: modules.list with lines "GROUP FILE", a file after the files it needs, an empty line before
those that are loaded on demand only, and the files, without debug information and signatures.
"""

import argparse
import bz2
import gzip
import io
import lzma
import os
import re
import struct
import subprocess
import sys
import tarfile
import tempfile

# What for, and which modules; what they depend on comes along. The order is the order of loading when the agent has
# nothing else to do: first what the first container will want.
GROUPS = [
    ("link", ["virtio_pci", "virtio_console"]),
    ("scsi", ["virtio_scsi", "sd_mod"]),
    ("overlay", ["overlay"]),
    ("erofs", ["erofs"]),
    ("virtiofs", ["virtiofs"]),
    ("rng", ["virtio_rng"]),
    ("panic", ["pvpanic_mmio"]),
    ("blk", ["virtio_blk"]),
    ("memory", ["virtio_mem"]),
    ("net", ["virtio_net"]),
    ("squashfs", ["squashfs"]),
    ("ext4", ["ext4"]),
]

# Those that are loaded only for a container that asks for them: few do, and they are large.
ON_DEMAND = [
    ("xfs", ["xfs"]),
    ("tun", ["tun"]),
]


def fail(message):
    sys.exit("unpack_kernel: " + message)


def decompress(payload):
    """The bytes behind a kernel's compressed payload, by its magic."""
    if payload[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=io.BytesIO(payload)).read()
    if payload[:6] == b"\xfd7zXZ\0":
        return lzma.LZMADecompressor().decompress(payload)  # Stops at the end of the stream; the size follows it.
    if payload[:3] == b"\x5d\0\0":
        return lzma.LZMADecompressor(lzma.FORMAT_ALONE).decompress(payload)
    if payload[:3] == b"BZh":
        return bz2.BZ2Decompressor().decompress(payload)
    tools = {b"\x02\x21\x4c\x18": "lz4", b"\x28\xb5\x2f\xfd": "zstd"}
    tool = tools.get(payload[:4])
    if not tool:
        fail("the kernel is compressed in a way that is not known here (magic %s)" % payload[:6].hex())
    # The four bytes behind the stream say its size. The tools take them for the beginning of another stream.
    try:
        return subprocess.run([tool, "-dc"], input=payload[:-4], stdout=subprocess.PIPE, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as e:
        fail("%s -dc: %s; tools/setup.sh installs it" % (tool, e))


def vmlinux_of(image):
    """The ELF file in a bzImage; the header says where (Documentation/arch/x86/boot.rst)."""
    if image[:4] == b"\x7fELF":
        return image
    if image[0x202:0x206] != b"HdrS":
        fail("the kernel is no bzImage: no HdrS at 0x202")
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    elf = decompress(image[start:start + length])
    if elf[:4] != b"\x7fELF":
        fail("what the kernel unpacks to is no ELF file")
    return elf


def module_name(path):
    return re.sub(r"\.ko(\.(xz|gz|zst))?$", "", os.path.basename(path)).replace("-", "_")


def module_bytes(path, data):
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def depends(data):
    found = re.search(rb"\0depends=([^\0]*)\0", data)
    return [d.replace("-", "_") for d in found.group(1).decode().split(",") if d] if found else []


def strip(data):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "module.ko")
        with open(path, "wb") as f:
            f.write(data)
        subprocess.run(["strip", "--strip-debug", path], check=True)
        with open(path, "rb") as f:
            return f.read()


def in_order(names, modules, builtin, seen):
    """`names` and what they need, each once, needs first."""
    out = []
    for name in names:
        if name in seen or name in builtin:
            continue
        if name not in modules:
            fail("the package has no module %s" % name)
        seen.add(name)
        out += in_order(depends(modules[name]), modules, builtin, seen) + [name]
    return out


def add_file(tar, name, data):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o644
    tar.addfile(info, io.BytesIO(data))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deb", required=True)
    parser.add_argument("--vmlinux", required=True)
    parser.add_argument("--modules", required=True)
    options = parser.parse_args()

    kernel, modules, builtin = None, {}, set()
    deb = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", options.deb], stdout=subprocess.PIPE)
    with tarfile.open(fileobj=deb.stdout, mode="r|") as tar:
        for member in tar:
            if not member.isfile():
                continue
            if "/boot/vmlinuz-" in member.name:
                kernel = tar.extractfile(member).read()
            elif re.search(r"\.ko(\.(xz|gz|zst))?$", member.name):
                data = tar.extractfile(member).read()
                modules[module_name(member.name)] = module_bytes(member.name, data)
            elif member.name.endswith("/modules.builtin"):
                builtin = {module_name(line) for line in tar.extractfile(member).read().decode().split()}
    if deb.wait() != 0 or kernel is None:
        fail("%s holds no kernel" % options.deb)

    with open(options.vmlinux, "wb") as f:
        f.write(vmlinux_of(kernel))
    lines = []
    with tarfile.open(options.modules, "w", format=tarfile.USTAR_FORMAT) as tar:
        added = set()
        for group, names in GROUPS + [(None, [])] + ON_DEMAND:
            if group is None:
                lines.append("\n")
            # Each group names all it needs, for each may be the first that is loaded.
            for name in in_order(names, modules, builtin, set()):
                lines.append("%s /modules/%s.ko\n" % (group, name))
                if name not in added:
                    added.add(name)
                    add_file(tar, "modules/%s.ko" % name, strip(modules[name]))
        add_file(tar, "modules.list", "".join(lines).encode())


if __name__ == "__main__":
    main()
