#!/usr/bin/env bash
# Sets this machine up and runs all tests, those on real QEMU among them. The last line is `N passed, N failed`.
set -euo pipefail

usage() {
  cat <<'EOF'
usage: tools/test.sh [BAZEL-TEST-ARGUMENT | TARGET]...

Installs what is missing (tools/setup.sh), builds everything, runs every test and ends with a line
`N passed, N failed` (`, N skipped`). Exits with 0 when none failed. Arguments go to `bazel test`:

  tools/test.sh                          everything
  tools/test.sh //core/...               one part
  tools/test.sh --config=asan            with AddressSanitizer and UndefinedBehaviorSanitizer
  tools/test.sh --config=tsan            with ThreadSanitizer
EOF
}

case "${1:-}" in -h | --help) usage; exit 0 ;; esac
cd "$(dirname "$0")/.."
tools/setup.sh
exec /usr/bin/python3 tools/run_tests.py "$@"
