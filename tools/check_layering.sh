#!/usr/bin/env bash
# Proves that dependencies point one way: proto <- core <- backends <- daemon, proto <- client. Prints what breaks it.
set -euo pipefail
cd "$(dirname "$0")/.."
broken=0
check() {
  local path
  path=$(bazel query --noshow_progress "somepath($1, $2)" 2>/dev/null)
  [ -z "$path" ] && return
  printf '%s\n\n' "$path"
  broken=1
}
check '//core/...' '//backends/... + //daemon/... + //client/... + @system//:grpcpp'
check '//backends/... except tests(//backends/...)' '//daemon/... + //client/...'
check '//client/...' '//core/... + //backends/... + //daemon/...'
check '//guest/agent/...' '//backends/... + //daemon/... + //client/...'
exit $broken
