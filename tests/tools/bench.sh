#!/bin/sh
# Builds the binary as it is shipped (or with PROFILE=quick, without link-time optimisation) and compares the pool with the
# bare server in one run. Arguments go to `dagpool bench run`.
set -eu
cd "$(dirname "$0")/../.."
profile=${PROFILE:-release}
cargo build --profile "$profile" -p dagpool
exec "${CARGO_TARGET_DIR:-target}/$profile/dagpool" bench run --dir "${BENCH_DIR:-${CARGO_TARGET_DIR:-target}}" "$@"
