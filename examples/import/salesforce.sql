-- Imports opportunities from Salesforce.
--
--	psql -d DATABASE -v deals=FILE [-v history=FILE] [-v field_history=FILE] [-v crm=SCHEMA] -f examples/import/salesforce.sql
--
-- The files are those of the Data Loader, or of the weekly export: Opportunity,
-- OpportunityHistory and OpportunityFieldHistory.  Salesforce has one pipeline, which is
-- called pipeline here (default: Opportunities).  Owners and accounts are ids unless the
-- export has Owner.Name and Account.Name.

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
\endif
\if :{?field_history}
	\set file field_history
	\set csv :field_history
	\set required '{OpportunityId,Field,OldValue,NewValue,CreatedDate}'
	\ir read.sql

	INSERT INTO :"import".value_changes (file, line, external_id, field, old_value, new_value, at, actor)
	SELECT file, line, f ->> 'OpportunityId',
		CASE f ->> 'Field' WHEN 'Amount' THEN 'amount' WHEN 'Owner' THEN 'owner' WHEN 'Probability' THEN 'probability' WHEN 'CurrencyIsoCode' THEN 'currency'
			ELSE f ->> 'Field' END,
		CASE WHEN f ->> 'Field' = 'Probability' AND f ->> 'OldValue' ~ '^[\d.]+$' THEN trim_scale((f ->> 'OldValue')::numeric / 100)::text ELSE f ->> 'OldValue' END,
		CASE WHEN f ->> 'Field' = 'Probability' AND f ->> 'NewValue' ~ '^[\d.]+$' THEN trim_scale((f ->> 'NewValue')::numeric / 100)::text ELSE f ->> 'NewValue' END,
		f ->> 'CreatedDate', f ->> 'CreatedById'
	FROM :"import".rows CROSS JOIN LATERAL (SELECT fields) AS x (f)
	WHERE file = 'field_history' AND f IS NOT NULL AND f ->> 'Field' NOT IN ('StageName', 'created', 'opportunityCreatedFromLead', 'closed');
\endif

\ir end.sql
