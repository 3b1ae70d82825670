#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures a pod's start beside a bare QEMU boot of the same kernel and initramfs, in turn. See --help.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: tools/benchmark.sh [--rounds N] [--no-docs] [--help]

Sets up (tools/setup.sh), builds vcd, vc and the guest image with optimisation, starts a vcd of its own in a temporary
directory, and measures in turn, N rounds (default 7, at least 5):

  - bare QEMU, the same kernel, initramfs, kernel parameters and CPU, until the agent opens its port
  - RunPod, until it is answered
  - vc run, until the first byte of the command's output, from an image and from a directory of the host

Prints a table with medians and ratios, and puts it into docs/performance.md (not with --no-docs). Takes about two
minutes on a machine without KVM. Close other programs first. Needs root, for virtiofsd.
USAGE
}

for argument in "$@"; do
  case "$argument" in -h | --help) usage; exit 0 ;; esac
done

cd "$(dirname "$0")/.."
tools/setup.sh
FLAGS=(--config=ci -c opt)
bazel build "${FLAGS[@]}" //daemon:vcd //client:vc //guest/image
BIN="$(bazel info "${FLAGS[@]}" bazel-bin 2>/dev/null)"
AS_ROOT=()
[[ $EUID -eq 0 ]] || AS_ROOT=(sudo)
exec "${AS_ROOT[@]}" /usr/bin/python3 test/benchmark/pod_start.py --bin "$BIN" --docs docs/performance.md "$@"
