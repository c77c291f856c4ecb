#!/usr/bin/env bash
# Writes what the compiler checks queries against where there is no database: the .sqlx of each store.
#
#   scripts/sqlx.sh           run it after a change of a query or a migration
#   scripts/sqlx.sh --check   fails if it was not run
#
# Needs PostgreSQL's programs (Debian: postgresql) and sqlite3 or Python; the server it starts is gone when it ends.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

check=${1:-}
programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
programs=${programs:-$(dirname "$(command -v initdb)")}
dir=$(mktemp -d)

# PostgreSQL refuses to run as root.
unprivileged=()
if [[ $EUID -eq 0 ]]; then
    chown nobody "$dir"
    unprivileged=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
cleanup() {
    [[ -z ${server:-} ]] || { kill -QUIT "$server" && wait "$server"; } 2>/dev/null || true
    rm -rf "$dir"
}
trap cleanup EXIT

# sqlite FILE <SQL: runs statements on a file.
sqlite() {
    if command -v sqlite3 >/dev/null; then
        sqlite3 -bail "$1"
    else
        python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())' "$1"
    fi
}

cat ledger/sqlite/migrations/*.sql | sqlite "$dir/silta.db"

(cd "$dir" && "${unprivileged[@]}" "$programs/initdb" -D data -U silta -A trust -E UTF8 --locale=C --no-sync >/dev/null)
(cd "$dir" && exec "${unprivileged[@]}" "$programs/postgres" -D data -c unix_socket_directories="$dir" \
    -c listen_addresses= -c fsync=off >log 2>&1) &
server=$!
until "$programs/pg_isready" -q -h "$dir"; do
    kill -0 "$server" || { cat "$dir/log" >&2; exit 1; }
    sleep 0.1
done
for migration in ledger/postgres/migrations/*.sql; do
    "$programs/psql" -h "$dir" -U silta -d postgres -q -v ON_ERROR_STOP=1 -f "$migration"
done

# Both at once: what the compiler checked says which database it was checked against.
mkdir "$dir/new"
touch ledger/{sqlite,postgres}/src/lib.rs
SILTA_SQLITE_URL="sqlite:$dir/silta.db" SILTA_PG_URL="postgres://silta@localhost/postgres?host=$dir" \
    SQLX_OFFLINE_DIR="$dir/new" "${CARGO:-cargo}" check --locked -p silta-ledger-sqlite -p silta-ledger-postgres
for store in sqlite:SQLite postgres:PostgreSQL; do
    checked=$dir/${store%:*} kept=ledger/${store%:*}/.sqlx
    mkdir "$checked"
    grep -lF "\"db_name\": \"${store#*:}\"" "$dir"/new/*.json | xargs -r cp -t "$checked"
    if [[ $check == --check ]]; then
        diff -r "$checked" "$kept" || { echo 'run scripts/sqlx.sh' >&2; exit 1; }
    else
        rm -rf "$kept"
        cp -r "$checked" "$kept"
    fi
done
