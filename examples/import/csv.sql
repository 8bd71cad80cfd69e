-- Imports a CSV of opportunities with the dates on which they moved, as that of
-- examples/sample_pipeline.csv: a line a deal.
--
--	psql -d DATABASE -v csv=FILE [-v pipeline=NAME] [-v crm=SCHEMA] -f examples/import/csv.sql
--
-- Again with the same file or a fuller one, it changes what has changed.  To fit another
-- layout, change the names of the columns and the SELECTs: the tables deals and moves of
-- the import's schema take whatever is known.  docs/imports.md has the other variables.

\set ON_ERROR_STOP on
\if :{?pipeline}
\else
	\set pipeline Sales
\endif
\if :{?csv}
\else
	\set csv ':csv'
\endif
\set source csv
-- A deal that was never engaged has no date: it is as old as the first one.
\set vendor_policies '{"undated": "earliest", "unknown_stages": "create"}'
\ir begin.sql

\set file deals
\set required '{opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value}'
\ir read.sql

-- What a line must have for its stage.
UPDATE :"import".rows AS r SET problem = p.problem, record = r.fields ->> 'opportunity_id', fields = NULL
FROM (SELECT line, CASE
		WHEN fields ->> 'deal_stage' IS NULL THEN 'no deal_stage'
		WHEN fields ->> 'deal_stage' NOT IN ('Prospecting', 'Engaging', 'Won', 'Lost') THEN format('unknown deal_stage "%s"', fields ->> 'deal_stage')
		WHEN fields ->> 'deal_stage' <> 'Prospecting' AND fields ->> 'engage_date' IS NULL THEN format('%s, but no engage_date', fields ->> 'deal_stage')
		WHEN fields ->> 'deal_stage' = 'Prospecting' AND fields ->> 'engage_date' IS NOT NULL THEN 'Prospecting, but with an engage_date'
		WHEN fields ->> 'deal_stage' IN ('Won', 'Lost') AND fields ->> 'close_date' IS NULL THEN format('%s, but no close_date', fields ->> 'deal_stage')
		WHEN fields ->> 'deal_stage' NOT IN ('Won', 'Lost') AND fields ->> 'close_date' IS NOT NULL
			THEN format('%s, but with a close_date', fields ->> 'deal_stage')
		WHEN crm_import_time(fields ->> 'close_date', :'time_format', :'time_zone') < crm_import_time(fields ->> 'engage_date', :'time_format', :'time_zone')
			THEN 'close_date before engage_date'
	END AS problem
	FROM :"import".rows WHERE file = 'deals' AND fields IS NOT NULL) AS p
WHERE r.file = 'deals' AND r.line = p.line AND p.problem IS NOT NULL;

-- The pipeline and its stages, if they are not there yet.
INSERT INTO :"import".mapping (kind, pipeline, value, target, deal_status, probability, position)
VALUES ('stage', :'pipeline', 'Prospecting', 'Prospecting', 'open', 0.2, 1),
	('stage', :'pipeline', 'Engaging', 'Engaging', 'open', 0.5, 2),
	('stage', :'pipeline', 'Won', 'Won', 'won', NULL, 3),
	('stage', :'pipeline', 'Lost', 'Lost', 'lost', NULL, 4)
ON CONFLICT DO NOTHING;

INSERT INTO :"import".deals (file, line, external_id, title, amount, pipeline, stage, owner, organization, closed_at, metadata)
SELECT file, line, fields ->> 'opportunity_id',
	nullif(concat_ws(', ', fields ->> 'account', fields ->> 'product'), ''),
	fields ->> 'close_value', :'pipeline', fields ->> 'deal_stage', fields ->> 'sales_agent', fields ->> 'account', fields ->> 'close_date',
	jsonb_strip_nulls(fields - '{opportunity_id,deal_stage,engage_date,close_date,close_value}'::text[])
FROM :"import".rows WHERE file = 'deals' AND fields IS NOT NULL;

INSERT INTO :"import".moves (file, line, external_id, from_stage, to_stage, at)
SELECT r.file, r.line, r.fields ->> 'opportunity_id', m.from_stage, m.to_stage, m.at
FROM :"import".rows AS r
	CROSS JOIN LATERAL (VALUES
		('Prospecting', 'Engaging', r.fields ->> 'engage_date'),
		('Engaging', r.fields ->> 'deal_stage', r.fields ->> 'close_date')) AS m (from_stage, to_stage, at)
WHERE r.file = 'deals' AND m.at IS NOT NULL;

\ir end.sql
