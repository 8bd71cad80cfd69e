-- Imports opportunities from Odoo (crm.lead).
--
--	psql -d DATABASE -v deals=FILE [-v tracking=FILE] [-v crm=SCHEMA] -f examples/import/odoo.sql
--
-- deals is an export of crm.lead with the technical names of the fields, which are separated
-- by semicolons, or by what delimiter says (-v delimiter=,); with active, so that it has the
-- lost ones, and won_status, if this Odoo has it.  Several tags may be in one field, or in a
-- line each.  tracking has mail.tracking.value of them: res_id, field, old_value, new_value,
-- create_date and author, where old_value and new_value are those of the field's type, or
-- names.  For res_id to be that of a deal, deals must have .id; without it, id is taken.
-- The team is the pipeline; without one it is called Sales.

\set ON_ERROR_STOP on
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

-- What the stages of won deals are, if they are to be made.
INSERT INTO :"import".mapping (kind, value, target, deal_status)
SELECT DISTINCT 'stage', fields ->> 'stage_id', fields ->> 'stage_id', 'won'
FROM :"import".rows WHERE file = 'deals' AND fields ->> 'stage_id' <> '' AND fields ->> 'won_status' ~* '^won$'
ON CONFLICT DO NOTHING;
INSERT INTO :"import".mapping (kind, value, target, deal_status) VALUES ('stage', 'Won', 'Won', 'won')
ON CONFLICT DO NOTHING;

-- A deal of several tags has a line of its own for each further one, with nothing else.
CREATE TEMP TABLE further_tags ON COMMIT DROP AS
SELECT r.line, r.fields ->> 'tag_ids' AS tag, r.deal_line
FROM (SELECT line, fields, max(line) FILTER (WHERE fields ->> 'id' <> '') OVER (ORDER BY line) AS deal_line
	FROM :"import".rows WHERE file = 'deals') AS r
WHERE jsonb_strip_nulls(r.fields - 'tag_ids') = '{}' AND r.deal_line IS NOT NULL;
CREATE INDEX ON further_tags (deal_line);
ANALYZE further_tags;
DELETE FROM :"import".rows AS r USING further_tags AS t WHERE r.file = 'deals' AND r.line = t.line;

-- A lost one is not active, and has the probability 0; it stays in its stage.
INSERT INTO :"import".deals (file, line, external_id, title, description, amount, currency, probability, pipeline, stage, status, owner, organization, tags,
	created_at, created_by, closed_at, archived_at, expected_close_date, lost_reason, metadata)
SELECT file, line, coalesce(f ->> '.id', f ->> 'id'), f ->> 'name', f ->> 'description', f ->> 'expected_revenue', f ->> 'company_currency',
	CASE WHEN is_lost THEN NULL WHEN f ->> 'probability' ~ '^\d{1,3}(\.\d+)?$' THEN trim_scale(round((f ->> 'probability')::numeric / 100, 4))::text
		ELSE f ->> 'probability' END,
	coalesce(f ->> 'team_id', 'Sales'), f ->> 'stage_id', CASE WHEN is_lost THEN 'lost' END,
	f ->> 'user_id', f ->> 'partner_id', string_to_array(f ->> 'tag_ids', ',') || ARRAY(SELECT t.tag FROM further_tags AS t WHERE t.deal_line = rows.line ORDER BY t.line),
	f ->> 'create_date', f ->> 'create_uid', f ->> 'date_closed',
	CASE WHEN is_inactive AND NOT is_lost THEN f ->> 'write_date' END, f ->> 'date_deadline', f ->> 'lost_reason_id',
	jsonb_strip_nulls(f - ARRAY[CASE WHEN f ? '.id' THEN '.id' ELSE 'id' END, 'name', 'description', 'expected_revenue', 'company_currency', 'probability', 'team_id', 'stage_id', 'user_id',
		'partner_id', 'tag_ids', 'create_date', 'create_uid', 'date_closed', 'date_deadline', 'lost_reason_id', 'active'])
FROM :"import".rows CROSS JOIN LATERAL (SELECT fields) AS x (f)
	CROSS JOIN LATERAL (SELECT coalesce(f ->> 'active' ~* '^(false|0)$', false) AS is_inactive) AS a
	CROSS JOIN LATERAL (SELECT CASE WHEN f ->> 'won_status' <> '' THEN f ->> 'won_status' ~* '^lost$'
		ELSE is_inactive AND coalesce(f ->> 'probability', '0') ~ '^0(\.0+)?$' END AS is_lost) AS l
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
