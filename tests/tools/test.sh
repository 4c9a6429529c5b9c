#!/usr/bin/env bash
# All tests, in the order in which they fail fastest. The last line counts every test and every gate.
set -uo pipefail
cd "$(dirname "$0")/../.."
passed=0 failed=0 failures=()
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT

# Incremental compilation only pays for those who build again.
if [ -n "${CI:-}" ]; then export CARGO_INCREMENTAL=0; fi
# Property tests draw the same cases whenever this commit is tested, and others in the next one.
if [ -z "${PROPTEST_RNG_SEED:-}" ]; then
  commit=$(git rev-parse HEAD 2>/dev/null || echo 0123456789abcdef)
  PROPTEST_RNG_SEED=$((16#${commit:0:12}))
fi
export PROPTEST_RNG_SEED
echo "property tests: PROPTEST_RNG_SEED=$PROPTEST_RNG_SEED"
# One build of the pool for all tests that start it: cargo's lock and features would otherwise make each of them wait.
DAGPOOL_BIN="$(cargo metadata --format-version 1 --no-deps | grep -o '"target_directory":"[^"]*"' | cut -d'"' -f4)/debug/dagpool"
export DAGPOOL_BIN

# blame NAME: the end of what it printed is repeated below all gates, where it is looked for.
blame() {
  failures+=("$1")
  sed 's/\x1b\[[0-9;]*m//g' "$log/out" | tail -60 >"$log/$((${#failures[@]} - 1))"
}

# gate NAME COMMAND...: one pass or one failure.
gate() {
  local name=$1; shift
  local start=$SECONDS
  echo "== $name"
  "$@" 2>&1 | tee "$log/out"
  if [ "${PIPESTATUS[0]}" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); blame "$name"; fi
  echo "   $name: $((SECONDS - start)) s"
}

# counted NAME COMMAND...: a runner whose own count is read from its output.
counted() {
  local name=$1; shift
  local start=$SECONDS
  echo "== $name"
  "$@" 2>&1 | tee "$log/out"
  local status=${PIPESTATUS[0]} p f
  # nextest: "Summary [...] 10 tests run: 9 passed, 1 failed"; vitest: "Tests  1 failed | 9 passed (10)".
  local line
  line=$(sed 's/\x1b\[[0-9;]*m//g' "$log/out" | grep -E 'tests? run:|^ *Tests ' | tail -1)
  p=$(grep -oE '[0-9]+ passed' <<<"$line" | grep -oE '[0-9]+' | head -1)
  f=$(grep -oE '[0-9]+ (failed|timed out)' <<<"$line" | grep -oE '[0-9]+' | paste -sd+)
  passed=$((passed + ${p:-0})); f=$((${f:-0})); failed=$((failed + f))
  if [ "$status" -ne 0 ] || [ -z "$p" ]; then
    blame "$name"
    [ "${f:-0}" -gt 0 ] || failed=$((failed + 1))
  fi
  echo "   $name: $((SECONDS - start)) s"
}

gate "packages" tests/tools/packages.sh
gate "dashboard build" tests/tools/dashboard.sh
gate "dashboard checks" npm --prefix dashboard run --silent check
counted "dashboard unit tests and coverage" npm --prefix dashboard test --silent
gate "formatting" cargo fmt --all --check
gate "clippy" cargo clippy --workspace --all-targets --quiet -- -D warnings
gate "clippy with traces" cargo clippy -p dagpool --features otel --quiet -- -D warnings
gate "kaspad" tests/tools/kaspad.sh
gate "build" cargo build --workspace --bins --tests --quiet
counted "rust tests" cargo nextest run --workspace --profile ci
gate "documentation examples" cargo test --quiet --doc -p plugin-sdk
gate "API as described" tests/tools/schemathesis.sh
gate "dashboard end to end" tests/tools/e2e.sh
gate "coverage gates" tests/tools/coverage.sh
gate "dependency policy" tests/tools/deny.sh

echo "total: $SECONDS s"
for i in "${!failures[@]}"; do
  echo "FAILED: ${failures[$i]}, which ended with:"
  sed 's/^/  | /' "$log/$i"
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
