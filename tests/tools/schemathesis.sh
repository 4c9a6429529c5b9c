#!/usr/bin/env bash
# Asks a real pool (`dagpool demo`) everything that its description allows, and what it forbids, as nobody and as every role; fails on
# answers that are not as described, and on every 500. SECONDS_EACH bounds each role's run, SEED makes it the same again, ROLES chooses.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=4.32.5
seconds=${SECONDS_EACH:-20} seed=${SEED:-1}
root="${DAGPOOL_TOOL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dagpool}/schemathesis-$version-$(python3 -V | cut -d' ' -f2)"
if [ ! -f "$root/ready" ]; then
  mkdir -p "$root"
  exec 9>"$root/lock"
  flock 9
  if [ ! -f "$root/ready" ]; then
    python3 -m venv "$root/venv"
    "$root/venv/bin/pip" install --quiet --disable-pip-version-check "schemathesis==$version"
    touch "$root/ready"
  fi
  exec 9>&-
fi
if [ -z "${DAGPOOL_BIN:-}" ]; then
  cargo build --quiet --bin dagpool
  DAGPOOL_BIN="${CARGO_TARGET_DIR:-$PWD/target}/debug/dagpool"
fi

work=$(mktemp -d)
mkdir "$work/pool"
demo=
cleanup() {
  if [ -n "$demo" ]; then kill "$demo" 2>/dev/null || true; wait "$demo" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
"$DAGPOOL_BIN" demo --http 127.0.0.1:0 --stratum 127.0.0.1:0 --block-time 1 --miners 2 --data-dir "$work/pool" \
  >"$work/out" 2>"$work/log" &
demo=$!
url= token=
for _ in $(seq 300); do
  url=$(sed -n 's/^dashboard *\(http:\/\/[^ ]*\).*/\1/p' "$work/out")
  token=$(sed -n 's/^admin *Authorization: Bearer \([^ ]*\).*/\1/p' "$work/out")
  [ -n "$url" ] && [ -n "$token" ] && break
  kill -0 "$demo" 2>/dev/null || break
  sleep 0.2
done
url=${url%/}
if [ -z "$url" ] || [ -z "$token" ]; then echo "the demonstration did not start:"; cat "$work/out" "$work/log"; exit 1; fi
curl -fsS "$url/api/openapi.json" -o "$work/openapi.json"

# Somebody of each role, with an access token.
declare -A tokens=([nobody]='')
password='orbit-fence-tuna-77'
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
for role in miner viewer operator admin; do
  curl -fsS -o "$work/made" "$url/api/admin/users" -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
    -d "{\"username\":\"fuzz-$role\",\"password\":\"$password\",\"role\":\"$role\"}"
  tokens[$role]=$(curl -fsS "$url/api/auth/login" -H 'Content-Type: application/json' \
    -d "{\"username\":\"fuzz-$role\",\"password\":\"$password\"}" | field token)
done

# It keeps what it found where it stands.
cd "$work"
failed=0
for role in ${ROLES:-nobody miner viewer operator admin}; do
  header=()
  [ -n "${tokens[$role]}" ] && header=(-H "Authorization: Bearer ${tokens[$role]}")
  echo "== as $role"
  # A role's own session must last: it does not log out. positive_data_acceptance is left out, since what is well-formed may still name
  # what there is not, or be refused for what it would do.
  if ! "$root/venv/bin/schemathesis" run "$work/openapi.json" --url "$url" "${header[@]}" --seed "$seed" \
    --max-time "$seconds" --max-examples "${EXAMPLES:-20}" --phases examples,coverage,fuzzing --generation-database none --no-color \
    --warnings off --request-timeout 30 --exclude-path /api/auth/logout --exclude-path /api/live --exclude-path /notifications \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,negative_data_rejection \
    >"$work/$role" 2>&1; then
    failed=1
    cat "$work/$role"
  else
    tail -15 "$work/$role"
  fi
done
if grep -q panicked "$work/log"; then echo "something panicked:"; grep -A5 panicked "$work/log"; failed=1; fi
exit "$failed"
