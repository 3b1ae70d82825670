#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures vcd beside its goals, and a pod's start beside a bare QEMU boot. See --help.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: tools/benchmark.sh [SECTION...] [--rounds N] [--json] [--disk DIR] [--no-docs] [--help]

Sets up (tools/setup.sh), builds with optimisation, starts daemons of its own in temporary directories, and measures,
with medians of N rounds (default 7, at least 5), what is compared in turn:

  memory      the idle daemon; each of 10,000 mock pods
  reads       GetPod beside an empty gRPC call; ListPods of 10,000 pods
  create      durable CreatePod, by one client and by 64
  cycle       create, start, stop and delete, by 64 clients
  restart     kill -9 with 1,000 pods, until the next daemon serves, and until all pods are reconciled
  isolation   the p99 of the others while one pod of 1,000 hangs
  counts      system calls, fsyncs and instructions of each call
  guest       the agent's size and memory, exec, output and control over the link
  boot        what the machine's type, devices, memory and kernel cost a boot, and QEMU's memory; of the small kernel
              too when tools/setup.sh --small-kernel has built it
  clones      pods that start from a template beside pods that boot: time, many at once, memory
  death       SIGKILL of a pod's QEMU, until its end is told
  pod-start   RunPod and `vc run` beside a bare QEMU boot of the same guest

Prints tables with the goal beside each figure, and puts them into docs/performance.md (not with --no-docs, nor when
only some of a table's sections are run); with --json one JSON object instead. The state of the daemons is on the disk
of --disk (default /var/tmp), the run directory in /dev/shm, as /run is on a host.

Some rows need more than tools/setup.sh installs, and say so when it is not there: containerd (to stand beside), strace
(system calls), perf with hardware counters or valgrind (instructions). Takes about half an hour, most
of it for the guest's section. Close other programs first. Needs root, for virtiofsd and to trace.
USAGE
}

for argument in "$@"; do
  case "$argument" in -h | --help) usage; exit 0 ;; esac
done

cd "$(dirname "$0")/.."
# Standard output is for the result.
tools/setup.sh >&2
FLAGS=(--config=ci -c opt)
TARGETS=(//daemon:vcd //client:vc //guest/image //guest/agent:vcd-agent //test/benchmark:daemon_load //test/benchmark:guest_load)
[[ ! -e ${VCD_GUEST_CACHE:-/var/cache/vcd/guest}/small/vmlinux ]] || TARGETS+=(//guest/image:small)
bazel build "${FLAGS[@]}" "${TARGETS[@]}"
BIN="$(bazel info "${FLAGS[@]}" bazel-bin 2>/dev/null)"
AS_ROOT=()
[[ $EUID -eq 0 ]] || AS_ROOT=(sudo)
exec "${AS_ROOT[@]}" /usr/bin/python3 test/benchmark/benchmark.py --bin "$BIN" --docs docs/performance.md "$@"
