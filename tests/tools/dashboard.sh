#!/usr/bin/env bash
# Builds the dashboard's front end unless the last build is of these very sources.
set -euo pipefail
cd "$(dirname "$0")/../../dashboard"
command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or later (Debian: apt-get install nodejs npm)" >&2; exit 1; }
stamp=$(git ls-files -co --exclude-standard -- . ':!e2e' ':!docs' | sort | xargs sha256sum | sha256sum | cut -d' ' -f1)
if [ -f dist/index.html ] && [ "$(cat dist/.stamp 2>/dev/null)" = "$stamp" ]; then exit 0; fi
lock=$(sha256sum package-lock.json | cut -d' ' -f1)
if [ "$(cat node_modules/.stamp 2>/dev/null)" != "$lock" ]; then
  npm ci --no-fund --no-audit --loglevel=error
  printf '%s' "$lock" > node_modules/.stamp
fi
npm run --silent build
printf '%s' "$stamp" > dist/.stamp
