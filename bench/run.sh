#!/bin/sh
# Measures crm in a private PostgreSQL: prints a table in Markdown on standard
# output, and draws the curves (SVG) in bench/results.
#
#	SCALE=100k ROUNDS=5 ONLY=bulk,one_row bench/run.sh
#
# SCALE is the number of deals of the largest table (10k, 100k, 1M, 10M).
# ONLY names the parts to run: summary, rollup, bulk, many, nothing, one_row, sync,
# clients, hour, snapshot, copy, calls, time_in_stage, funnel, as_of, trend, waterfall,
# small_pipeline, jit; default: all.
# The last eight use at most 2.5 million deals, with four moves each.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=scripts/server.sh
. "$top/scripts/server.sh"

"$top/scripts/setup.sh" build
command -v python3 >/dev/null || die "python3 is not installed"

echo "Building crm and starting a private PostgreSQL ..." >&2
server_prepare
server_start local

# The server's defaults (jit is on), but for what the table names: the memory of a
# server, no background work that disturbs, and one process for each query.
memory=$(awk '/^MemTotal/ { print int($2 / 1024 / 4) }' /proc/meminfo)
as_server tee -a "$work/data/postgresql.conf" >/dev/null <<-END
	fsync = on
	full_page_writes = on
	synchronous_commit = on
	shared_buffers = ${memory}MB
	work_mem = 64MB
	maintenance_work_mem = 512MB
	max_wal_size = 20GB
	checkpoint_timeout = 1d
	autovacuum = off
	random_page_cost = 1.1
	max_parallel_workers_per_gather = 0
END
quietly as_server "$bin/pg_ctl" -D "$work/data" -l "$work/server.log" -w restart

results=${RESULTS:-$top/bench/results}
mkdir -p "$results"
python3 "$top/bench/bench.py" --scale "${SCALE:-100k}" --rounds "${ROUNDS:-5}" \
	--pgbench "$bin/pgbench" --results "$results" --only "${ONLY:-}"
echo "Plots: $results" >&2
