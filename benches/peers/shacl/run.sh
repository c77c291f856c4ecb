#!/usr/bin/env bash
# Measures a credential validated, sealed and verified beside pyshacl, the Rust `shacl` crate and bare signatures: on the
# same credential, in one run on this machine. Writes docs/performance-credentials.md.
#
#   benches/peers/shacl/run.sh               all of it; the peer takes some minutes to build the first time
#   PROFILE=dev benches/peers/shacl/run.sh   a trial with what is built for tests: printed, not written
#
#   SILTA_SHARED=DIR    where the official shapes are (default ../shared)
#   SILTA_PYTHON=FILE   a Python with contract-tests/requirements.txt (default .venv, which scripts/test.sh makes)
#   PEER_TARGET=DIR     where the peer is built (default benches/peers/target/shacl)
#
# Nothing else should run meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

shapes=${SILTA_SHARED:-../shared}/schemas/elm
python=${SILTA_PYTHON:-.venv/bin/python}
profile=${PROFILE:-bench}
peer=benches/peers/shacl
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

SILTA_BENCH_OUT=$work cargo bench --locked --workspace --all-features --profile "$profile" --bench credential | tee "$work/silta.txt"
"$python" -W ignore "$peer/pyshacl_time.py" "$shapes" "$work/credential.json" "$work/credential.nt" | tee "$work/pyshacl.txt"
cargo run --release --locked --manifest-path "$peer/Cargo.toml" --target-dir "${PEER_TARGET:-benches/peers/target/shacl}" \
    -- "$shapes" "$work/credential.nt" | tee "$work/shacl.txt"

"$python" "$peer/report.py" "$work" >"$work/report.md"
if [[ $profile == bench ]]; then
    cp "$work/report.md" docs/performance-credentials.md
else
    cat "$work/report.md"
fi
