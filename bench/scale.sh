#!/bin/sh
# How the size of a CRM and the cost of its calls grow with the number of deals:
# what docs/scale.md computes larger ones from.
#
#	bench/scale.sh [NUMBER ...]	# default 100000 300000 1000000, in rising order
#
# Reaches the server as libpq's environment says, as a superuser; makes the
# database crm_scale anew and drops it at the end.  Each deal moves twice, and a
# tenth of the deals are edited.  Times are CPU of the backend, in milliseconds.
set -eu

database=crm_scale
[ $# -gt 0 ] || set -- 100000 300000 1000000

sql()
{
	psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$database" "$@"
}

psql -X -q -d postgres -c "DROP DATABASE IF EXISTS $database" -c "CREATE DATABASE $database"
trap 'psql -X -q -d postgres -c "DROP DATABASE $database"' EXIT
sql <<'SQL'
CREATE SCHEMA extensions;
CREATE EXTENSION crm SCHEMA extensions;
SELECT extensions.crm_install() \g /dev/null
SELECT crm.create_pipeline('Sales', '["Lead", "Offer", "Contract", {"name": "Won", "deal_status": "won"},
	{"name": "Lost", "deal_status": "lost"}]', is_default => true) \g /dev/null
CREATE FUNCTION public.cpu() RETURNS numeric LANGUAGE sql VOLATILE AS
	$$SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::numeric / 1000000$$;

-- CPU of a statement, in many runs if it is short, as the kernel counts by ticks; after one that plans.
CREATE FUNCTION public.cost(statement text, runs integer) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	before numeric;
BEGIN
	EXECUTE statement;
	before := public.cpu();
	FOR i IN 1..runs LOOP
		EXECUTE statement;
	END LOOP;
	RETURN (public.cpu() - before) / runs;
END $$;

-- Adds deals until there are that many, and moves the new ones; returns CPU per insert and per move.
CREATE PROCEDURE public.fill(total integer, INOUT an_insert numeric, INOUT a_move numeric) LANGUAGE plpgsql AS $$
DECLARE
	had integer := (SELECT count(*) FROM crm.deals);
	batch CONSTANT integer := 50000;
	inserts numeric := 0;
	moves numeric := 0;
	before numeric;
	last uuid;
	stages uuid[] := (SELECT array_agg(id ORDER BY position) FROM crm.stages);
BEGIN
	FOR start IN had..total - 1 BY batch LOOP
		-- ids rise with time
		last := coalesce((SELECT id FROM crm.deals ORDER BY id DESC LIMIT 1), '00000000-0000-0000-0000-000000000000');
		before := public.cpu();
		INSERT INTO crm.deals (title, amount, currency, owner_id, external_id, stage_id, stage_entered_at, created_at)
		SELECT 'Deal ' || n, n % 10000, CASE WHEN n % 10 = 0 THEN 'USD' ELSE 'EUR' END, md5((n % 50)::text)::uuid, n::text,
			stages[1], t, t
		FROM generate_series(start, least(start + batch, total) - 1) AS n
			CROSS JOIN LATERAL (SELECT now() - interval '1000 days' + (n % 900) * interval '1 day') AS x (t);
		inserts := inserts + public.cpu() - before;
		COMMIT;
		before := public.cpu();
		UPDATE crm.deals SET stage_id = stages[2], stage_entered_at = stage_entered_at + interval '10 days'
		WHERE id > last AND stage_id = stages[1];
		UPDATE crm.deals SET stage_id = stages[CASE WHEN external_id::integer % 3 = 0 THEN 4 WHEN external_id::integer % 3 = 1 THEN 5 ELSE 3 END],
			stage_entered_at = stage_entered_at + interval '20 days'
		WHERE id > last AND stage_id = stages[2];
		moves := moves + public.cpu() - before;
		COMMIT;
		UPDATE crm.deals SET amount = amount + 1 WHERE id > last AND external_id::integer % 10 = 5;
		COMMIT;
	END LOOP;
	an_insert := inserts / (total - had);
	a_move := moves / (total - had) / 2;
END $$;
SQL

echo '| deals | MB: deals, stage_changes, deal_changes | kB a deal | an insert | a move in bulk | a move of one | pipeline_summary | – of an owner | funnel | time_in_stage | as of | waterfall of 30 days | context_for_deal |'
echo '|--:|--|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|'
for number
do
	filled=$(sql -F ' ' -c "CALL public.fill($number, 0, 0)")
	sql -c 'VACUUM ANALYZE crm.deals' -c 'VACUUM ANALYZE crm.stage_changes' -c 'VACUUM ANALYZE crm.deal_changes'
	sql -v number="$number" -v an_insert="${filled% *}" -v a_move="${filled#* }" <<-'SQL'
		SELECT id AS p FROM crm.pipelines \gset
		SELECT id AS d, stage_id AS s FROM crm.deals WHERE status = 'open' LIMIT 1 \gset
		CREATE OR REPLACE FUNCTION pg_temp.one(n integer) RETURNS numeric LANGUAGE plpgsql AS $$
		DECLARE
			before numeric := public.cpu();
			stages uuid[] := (SELECT array_agg(id ORDER BY position) FROM crm.stages WHERE deal_status = 'open');
			deal uuid;
		BEGIN
			FOR deal IN SELECT id FROM crm.deals WHERE status = 'open' LIMIT n LOOP
				UPDATE crm.deals SET stage_id = CASE stage_id WHEN stages[1] THEN stages[2] ELSE stages[1] END WHERE id = deal;
			END LOOP;
			RETURN (public.cpu() - before) / n;
		END $$;
		SELECT concat_ws(' | ', '| ' || :'number',
			(SELECT string_agg((pg_total_relation_size('crm.' || t) / 1000000)::text, ', ' ORDER BY n)
				FROM unnest(ARRAY['deals', 'stage_changes', 'deal_changes']) WITH ORDINALITY AS x (t, n)),
			round((pg_total_relation_size('crm.deals') + pg_total_relation_size('crm.stage_changes')
				+ pg_total_relation_size('crm.deal_changes')) / 1000.0 / :number, 2),
			round(:an_insert, 3), round(:a_move, 3), round(pg_temp.one(300), 2),
			round(public.cost(format('SELECT crm.pipeline_summary(%L)', :'p'), 200), 2),
			round(public.cost(format('SELECT crm.pipeline_summary(%L, %L)', :'p', md5('7')::uuid), 3)),
			round(public.cost(format('SELECT count(*) FROM crm.funnel(%L)', :'p'), 3)),
			round(public.cost(format('SELECT count(*) FROM crm.time_in_stage(%L)', :'p'), 3)),
			round(public.cost(format('SELECT count(*) FROM crm.pipeline_summary_as_of(%L, now() - interval ''400 days'')', :'p'), 3)),
			round(public.cost(format('SELECT count(*) FROM crm.pipeline_waterfall(%L, now() - interval ''430 days'', now() - interval ''400 days'')', :'p'), 3)),
			round(public.cost(format('SELECT crm.context_for_deal(%L)', :'d'), 200), 2)) || ' |'
		\g (format=unaligned tuples_only=on)
	SQL
done
