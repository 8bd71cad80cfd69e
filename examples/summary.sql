-- Prints a pipeline as a table with a bar for the deals of each stage.  The numbers
-- are those of pipeline_summary().  Different currencies are not added: a stage that
-- holds several has a line for each.
--
--	psql -d DATABASE [-v pipeline=NAME] [-v crm=SCHEMA] -f summary.sql

\ir begin.sql

SELECT :"crm".pipeline_summary(id) AS summary, id AS pipeline_id,
	format('Pipeline %s', name) AS title
FROM :"crm".pipelines WHERE name = :'pipeline' \gset
\pset title :title

WITH stages AS (
	SELECT *
	FROM jsonb_to_recordset(:'summary'::jsonb -> 'stages')
		AS s(stage_id uuid, name text, position int, total_deals bigint, total_value numeric,
			weighted_value numeric, currency text)
),
lines AS (
	-- Where the amounts are of one currency, one line.
	SELECT position AS line, name AS stage, total_deals, total_value, weighted_value, currency,
		total_deals AS bar
	FROM stages
	WHERE total_value IS NOT NULL
UNION ALL
	SELECT s.position, s.name, sum(c.deals), sum(c.value), sum(c.weighted_value), c.currency, sum(c.deals)
	FROM stages AS s
		JOIN :"crm".pipeline_stage_summary AS c ON c.stage_id = s.stage_id
	WHERE s.total_value IS NULL
	GROUP BY s.position, s.name, c.currency
UNION ALL
	SELECT NULL, 'all open', (open ->> 'total_deals')::bigint, (open ->> 'total_value')::numeric,
		(open ->> 'weighted_value')::numeric, coalesce(open ->> 'currency', currency), NULL
	FROM jsonb_to_recordset(CASE
			WHEN :'summary'::jsonb -> 'open' ->> 'total_value' IS NULL
				THEN :'summary'::jsonb -> 'by_currency'
			ELSE jsonb_build_array(:'summary'::jsonb) END)
		AS s(open jsonb, currency text)
UNION ALL
	SELECT NULL, 'all', total_deals, total_value, weighted_value, currency, NULL
	FROM jsonb_to_recordset(CASE
			WHEN :'summary'::jsonb ->> 'total_value' IS NULL THEN :'summary'::jsonb -> 'by_currency'
			ELSE jsonb_build_array(:'summary'::jsonb) END)
		AS s(total_deals bigint, total_value numeric, weighted_value numeric, currency text)
),
written AS (
	SELECT *,
		to_char(total_value, 'FM999,999,999,999,999,990.00') AS value,
		to_char(weighted_value, 'FM999,999,999,999,999,990.00') AS weighted
	FROM lines
)
SELECT stage,
	total_deals AS deals,
	lpad(value, max(length(value)) OVER ()) AS value,
	lpad(weighted, max(length(weighted)) OVER ()) AS weighted,
	coalesce(currency, '–') AS currency,
	repeat('█', ceil(40.0 * bar / nullif(max(bar) OVER (), 0))::int) AS bar
FROM written
ORDER BY line NULLS LAST, stage DESC, currency NULLS LAST;
