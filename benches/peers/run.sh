#!/usr/bin/env bash
# Measures Silta beside its peers, all in one run on this machine, and writes docs/performance.md.
#
#   benches/peers/run.sh            everything: 50,000 jobs, about an hour
#   JOBS=2000 benches/peers/run.sh Silta pg-boss    a trial, of some only; docs/performance.md is not written
#
# Needs PostgreSQL's programs (Debian: postgresql), Node and Python. The peers are installed by name and version from
# node/package.json, python/requirements.txt and Cargo.toml. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

[[ -d node/node_modules ]] || npm install --prefix node --no-package-lock --no-audit --no-fund --silent
cmp -s python/requirements.txt .venv/requirements.txt || {
    python3 -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement python/requirements.txt
    cp python/requirements.txt .venv/requirements.txt
}
cargo build --release --bins
.venv/bin/python python/compare.py "$@"
