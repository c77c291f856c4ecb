#!/usr/bin/env bash
# Writes what the compiler checks queries against where there is no database: ledger/postgres/.sqlx.
#
#   scripts/sqlx.sh           run it after a change of a query or a migration
#   scripts/sqlx.sh --check   fails if it was not run
#
# Needs PostgreSQL's programs (Debian: postgresql); the server it starts is gone when it ends.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

crate=ledger/postgres
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

(cd "$dir" && "${unprivileged[@]}" "$programs/initdb" -D data -U silta -A trust -E UTF8 --locale=C --no-sync >/dev/null)
(cd "$dir" && exec "${unprivileged[@]}" "$programs/postgres" -D data -c unix_socket_directories="$dir" \
    -c listen_addresses= -c fsync=off >log 2>&1) &
server=$!
until "$programs/pg_isready" -q -h "$dir"; do
    kill -0 "$server" || { cat "$dir/log" >&2; exit 1; }
    sleep 0.1
done
for migration in "$crate"/migrations/*.sql; do
    "$programs/psql" -h "$dir" -U silta -d postgres -q -v ON_ERROR_STOP=1 -f "$migration"
done

mkdir "$dir/new"
touch "$crate/src/lib.rs"
SILTA_PG_URL="postgres://silta@localhost/postgres?host=$dir" SQLX_OFFLINE_DIR="$dir/new" \
    cargo check --locked -p silta-ledger-postgres
if [[ ${1:-} == --check ]]; then
    diff -r "$dir/new" "$crate/.sqlx" || { echo 'run scripts/sqlx.sh' >&2; exit 1; }
else
    rm -rf "$crate/.sqlx"
    cp -r "$dir/new" "$crate/.sqlx"
fi
