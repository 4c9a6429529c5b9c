#!/usr/bin/env bash
# A whole pool with traces (feature `otel`) and its collector. That takes a build of library and binary of their own, so it is
# part of `make soak`; the ordinary tests have the parts (unit tests are always built with traces) and clippy of that build.
set -euo pipefail
cd "$(dirname "$0")/../.."
target="$(cargo metadata --format-version 1 --no-deps | grep -o '"target_directory":"[^"]*"' | cut -d'"' -f4)"
# The binary and its test in one: so the libraries below have the features of every other test build, and are not built again.
with=(--workspace --features dagpool/otel --test pool)
cargo build --quiet "${with[@]}" --bin dagpool
DAGPOOL_BIN="$target/debug/dagpool" cargo nextest run "${with[@]}" --run-ignored only -E 'test(traces::)' "$@"
