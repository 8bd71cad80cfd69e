-- Imports opportunities from Twenty.
--
--	psql -d DATABASE -v deals=FILE [-v activities=FILE] [-v crm=SCHEMA] -f examples/import/twenty.sql
--
-- deals is the table opportunity of the workspace as CSV, with its own columns (amounts are
-- micros), or of the API.  activities is its table timelineActivity, rows of which tell in
-- properties what changed; those of other objects are left out.  Its column was called
-- opportunityId in older versions: rename that one.  Twenty has one pipeline, called pipeline here (default:
-- Opportunities), and a select field stage; CUSTOMER is the one for won deals, unless the
-- mapping says otherwise.

\set ON_ERROR_STOP on
\if :{?pipeline}
\else
	\set pipeline Opportunities
\endif
\if :{?amount_format}
\else
	\set amount_format micros
\endif
\set source twenty
\ir begin.sql

\set file deals
\set csv :deals
\set required '{id,name,stage,createdAt}'
\ir read.sql

INSERT INTO :"import".mapping (kind, value, target, deal_status) VALUES ('stage', 'CUSTOMER', 'Customer', 'won')
ON CONFLICT DO NOTHING;

INSERT INTO :"import".deals (file, line, external_id, title, amount, currency, pipeline, stage, owner, organization, contacts,
	created_at, created_by, closed_at, archived_at, expected_close_date, metadata)
SELECT file, line, f ->> 'id', f ->> 'name', f ->> 'amountAmountMicros', f ->> 'amountCurrencyCode', :'pipeline', f ->> 'stage',
	f ->> 'ownerId', f ->> 'companyId', CASE WHEN f ->> 'pointOfContactId' <> '' THEN ARRAY[f ->> 'pointOfContactId'] END,
	f ->> 'createdAt', f ->> 'createdByName', CASE WHEN is_closed THEN f ->> 'closeDate' END, f ->> 'deletedAt',
	CASE WHEN NOT is_closed THEN f ->> 'closeDate' END,
	jsonb_strip_nulls(f - ARRAY['id', 'name', 'amountAmountMicros', 'amountCurrencyCode', 'stage', 'ownerId', 'companyId', 'pointOfContactId',
		'createdAt', 'createdByName', 'closeDate', 'deletedAt'])
FROM :"import".rows CROSS JOIN LATERAL (SELECT fields) AS x (f)
	CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM :"import".mapping AS m
		WHERE m.kind = 'stage' AND m.value = f ->> 'stage' AND m.deal_status <> 'open') AS is_closed) AS c
WHERE file = 'deals' AND f IS NOT NULL;

\if :{?activities}
	\set file activities
	\set csv :activities
	\set required '{targetOpportunityId,happensAt,properties}'
	\ir read.sql

	CREATE FUNCTION pg_temp.is_json(value text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
	BEGIN
		RETURN value::jsonb IS NOT NULL;
	EXCEPTION WHEN invalid_text_representation THEN
		RETURN false;
	END;
	$$;
	UPDATE :"import".rows
	SET problem = 'is not JSON', external_id = fields ->> 'targetOpportunityId', column_name = 'properties',
		record = left(fields ->> 'properties', 200), fields = NULL
	WHERE file = 'activities' AND fields ->> 'targetOpportunityId' <> '' AND fields ->> 'properties' <> '' AND NOT pg_temp.is_json(fields ->> 'properties');
	DROP FUNCTION pg_temp.is_json;

	CREATE TEMP TABLE diffs ON COMMIT DROP AS
	SELECT r.file, r.line, r.fields ->> 'targetOpportunityId' AS external_id, r.fields ->> 'happensAt' AS at, r.fields ->> 'workspaceMemberId' AS actor,
		d.key, d.value -> 'before' AS old_value, d.value -> 'after' AS new_value
	FROM :"import".rows AS r CROSS JOIN LATERAL jsonb_each((r.fields ->> 'properties')::jsonb -> 'diff') AS d
	WHERE r.file = 'activities' AND r.fields ->> 'targetOpportunityId' <> '' AND jsonb_typeof((r.fields ->> 'properties')::jsonb -> 'diff') = 'object';

	INSERT INTO :"import".moves (file, line, external_id, from_stage, to_stage, at, actor)
	SELECT file, line, external_id, old_value #>> '{}', new_value #>> '{}', at, actor FROM diffs WHERE key = 'stage';

	INSERT INTO :"import".value_changes (file, line, external_id, field, old_value, new_value, at, actor)
	SELECT file, line, external_id, 'amount', old_value ->> 'amountMicros', new_value ->> 'amountMicros', at, actor FROM diffs WHERE key = 'amount'
	UNION ALL
	SELECT file, line, external_id, CASE key WHEN 'ownerId' THEN 'owner' ELSE key END, old_value #>> '{}', new_value #>> '{}', at, actor
	FROM diffs WHERE key NOT IN ('stage', 'amount', 'updatedAt', 'position');
\endif

\ir end.sql
