-- crm_link_contacts() and crm_unlink_contacts(), what they refuse, crm_contact()
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
SELECT crm_link_contacts(NULL, 'app.people');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', 'app.people', on_delete => NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', 'app.people', on_delete => 'set null');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', 'app.people', on_delete => 'explode');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('app', 'app.people');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('nowhere', 'app.people');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', 'app.nobody');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', 1);
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', 'app.people', 'gone');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', 'app.people', 'ctid');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', 'app.people', 'name');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', 'app.people', columns => '{name,nome}');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', 'app.people', columns => '{name,NULL}');
\echo :LAST_ERROR_SQLSTATE
BEGIN READ ONLY;
SELECT crm_link_contacts('crm', 'app.people');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

-- tables that cannot be referred to
CREATE VIEW app.some_people AS SELECT * FROM app.people;
SELECT crm_link_contacts('crm', 'app.some_people', 'person_id');
\echo :LAST_ERROR_SQLSTATE
CREATE TEMP TABLE temporary_people (id uuid PRIMARY KEY);
\set SHOW_CONTEXT never
SELECT crm_link_contacts('crm', 'temporary_people');
\echo :LAST_ERROR_SQLSTATE
\set SHOW_CONTEXT errors
-- keys: none, of two columns, of another type
CREATE TABLE app.keyless (id uuid);
SELECT crm_link_contacts('crm', 'app.keyless');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE app.two_keys (a uuid, b uuid, PRIMARY KEY (a, b));
SELECT crm_link_contacts('crm', 'app.two_keys');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', 'app.two_keys', 'a');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE app."old People" (id bigint PRIMARY KEY, name text);
SELECT crm_link_contacts('crm', 'app."old People"');
\echo :LAST_ERROR_SQLSTATE
-- unique only now and then
CREATE TABLE app.hardly (a uuid, b uuid UNIQUE DEFERRABLE, c uuid, d uuid);
CREATE UNIQUE INDEX ON app.hardly (a) WHERE a <> '00000000-0000-0000-0000-000000000000';
CREATE UNIQUE INDEX ON app.hardly ((c));
CREATE UNIQUE INDEX ON app.hardly ((d IS NULL));
SELECT crm_link_contacts('crm', 'app.hardly', 'a');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', 'app.hardly', 'b');
SELECT crm_link_contacts('crm', 'app.hardly', 'd');

-- contacts without a match
INSERT INTO crm.deal_contacts (deal_id, contact_id)
SELECT d.id, format('00000000-0000-4000-8000-%s', lpad(i::text, 12, '0'))::uuid
FROM crm.deals AS d, generate_series(1, 9) AS i;
SELECT crm_link_contacts('crm', 'app.people');
\echo :LAST_ERROR_SQLSTATE
DELETE FROM crm.deal_contacts WHERE contact_id > '00000000-0000-4000-8000-000000000006';
SELECT crm_link_contacts('crm', 'app.people');
-- where row security hides people, the foreign key alone decides
ALTER TABLE app.people ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.people FORCE ROW LEVEL SECURITY;
SELECT crm_link_contacts('crm', 'app.people');
\echo :LAST_ERROR_SQLSTATE
ALTER TABLE app.people NO FORCE ROW LEVEL SECURITY;
ALTER TABLE app.people DISABLE ROW LEVEL SECURITY;
DELETE FROM crm.deal_contacts WHERE contact_id > '00000000-0000-4000-8000-000000000005';
-- nothing of it stayed
SELECT conname FROM pg_constraint WHERE conrelid = 'crm.deal_contacts'::regclass AND contype = 'f';
SELECT to_regclass('crm.contacts');
SELECT crm_contact('crm', '00000000-0000-4000-8000-000000000001') IS NULL AS without_view;

-- who may
SET ROLE regress_crm_other;
CREATE TEMP TABLE mine (id uuid PRIMARY KEY);
SELECT crm_link_contacts('crm', 'mine');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_unlink_contacts('crm');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
ALTER TABLE app.people OWNER TO regress_crm_other;
GRANT USAGE ON SCHEMA app TO regress_crm_other;
SET ROLE regress_crm_owner;
SELECT crm_link_contacts('crm', 'app.people');
\echo :LAST_ERROR_SQLSTATE
-- REFERENCES is enough, and does not let one read
RESET ROLE;
GRANT REFERENCES (person_id) ON app.people TO regress_crm_owner;
SET ROLE regress_crm_owner;
SELECT crm_link_contacts('crm', 'app.people');
SELECT count(*) FROM crm.contacts;
\echo :LAST_ERROR_SQLSTATE
-- no error, and no contact
SELECT crm_contact('crm', '00000000-0000-4000-8000-000000000001');
SELECT crm_unlink_contacts('crm');
RESET ROLE;
REVOKE REFERENCES (person_id) ON app.people FROM regress_crm_owner;
ALTER TABLE app.people OWNER TO regress_crm_owner;
SET ROLE regress_crm_owner;

-- linked
SELECT crm_link_contacts('crm', 'app.people');
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
SELECT crm_contact('crm', '00000000-0000-4000-8000-000000000001');
SELECT crm_contact('crm', '00000000-0000-4000-8000-0000000000ff') IS NULL AS nobody;
SELECT crm_contact(NULL, '00000000-0000-4000-8000-000000000001') IS NULL AS nothing;
SELECT crm_contact('app', '00000000-0000-4000-8000-000000000001') IS NULL AS elsewhere;
-- live
UPDATE app.people SET name = 'Ann' WHERE person_id = '00000000-0000-4000-8000-000000000001';
SELECT name FROM crm.contacts ORDER BY id LIMIT 1;

-- twice, and the name taken
SELECT crm_link_contacts('crm', 'app.people');
\echo :LAST_ERROR_SQLSTATE
-- something depends on the view
CREATE VIEW app.board AS SELECT c.name FROM crm.deal_contacts AS d JOIN crm.contacts AS c ON c.id = d.contact_id;
SELECT crm_unlink_contacts('crm');
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM app.board;
DROP VIEW app.board;
SELECT crm_unlink_contacts('crm');
SELECT crm_unlink_contacts('crm');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_unlink_contacts(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT conname FROM pg_constraint WHERE conrelid = 'crm.deal_contacts'::regclass AND contype = 'f';
SELECT count(*) FROM crm.deal_contacts;
CREATE TABLE crm.contacts AS SELECT '00000000-0000-4000-8000-000000000001'::uuid AS id;
SELECT crm_link_contacts('crm', 'app.people');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_contact('crm', '00000000-0000-4000-8000-000000000001') IS NULL AS no_view;
DROP TABLE crm.contacts;

-- with the reader's rights: neither the view nor the link gives any
SELECT crm_link_contacts('crm', 'app.people', columns => '{E-Mail,person_id,name,name}', on_delete => 'cascade');
GRANT USAGE ON SCHEMA crm, app TO regress_crm_reader;
GRANT SELECT ON crm.contacts TO regress_crm_reader;
SET ROLE regress_crm_reader;
SELECT * FROM crm.contacts;
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT SELECT (person_id, name, "E-Mail") ON app.people TO regress_crm_reader;
SET ROLE regress_crm_reader;
SELECT * FROM crm.contacts ORDER BY id LIMIT 1;
SELECT crm_contact('crm', '00000000-0000-4000-8000-000000000002');
RESET ROLE;
ALTER TABLE app.people ENABLE ROW LEVEL SECURITY;
CREATE POLICY second ON app.people TO regress_crm_reader USING (name = 'Person 2');
SET ROLE regress_crm_reader;
SELECT name FROM crm.contacts;
SELECT crm_contact('crm', '00000000-0000-4000-8000-000000000003') IS NULL AS hidden;
RESET ROLE;
ALTER TABLE app.people DISABLE ROW LEVEL SECURITY;
-- cascade
SET ROLE regress_crm_owner;
DELETE FROM app.people WHERE person_id <= '00000000-0000-4000-8000-000000000002';
SELECT contact_id FROM crm.deal_contacts ORDER BY 1;
SELECT crm_unlink_contacts('crm');
DELETE FROM crm.deal_contacts;

-- a column "id" that is not the contact's id
ALTER TABLE app."old People" ADD crm_id uuid
	GENERATED ALWAYS AS (crm_external_uuid('old People', id::text)) STORED UNIQUE;
INSERT INTO app."old People" (id, name) VALUES (7, 'Old');
SELECT crm_link_contacts('crm', 'app."old People"', 'crm_id');
SELECT * FROM crm.contacts;
SELECT col_description('crm.contacts'::regclass, 1) AS id, obj_description('crm.contacts'::regclass, 'pg_class') AS view;
SELECT crm_contact('crm', crm_external_uuid('old People', '7')) ->> 'name' AS name;
SELECT crm_unlink_contacts('crm');
ALTER TABLE app."old People" ADD external_id text;
SELECT crm_link_contacts('crm', 'app."old People"', 'crm_id');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_link_contacts('crm', 'app."old People"', 'crm_id', columns => '{id,external_id}');
SELECT crm_link_contacts('crm', 'app."old People"', 'crm_id', columns => '{external_id}');
SELECT crm_unlink_contacts('crm');
SELECT crm_link_contacts('crm', 'app."old People"', 'crm_id', columns => '{}');
SELECT * FROM crm.contacts;
SELECT crm_unlink_contacts('crm');

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
SELECT crm_link_contacts('My "CRM"', '"a.b; --"."x"") AS SELECT 1; --"');
SELECT * FROM "My ""CRM""".contacts;
SELECT crm_contact('"My ""CRM"""', '00000000-0000-4000-8000-000000000001');
SELECT crm_unlink_contacts('My "CRM"');
SELECT crm_link_contacts('My "CRM"', '"a.b; --"."x"") AS SELECT 1; --"', columns => ARRAY['%s "quoted" \']::name[]);
SELECT * FROM "My ""CRM""".contacts;
-- each CRM its own
SELECT to_regclass('crm.contacts');
SELECT crm_link_contacts('crm', '"a.b; --"."x"") AS SELECT 1; --"');
SELECT crm_unlink_contacts('crm');
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
SELECT crm_link_contacts('crm', 'app.people', columns => '{name}');
SELECT crm_contact('crm', '00000000-0000-4000-8000-000000000003');
SELECT crm_unlink_contacts('crm');
RESET search_path;

-- a partitioned table, a domain, tenants
CREATE DOMAIN app.person AS uuid;
CREATE TABLE app.parted (id app.person PRIMARY KEY, name text) PARTITION BY HASH (id);
CREATE TABLE app.parted_0 PARTITION OF app.parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.parted_1 PARTITION OF app.parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO app.parted VALUES ('00000000-0000-4000-8000-000000000003', 'Parted');
SELECT crm_link_contacts('crm', 'app.parted');
SELECT crm_contact('crm', '00000000-0000-4000-8000-000000000003');
\set VERBOSITY sqlstate
DELETE FROM app.parted;
\set VERBOSITY default
SELECT crm_unlink_contacts('crm');
SELECT crm_install('shared', 'shared');
SELECT crm_link_contacts('shared', 'app.people');
SELECT crm_unlink_contacts('shared');

\c :original
DROP DATABASE regress_crm_link;
DROP ROLE regress_crm_owner, regress_crm_other, regress_crm_reader;
