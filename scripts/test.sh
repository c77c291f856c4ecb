#!/usr/bin/env bash
# Runs every test. On a fresh Debian machine with Rust it first installs what the tests need.
#
#   scripts/test.sh [ARGUMENTS FOR CARGO TEST]    e.g. scripts/test.sh -p silta-virta decode
#
#   CI=true            a missing tool fails instead of being skipped
#   SILTA_SHARED=DIR   official schemas and real documents (default ../shared)
#   SILTA_PYTHON=FILE  a Python that has contract-tests/requirements.txt (default: .venv, made here)
#   SILTA_BROWSER=1|0  look at the pages in Chromium, judged by axe-core, or do not (default: where both can be had)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

ci=${CI:-false}
skipped=()

say() { printf '\n== %s (%ds)\n' "$1" "$SECONDS"; }

# Something the tests need cannot be had.
missing() {
    printf 'MISSING: %s\n' "$1" >&2
    if [[ $ci == true ]]; then
        echo 'CI=true: nothing may be skipped.' >&2
        exit 1
    fi
    skipped+=("$1")
}

# as_root COMMAND…: runs it as root; false where we may not.
as_root() {
    if [[ $EUID -eq 0 ]]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

apt_updated=false
# debian_package PACKAGE: installs it, if this is Debian and we may.
debian_package() {
    command -v apt-get >/dev/null || return 1
    if [[ $apt_updated == false ]]; then
        as_root apt-get update -qq || return 1
        apt_updated=true
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"
}

# need COMMAND PACKAGE WHAT_FOR
need() {
    command -v "$1" >/dev/null || debian_package "$2" || missing "$1 (Debian package $2): $3"
}

# The virtual environment: made once, and again when the requirements change.
python_environment() {
    local requirements=contract-tests/requirements.txt
    cmp -s "$requirements" .venv/requirements.txt && return
    command -v python3 >/dev/null || debian_package python3 || return 1
    if ! python3 -c 'import ensurepip' 2>/dev/null; then
        debian_package python3-venv || return 1
    fi
    python3 -m venv --clear .venv &&
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement "$requirements" &&
        cp "$requirements" .venv/requirements.txt
}

# A browser, and what judges pages in it: axe-core (MPL-2.0), fetched for the tests and no part of the product.
browser() {
    local axe=target/axe/node_modules/axe-core/axe.min.js
    command -v chromium >/dev/null || debian_package chromium || return 1
    if [[ ! -f $axe ]]; then
        command -v npm >/dev/null || return 1
        npm install --prefix target/axe --no-audit --no-fund --silent axe-core@4.11.4 || return 1
    fi
    SILTA_CHROMIUM=$(command -v chromium) SILTA_AXE=$PWD/$axe
}

say 'what the tests need'
need xmllint libxml2-utils 'documents against the official XSD'
need /usr/sbin/sshd openssh-server 'loads over SFTP to a real server'
# Debian keeps server programs off the path. The tests start a server of their own.
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || need initdb postgresql 'the ledger on PostgreSQL'
need openssl openssl 'keys, certificates and time-stamps that are not our own'
need softhsm2-util softhsm2 'keys in a token (PKCS#11)'
if [[ -z ${SILTA_PYTHON:-} ]]; then
    if python_environment; then
        export SILTA_PYTHON=$PWD/.venv/bin/python
    else
        missing 'the Python environment .venv: credentials against the official SHACL shapes'
    fi
fi
if [[ ${SILTA_BROWSER:-} != 0 ]]; then
    if browser; then
        export SILTA_CHROMIUM SILTA_AXE
    elif [[ ${SILTA_BROWSER:-} == 1 ]]; then
        missing 'chromium, npm or axe-core: the pages in a browser'
    else
        skipped+=('chromium, npm or axe-core: the pages were not looked at in a browser')
    fi
fi
export SILTA_SHARED=${SILTA_SHARED:-$PWD/../shared}
[[ -d $SILTA_SHARED ]] || missing "official schemas and real documents (SILTA_SHARED=$SILTA_SHARED)"

scope=(--workspace)
if [[ " $* " =~ ' -p '|' --package' ]]; then
    scope=()
fi
say 'tests'
# Everything runs, whatever failed before; documentation tests are among it.
cargo test "${scope[@]}" --locked --no-fail-fast "$@"

say 'done'
if ((${#skipped[@]})); then
    printf 'SKIPPED: %s\n' "${skipped[@]}"
fi
