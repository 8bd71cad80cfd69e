-- Prints a pipeline as a table with a bar for the deals of each stage.  The numbers
-- are those of pipeline_summary().
--
--	psql -d DATABASE [-v pipeline=NAME] [-v crm=SCHEMA] -f summary.sql

\set ON_ERROR_STOP on
\if :{?pipeline}
\else
	\set pipeline 'Sales'
\endif
\if :{?crm}
\else
	\set crm crm
\endif
\pset footer off
\pset pager off
\pset null ''

SELECT :"crm".pipeline_summary(id) AS summary,
	format('Pipeline %s, %s', name, currency) AS title
FROM :"crm".pipelines WHERE name = :'pipeline' \gset
\pset title :title

WITH lines AS (
	SELECT position AS line, name AS stage, total_deals, total_value, weighted_value, total_deals AS bar
	FROM jsonb_to_recordset(:'summary'::jsonb -> 'stages')
		AS s(name text, position int, total_deals bigint, total_value numeric, weighted_value numeric)
UNION ALL
	SELECT NULL, 'all open', total_deals, total_value, weighted_value, NULL
	FROM jsonb_to_record(:'summary'::jsonb -> 'open')
		AS s(total_deals bigint, total_value numeric, weighted_value numeric)
UNION ALL
	SELECT NULL, 'all', total_deals, total_value, weighted_value, NULL
	FROM jsonb_to_record(:'summary'::jsonb)
		AS s(total_deals bigint, total_value numeric, weighted_value numeric)
),
written AS (
	SELECT *,
		to_char(total_value, 'FM999,999,999,999,990.00') AS value,
		to_char(weighted_value, 'FM999,999,999,999,990.00') AS weighted
	FROM lines
)
SELECT stage,
	total_deals AS deals,
	lpad(value, max(length(value)) OVER ()) AS value,
	lpad(weighted, max(length(weighted)) OVER ()) AS weighted,
	repeat('█', ceil(40.0 * bar / nullif(max(bar) OVER (), 0))::int) AS bar
FROM written
ORDER BY line NULLS LAST, total_deals;
