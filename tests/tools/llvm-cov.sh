#!/usr/bin/env bash
# Makes cargo-llvm-cov and LLVM's coverage tools available; prints `export` lines for them, to be used with eval.
# The tools must read the profiles that rustc's LLVM writes, therefore they come from the same major version.
set -euo pipefail
version=0.9.1
key=$(rustc -V | sha256sum | cut -c1-12)
root="${DAGPOOL_TOOL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dagpool}/cargo-llvm-cov-$version-$key"
if [ ! -x "$root/bin/cargo-llvm-cov" ]; then
  mkdir -p "$root"
  exec 9>"$root/lock"
  flock 9
  if [ ! -x "$root/bin/cargo-llvm-cov" ]; then
    cargo install cargo-llvm-cov --version "$version" --locked --debug --root "$root" --target-dir "$root/target" \
      --config profile.dev.debug=0 --config profile.dev.incremental=false --config profile.dev.opt-level=0 >&2
    rm -rf "$root/target"
  fi
fi
printf 'export PATH=%q:"$PATH"\n' "$root/bin"

# With rustup's component llvm-tools, cargo-llvm-cov finds them by itself.
[ -x "$(rustc --print target-libdir)/../bin/llvm-profdata" ] && exit 0
major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
if ! command -v "llvm-profdata-$major" >/dev/null; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "llvm-$major"; } >&2 || {
    echo "coverage needs LLVM $major: run 'rustup component add llvm-tools', or install llvm-$major" >&2
    exit 1
  }
fi
printf 'export LLVM_COV=%q LLVM_PROFDATA=%q\n' "$(command -v "llvm-cov-$major")" "$(command -v "llvm-profdata-$major")"
