-- Prints what the history of a pipeline tells: its funnel, what was and will be won each
-- month, and the last moves.
--
--	psql -d DATABASE [-v pipeline=NAME] [-v crm=SCHEMA] -f reports.sql

\ir begin.sql
\set money '99,999,999,990.00'

SELECT id AS pipeline_id FROM :"crm".pipelines WHERE name = :'pipeline' \gset

\pset title 'Funnel: deals that came to a stage, and that got further'
SELECT stage_name AS stage, deals, converted, round(100 * conversion, 1) AS "%", won, lost, still_open AS open
FROM :"crm".funnel(:'pipeline_id')
WHERE deal_status = 'open'
ORDER BY stage_position;

\pset title 'Forecast: the last six periods in which deals are expected to close, or were won'
SELECT *
FROM (SELECT coalesce(to_char(period_start, 'YYYY-MM'), bucket) AS period, value_currency AS currency,
		open_deals AS open, to_char(open_value, :'money') AS open_value, to_char(weighted_value, :'money') AS weighted,
		won_deals AS won, to_char(won_value, :'money') AS won_value
	FROM :"crm".forecast(:'pipeline_id')
	ORDER BY period_start DESC NULLS FIRST, bucket, value_currency
	LIMIT 6) AS last
ORDER BY period, currency;

\pset title 'History: the last moves'
SELECT c.changed_at::date AS "on", d.title, f.name AS "from", t.name AS "to", to_char(c.amount, :'money') AS amount, c.currency
FROM :"crm".stage_changes AS c
	JOIN :"crm".stages AS t ON t.id = c.to_stage_id
	LEFT JOIN :"crm".stages AS f ON f.id = c.from_stage_id
	LEFT JOIN :"crm".deals AS d ON d.id = c.deal_id
WHERE c.to_pipeline_id = :'pipeline_id'
ORDER BY c.changed_at DESC, c.id DESC
LIMIT 5;
\pset title
