-- set_primary_contact() and context_for_person()
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT crm_install('api_contacts');
SET search_path = api_contacts, public;
SET crm.actor = 'tester';

INSERT INTO pipelines (id, name, is_default) VALUES
	('00000000-0000-0000-0000-000000000001', 'Sales', true);
INSERT INTO stages (id, pipeline_id, name, deal_status, probability) VALUES
	('00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-000000000001', 'Lead', 'open', 0.1),
	('00000000-0000-0000-0000-0000000000a2', '00000000-0000-0000-0000-000000000001', 'Talks', 'open', 0.5),
	('00000000-0000-0000-0000-0000000000a3', '00000000-0000-0000-0000-000000000001', 'Won', 'won', 1),
	('00000000-0000-0000-0000-0000000000a4', '00000000-0000-0000-0000-000000000001', 'Lost', 'lost', 0);
INSERT INTO deals (id, title, amount, currency, value_period, expected_close_date, created_at) VALUES
	('00000000-0000-0000-0000-0000000000d1', 'One', 100.50, 'USD', 'monthly', '2026-06-30', '2026-01-01 10:00+00'),
	('00000000-0000-0000-0000-0000000000d2', 'Two', 200, 'EUR', 'one_time', NULL, '2026-01-02 10:00+00'),
	('00000000-0000-0000-0000-0000000000d3', 'Three', NULL, NULL, 'one_time', NULL, '2026-01-03 10:00+00'),
	('00000000-0000-0000-0000-0000000000d4', 'Four', 12345.6789, 'USD', 'one_time', NULL, '2026-01-04 10:00+00'),
	('00000000-0000-0000-0000-0000000000d5', 'Gone', 5, 'USD', 'one_time', NULL, '2026-01-05 10:00+00');
INSERT INTO deal_contacts (deal_id, contact_id, role, is_primary)
	SELECT id, '00000000-0000-0000-0000-0000000000c1', 'buyer', true FROM deals;
INSERT INTO deal_contacts (deal_id, contact_id) VALUES
	('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000c2'),
	('00000000-0000-0000-0000-0000000000d2', '00000000-0000-0000-0000-0000000000c3');
INSERT INTO tags (id, name) VALUES
	('00000000-0000-0000-0000-0000000000f1', 'urgent'), ('00000000-0000-0000-0000-0000000000f2', 'Big');
INSERT INTO deal_tags (deal_id, tag_id) SELECT '00000000-0000-0000-0000-0000000000d1', id FROM tags;
UPDATE deals SET archived_at = '2026-01-06' WHERE title = 'Gone';

-- the primary contact
SELECT contact_id, is_primary FROM set_primary_contact('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000c2');
SELECT contact_id, is_primary FROM deal_contacts WHERE deal_id = '00000000-0000-0000-0000-0000000000d1' ORDER BY 1;
-- again: nothing is written
CREATE TEMP TABLE before AS SELECT id, xmin::text AS written_by FROM deal_contacts;
SELECT contact_id, is_primary FROM set_primary_contact('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000c2');
SELECT count(*) FROM deal_contacts AS c JOIN before USING (id) WHERE c.xmin::text <> written_by;
-- there was none
UPDATE deal_contacts SET is_primary = false WHERE deal_id = '00000000-0000-0000-0000-0000000000d2';
SELECT contact_id, is_primary FROM set_primary_contact('00000000-0000-0000-0000-0000000000d2', '00000000-0000-0000-0000-0000000000c1');
SELECT count(*) FROM deal_contacts WHERE is_primary;
-- wrong input
SELECT set_primary_contact('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000c3');
\echo :LAST_ERROR_SQLSTATE
SELECT set_primary_contact('00000000-0000-0000-0000-00000000dead', '00000000-0000-0000-0000-0000000000c1');
\echo :LAST_ERROR_SQLSTATE
SELECT set_primary_contact(NULL, '00000000-0000-0000-0000-0000000000c1');
\echo :LAST_ERROR_SQLSTATE
SELECT set_primary_contact('00000000-0000-0000-0000-0000000000d1', NULL);
\echo :LAST_ERROR_SQLSTATE

-- all about a person
SELECT 1 FROM move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a2', '2026-01-11 10:00+00');
SELECT 1 FROM move_deal('00000000-0000-0000-0000-0000000000d2', '00000000-0000-0000-0000-0000000000a3', '2026-01-12 10:00+00');
SELECT 1 FROM move_deal('00000000-0000-0000-0000-0000000000d4', '00000000-0000-0000-0000-0000000000a4', '2026-01-13 10:00+00', 'price');
SELECT jsonb_pretty(context_for_person('00000000-0000-0000-0000-0000000000c1'));
-- the last five changes, the newest first; of a stage that is gone there is the id
DO $$
BEGIN
	FOR n IN 0 .. 5 LOOP
		PERFORM move_deal('00000000-0000-0000-0000-0000000000d1', ('00000000-0000-0000-0000-0000000000a' || 1 + n % 2)::uuid,
			'2026-01-12 10:00+00'::timestamptz + n * interval '1 hour');
	END LOOP;
END $$;
SELECT delete_stage('00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-0000000000a2');
SELECT c ->> 'changed_at' AS changed_at, c #>> '{from_stage,name}' AS from, c #>> '{to_stage,name}' AS to,
	c #>> '{to_stage,id}' AS id, c ->> 'changed_by' AS by, c ->> 'is_undo' AS undo
FROM jsonb_path_query(context_for_person('00000000-0000-0000-0000-0000000000c1'),
	'$.deals[*] ? (@.title == "One").last_changes[*]') AS c;
-- nobody's deals
SELECT context_for_person('00000000-0000-0000-0000-00000000dead');
SELECT context_for_person(NULL);
\echo :LAST_ERROR_SQLSTATE

-- contacts that are linked
CREATE TABLE people (id uuid PRIMARY KEY, name text);
INSERT INTO people SELECT ('00000000-0000-0000-0000-0000000000c' || n)::uuid, 'Person ' || n FROM generate_series(1, 4) AS n;
SELECT crm_link('api_contacts', 'deal_contacts.contact_id', 'people');
SELECT context_for_person('00000000-0000-0000-0000-0000000000c3') -> 'person';
SELECT context_for_person('00000000-0000-0000-0000-0000000000c4');
SELECT context_for_person('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE

-- who may
CREATE ROLE regress_api_contacts;
GRANT USAGE ON SCHEMA api_contacts TO regress_api_contacts;
\set VERBOSITY terse
SET ROLE regress_api_contacts;
SELECT set_primary_contact('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000c1');
SELECT context_for_person('00000000-0000-0000-0000-0000000000c3');
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api_contacts TO regress_api_contacts;
SET ROLE regress_api_contacts;
SELECT set_primary_contact('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000c1');
SELECT context_for_person('00000000-0000-0000-0000-0000000000c3');
RESET ROLE;
GRANT SELECT ON ALL TABLES IN SCHEMA api_contacts TO regress_api_contacts;
SET ROLE regress_api_contacts;
SELECT set_primary_contact('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000c1');
SELECT context_for_person('00000000-0000-0000-0000-0000000000c3') #> '{person,name}';
RESET ROLE;
GRANT UPDATE (is_primary) ON deal_contacts TO regress_api_contacts;
SET ROLE regress_api_contacts;
SELECT contact_id, is_primary FROM set_primary_contact('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000c1');
RESET ROLE;

-- of what row security shows
ALTER TABLE people ENABLE ROW LEVEL SECURITY;
CREATE POLICY some_people ON people USING (name <> 'Person 3');
ALTER TABLE deals ENABLE ROW LEVEL SECURITY;
CREATE POLICY some_deals ON deals USING (title <> 'One');
SET ROLE regress_api_contacts;
SELECT context_for_person('00000000-0000-0000-0000-0000000000c3');
SELECT jsonb_path_query_array(context_for_person('00000000-0000-0000-0000-0000000000c1'), '$.deals[*].title');
SELECT set_primary_contact('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000c1');
RESET ROLE;

SET client_min_messages = error;
DROP SCHEMA api_contacts CASCADE;
DROP ROLE regress_api_contacts;
