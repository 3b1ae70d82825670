#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the small kernel of guests out of Debian's source package. See --help.
set -euo pipefail

readonly PROGRAM="${0##*/}"
CONFIG="$(dirname "$(readlink -f "$0")")/kernel.config"
readonly CONFIG
readonly OBJECTS_PER_LINE=200  # Of some 1,500.

usage() {
  cat <<USAGE
Usage: $PROGRAM --source DEB --out DIRECTORY [--jobs N] [--help]

Builds the small kernel of vcd's guests, with all that it needs built in, and puts into DIRECTORY:

  vmlinux  the kernel, as QEMU boots it
  config   all of its configuration
  inputs   what it was made of; when nothing of that has changed there is nothing to do

  --source DEB      Debian's package linux-source-6.1
  --out DIRECTORY   made when it is not there; what is in it is replaced only when the whole build was successful
  --jobs N          compilers at a time (default: one for each CPU)
  --help            say this

Environment:
  TMPDIR            where to build (default /var/tmp); takes 2 GB, for 5 to 15 minutes of two CPUs

The same source, configuration and compiler give the same bytes, whoever builds where. tools/setup.sh --small-kernel
gets the source and calls this. Needs no root and no network.
USAGE
}

say() { printf 'kernel: %s\n' "$*"; }
die() {
  printf 'kernel: error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf 'kernel:        %s\n' "$line" >&2; done
  exit 1
}

SOURCE='' OUT='' JOBS="$(nproc)"
while [[ $# -gt 0 ]]; do
  case "$1" in
    --help | -h)
      usage
      exit 0
      ;;
    --source | --out | --jobs)
      [[ $# -ge 2 ]] || die "$1 needs a value"
      case "$1" in --source) SOURCE="$2" ;; --out) OUT="$2" ;; --jobs) JOBS="$2" ;; esac
      shift 2
      ;;
    *)
      usage >&2
      die "unknown argument: $1"
      ;;
  esac
done
[[ -n $SOURCE && -n $OUT ]] || die "--source and --out are needed; see $PROGRAM --help"
[[ $JOBS =~ ^[1-9][0-9]*$ ]] || die "--jobs $JOBS: not a number of compilers"
[[ -r $SOURCE ]] || die "cannot read $SOURCE" "tools/setup.sh --small-kernel downloads it"
SOURCE="$(readlink -f "$SOURCE")"
mkdir -p "$OUT" || die "cannot make $OUT"
OUT="$(readlink -f "$OUT")"
[[ -w $OUT ]] || die "cannot write to $OUT"

for tool in bc bison dpkg-deb flex gcc make sha256sum strip tar xz; do
  command -v "$tool" >/dev/null || die "there is no $tool here" "tools/setup.sh --small-kernel installs what is needed"
done

# Whatever changes the result. The hash of the package stands for all of the source.
inputs() {
  dpkg-deb --field "$SOURCE" Package Version || die "$SOURCE is no Debian package"
  sha256sum "$SOURCE" "$CONFIG" "$0" | sed 's, .*/, ,'
  gcc --version | head -n 1
  ld --version | head -n 1
}
INPUTS="$(inputs)"
if [[ -s $OUT/vmlinux && -r $OUT/inputs && $(<"$OUT/inputs") == "$INPUTS" ]]; then
  say "$OUT/vmlinux is what its configuration, source and compiler make"
  exit
fi

WORK="$(mktemp -d "${TMPDIR:-/var/tmp}/vcd-kernel.XXXXXX")" || die "cannot write to ${TMPDIR:-/var/tmp}" "set TMPDIR"
trap 'rm -rf "$WORK" "$OUT"/.new.*' EXIT
trap 'exit 130' INT TERM HUP

say "unpacking $SOURCE"
dpkg-deb --fsys-tarfile "$SOURCE" | tar -xf - -C "$WORK" --wildcards --strip-components=3 './usr/src/linux-source-*.tar.xz' ||
  die "cannot unpack $SOURCE" "Debian's package linux-source-6.1 is wanted; is there room in $WORK?"
TARBALL="$(echo "$WORK"/linux-source-*.tar.xz)"
export KBUILD_BUILD_TIMESTAMP KBUILD_BUILD_USER=vcd KBUILD_BUILD_HOST=vcd KBUILD_BUILD_VERSION=1 KCONFIG_NOTIMESTAMP=1
KBUILD_BUILD_TIMESTAMP="$(LC_ALL=C date --utc --reference="$TARBALL")"
mkdir "$WORK/linux"
tar -xf "$TARBALL" -C "$WORK/linux" --strip-components=1 || die "cannot unpack $TARBALL" "is there room in $WORK?"
rm "$TARBALL"
cd "$WORK/linux"

say "configuring"
KCONFIG_ALLCONFIG="$CONFIG" make -s allnoconfig >"$WORK/log" 2>&1 || die "make allnoconfig: $(tail -n 20 "$WORK/log")"
# Kconfig drops in silence what it does not know, or what depends on something else.
not_taken() {
  local line
  while IFS= read -r line; do
    case "$line" in
      '' | '#'*) ;;
      *=n) ! grep -q "^${line%=n}=" .config || printf '%s\n' "$line" ;;
      *) grep -qxF "$line" .config || printf '%s\n' "$line" ;;
    esac
  done <"$CONFIG"
}
mapfile -t NOT_TAKEN < <(not_taken)
[[ ${#NOT_TAKEN[@]} -eq 0 ]] || die "$CONFIG has lines that this kernel does not take:" "${NOT_TAKEN[@]}"

say "compiling, with $JOBS at a time"
make -j "$JOBS" vmlinux 2>&1 | tee "$WORK/log" |
  awk -v each="$OBJECTS_PER_LINE" '/^  (CC|AS) / && ++objects % each == 0 { print "kernel: " objects " objects"; fflush() }' ||
  { tail -n 30 "$WORK/log" >&2; die "the kernel does not compile; its last words are above"; }

# In place as a whole: `inputs` last, so that a build that ends between them is done again.
NEW="$(mktemp -d "$OUT/.new.XXXXXX")"
strip --strip-all -o "$NEW/vmlinux" vmlinux
cp .config "$NEW/config"
printf '%s\n' "$INPUTS" >"$NEW/inputs"
chmod 0644 "$NEW"/*
rm -f "$OUT/inputs"
for file in vmlinux config inputs; do mv -f "$NEW/$file" "$OUT/$file"; done
say "$OUT/vmlinux: $(($(stat -c %s "$OUT/vmlinux") / 1024)) KiB"
