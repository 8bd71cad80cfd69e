-- Imports deals from HubSpot.
--
--	psql -d DATABASE -v deals=FILE [-v crm=SCHEMA] -f examples/import/hubspot.sql
--
-- deals is the export of all properties of the deals, with the columns 'Date entered "STAGE
-- (PIPELINE)"' that tell when a deal entered each stage last.  That is all the history that
-- it has: earlier visits of a stage, and the actors, are not in it.

\set ON_ERROR_STOP on
\set source hubspot
\ir begin.sql

\set file deals
\set csv :deals
\set required '{Record ID,Deal Name,Deal Stage,Pipeline}'
\ir read.sql

-- What the stages of closed deals are, if they are to be made; stages of other names are
-- told by the columns Is Closed Won and Is closed lost.
INSERT INTO :"import".mapping (kind, value, target, deal_status)
SELECT DISTINCT ON (stage) 'stage', stage, stage, status
FROM :"import".rows CROSS JOIN LATERAL (SELECT fields ->> 'Deal Stage', CASE WHEN fields ->> 'Is Closed Won' ~* '^(true|1|yes)$' THEN 'won'
		WHEN fields ->> 'Is closed lost' ~* '^(true|1|yes)$' THEN 'lost' END) AS s (stage, status)
WHERE file = 'deals' AND stage <> '' AND status IS NOT NULL
ORDER BY stage, status
ON CONFLICT DO NOTHING;
INSERT INTO :"import".mapping (kind, value, target, deal_status)
VALUES ('stage', 'Closed Won', 'Closed Won', 'won'), ('stage', 'Closed Lost', 'Closed Lost', 'lost')
ON CONFLICT DO NOTHING;

-- Close Date is a plan until the deal is closed.
INSERT INTO :"import".deals (file, line, external_id, title, description, amount, currency, probability, pipeline, stage, owner, organization, contacts,
	created_at, created_by, closed_at, expected_close_date, lost_reason, metadata)
SELECT file, line, f ->> 'Record ID', f ->> 'Deal Name', f ->> 'Deal Description', f ->> 'Amount', f ->> 'Currency', f ->> 'Deal probability',
	f ->> 'Pipeline', f ->> 'Deal Stage', f ->> 'Deal owner', coalesce(f ->> 'Associated Company (Primary)', f ->> 'Associated Company'),
	string_to_array(coalesce(f ->> 'Associated Contact IDs', f ->> 'Associated Contact'), ';'),
	f ->> 'Create Date', f ->> 'Created by user ID',
	CASE WHEN is_closed THEN f ->> 'Close Date' END, CASE WHEN NOT is_closed THEN f ->> 'Close Date' END,
	coalesce(f ->> 'Closed Lost Reason', f ->> 'Closed lost reason'),
	jsonb_strip_nulls((SELECT jsonb_object_agg(key, value) FROM jsonb_each(f) WHERE key !~ '^Date (entered|exited) ')
		- ARRAY['Record ID', 'Deal Name', 'Deal Description', 'Amount', 'Currency', 'Deal probability', 'Pipeline', 'Deal Stage', 'Deal owner',
			'Associated Company (Primary)', 'Associated Company', 'Is Closed Won', 'Is closed lost', 'Create Date', 'Created by user ID',
			'Close Date', 'Closed Lost Reason', 'Closed lost reason'])
FROM :"import".rows CROSS JOIN LATERAL (SELECT fields) AS x (f)
	CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM :"import".mapping AS m
		WHERE m.kind = 'stage' AND m.value = f ->> 'Deal Stage' AND m.deal_status <> 'open') AS is_closed) AS c
WHERE file = 'deals' AND f IS NOT NULL;

INSERT INTO :"import".moves (file, line, external_id, to_stage, at)
SELECT r.file, r.line, r.fields ->> 'Record ID', e.part[1], e.at
FROM :"import".rows AS r
	CROSS JOIN LATERAL (SELECT regexp_match(key, '^Date entered ["''“](.*) \((.*)\)["''”]$'), value FROM jsonb_each_text(r.fields)) AS e (part, at)
WHERE r.file = 'deals' AND e.part IS NOT NULL AND e.at IS NOT NULL AND e.part[2] = r.fields ->> 'Pipeline';

\ir end.sql
