# `just` lists the recipes. They are shorthands: scripts/ and .ci/run do the work.

_default:
    @just --list

# every test; arguments go to cargo test
test *arguments:
    scripts/test.sh {{ arguments }}

# the simulation for a night: so many seeds, longer histories; then random operations on each store against the reference
nights seeds="200000" steps="1000":
    SILTA_SIM_SEEDS={{ seeds }} SILTA_SIM_STEPS={{ steps }} cargo test --locked -p silta --test simulation
    SILTA_MODEL_SEEDS=2000 SILTA_MODEL_STEPS=150 cargo test --locked -p silta-ledger -p silta-ledger-sqlite \
        -p silta-ledger-postgres random_operations

# real gateways under real faults, beside a run without; arguments as `scripts/chaos.sh --help` says
chaos *arguments:
    scripts/chaos.sh {{ arguments }}

# everything that has to hold before a merge
ci:
    .ci/run

# format the code
fmt:
    cargo fmt --all

# clippy, warnings denied
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# dependency policy, with a fresh advisory database (needs a network)
deny:
    cargo deny fetch db
    cargo deny --workspace check

# gateway, simulated national store and sample tenants
demo *arguments:
    cargo run --release --locked -- demo {{ arguments }}

# write the files generated from the code
generate:
    scripts/generate.sh

# benchmarks; arguments choose them
bench *arguments:
    cargo bench --locked {{ arguments }}
