-- Imports opportunities from Salesforce.
--
--	psql -d DATABASE -v deals=FILE [-v history=FILE] [-v field_history=FILE] [-v crm=SCHEMA] -f examples/import/salesforce.sql
--
-- The files are those of the Data Loader, or of the weekly export: Opportunity,
-- OpportunityHistory and OpportunityFieldHistory.  Salesforce has one pipeline, which is
-- called pipeline here (default: Opportunities).  Owners and accounts are ids unless the
-- export has Owner.Name and Account.Name.

\set ON_ERROR_STOP on
\if :{?pipeline}
\else
	\set pipeline Opportunities
\endif
\set source salesforce
\ir begin.sql

\set file deals
\set csv :deals
\set required '{Id,Name,StageName,CreatedDate}'
\ir read.sql

-- What the stages of closed deals are, if they are to be made.
INSERT INTO :"import".mapping (kind, value, target, deal_status)
SELECT DISTINCT ON (stage) 'stage', stage, stage, CASE WHEN fields ->> 'IsWon' ~* '^(true|1)$' THEN 'won' ELSE 'lost' END
FROM :"import".rows CROSS JOIN LATERAL (SELECT fields ->> 'StageName') AS s (stage)
WHERE file = 'deals' AND stage <> '' AND fields ->> 'IsClosed' ~* '^(true|1)$'
ORDER BY stage, line
ON CONFLICT DO NOTHING;
INSERT INTO :"import".mapping (kind, value, target, deal_status)
VALUES ('stage', 'Closed Won', 'Closed Won', 'won'), ('stage', 'Closed Lost', 'Closed Lost', 'lost')
ON CONFLICT DO NOTHING;

INSERT INTO :"import".deals (file, line, external_id, title, description, amount, currency, probability, pipeline, stage, status, owner, organization, contacts,
	created_at, created_by, closed_at, archived_at, expected_close_date, lost_reason, metadata)
SELECT file, line, f ->> 'Id', f ->> 'Name', f ->> 'Description', f ->> 'Amount', f ->> 'CurrencyIsoCode',
	CASE WHEN f ->> 'Probability' ~ '^\d{1,3}(\.\d+)?$' THEN trim_scale((f ->> 'Probability')::numeric / 100)::text ELSE f ->> 'Probability' END,
	:'pipeline', f ->> 'StageName',
	CASE WHEN f ->> 'IsWon' ~* '^(true|1)$' THEN 'won' WHEN f ->> 'IsClosed' ~* '^(true|1)$' THEN 'lost' WHEN f ->> 'IsClosed' <> '' THEN 'open' END,
	coalesce(f ->> 'Owner.Name', f ->> 'OwnerId'), coalesce(f ->> 'Account.Name', f ->> 'AccountId'),
	CASE WHEN f ->> 'ContactId' <> '' THEN ARRAY[f ->> 'ContactId'] END,
	f ->> 'CreatedDate', f ->> 'CreatedById',
	CASE WHEN is_closed THEN f ->> 'CloseDate' END, CASE WHEN f ->> 'IsDeleted' ~* '^(true|1)$' THEN f ->> 'LastModifiedDate' END,
	CASE WHEN NOT is_closed THEN f ->> 'CloseDate' END, f ->> 'Loss_Reason__c',
	jsonb_strip_nulls(f - ARRAY['Id', 'Name', 'Description', 'Amount', 'CurrencyIsoCode', 'Probability', 'StageName', 'IsWon', 'IsClosed',
		'OwnerId', 'Owner.Name', 'AccountId', 'Account.Name', 'ContactId', 'CreatedDate', 'CreatedById', 'CloseDate', 'IsDeleted', 'Loss_Reason__c'])
FROM :"import".rows CROSS JOIN LATERAL (SELECT fields) AS x (f)
	CROSS JOIN LATERAL (SELECT f ->> 'IsClosed' ~* '^(true|1)$' OR EXISTS (SELECT FROM :"import".mapping AS m
		WHERE m.kind = 'stage' AND m.value = f ->> 'StageName' AND m.deal_status <> 'open') AS is_closed) AS c
WHERE file = 'deals' AND f IS NOT NULL;

\if :{?history}
	\set file history
	\set csv :history
	\set required '{OpportunityId,StageName,CreatedDate}'
	\ir read.sql

	-- A row for each change of stage, amount, probability or close date, the creation first.
	INSERT INTO :"import".moves (file, line, external_id, to_stage, at, actor)
	SELECT file, line, fields ->> 'OpportunityId', fields ->> 'StageName', fields ->> 'CreatedDate', fields ->> 'CreatedById'
	FROM :"import".rows WHERE file = 'history' AND fields IS NOT NULL;

	-- It also has these values at each change; those of the creation are the old ones of the first change.
	INSERT INTO :"import".value_changes (file, line, external_id, field, old_value, new_value, at, actor)
	SELECT h.file, h.line, h.external_id, v.field, v.old_value, v.new_value, h.at, h.actor
	FROM (SELECT file, line, f ->> 'OpportunityId' AS external_id, f ->> 'CreatedDate' AS at, f ->> 'CreatedById' AS actor,
			f, lag(f) OVER deal AS before, probability, lag(probability) OVER deal AS probability_before
		FROM :"import".rows CROSS JOIN LATERAL (SELECT fields) AS x (f)
			CROSS JOIN LATERAL (SELECT CASE WHEN f ->> 'Probability' ~ '^\d{1,3}(\.\d+)?$'
				THEN trim_scale((f ->> 'Probability')::numeric / 100)::text ELSE f ->> 'Probability' END) AS p (probability)
		WHERE file = 'history' AND f IS NOT NULL
		WINDOW deal AS (PARTITION BY f ->> 'OpportunityId' ORDER BY crm_import_time(f ->> 'CreatedDate', :'time_format', :'time_zone'), line)) AS h
		CROSS JOIN LATERAL (VALUES
			('amount', before ->> 'Amount', f ->> 'Amount'),
			('currency', before ->> 'CurrencyIsoCode', f ->> 'CurrencyIsoCode'),
			('expected_close_date', before ->> 'CloseDate', f ->> 'CloseDate'),
			('probability', probability_before, probability)) AS v (field, old_value, new_value)
	WHERE h.before IS NOT NULL AND v.old_value IS DISTINCT FROM v.new_value;
\endif
\if :{?field_history}
	\set file field_history
	\set csv :field_history
	\set required '{OpportunityId,Field,OldValue,NewValue,CreatedDate}'
	\ir read.sql
	SELECT ARRAY(SELECT DISTINCT c.name FROM :"import".rows CROSS JOIN unnest('{Amount,Probability,CloseDate,CurrencyIsoCode}'::text[]) AS c (name)
			WHERE file = 'history' AND fields ? c.name) AS in_history,
		EXISTS (SELECT FROM :"import".rows WHERE file = 'deals' AND fields ->> 'Owner.Name' <> '') AS has_names \gset

	-- A change of owner is there twice, with the ids and with the names: that one counts which
	-- says what the deals say.  What history has as well is taken from there.
	INSERT INTO :"import".value_changes (file, line, external_id, field, old_value, new_value, at, actor)
	SELECT file, line, f ->> 'OpportunityId',
		CASE f ->> 'Field' WHEN 'Amount' THEN 'amount' WHEN 'Owner' THEN 'owner' WHEN 'Probability' THEN 'probability' WHEN 'CurrencyIsoCode' THEN 'currency'
			WHEN 'CloseDate' THEN 'expected_close_date' ELSE f ->> 'Field' END,
		CASE WHEN f ->> 'Field' = 'Probability' AND f ->> 'OldValue' ~ '^[\d.]+$' THEN trim_scale((f ->> 'OldValue')::numeric / 100)::text ELSE f ->> 'OldValue' END,
		CASE WHEN f ->> 'Field' = 'Probability' AND f ->> 'NewValue' ~ '^[\d.]+$' THEN trim_scale((f ->> 'NewValue')::numeric / 100)::text ELSE f ->> 'NewValue' END,
		f ->> 'CreatedDate', f ->> 'CreatedById'
	FROM (SELECT file, line, fields AS f, is_wanted,
			bool_or(is_wanted) OVER (PARTITION BY fields ->> 'OpportunityId', fields ->> 'Field', fields ->> 'CreatedDate') AS has_wanted
		FROM :"import".rows CROSS JOIN LATERAL (SELECT fields ->> 'Field' = 'Owner'
			AND (coalesce(fields ->> 'OldValue', fields ->> 'NewValue') ~ '^005[A-Za-z0-9]{12}([A-Za-z0-9]{3})?$') <> :'has_names'::boolean) AS w (is_wanted)
		WHERE file = 'field_history' AND fields IS NOT NULL) AS h
	WHERE f ->> 'Field' NOT IN ('StageName', 'created', 'opportunityCreatedFromLead', 'closed')
		AND f ->> 'Field' <> ALL (:'in_history'::text[])
		AND (f ->> 'Field' <> 'Owner' OR is_wanted OR NOT has_wanted);
\endif

\ir end.sql
