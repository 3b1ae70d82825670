#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes the uncompressed kernel out of a bzImage.

QEMU boots it through its PVH note, which spares the guest its own decompression. Where the payload lies is in the setup
header (Documentation/arch/x86/boot.rst: setup_sects, payload_offset, payload_length).
"""
import gzip
import lzma
import struct
import subprocess
import sys

SETUP_SECTS, MAGIC, VERSION, PAYLOAD = 0x1F1, 0x202, 0x206, 0x248


def run(command, data):
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


# The size of the kernel follows the compressed stream; only these formats mind what comes after their end.
DECOMPRESSORS = [
    (b"\x1f\x8b", lambda data: gzip.decompress(data[:-4])),
    (b"\xfd7zXZ", lambda data: lzma.LZMADecompressor().decompress(data)),
    (b"\x02\x21\x4c\x18", lambda data: run(["lz4", "-dc"], data[:-4])),
    (b"\x28\xb5\x2f\xfd", lambda data: run(["zstd", "-dc"], data[:-4])),
]


def payload(image):
    if image[MAGIC : MAGIC + 4] != b"HdrS" or struct.unpack_from("<H", image, VERSION)[0] < 0x208:
        sys.exit("extract_vmlinux: not a bzImage of boot protocol 2.08 or later")
    offset, length = struct.unpack_from("<II", image, PAYLOAD)
    start = ((image[SETUP_SECTS] or 4) + 1) * 512 + offset
    return image[start : start + length]


def main():
    source, target = sys.argv[1:]
    with open(source, "rb") as stream:
        compressed = payload(stream.read())
    for magic, decompress in DECOMPRESSORS:
        if compressed.startswith(magic):
            kernel = decompress(compressed)
            break
    else:
        sys.exit("extract_vmlinux: unknown compression, starts with " + compressed[:6].hex())
    if kernel[:4] != b"\x7fELF":
        sys.exit("extract_vmlinux: what came out is no ELF file")
    with open(target, "wb") as stream:
        stream.write(kernel)


main()
