#!/bin/sh
# Many CRMs in one database: what installing one costs, what a backend that uses
# one of them keeps of all the others, and what is done with all of them takes.
#
#	bench/fleet.sh [NUMBER]		# default 101
#
# Reaches the server as libpq's environment says, makes the database crm_fleet
# anew and drops it at the end.
set -eu

number=${1:-101}
database=crm_fleet
calls='pipeline_summary(p) win_rate(p) sales_cycle(p) sales_velocity(p)
	recurring_revenue(p) rotting_deals(p) stage_probabilities(p) forecast(p)
	slippage(p) funnel(p) stage_conversion(p) time_in_stage(p)
	pipeline_waterfall(p,now()-interval(day)) pipeline_summary_as_of(p,now())
	move_deal(d,s)'

sql()				# psql in the database, bare
{
	psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$database" "$@"
}

cpu()				# seconds of CPU that a statement took in the server
{
	sql -c 'SET client_min_messages = log' -c 'SET log_statement_stats = on' -c "$1" 2>&1 |
		awk '/s user, .* elapsed$/ { print $2 + $5 }' | tail -n 1
}

psql -X -q -d postgres -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database"
trap 'psql -X -q -d postgres -c "DROP DATABASE $database"' EXIT
sql -c 'CREATE SCHEMA extensions' -c 'CREATE EXTENSION crm SCHEMA extensions' \
	-c "SELECT extensions.crm_install('crm_1')" >/dev/null
sql -c "CREATE TABLE public.sizes AS SELECT c.oid, pg_total_relation_size(c.oid) AS size FROM pg_class AS c
	WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r'"
before=$(sql -c "SELECT pg_database_size('$database')")
for n in $(seq 2 "$number")
do
	echo "SELECT extensions.crm_install('crm_$n');"
done | sql >/dev/null
after=$(sql -c "SELECT pg_database_size('$database')")
echo "CRMs: $number"
[ "$number" -le 1 ] ||
	echo "growth of the database for each: $(((after - before) / (number - 1) / 1024)) kB"
echo "CPU of crm_install(): $(cpu "SELECT extensions.crm_install('crm_last')") s"

echo "of that, in catalogs: $(sql -F ' kB ' -R ', ' -c "
	SELECT round((pg_total_relation_size(c.oid) - s.size) / 1024.0 / greatest($number - 1, 1), 1), c.relname
	FROM pg_class AS c JOIN public.sizes AS s ON s.oid = c.oid
	ORDER BY 1 DESC
	LIMIT 12")"

wall()				# seconds that a command takes
{
	began=$(date +%s)
	"$@" >/dev/null 2>&1
	echo $(($(date +%s) - began))
}
echo "pg_dump -s of all: $(wall pg_dump -s -d "$database") s"
echo "crm_fleet_summary(): $(wall psql -X -q -d "$database" -c 'SELECT * FROM extensions.crm_fleet_summary()') s"
echo "crm_fleet_check(): $(wall psql -X -q -d "$database" -c 'SELECT * FROM extensions.crm_fleet_check()') s"

# An upgrade that adds a column, from a version that never was.
sql <<'SQL'
UPDATE pg_trigger SET tgargs = '0.0.1'::bytea || substring(tgargs FROM position('\x00'::bytea IN tgargs))
WHERE tgnargs > 0 AND tgfoid IN (SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'extensions'::regnamespace);
CREATE TABLE public.locks (held bigint);
CREATE OR REPLACE FUNCTION extensions.crm_migrations() RETURNS TABLE (from_version text, to_version text, script text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $body$
	SELECT '0.0.1', extensions.crm_version(), $step$
		ALTER TABLE deals ADD COLUMN next_step text;
		INSERT INTO public.locks SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid();
	$step$
$body$;
SQL
echo "crm_upgrade_all(): $(wall psql -X -q -d "$database" -c 'CALL extensions.crm_upgrade_all()') s," \
	"at most $(sql -c 'SELECT max(held) FROM public.locks') locks at once"

# One backend that uses one CRM: each call once, then the size of its caches.
{
	echo "SET search_path = crm_1;
	SELECT id AS p FROM create_pipeline('Sales', '[\"Lead\", \"Offer\"]') \\gset
	INSERT INTO deals (title, pipeline_id) VALUES ('Deal', :'p') RETURNING id AS d \\gset
	SELECT id AS s FROM stages WHERE name = 'Offer' \\gset"
	for call in $calls
	do
		echo "SELECT count(*) FROM $call \\g /dev/null" |
			sed "s/(p/(:'p'/; s/(d,s)/(:'d', :'s')/; s/interval(day)/interval '1 day'/"
	done
	echo "SELECT 'caches of a backend that makes 15 calls of one: '
		|| pg_size_pretty(sum(total_bytes)) || ' (used ' || pg_size_pretty(sum(used_bytes)) || '), ' || string_agg(part, ', ' ORDER BY part)
	FROM (SELECT sum(m.total_bytes) AS total_bytes, sum(m.used_bytes) AS used_bytes,
			m.part || ' ' || pg_size_pretty(sum(m.total_bytes)) AS part
		FROM (WITH RECURSIVE tree AS (
				SELECT name, parent, level, total_bytes, used_bytes FROM pg_backend_memory_contexts
				WHERE name = 'CacheMemoryContext'
				UNION ALL
				SELECT c.name, c.parent, c.level, c.total_bytes, c.used_bytes
				FROM pg_backend_memory_contexts AS c
				WHERE c.level = 2 AND c.parent = 'CacheMemoryContext')
			SELECT CASE WHEN name LIKE 'CachedPlan%' OR name = 'crm report' THEN 'plans'
				WHEN name = 'CacheMemoryContext' THEN 'catalog' ELSE 'other' END AS part, total_bytes, used_bytes
			FROM tree) AS m
		GROUP BY m.part) AS parts;"
} | sql
