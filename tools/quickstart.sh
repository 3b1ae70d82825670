#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh checkout on Debian 12 to the output of a process in a virtual machine of its own. See --help.
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: tools/quickstart.sh [--help]

Shows vcd at work, with nothing but this checkout and Debian 12:

  1. installs what is missing (tools/setup.sh)
  2. builds the daemon vcd, the client vc and the guest image
  3. makes a small root file system out of busybox
  4. starts a vcd of its own in a temporary directory
  5. runs a pod with `vc run --rm` and shows what its process printed
  6. cleans up: ends its vcd and deletes its directory, also when it fails or is interrupted

The first run takes minutes, for packages and the build; later runs build nothing and need no network.

Runs as root, or as a user who may use sudo: a directory of the host is shared with the guest by virtiofsd, which takes
root. Touches nothing outside the checkout, Bazel's cache and its temporary directory, but for what setup.sh installs.
Exits with 0 when the pod ran.
USAGE
}

case "${1:-}" in
  "") ;;
  -h | --help) usage; exit 0 ;;
  *)
    usage >&2
    printf 'quickstart: unknown argument: %s\n' "$1" >&2
    exit 2
    ;;
esac

cd "$(dirname "$0")/.."

AS_ROOT=()
if [[ $EUID -ne 0 ]]; then
  command -v sudo >/dev/null || {
    echo "quickstart: error: needs root, to share a directory with the guest; run it as root, or install sudo" >&2
    exit 1
  }
  AS_ROOT=(sudo)
fi

readonly STEPS=6
STEP=0
BEGAN=
step() {
  STEP=$((STEP + 1))
  BEGAN=$SECONDS
  printf '[%d/%d] %s\n' "$STEP" "$STEPS" "$1"
}
detail() { printf '      %s\n' "$1"; }
took() { detail "done in $((SECONDS - BEGAN)) s"; }

# Short: a Unix socket's path holds 107 bytes.
WORK="$(mktemp -d /tmp/vcd-quickstart-XXXXXX)"
chmod 0755 "$WORK"
VCD_PID=
QUIET_PID=
POD=quickstart
CLEANED=no

# True while our own vcd runs. It is no child of this shell when sudo stands between.
vcd_runs() { [[ -n $VCD_PID && -d /proc/$VCD_PID ]]; }

vc() { "${AS_ROOT[@]}" "$VC" --address "unix://$WORK/vcd.sock" "$@"; }

clean_up() {
  [[ $CLEANED == no ]] || return 0
  CLEANED=yes
  [[ -z $QUIET_PID ]] || kill -TERM "$QUIET_PID" 2>/dev/null || true
  if vcd_runs; then
    # A machine outlives its daemon, so it goes first. After a `vc run --rm` that went well there is none.
    local pods
    pods="$(vc --timeout 20s ps -a -q 2>/dev/null || true)"
    # shellcheck disable=SC2086 # One word for each pod.
    [[ -z $pods ]] || vc --timeout 60s rm -f $pods >/dev/null 2>&1 || true
    "${AS_ROOT[@]}" kill -TERM "$VCD_PID" 2>/dev/null || true
    # tail ends when the process has.
    timeout 10 tail --pid="$VCD_PID" -f /dev/null || "${AS_ROOT[@]}" kill -KILL "$VCD_PID" 2>/dev/null || true
  fi
  "${AS_ROOT[@]}" rm -rf "$WORK"
}

# What a failed step wrote stays for reading, when all else is cleaned up.
KEPT_LOG=
fail() {
  local message="$1" log="${2:-}"
  printf 'quickstart: error: %s\n' "$message" >&2
  if [[ -n $log && -s $log ]]; then
    KEPT_LOG="$(mktemp /tmp/vcd-quickstart-log-XXXXXX)"
    cp "$log" "$KEPT_LOG"
    printf 'quickstart: the end of %s:\n' "$KEPT_LOG" >&2
    tail -n 25 "$KEPT_LOG" | sed 's/^/  | /' >&2
  fi
  exit 1
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# Runs a command with its output in a file, and shows the last line of it from time to time where somebody looks.
quietly() {
  local log="$1"
  shift
  # In the background, where an interrupt does not reach it: clean_up ends it.
  "$@" >"$log" 2>&1 &
  QUIET_PID=$!
  local status=0
  if [[ -t 1 ]]; then
    while ! timeout 2 tail --pid="$QUIET_PID" -f /dev/null; do
      printf '\r\033[K      %s' "$(tail -n 1 "$log" | tr -d '\r' | cut -c 1-100)"
    done
    printf '\r\033[K'
  fi
  wait "$QUIET_PID" || status=$?
  QUIET_PID=
  return "$status"
}

step "setting this machine up"
quietly "$WORK/setup.log" tools/setup.sh || fail "tools/setup.sh failed" "$WORK/setup.log"
took

step "building vcd, vc and the guest image (minutes the first time)"
# The flags of tools/test.sh, so that neither of the two builds again what the other has built.
BAZEL_FLAGS=(--config=ci)
TARGETS=(//daemon:vcd //client:vc //guest/image)
quietly "$WORK/build.log" bazel build "${BAZEL_FLAGS[@]}" "${TARGETS[@]}" || fail "the build failed" "$WORK/build.log"
BIN="$(bazel info "${BAZEL_FLAGS[@]}" bazel-bin 2>/dev/null)"
readonly BIN VC="$BIN/client/vc"
took

step "making a root file system out of busybox"
mkdir -p "$WORK"/rootfs/{bin,dev,etc,proc,root,sys,tmp}
cp /bin/busybox "$WORK/rootfs/bin/"
for applet in sh cat echo env hostname id ls ps sleep uname; do ln -s busybox "$WORK/rootfs/bin/$applet"; done
echo 'root:x:0:0:root:/root:/bin/sh' >"$WORK/rootfs/etc/passwd"
echo 'root:x:0:' >"$WORK/rootfs/etc/group"
detail "$WORK/rootfs"

step "starting a private vcd"
touch "$WORK/vcd.log"
# shellcheck disable=SC2016 # For the inner shell.
"${AS_ROOT[@]}" sh -c 'echo $$ >"$0/vcd.pid"; exec "$@" >>"$0/vcd.log" 2>&1 </dev/null' "$WORK" \
  "$BIN/daemon/vcd" --listen "unix://$WORK/vcd.sock" --state-dir "$WORK/state" --run-dir "$WORK/run" \
  --kernel "$BIN/guest/image/vmlinux" --initrd "$BIN/guest/image/initramfs.cpio" &
for ((i = 0; i < 300; i++)); do
  [[ ! -s $WORK/vcd.pid ]] || VCD_PID="$(<"$WORK/vcd.pid")"
  if [[ -S $WORK/vcd.sock ]] && vc --timeout 5s version >/dev/null 2>&1; then break; fi
  [[ -z $VCD_PID ]] || vcd_runs || fail "vcd ended instead of serving" "$WORK/vcd.log"
  sleep 0.1
done
vc --timeout 5s version >/dev/null || fail "vcd does not answer" "$WORK/vcd.log"
detail "pid $VCD_PID, socket $WORK/vcd.sock"

step "running a pod: vc run --rm --rootfs $WORK/rootfs -- sh -c '…'"
# shellcheck disable=SC2016 # For the guest's shell.
SCRIPT='echo "Hello from $(hostname), a virtual machine of its own."; uname -r; cat /proc/uptime'
vc run --rm --id "$POD" --rootfs "$WORK/rootfs" -- sh -c "$SCRIPT" >"$WORK/pod.out" 2>"$WORK/pod.err" || {
  STATUS=$?
  cat "$WORK/pod.err" "$WORK/vcd.log" >"$WORK/run.log"
  fail "vc run ended with status $STATUS" "$WORK/run.log"
}
mapfile -t LINES <"$WORK/pod.out"
[[ ${#LINES[@]} -ge 3 ]] || fail "the pod printed something else than it was told to" "$WORK/pod.out"
GUEST_KERNEL="${LINES[1]}"
took

step "cleaning up"
clean_up
cat <<REPORT

  the pod says       ${LINES[0]}
  its kernel         $GUEST_KERNEL   (up for ${LINES[2]%% *} s)
  this machine's     $(uname -r)

What next:
  tools/test.sh                         runs all tests, those with real virtual machines among them
  tools/benchmark.sh                    measures a pod's start beside a bare QEMU on this machine
  README.md, "A pod in two commands"    starts a vcd that stays, and shows ps, exec, logs, stop
REPORT
