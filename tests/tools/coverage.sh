#!/usr/bin/env bash
# Line coverage of the packages that must keep it at 90% and above: prints a table for each, exits 1 if one is below.
set -euo pipefail
cd "$(dirname "$0")/../.."
gate=90
packages=(pool-domain plugin-sdk)
tools=$(tests/tools/llvm-cov.sh)
eval "$tools"
cargo llvm-cov clean --workspace
failed=()
for package in "${packages[@]}"; do
  cargo llvm-cov nextest --package "$package" --no-report
  echo "== $package: lines covered, at least $gate% =="
  cargo llvm-cov report --package "$package" --fail-under-lines "$gate" || failed+=("$package")
done
if [ "${#failed[@]}" -gt 0 ]; then
  echo "coverage below $gate% of lines: ${failed[*]}. Add tests for the lines that 'cargo llvm-cov report --package NAME --show-missing-lines' names." >&2
  exit 1
fi
