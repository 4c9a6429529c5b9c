#!/usr/bin/env bash
# The dashboard in a real browser: against a stand-in through good and bad times, against the demonstration, and against a
# pool whose PostgreSQL and Redis are killed and come back.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/tools/dashboard.sh
npm --prefix dashboard run --silent size
npm --prefix dashboard run --silent e2e:self
if [ -z "${DAGPOOL_BIN:-}" ]; then
  cargo build --quiet --bin dagpool
  DAGPOOL_BIN="${CARGO_TARGET_DIR:-$PWD/target}/debug/dagpool"
fi
DAGPOOL_BIN="$DAGPOOL_BIN" SHOTS="$PWD/dashboard/e2e/shots/demo" npm --prefix dashboard run --silent e2e
DAGPOOL_BIN="$DAGPOOL_BIN" SHOTS="$PWD/dashboard/e2e/shots/operate" npm --prefix dashboard run --silent e2e:operate
DAGPOOL_BIN="$DAGPOOL_BIN" SHOTS="$PWD/dashboard/e2e/shots/outage" npm --prefix dashboard run --silent e2e:outage
