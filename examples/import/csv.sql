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

-- What a line must have for its stage; the first thing that is wrong is told.
UPDATE :"import".rows AS r
SET problem = p.problem, external_id = r.fields ->> 'opportunity_id', column_name = p.column_name, record = p.value, fields = NULL
FROM (SELECT DISTINCT ON (d.line) d.line, c.column_name, d.fields ->> c.column_name AS value, c.problem
	FROM :"import".rows AS d
		CROSS JOIN LATERAL (SELECT d.fields ->> 'deal_stage', d.fields ->> 'engage_date', d.fields ->> 'close_date') AS f (stage, engaged, closed)
		CROSS JOIN LATERAL (VALUES
			(1, 'deal_stage', stage IS NULL, 'no deal_stage'),
			(2, 'deal_stage', stage NOT IN ('Prospecting', 'Engaging', 'Won', 'Lost'), format('unknown deal_stage "%s"', stage)),
			(3, 'engage_date', stage <> 'Prospecting' AND engaged IS NULL, format('%s, but no engage_date', stage)),
			(4, 'engage_date', stage = 'Prospecting' AND engaged IS NOT NULL, 'Prospecting, but with an engage_date'),
			(5, 'close_date', stage IN ('Won', 'Lost') AND closed IS NULL, format('%s, but no close_date', stage)),
			(6, 'close_date', stage NOT IN ('Won', 'Lost') AND closed IS NOT NULL, format('%s, but with a close_date', stage)),
			(7, 'close_date', crm_import_time(closed, :'time_format', :'time_zone') < crm_import_time(engaged, :'time_format', :'time_zone'),
				'close_date before engage_date')) AS c (no, column_name, fails, problem)
	WHERE d.file = 'deals' AND d.fields IS NOT NULL AND c.fails
	ORDER BY d.line, c.no) AS p
WHERE r.file = 'deals' AND r.line = p.line;

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
