#!/usr/bin/env bash
# Measures Silta beside its peers, all in one run on this machine, and writes docs/performance.md.
#
#   benches/peers/run.sh                     everything, about an hour
#   benches/peers/run.sh faults              one part: queues, faults or reconciliation; docs/performance.md is not written
#   JOBS=2000 QUEUES='Silta|pg-boss' …       a trial; so are DELIVERIES=2000 and RECORDS=10000
#
# Needs PostgreSQL's and Redis' programs (Debian: postgresql, redis-server), Node and Python. The peers are installed by name and version from
# node/package.json, python/requirements.txt and Cargo.toml. Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

cmp -s node/package.json node/node_modules/package.json || {
    npm install --prefix node --no-package-lock --no-audit --no-fund --silent
    cp node/package.json node/node_modules/
}
cmp -s python/requirements.txt .venv/requirements.txt || {
    python3 -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement python/requirements.txt
    cp python/requirements.txt .venv/requirements.txt
}
cargo build --release --bins
.venv/bin/python python/compare.py "$@"
