#!/bin/sh
# Writes docs/reference.md from the COMMENTs of a fresh CRM, in a private server.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/server.sh
. "$top/scripts/server.sh"

sql()				# psql in the private server
{
	as_server "$bin/psql" -X -q -At -v ON_ERROR_STOP=1 -d postgres "$@"
}

server_prepare
server_start local
sql -c 'CREATE EXTENSION crm' -c 'SELECT crm_install()' >/dev/null
sql -f "$src/scripts/reference.sql" >"$work/reference.md"
cp "$work/reference.md" "$top/docs/reference.md"
