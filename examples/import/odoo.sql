-- Imports opportunities from Odoo (crm.lead).
--
--	psql -d DATABASE -v deals=FILE [-v tracking=FILE] [-v crm=SCHEMA] -f examples/import/odoo.sql
--
-- deals is an export of crm.lead with the technical names of the fields, which are separated
-- by semicolons (or what delimiter says); with active, so that it has the lost ones.
-- tracking has mail.tracking.value of them: res_id, field, old_value, new_value, create_date
-- and author, where old_value and new_value are those of the field's type, or names.
-- The team is the pipeline; without one it is called Sales.

\if :{?delimiter}
\else
	\set delimiter ';'
\endif
\set source odoo
\ir begin.sql

\set file deals
\set csv :deals
\set required '{id,name,stage_id,create_date}'
\ir read.sql

INSERT INTO :"import".mapping (kind, value, target, deal_status) VALUES ('stage', 'Won', 'Won', 'won')
ON CONFLICT DO NOTHING;

-- A lost one is not active, and has the probability 0; it stays in its stage.
INSERT INTO :"import".deals (file, line, external_id, title, description, amount, currency, probability, pipeline, stage, status, owner, organization, tags,
	created_at, created_by, closed_at, archived_at, expected_close_date, lost_reason, metadata)
SELECT file, line, f ->> 'id', f ->> 'name', f ->> 'description', f ->> 'expected_revenue', f ->> 'company_currency',
	CASE WHEN is_lost THEN NULL WHEN f ->> 'probability' ~ '^\d{1,3}(\.\d+)?$' THEN trim_scale(round((f ->> 'probability')::numeric / 100, 4))::text
		ELSE f ->> 'probability' END,
	coalesce(f ->> 'team_id', 'Sales'), f ->> 'stage_id', CASE WHEN is_lost THEN 'lost' END,
	f ->> 'user_id', f ->> 'partner_id', string_to_array(f ->> 'tag_ids', ','),
	f ->> 'create_date', f ->> 'create_uid', f ->> 'date_closed',
	CASE WHEN is_inactive AND NOT is_lost THEN f ->> 'write_date' END, f ->> 'date_deadline', f ->> 'lost_reason_id',
	jsonb_strip_nulls(f - ARRAY['id', 'name', 'description', 'expected_revenue', 'company_currency', 'probability', 'team_id', 'stage_id', 'user_id',
		'partner_id', 'tag_ids', 'create_date', 'create_uid', 'date_closed', 'date_deadline', 'lost_reason_id', 'active'])
FROM :"import".rows CROSS JOIN LATERAL (SELECT fields) AS x (f)
	CROSS JOIN LATERAL (SELECT coalesce(f ->> 'active' ~* '^(false|0)$', false) AS is_inactive) AS a
	CROSS JOIN LATERAL (SELECT is_inactive AND coalesce(f ->> 'probability', '0') ~ '^0(\.0+)?$' AS is_lost) AS l
WHERE file = 'deals' AND f IS NOT NULL;

\if :{?tracking}
	\set file tracking
	\set csv :tracking
	\set required '{res_id,field,old_value,new_value,create_date}'
	\ir read.sql

	INSERT INTO :"import".moves (file, line, external_id, from_stage, to_stage, at, actor)
	SELECT file, line, fields ->> 'res_id', fields ->> 'old_value', fields ->> 'new_value', fields ->> 'create_date', fields ->> 'author'
	FROM :"import".rows WHERE file = 'tracking' AND fields ->> 'field' = 'stage_id';

	INSERT INTO :"import".value_changes (file, line, external_id, field, old_value, new_value, at, actor)
	SELECT file, line, fields ->> 'res_id',
		CASE fields ->> 'field' WHEN 'expected_revenue' THEN 'amount' WHEN 'user_id' THEN 'owner' WHEN 'date_deadline' THEN 'expected_close_date'
			ELSE fields ->> 'field' END,
		fields ->> 'old_value', fields ->> 'new_value', fields ->> 'create_date', fields ->> 'author'
	FROM :"import".rows WHERE file = 'tracking' AND fields ->> 'field' NOT IN ('stage_id', 'active', 'probability', 'lost_reason_id', 'date_closed');
\endif

\ir end.sql
