-- crm_link() and crm_unlink(), what they refuse, crm_linked_row() and crm_linked_name()
\set original :DBNAME
SET client_min_messages = warning;
CREATE ROLE regress_crm_owner;
CREATE ROLE regress_crm_other;
CREATE ROLE regress_crm_reader;
CREATE DATABASE regress_crm_link OWNER regress_crm_owner;
\c regress_crm_link
SET client_min_messages = warning;
SET ROLE regress_crm_owner;
CREATE EXTENSION crm;
SELECT crm_install();

CREATE SCHEMA app;
CREATE TABLE app.people (
	person_id uuid PRIMARY KEY,
	name text NOT NULL,
	"E-Mail" text,
	secret text,
	gone int);
ALTER TABLE app.people DROP gone;
COMMENT ON TABLE app.people IS 'Everyone we know';
COMMENT ON COLUMN app.people.name IS 'What they''re called';
INSERT INTO app.people (person_id, name, "E-Mail", secret)
SELECT format('00000000-0000-4000-8000-%s', lpad(i::text, 12, '0'))::uuid, 'Person ' || i, i || '@example.org', 'secret'
FROM generate_series(1, 5) AS i;
INSERT INTO crm.pipelines (name, is_default) VALUES ('Sales', true);
INSERT INTO crm.stages (pipeline_id, name) SELECT id, 'New' FROM crm.pipelines;
INSERT INTO crm.deals (title) VALUES ('Big');

-- arguments
SELECT crm_link(NULL, 'deal_contacts.contact_id', 'app.people');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people', on_delete => NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people', on_delete => 'set null');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people', on_delete => 'explode');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('app', 'deal_contacts.contact_id', 'app.people');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('nowhere', 'deal_contacts.contact_id', 'app.people');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.nobody');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', 1);
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people', 'gone');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people', 'ctid');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people', 'name');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people', columns => '{name,nome}');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people', columns => '{name,NULL}');
\echo :LAST_ERROR_SQLSTATE
BEGIN READ ONLY;
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

-- tables that cannot be referred to
CREATE VIEW app.some_people AS SELECT * FROM app.people;
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.some_people', 'person_id');
\echo :LAST_ERROR_SQLSTATE
CREATE TEMP TABLE temporary_people (id uuid PRIMARY KEY);
\set SHOW_CONTEXT never
SELECT crm_link('crm', 'deal_contacts.contact_id', 'temporary_people');
\echo :LAST_ERROR_SQLSTATE
\set SHOW_CONTEXT errors
-- keys: none, of two columns, of another type
CREATE TABLE app.keyless (id uuid);
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.keyless');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE app.two_keys (a uuid, b uuid, PRIMARY KEY (a, b));
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.two_keys');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.two_keys', 'a');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE app."old People" (id bigint PRIMARY KEY, name text);
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app."old People"');
\echo :LAST_ERROR_SQLSTATE
-- unique only now and then
CREATE TABLE app.hardly (a uuid, b uuid UNIQUE DEFERRABLE, c uuid, d uuid);
CREATE UNIQUE INDEX ON app.hardly (a) WHERE a <> '00000000-0000-0000-0000-000000000000';
CREATE UNIQUE INDEX ON app.hardly ((c));
CREATE UNIQUE INDEX ON app.hardly ((d IS NULL));
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.hardly', 'a');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.hardly', 'b');
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.hardly', 'd');

-- contacts without a match
INSERT INTO crm.deal_contacts (deal_id, contact_id)
SELECT d.id, format('00000000-0000-4000-8000-%s', lpad(i::text, 12, '0'))::uuid
FROM crm.deals AS d, generate_series(1, 9) AS i;
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people');
\echo :LAST_ERROR_SQLSTATE
DELETE FROM crm.deal_contacts WHERE contact_id > '00000000-0000-4000-8000-000000000006';
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people');
-- where row security hides people, the foreign key alone decides
ALTER TABLE app.people ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.people FORCE ROW LEVEL SECURITY;
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people');
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE app.people NO FORCE ROW LEVEL SECURITY;
ALTER TABLE app.people DISABLE ROW LEVEL SECURITY;
DELETE FROM crm.deal_contacts WHERE contact_id > '00000000-0000-4000-8000-000000000005';
-- nothing of it stayed
SELECT conname FROM pg_constraint WHERE conrelid = 'crm.deal_contacts'::regclass AND contype = 'f';
SELECT to_regclass('crm.contacts');
SELECT crm_linked_row('crm', 'contacts', '00000000-0000-4000-8000-000000000001') IS NULL AS without_view;

-- who may
SET ROLE regress_crm_other;
CREATE TEMP TABLE mine (id uuid PRIMARY KEY);
SELECT crm_link('crm', 'deal_contacts.contact_id', 'mine');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_unlink('crm', 'deal_contacts.contact_id');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
ALTER TABLE app.people OWNER TO regress_crm_other;
GRANT USAGE ON SCHEMA app TO regress_crm_other;
SET ROLE regress_crm_owner;
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people');
\echo :LAST_ERROR_SQLSTATE
-- REFERENCES is enough, and does not let one read
RESET ROLE;
GRANT REFERENCES (person_id) ON app.people TO regress_crm_owner;
SET ROLE regress_crm_owner;
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people');
SELECT count(*) FROM crm.contacts;
\echo :LAST_ERROR_SQLSTATE
-- no error, and no contact
SELECT crm_linked_row('crm', 'contacts', '00000000-0000-4000-8000-000000000001');
SELECT crm_unlink('crm', 'deal_contacts.contact_id');
RESET ROLE;
REVOKE REFERENCES (person_id) ON app.people FROM regress_crm_owner;
ALTER TABLE app.people OWNER TO regress_crm_owner;
SET ROLE regress_crm_owner;

-- linked
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people');
SELECT obj_description(oid, 'pg_class'), reloptions, relowner::regrole
FROM pg_class WHERE oid = 'crm.contacts'::regclass;
SELECT attname, atttypid::regtype, col_description(attrelid, attnum)
FROM pg_attribute WHERE attrelid = 'crm.contacts'::regclass ORDER BY attnum;
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = 'crm.deal_contacts'::regclass AND contype = 'f' ORDER BY conname;
INSERT INTO crm.deal_contacts (deal_id, contact_id)
SELECT id, '00000000-0000-4000-8000-0000000000ff' FROM crm.deals;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM app.people WHERE person_id = '00000000-0000-4000-8000-000000000001';
\echo :LAST_ERROR_SQLSTATE
SELECT crm_linked_row('crm', 'contacts', '00000000-0000-4000-8000-000000000001');
SELECT crm_linked_row('crm', 'contacts', '00000000-0000-4000-8000-0000000000ff') IS NULL AS nobody;
SELECT crm_linked_row(NULL, 'contacts', '00000000-0000-4000-8000-000000000001') IS NULL AS nothing;
SELECT crm_linked_row('app', 'contacts', '00000000-0000-4000-8000-000000000001') IS NULL AS elsewhere;
-- live
UPDATE app.people SET name = 'Ann' WHERE person_id = '00000000-0000-4000-8000-000000000001';
SELECT name FROM crm.contacts ORDER BY id LIMIT 1;

-- twice, and the name taken
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people');
\echo :LAST_ERROR_SQLSTATE
-- something depends on the view
CREATE VIEW app.board AS SELECT c.name FROM crm.deal_contacts AS d JOIN crm.contacts AS c ON c.id = d.contact_id;
SELECT crm_unlink('crm', 'deal_contacts.contact_id');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM app.board;
DROP VIEW app.board;
SELECT crm_unlink('crm', 'deal_contacts.contact_id');
SELECT crm_unlink('crm', 'deal_contacts.contact_id');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_unlink(NULL, 'deal_contacts.contact_id');
\echo :LAST_ERROR_SQLSTATE
SELECT conname FROM pg_constraint WHERE conrelid = 'crm.deal_contacts'::regclass AND contype = 'f';
SELECT count(*) FROM crm.deal_contacts;
CREATE TABLE crm.contacts AS SELECT '00000000-0000-4000-8000-000000000001'::uuid AS id;
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_linked_row('crm', 'contacts', '00000000-0000-4000-8000-000000000001') IS NULL AS no_view;
DROP TABLE crm.contacts;

-- with the reader's rights: neither the view nor the link gives any
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people', columns => '{E-Mail,person_id,name,name}', on_delete => 'cascade');
GRANT USAGE ON SCHEMA crm, app TO regress_crm_reader;
GRANT SELECT ON crm.contacts TO regress_crm_reader;
SET ROLE regress_crm_reader;
SELECT * FROM crm.contacts;
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT SELECT (person_id, name, "E-Mail") ON app.people TO regress_crm_reader;
SET ROLE regress_crm_reader;
SELECT * FROM crm.contacts ORDER BY id LIMIT 1;
SELECT crm_linked_row('crm', 'contacts', '00000000-0000-4000-8000-000000000002');
RESET ROLE;
ALTER TABLE app.people ENABLE ROW LEVEL SECURITY;
CREATE POLICY second ON app.people TO regress_crm_reader USING (name = 'Person 2');
SET ROLE regress_crm_reader;
SELECT name FROM crm.contacts;
SELECT crm_linked_row('crm', 'contacts', '00000000-0000-4000-8000-000000000003') IS NULL AS hidden;
RESET ROLE;
ALTER TABLE app.people DISABLE ROW LEVEL SECURITY;
-- cascade
SET ROLE regress_crm_owner;
DELETE FROM app.people WHERE person_id <= '00000000-0000-4000-8000-000000000002';
SELECT contact_id FROM crm.deal_contacts ORDER BY 1;
SELECT crm_unlink('crm', 'deal_contacts.contact_id');
DELETE FROM crm.deal_contacts;

-- a column "id" that is not the contact's id
ALTER TABLE app."old People" ADD crm_id uuid
	GENERATED ALWAYS AS (crm_external_uuid('old People', id::text)) STORED UNIQUE;
INSERT INTO app."old People" (id, name) VALUES (7, 'Old');
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app."old People"', 'crm_id');
SELECT * FROM crm.contacts;
SELECT col_description('crm.contacts'::regclass, 1) AS id, obj_description('crm.contacts'::regclass, 'pg_class') AS view;
SELECT crm_linked_row('crm', 'contacts', crm_external_uuid('old People', '7')) ->> 'name' AS name;
SELECT crm_unlink('crm', 'deal_contacts.contact_id');
ALTER TABLE app."old People" ADD external_id text;
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app."old People"', 'crm_id');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app."old People"', 'crm_id', columns => '{id,external_id}');
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app."old People"', 'crm_id', columns => '{external_id}');
SELECT crm_unlink('crm', 'deal_contacts.contact_id');
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app."old People"', 'crm_id', columns => '{}');
SELECT * FROM crm.contacts;
SELECT crm_unlink('crm', 'deal_contacts.contact_id');

-- hostile names everywhere
SELECT crm_install('My "CRM"');
CREATE SCHEMA "a.b; --";
CREATE TABLE "a.b; --"."x"") AS SELECT 1; --" (
	"k'; DROP SCHEMA crm" uuid PRIMARY KEY,
	"c" text,
	"select" text,
	"%s ""quoted"" \" text,
	"contacts" text);
INSERT INTO "a.b; --"."x"") AS SELECT 1; --" VALUES ('00000000-0000-4000-8000-000000000001', 'c', 's', 'q', 'k');
SELECT crm_link('My "CRM"', 'deal_contacts.contact_id', '"a.b; --"."x"") AS SELECT 1; --"');
SELECT * FROM "My ""CRM""".contacts;
SELECT crm_linked_row('"My ""CRM"""', 'contacts', '00000000-0000-4000-8000-000000000001');
SELECT crm_unlink('My "CRM"', 'deal_contacts.contact_id');
SELECT crm_link('My "CRM"', 'deal_contacts.contact_id', '"a.b; --"."x"") AS SELECT 1; --"', columns => ARRAY['%s "quoted" \']::name[]);
SELECT * FROM "My ""CRM""".contacts;
-- each CRM its own
SELECT to_regclass('crm.contacts');
SELECT crm_link('crm', 'deal_contacts.contact_id', '"a.b; --"."x"") AS SELECT 1; --"');
SELECT crm_unlink('crm', 'deal_contacts.contact_id');
SELECT count(*) FROM "My ""CRM""".contacts;

-- whatever the session's path and temporary tables
CREATE SCHEMA evil;
CREATE FUNCTION evil.same(uuid, uuid) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT false $$;
CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.same);
CREATE FUNCTION evil.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS $$ SELECT '"evil"'::jsonb $$;
CREATE TEMP TABLE people (person_id uuid PRIMARY KEY);
CREATE TEMP TABLE contacts (id uuid PRIMARY KEY);
SET search_path = evil, pg_temp, pg_catalog, public;
INSERT INTO crm.deal_contacts (deal_id, contact_id)
SELECT id, '00000000-0000-4000-8000-000000000003' FROM crm.deals;
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.people', columns => '{name}');
SELECT crm_linked_row('crm', 'contacts', '00000000-0000-4000-8000-000000000003');
SELECT crm_unlink('crm', 'deal_contacts.contact_id');
RESET search_path;

-- a partitioned table, a domain, tenants
CREATE DOMAIN app.person AS uuid;
CREATE TABLE app.parted (id app.person PRIMARY KEY, name text) PARTITION BY HASH (id);
CREATE TABLE app.parted_0 PARTITION OF app.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.parted_1 PARTITION OF app.parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO app.parted VALUES ('00000000-0000-4000-8000-000000000003', 'Parted');
SELECT crm_link('crm', 'deal_contacts.contact_id', 'app.parted');
SELECT crm_linked_row('crm', 'contacts', '00000000-0000-4000-8000-000000000003');
\set VERBOSITY sqlstate
DELETE FROM app.parted;
\set VERBOSITY default
SELECT crm_unlink('crm', 'deal_contacts.contact_id');
SELECT crm_install('shared', 'shared');
SELECT crm_link('shared', 'deal_contacts.contact_id', 'app.people');
SELECT crm_unlink('shared', 'deal_contacts.contact_id');

-- owners and organizations
CREATE TABLE app.users (id uuid PRIMARY KEY, full_name text, name text, password text);
CREATE TABLE app.firms (id uuid PRIMARY KEY, name text);
INSERT INTO app.users (id, full_name, name) VALUES ('00000000-0000-4000-8000-00000000000a', 'Ada L.', 'ada'),
	('00000000-0000-4000-8000-00000000000b', 'Bob', 'bob');
INSERT INTO app.firms VALUES ('00000000-0000-4000-8000-00000000000c', 'Firm');
UPDATE crm.deals SET owner_id = '00000000-0000-4000-8000-00000000000d', organization_id = '00000000-0000-4000-8000-00000000000c';
SELECT crm_link('crm', NULL, 'app.users');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deals.amount', 'app.users');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_unlink('crm', 'owner_id');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_unlink('crm', 'deals.owner_id');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deals.owner_id', 'app.users', on_delete => 'cascade');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deals.owner_id', 'app.users', columns => '{name}');
\echo :LAST_ERROR_SQLSTATE
UPDATE crm.deals SET owner_id = '00000000-0000-4000-8000-00000000000a';
-- two columns cannot both be the name
SELECT crm_link('crm', 'deals.owner_id', 'app.users', name_column => 'full_name');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deals.owner_id', 'app.users', name_column => 'nome');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link('crm', 'deals.owner_id', 'app.users', name_column => 'full_name', columns => '{}', on_delete => 'set null');
SELECT crm_link('crm', 'deals.organization_id', 'app.firms');
SELECT crm_link('crm', 'deals.organization_id', 'app.users');
\echo :LAST_ERROR_SQLSTATE
TABLE crm.owners;
TABLE crm.organizations;
SELECT obj_description('crm.owners'::regclass, 'pg_class') AS view, col_description('crm.owners'::regclass, 1) AS id;
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = 'crm.deals'::regclass AND conname ~ 'owner|organization' ORDER BY conname;
SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = 'crm.deals'::regclass AND indexrelid::regclass::text ~ 'link' ORDER BY 1;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'crm.deals'::regclass AND tgname ~ '^CRM' ORDER BY 1;
SELECT * FROM crm_check('crm');
-- names instead of ids
SELECT crm_linked_name('crm', 'owners', '00000000-0000-4000-8000-00000000000a') AS owner,
	crm_linked_name('crm', 'owners', '00000000-0000-4000-8000-00000000000d') AS nobody,
	crm_linked_name('crm', 'contacts', '00000000-0000-4000-8000-00000000000a') AS not_linked,
	crm_linked_name('app', 'owners', '00000000-0000-4000-8000-00000000000a') AS elsewhere;
SELECT crm_linked_name('crm', 'deals', '00000000-0000-4000-8000-00000000000a');
\echo :LAST_ERROR_SQLSTATE
-- one call site, several CRMs and views
SELECT v.crm, v.view, crm_linked_name(v.crm, v.view, v.id) FROM (VALUES
	('crm'::regnamespace, 'owners', '00000000-0000-4000-8000-00000000000a'::uuid),
	('crm', 'owners', '00000000-0000-4000-8000-00000000000b'),
	('crm', 'organizations', '00000000-0000-4000-8000-00000000000c'),
	('app', 'owners', '00000000-0000-4000-8000-00000000000a'),
	('crm', 'owners', '00000000-0000-4000-8000-00000000000a')) AS v (crm, view, id);
SELECT c -> 'owner' ->> 'name' AS owner, c -> 'organization' ->> 'name' AS organization
FROM crm.deals AS d, crm.context_for_deal(d.id) AS c;
UPDATE crm.stages SET rotting_days = 1;
INSERT INTO crm.deals (title, owner_id, created_at, expected_close_date) VALUES
	('Old', '00000000-0000-4000-8000-00000000000b', '2026-01-01', '2026-03-01'), ('Nobody''s', NULL, '2026-01-01', '2026-03-01');
SELECT title, owner_id IS NOT NULL AS owned, owner_name FROM crm.rotting_deals() ORDER BY title;
SELECT title, owner_name FROM crm.rotting_deals ORDER BY title;
UPDATE crm.deals SET expected_close_date = '2026-05-01' WHERE title = 'Old';
SELECT group_name, pushes FROM crm.slippage(group_by => 'owner') WHERE NOT is_total ORDER BY group_name;
SELECT d.title, o.name AS owner, g.name AS organization FROM crm.deals AS d, crm.owner(d) AS o, crm.organization(d) AS g;
SELECT o.name, d.title FROM crm.owners AS o, crm.deals(o) AS d ORDER BY o.name;
SELECT o.name FROM crm.deal_changes AS c, crm.new_owner(c) AS o WHERE c.new_owner_id = '00000000-0000-4000-8000-00000000000a';
SELECT o.name FROM crm.deal_pushes AS p, crm.owner(p) AS o;
SELECT o.name FROM crm.rotting_deals AS r, crm.owner(r) AS o;
-- on_delete: the owner leaves the deal, the organization is kept
DELETE FROM app.users WHERE full_name = 'Ada L.';
SELECT title, owner_id FROM crm.deals WHERE title = 'Big';
SELECT old_owner_id, new_owner_id FROM crm.deal_changes WHERE old_owner_id IS NOT NULL AND new_owner_id IS NULL;
\set VERBOSITY sqlstate
DELETE FROM app.firms;
INSERT INTO crm.deals (title, owner_id) VALUES ('x', '00000000-0000-4000-8000-00000000000a');
\set VERBOSITY default
-- undone
SELECT crm_unlink('crm', 'deals.owner_id');
SELECT crm_unlink('crm', 'deals.organization_id');
SELECT conname FROM pg_constraint WHERE conrelid = 'crm.deals'::regclass AND conname ~ 'owner|organization';
SELECT tgname FROM pg_trigger WHERE tgrelid = 'crm.deals'::regclass AND tgname ~ '^CRM';
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'crm.deals'::regclass AND indexrelid::regclass::text ~ 'link';
SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'crm'::regnamespace AND p.proname ~ 'owner|organization';
SELECT * FROM crm_check('crm');
SELECT title, owner_name FROM crm.rotting_deals() WHERE title = 'Old';
INSERT INTO crm.deals (title, owner_id) VALUES ('anybody''s', '00000000-0000-4000-8000-00000000000a');

\c :original
DROP DATABASE regress_crm_link;
DROP ROLE regress_crm_owner, regress_crm_other, regress_crm_reader;
