#!/usr/bin/env bash
# Checks what we depend on against deny.toml: licences, sources, banned and duplicate packages.
# Advisories are left out: their database comes from a git host, and a gate must not depend on reaching it.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=0.20.2
key=$(rustc -V | sha256sum | cut -c1-12)
root="${DAGPOOL_TOOL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dagpool}/cargo-deny-$version-$key"
if [ ! -x "$root/bin/cargo-deny" ]; then
  mkdir -p "$root"
  exec 9>"$root/lock"
  flock 9
  if [ ! -x "$root/bin/cargo-deny" ]; then
    cargo install cargo-deny --version "$version" --locked --no-default-features --debug --root "$root" \
      --target-dir "$root/target" --config profile.dev.debug=0 --config profile.dev.incremental=false \
      --config profile.dev.opt-level=0 >&2
    rm -rf "$root/target"
  fi
fi
"$root/bin/cargo-deny" --locked --all-features check --hide-inclusion-graph bans licenses sources
