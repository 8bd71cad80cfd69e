-- Imports opportunities from Close.
--
--	psql -d DATABASE -v deals=FILE [-v changes=FILE] [-v crm=SCHEMA] -f examples/import/close.sql
--
-- deals is the export of opportunities as CSV, with all fields; its values are cents, unless
-- amount_format says otherwise.
-- changes has the activities OpportunityStatusChange of the API, with the columns
-- opportunity_id, old_status_label, new_status_label, date_created and user_name.

\set ON_ERROR_STOP on
\if :{?amount_format}
\else
	\set amount_format cents
\endif
\set source close
\ir begin.sql

\set file deals
\set csv :deals
\set required '{id,lead_name,status_label,status_type,value,date_created}'
\ir read.sql

INSERT INTO :"import".mapping (kind, pipeline, value, target, deal_status)
SELECT DISTINCT 'stage', coalesce(fields ->> 'pipeline_name', 'Sales'), fields ->> 'status_label', fields ->> 'status_label',
	CASE fields ->> 'status_type' WHEN 'active' THEN 'open' ELSE fields ->> 'status_type' END
FROM :"import".rows
WHERE file = 'deals' AND fields ->> 'status_label' <> '' AND fields ->> 'status_type' IN ('active', 'won', 'lost')
ON CONFLICT DO NOTHING;

INSERT INTO :"import".deals (file, line, external_id, title, description, amount, currency, value_period, probability, pipeline, stage, status, owner, organization,
	contacts, created_at, created_by, closed_at, expected_close_date, metadata)
SELECT file, line, f ->> 'id', coalesce(nullif(split_part(f ->> 'note', E'\n', 1), ''), f ->> 'lead_name'), f ->> 'note',
	f ->> 'value', f ->> 'value_currency', f ->> 'value_period',
	CASE WHEN f ->> 'confidence' ~ '^\d{1,3}$' THEN trim_scale((f ->> 'confidence')::numeric / 100)::text ELSE f ->> 'confidence' END,
	coalesce(f ->> 'pipeline_name', 'Sales'), f ->> 'status_label', CASE f ->> 'status_type' WHEN 'active' THEN 'open' ELSE f ->> 'status_type' END,
	f ->> 'user_name', f ->> 'lead_name', CASE WHEN f ->> 'contact_id' <> '' THEN ARRAY[f ->> 'contact_id'] END,
	f ->> 'date_created', f ->> 'created_by_name',
	CASE f ->> 'status_type' WHEN 'won' THEN f ->> 'date_won' WHEN 'lost' THEN f ->> 'date_lost' END,
	-- a date in the future that it is to be won
	CASE f ->> 'status_type' WHEN 'active' THEN f ->> 'date_won' END,
	jsonb_strip_nulls(f - ARRAY['id', 'note', 'value', 'value_currency', 'value_period', 'confidence', 'pipeline_name', 'status_label', 'status_type',
		'user_name', 'lead_name', 'contact_id', 'date_created', 'created_by_name', 'date_won', 'date_lost'])
FROM :"import".rows CROSS JOIN LATERAL (SELECT fields) AS x (f)
WHERE file = 'deals' AND f IS NOT NULL;

\if :{?changes}
	\set file changes
	\set csv :changes
	\set required '{opportunity_id,old_status_label,new_status_label,date_created}'
	\ir read.sql

	INSERT INTO :"import".moves (file, line, external_id, from_stage, to_stage, at, actor)
	SELECT file, line, fields ->> 'opportunity_id', fields ->> 'old_status_label', fields ->> 'new_status_label',
		fields ->> 'date_created', coalesce(fields ->> 'user_name', fields ->> 'user_id')
	FROM :"import".rows WHERE file = 'changes' AND fields IS NOT NULL;
\endif

\ir end.sql
