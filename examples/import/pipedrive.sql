-- Imports deals from Pipedrive.
--
--	psql -d DATABASE -v deals=FILE [-v flow=FILE] [-v crm=SCHEMA] -f examples/import/pipedrive.sql
--
-- deals is the export of the list of deals, with the column "Deal - ID" switched on.  flow
-- has what the API returns for /deals/{id}/flow, the objects dealChange, with the columns
-- item_id, field_key, old_value, new_value, log_time, user_id and, from additional_data,
-- old_value_formatted and new_value_formatted.  docs/imports.md has the other variables.
--
-- There a won deal stays in its stage, and only its status changes: here it moves to the
-- pipeline's stage for won deals.

\set ON_ERROR_STOP on
\set source pipedrive
\ir begin.sql

\set file deals
\set csv :deals
\set required '{Deal - ID,Deal - Title,Deal - Pipeline,Deal - Stage,Deal - Status}'
\ir read.sql

INSERT INTO :"import".deals (file, line, external_id, title, amount, currency, probability, pipeline, stage, status, owner, organization,
	contacts, tags, created_at, created_by, closed_at, archived_at, expected_close_date, lost_reason, metadata)
SELECT file, line, f ->> 'Deal - ID', f ->> 'Deal - Title', f ->> 'Deal - Value', coalesce(f ->> 'Deal - Currency of Value', f ->> 'Deal - Currency of value', f ->> 'Deal - Currency'),
	CASE WHEN f ->> 'Deal - Probability' ~ '^\d{1,3}$' THEN ((f ->> 'Deal - Probability')::numeric / 100)::text ELSE f ->> 'Deal - Probability' END,
	f ->> 'Deal - Pipeline', f ->> 'Deal - Stage', f ->> 'Deal - Status', f ->> 'Deal - Owner', f ->> 'Deal - Organization',
	CASE WHEN f ->> 'Deal - Contact person' <> '' THEN ARRAY[f ->> 'Deal - Contact person'] END,
	string_to_array(f ->> 'Deal - Label', ','),
	coalesce(f ->> 'Deal - Deal created', f ->> 'Deal - Deal created on'), f ->> 'Deal - Creator',
	-- a lost deal may have been won before
	coalesce(CASE status WHEN 'won' THEN f ->> 'Deal - Won time' WHEN 'lost' THEN f ->> 'Deal - Lost time' END, f ->> 'Deal - Deal closed on'),
	f ->> 'Deal - Archive time', f ->> 'Deal - Expected close date', f ->> 'Deal - Lost reason',
	jsonb_strip_nulls(f - ARRAY['Deal - ID', 'Deal - Title', 'Deal - Value', 'Deal - Currency', 'Deal - Currency of Value', 'Deal - Currency of value', 'Deal - Probability',
		'Deal - Pipeline', 'Deal - Stage', 'Deal - Status', 'Deal - Owner', 'Deal - Organization', 'Deal - Contact person', 'Deal - Label',
		'Deal - Deal created', 'Deal - Deal created on', 'Deal - Creator', 'Deal - Won time', 'Deal - Lost time', 'Deal - Deal closed on',
		'Deal - Archive time', 'Deal - Expected close date', 'Deal - Lost reason'])
FROM :"import".rows CROSS JOIN LATERAL (SELECT fields) AS x (f)
	CROSS JOIN LATERAL (SELECT coalesce((SELECT m.target FROM :"import".mapping AS m WHERE m.kind = 'status' AND m.value = f ->> 'Deal - Status'),
		lower(f ->> 'Deal - Status')) AS status) AS s
WHERE file = 'deals' AND f IS NOT NULL;

\if :{?flow}
	\set file flow
	\set csv :flow
	\set required '{item_id,field_key,old_value,new_value,log_time}'
	\ir read.sql

	CREATE TEMP TABLE flow ON COMMIT DROP AS
	SELECT file, line, fields ->> 'item_id' AS external_id, fields ->> 'field_key' AS field, fields ->> 'log_time' AS at,
		crm_import_time(fields ->> 'log_time', :'time_format', :'time_zone') AS happened_at,
		coalesce(fields ->> 'old_value_formatted', fields ->> 'old_value') AS old_value,
		coalesce(fields ->> 'new_value_formatted', fields ->> 'new_value') AS new_value,
		fields ->> 'old_value' AS old_plain, fields ->> 'new_value' AS new_plain,
		coalesce(fields ->> 'user_name', fields ->> 'user_id') AS actor
	FROM :"import".rows
	WHERE file = 'flow' AND fields IS NOT NULL;
	CREATE INDEX ON flow (external_id, happened_at) WHERE field = 'stage_id';
	CREATE TEMP TABLE stands ON COMMIT DROP AS
	SELECT external_id, min(stage) AS stage FROM :"import".deals GROUP BY external_id;
	CREATE INDEX ON stands (external_id);
	ANALYZE flow, stands;

	-- An open deal is in the stage in which it was last, one that is open again too.
	INSERT INTO :"import".moves (file, line, external_id, from_stage, to_stage, at, actor)
	SELECT f.file, f.line, f.external_id,
		CASE WHEN f.field = 'stage_id' THEN f.old_value WHEN f.old_plain = 'open' THEN s.stage ELSE f.old_plain END,
		CASE WHEN f.field = 'stage_id' THEN f.new_value WHEN f.new_plain = 'open' THEN s.stage ELSE f.new_plain END,
		f.at, f.actor
	FROM flow AS f
		LEFT JOIN LATERAL (
			SELECT coalesce(
				(SELECT b.new_value FROM flow AS b WHERE b.field = 'stage_id' AND b.external_id = f.external_id AND b.happened_at <= f.happened_at
						AND NOT EXISTS (SELECT FROM flow AS n WHERE n.field = 'stage_id' AND n.external_id = b.external_id
							AND n.happened_at = b.happened_at AND n.old_value = b.new_value)
					ORDER BY b.happened_at DESC, b.line DESC LIMIT 1),
				(SELECT a.old_value FROM flow AS a WHERE a.field = 'stage_id' AND a.external_id = f.external_id AND a.happened_at > f.happened_at
					ORDER BY a.happened_at, a.line LIMIT 1),
				(SELECT d.stage FROM stands AS d WHERE d.external_id = f.external_id)) AS stage) AS s ON f.field = 'status'
	WHERE f.field = 'stage_id' OR (f.field = 'status' AND f.new_plain IN ('open', 'won', 'lost') AND f.old_plain IN ('open', 'won', 'lost'));

	INSERT INTO :"import".value_changes (file, line, external_id, field, old_value, new_value, at, actor)
	SELECT file, line, external_id,
		CASE field WHEN 'value' THEN 'amount' WHEN 'user_id' THEN 'owner' ELSE field END,
		CASE WHEN field = 'user_id' THEN old_value WHEN field = 'probability' AND old_plain ~ '^\d{1,3}$' THEN (old_plain::numeric / 100)::text ELSE old_plain END,
		CASE WHEN field = 'user_id' THEN new_value WHEN field = 'probability' AND new_plain ~ '^\d{1,3}$' THEN (new_plain::numeric / 100)::text ELSE new_plain END,
		at, actor
	FROM flow
	WHERE field NOT IN ('stage_id', 'status', 'pipeline', 'pipeline_id', 'add_time', 'won_time', 'lost_time', 'close_time', 'stage_change_time');
\endif

\ir end.sql
