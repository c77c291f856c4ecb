#!/usr/bin/env bash
# Writes the files that are generated from the code.
#
#   scripts/generate.sh            writes them
#   scripts/generate.sh --check    writes nothing; fails and shows the difference if one is not up to date
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# One generator per line: the file, and the arguments of `silta` that print it.
generators() {
    cat <<'TABLE'
docs/schema/record.json   schema record
docs/openapi.json         openapi
docs/adapters/record.md   adapters --markdown record
docs/adapters/virta.md    adapters --markdown virta
docs/adapters/elm.md      adapters --markdown elm
docs/adapters/koski.md    adapters --markdown koski
docs/adapters/sisu.md     adapters --markdown sisu
docs/adapters/ooapi.md    adapters --markdown ooapi
docs/adapters/ooapi-v5.md adapters --markdown ooapi-v5
docs/adapters/onr.md      adapters --markdown onr
TABLE
}

mode=${1:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stale=()

cargo build --quiet --locked --bin silta
while read -r file arguments; do
    # The arguments of the table are words of their own.
    # shellcheck disable=SC2086
    if ! cargo run --quiet --locked --bin silta -- $arguments >"$work/out" </dev/null || [[ ! -s $work/out ]]; then
        stale+=("$file (silta $arguments does not print it)")
    elif [[ $mode == --check ]]; then
        diff -uN "$file" "$work/out" || stale+=("$file")
    else
        mkdir -p "$(dirname "$file")"
        cp "$work/out" "$file"
    fi
done < <(generators)

if ((${#stale[@]})); then
    printf 'NOT UP TO DATE: %s\n' "${stale[@]}" >&2
    echo 'scripts/generate.sh writes them.' >&2
    exit 1
fi
