#!/usr/bin/env bash
# Installs the Debian packages and cargo tools that the tests need and this machine lacks.
set -euo pipefail
missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need chromium chromium
need node nodejs
need npm npm
need cc build-essential
need redis-server redis-server
need redis-cli redis-tools
need openssl openssl
need python3 python3
need curl curl
# A virtual environment needs a package of its own on Debian.
python3 -c "import ensurepip" 2>/dev/null || missing+=(python3-venv)
need promtool prometheus
need influxd influxdb
# The server's own programs are not on the path.
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null 2>&1 || missing+=(postgresql)
if [ "${#missing[@]}" -gt 0 ]; then
  [ "$(id -u)" = 0 ] || { echo "missing: ${missing[*]}; run as root, or install them yourself" >&2; exit 1; }
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  # Tests start servers of their own; what the packages would run beside them only takes ports.
  for service in prometheus influxdb; do
    case " ${missing[*]} " in *" $service "*) ;; *) continue ;; esac
    if [ -d /run/systemd/system ]; then systemctl disable --now --quiet "$service" || true; fi
  done
fi
# Without optimisation: it is built faster than it could save time here.
cargo nextest --version >/dev/null 2>&1 ||
  cargo install cargo-nextest --version 0.9.143 --locked --debug --config profile.dev.debug=0
