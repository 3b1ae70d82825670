#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the build, the tests and the guest image need. See --help.
set -euo pipefail

readonly PROGRAM="${0##*/}"
readonly CACHE="${VCD_GUEST_CACHE:-/var/cache/vcd/guest}"
readonly KERNEL_META=linux-image-cloud-amd64
readonly KERNEL_DEB="$CACHE/linux-image.deb"
readonly SOURCE_PACKAGE=linux-source-6.1
readonly SOURCE_DEB="$CACHE/linux-source.deb"

# What a package is for stands beside it: a package nobody can explain is a package to drop.
PACKAGES=(
  # The build: Bazel, two compilers (g++ by default, clang for TSan and fuzzing), pkg-config to find libraries.
  bazel-bootstrap g++ clang pkg-config python3
  # Style and lint.
  clang-format clang-tidy
  # Libraries of the daemon, the client and the guest's agent.
  libgrpc++-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libabsl-dev libasio-dev libspdlog-dev
  nlohmann-json3-dev libcli11-dev libtomlplusplus-dev libyaml-cpp-dev libarchive-dev prometheus-cpp-dev
  libseccomp-dev libssl-dev libnl-route-3-dev
  # Libraries of the tests.
  libgtest-dev libgmock-dev libbenchmark-dev
  # The virtual machine, virtiofsd and firmware.
  qemu-system-x86 qemu-system-common qemu-system-data
  # The guest image: unpacks the kernel. Root file systems: made for tests and by `vc`.
  lz4 binutils erofs-utils squashfs-tools e2fsprogs xfsprogs busybox-static
  # Networks: the plugins, and what they and the tests call.
  containernetworking-plugins iptables iproute2
  # apt-get download from a mirror that speaks TLS.
  ca-certificates
)

# What only --small-kernel wants: to compile a kernel.
SMALL_KERNEL_PACKAGES=(bc bison flex libelf-dev make xz-utils)

usage() {
  cat <<USAGE
Usage: $PROGRAM [--small-kernel] [--refresh-kernel] [--help]

Installs the Debian packages that building vcd, its tests and its guest image need, and keeps a Debian cloud kernel for
the guest in $CACHE. Changes nothing, needs no network and takes well under a second when all is there.

  --small-kernel    also build the small kernel (guest/kernel/build_kernel.sh) out of Debian's $SOURCE_PACKAGE, into
                    $CACHE/small: nothing needs it but
                    bazel build //guest/image:small. Downloads 140 MB once, and compiles for 5 to 15 minutes
  --refresh-kernel  fetch the guest's kernel, or the source of the small one, even if there is one already
  --help            say this

Environment:
  VCD_GUEST_CACHE   where to keep the guest's kernels (default /var/cache/vcd/guest)

Runs as root, or as a user who may use sudo. The guest's kernel is downloaded, never installed: the boot files of this
machine stay as they are.
USAGE
}

say() { printf 'setup: %s\n' "$*"; }
die() {
  printf 'setup: error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf 'setup:        %s\n' "$line" >&2; done
  exit 1
}

as_root() {
  if [[ $EUID -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "need to be root for: $*" "run this as root, or install sudo"
  fi
}

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@"; }

check_machine() {
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    die "this is not Debian: there is no apt-get or dpkg" \
      "on another system install by hand what the list in $0 names"
  local arch
  arch="$(dpkg --print-architecture)"
  [[ $arch == amd64 ]] || die "this machine is $arch; vcd's guests are built for amd64 only"

  # shellcheck source=/dev/null
  local id version
  id="$(. /etc/os-release && echo "${ID:-}")"
  version="$(. /etc/os-release && echo "${VERSION_ID:-}")"
  if [[ $id == debian && $version == 12 ]]; then
    PACKAGES+=(libclang-rt-14-dev)  # clang's sanitizers and libFuzzer: clang only recommends them.
  else
    say "note: Debian 12 is what vcd is tested on; this is ${id:-unknown} ${version:-(no version)}"
    PACKAGES+=(libclang-rt-dev virtiofsd)
  fi
}

missing_packages() {
  # One call for all; dpkg-query complains on stderr of names that it has never heard of.
  local installed
  installed=" $(dpkg-query -W -f='${db:Status-Abbrev}${Package} ' "${PACKAGES[@]}" 2>/dev/null | tr '\n' ' ' || true)"
  local package
  for package in "${PACKAGES[@]}"; do
    [[ $installed == *" ii $package "* || $installed == *" hi $package "* ]] || printf '%s\n' "$package"
  done
}

UPDATED=no
update_lists() {
  [[ $UPDATED == no ]] || return 0
  say "updating the package lists"
  apt update >/dev/null || say "warning: apt-get update failed; going on with the lists that are here"
  UPDATED=yes
}

install_packages() {
  local -a missing
  mapfile -t missing < <(missing_packages)
  if [[ ${#missing[@]} -eq 0 ]]; then
    say "all ${#PACKAGES[@]} packages are installed"
    return
  fi
  say "installing ${#missing[@]} of ${#PACKAGES[@]} packages: ${missing[*]}"
  update_lists
  apt install -y --no-install-recommends "${missing[@]}" ||
    die "apt-get could not install: ${missing[*]}" \
      "its words stand above; without network, connect this machine to its Debian mirror and run $PROGRAM again"
  mapfile -t missing < <(missing_packages)
  [[ ${#missing[@]} -eq 0 ]] || die "still not installed after apt-get install: ${missing[*]}"
}

# The package that holds the kernel: the meta package depends on it, and its name has the version in it.
kernel_package() {
  apt-cache depends "$KERNEL_META" 2>/dev/null |
    sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*-cloud-amd64\)$/\1/p' | head -n 1
}

in_cache() {
  if [[ -w $CACHE ]]; then "$@"; else as_root "$@"; fi
}

WORK=
remove_work() { [[ -z $WORK ]] || in_cache rm -rf "$WORK"; }

source_package() { apt-cache show "$SOURCE_PACKAGE" >/dev/null 2>&1 && echo "$SOURCE_PACKAGE"; }

# Into the file $1 goes the package that the command $2 names; $3 is what it is.
fetch() {
  local deb="$1" package_name="$2" what="$3"
  if [[ $REFRESH == no && -s $deb ]]; then
    say "$what is in $deb"
    return
  fi
  mkdir -p "$CACHE" 2>/dev/null || as_root mkdir -p "$CACHE" || die "cannot make $CACHE"

  # Lists may be absent, or older than what the mirror still serves: then once more with fresh ones.
  local name
  WORK="$(in_cache mktemp -d "$CACHE/.fetch.XXXXXX")" || die "cannot write to $CACHE" "set VCD_GUEST_CACHE"
  trap remove_work EXIT
  while true; do
    name="$("$package_name" || true)"
    if [[ -n $name ]]; then
      say "downloading $what: $name"
      # apt's own unprivileged user cannot write here, so the download runs as whoever we are.
      if in_cache sh -c 'cd "$1" && exec apt-get -q -o APT::Sandbox::User=root download "$2"' sh "$WORK" "$name"; then
        break
      fi
    fi
    [[ $UPDATED == no ]] ||
      die "cannot download ${name:-$what: the package lists have none (${package_name//_/ })}" \
        "connect this machine to its Debian mirror and run $PROGRAM again," \
        "or put the .deb with $what at $deb yourself"
    update_lists
  done

  local -a debs=("$WORK"/*.deb)
  dpkg-deb --info "${debs[0]}" >/dev/null || die "${debs[0]} is no Debian package"
  in_cache chmod 0644 "${debs[0]}"
  in_cache mv -f "${debs[0]}" "$deb"
  remove_work
  say "$what is in $deb now"
}

build_small_kernel() {
  # As root only where the cache is root's.
  in_cache "$(dirname "$0")/../guest/kernel/build_kernel.sh" --source "$SOURCE_DEB" --out "$CACHE/small" ||
    die "there is no small kernel; why stands above"
}

REFRESH=no SMALL_KERNEL=no
for argument in "$@"; do
  case "$argument" in
    --help | -h)
      usage
      exit 0
      ;;
    --refresh-kernel) REFRESH=yes ;;
    --small-kernel) SMALL_KERNEL=yes ;;
    *)
      usage >&2
      die "unknown argument: $argument"
      ;;
  esac
done

check_machine
[[ $SMALL_KERNEL == no ]] || PACKAGES+=("${SMALL_KERNEL_PACKAGES[@]}")
install_packages
fetch "$KERNEL_DEB" kernel_package "the guest's kernel"
if [[ $SMALL_KERNEL == yes ]]; then
  fetch "$SOURCE_DEB" source_package "the small kernel's source"
  build_small_kernel
fi
say "ready"
