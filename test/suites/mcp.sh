# The official clients of the Model Context Protocol, from npm, against crm-mcp
# and a stand-in for PostgREST: test/mcp.  Needs npm, and what npm brings.
set -eu
: "${work:?}"
modules=$work/mcp
mkdir "$modules"
cp test/mcp/*.mjs test/mcp/package*.json test/mcp/roles.sql "$modules"
cd "$modules"
npm ci --no-audit --no-fund >&2
createdb mcp_clients
psql -Xqv ON_ERROR_STOP=1 -d mcp_clients -f roles.sql >&2
# The inspector wants a newer Node than Debian's.
node_modules/.bin/node clients.mjs mcp_clients
