#!/usr/bin/env bash
# clang-tidy over the tree, or over the files named.
set -euo pipefail
cd "$(dirname "$0")/.."
bazel build --config=clang //... >/dev/null
/usr/bin/python3 tools/compile_commands.py --config=clang
exec run-clang-tidy -p . -quiet "${@:-/(core|backends|daemon|client|guest)/}"
