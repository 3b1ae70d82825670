#!/usr/bin/env bash
# Runs the crash enumeration and prints what it found as a table.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: tools/crash_report.sh

Kills a daemon at every step of every operation (crash), again while it recovers from that (second-crash), takes the
host's power away (power-loss), and fails every call of the file system in turn (failing-disk). Prints a row for each
operation: how many points were tried, and after how many something that was acknowledged was lost, something was
leaked, something deleted came back, or the same request sent again did not come to the same end.
EOF
}

case "${1:-}" in -h | --help) usage; exit 0 ;; esac
cd "$(dirname "$0")/.."
rows=$(mktemp -d)
trap 'rm -rf "$rows"' EXIT
status=0
bazel test --test_env=VCD_CRASH_REPORT_DIR="$rows" --sandbox_writable_path="$rows" --nocache_test_results \
  --test_output=errors //test/recovery/... >"$rows.log" 2>&1 || status=$?
if [[ $status -ne 0 ]]; then cat "$rows.log" >&2; fi
rm -f "$rows.log"
printf '%-15s %-25s %5s %5s %7s %12s %14s\n' fault operation tried lost leaked resurrected 'not converged'
if compgen -G "$rows/*" >/dev/null; then
  sort "$rows"/*
  cat "$rows"/* | awk '{ n = NF; t += $(n-4); l += $(n-3); k += $(n-2); r += $(n-1); c += $n }
    END { printf "%-15s %-25s %5d %5d %7d %12d %14d\n", "all", "", t, l, k, r, c }'
fi
exit $status
