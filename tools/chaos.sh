#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kills vcd and its virtual machines under load, and compares what is there with what the API says. See --help.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: tools/chaos.sh [--mock] [--seconds N] [--clients N] [--pods N] [--interval SECONDS] [--seed TEXT] [--keep]
       tools/chaos.sh --clones [--pods N] [--at-once N] [--warm N] [--network NAME] [--seed TEXT] [--keep]

Builds, starts a vcd of its own in a temporary directory, and lets several clients do what they like to pods of their own:
create, run, start, pause, resume, stop, delete, exec, annotate, add and end containers. Meanwhile vcd is killed (SIGKILL)
and started again at random moments, and so, without --mock, are the QEMUs of its pods. After each call a client compares
its pod with what the calls so far allow. In the end the inventories of the host (machines, helpers, directories, sockets,
temporary files, logs, mounts) are compared with the API, and everything is deleted, after which nothing may be left.

  --mock       mock pods: neither QEMU nor root is needed
  --seconds N  how long to go on killing (default 60)
  --clients N  clients (default 4), each with --pods N pods (default 2)
  --interval S longest time between two kills (default 1.5)
  --seed TEXT  of the choices that are made; when the threads get their turn is not in it
  --keep       keep the directory, with the daemon's log, also when all went well

With --clones instead: pods that start from one template. Of N of them (default 50) that live at once all is compared that no two
machines may have in common: random numbers, boot ids, addresses in their programs, names, clocks, and with --network hardware
addresses. Then twice N come and go, one after the other and then --at-once N (default 8) at a time while vcd is killed, and the host's
inventory and the daemon's descriptors must be what they were. With --warm, N machines wait for pods meanwhile, and clones are also
those that had waited. A clone takes about 50 MiB.

Ends with status 1 and a line for each thing that was wrong. Ends only what it started.
USAGE
}

SCRIPT=chaos.py
if [ "${1:-}" = --clones ]; then
  SCRIPT=clones.py
  shift
fi
for argument in "$@"; do
  case "$argument" in -h | --help) usage; exit 0 ;; esac
done

cd "$(dirname "$0")/.."
FLAGS=(--config=ci)
bazel build "${FLAGS[@]}" //daemon:vcd //client:vc //guest/image >&2
BIN="$(bazel info "${FLAGS[@]}" bazel-bin 2>/dev/null)"
exec /usr/bin/python3 "test/chaos/$SCRIPT" --bin "$BIN" --kernel "$BIN/guest/image/vmlinux" \
  --initrd "$BIN/guest/image/initramfs.cpio" "$@"
