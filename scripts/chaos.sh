#!/usr/bin/env bash
# Real gateways under real faults: what is lost, duplicated, overtaken and delayed, beside a run without faults, on SQLite
# and on PostgreSQL (a server of its own, whose commits are synced). Exit code 1 if a promise is broken.
#
#   scripts/chaos.sh [--store sqlite|postgresql] [--records N] [--seconds N] [--faults N] [--rate N] [--seed N]
#
#   --records   records at the beginning                    (500)
#   --rate      changes a second while there is traffic     (20)
#   --seconds   how long there is traffic at least          (60)
#   --faults    faults of processes and of the database     (12)
#   --seed      repeats a schedule of faults                (another one each time)
#
#   SILTA_CHAOS_PROFILE=dev   the build to use (default release)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
    exit 2
}

store='' records=500 rate=20 seconds=60 faults=12 seed=$((RANDOM * 32768 + RANDOM))
while (($#)); do
    [[ $# -ge 2 ]] || usage
    case $1 in
    --store) store=$2 ;;
    --records) records=$2 ;;
    --rate) rate=$2 ;;
    --seconds) seconds=$2 ;;
    --faults) faults=$2 ;;
    --seed) seed=$2 ;;
    *) usage ;;
    esac
    shift 2
done
[[ $store =~ ^(sqlite|postgresql)?$ && "$records$rate$seconds$faults$seed" =~ ^[0-9]+$ ]] || usage

export SILTA_CHAOS_SEED=$seed SILTA_CHAOS_RECORDS=$records SILTA_CHAOS_RATE=$rate
export SILTA_CHAOS_SECONDS=$seconds SILTA_CHAOS_FAULTS=$faults
echo "seed $seed"
cargo test --locked --quiet --profile "${SILTA_CHAOS_PROFILE:-release}" -p silta --test chaos \
    "every_promise_holds_on_$store" -- --nocapture --test-threads=1 || exit 1
