#!/usr/bin/env bash
# Prints the path of a kaspad binary, building it once from the cargo registry.
# The cache key is version + rustc + profile, so a new compiler or profile never runs a stale node.
set -euo pipefail
version=2.1.0
profile="dev;debug=0;incremental=false;opt-level=0;hash-crates=2"
key=$(printf '%s\n%s\n' "$(rustc -V)" "$profile" | sha256sum | cut -c1-12)
root="${DAGPOOL_TOOL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dagpool}/kaspad-$version-$key"
if [ ! -x "$root/bin/kaspad" ]; then
  missing=()
  for package in protobuf-compiler libclang-dev; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
  done
  if [ "${#missing[@]}" -gt 0 ]; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"; } >&2
  fi
  mkdir -p "$root"
  # One builder at a time: two test runs on one machine must not compile the node twice.
  exec 9>"$root/lock"
  flock 9
  if [ ! -x "$root/bin/kaspad" ]; then
    hot=()
    for crate in kaspa-hashes kaspa-pow kaspa-math keccak blake2b_simd; do
      hot+=(--config "profile.dev.package.$crate.opt-level=2")
    done
    cargo install kaspad --version "$version" --locked --debug --root "$root" --target-dir "$root/target" \
      --config profile.dev.debug=0 --config profile.dev.incremental=false --config profile.dev.opt-level=0 \
      "${hot[@]}" >&2
    rm -rf "$root/target"
  fi
fi
printf '%s\n' "$root/bin/kaspad"
