#!/usr/bin/env bash
# Builds every algorithm of the workspace as a package, wasm and native, signs it with a development key that is made when
# it is first needed, and checks it as a pool would. `WASM_ONLY=1` leaves the native libraries out.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=target/packages
mkdir -p "$out"
cargo build --quiet --bin dagpool
dagpool=${CARGO_TARGET_DIR:-target}/debug/dagpool
[ -f "$out/development.key" ] ||
  "$dagpool" algorithm keygen --out "$out/development" --name "development key" --native --trust "$out/trust.toml"
native=--native
[ -z "${WASM_ONLY:-}" ] || native=
for folder in plugins/*/; do
  [ -f "$folder/manifest.json" ] || continue
  name=$(basename "$folder")
  rm -f "$out/algorithm-package-$name-v"*.zip
  "$dagpool" algorithm pack --path "$folder" $native --key "$out/development.key" --out "$out"
  "$dagpool" algorithm verify "$out/algorithm-package-$name-v"*.zip --trust "$out/trust.toml"
done
