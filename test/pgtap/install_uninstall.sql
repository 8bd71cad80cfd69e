-- Dropping a CRM drops what crm_install() made, and nothing else.
BEGIN;
\ir include/setup.sql
SELECT plan(17);

CREATE ROLE uninstall_owner;
CREATE ROLE uninstall_other;
SELECT format('GRANT CREATE ON DATABASE %I TO uninstall_owner', current_database()) \gexec
GRANT USAGE ON SCHEMA t TO PUBLIC;
SET LOCAL search_path = t, extensions, pg_catalog;

-- What is left of a schema, whatever it is.
CREATE FUNCTION t.left_in(schema text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(o.name, ', ' ORDER BY o.name)
    FROM pg_depend AS d JOIN pg_namespace AS n ON n.oid = d.refobjid
        CROSS JOIN LATERAL pg_describe_object(d.classid, d.objid, d.objsubid) AS o (name)
    WHERE d.refclassid = 'pg_namespace'::regclass AND n.nspname = schema AND d.deptype = 'n'
$$;

SELECT is(t.left_in('crm') IS NULL, false, 'there is a CRM');
SELECT crm.create_pipeline('Sales', '["Lead"]', is_default => true) \g /dev/null
INSERT INTO crm.deals (title) VALUES ('Deal');
SELECT lives_ok($$SELECT crm_uninstall('crm')$$, 'it is dropped, with its data');
SELECT is(t.left_in('crm'), NULL, 'nothing is left of it');
SELECT hasnt_schema('crm', 'nor its schema');
SELECT is_empty('SELECT * FROM crm_installations()', 'none is left');
SELECT throws_ok($$SELECT crm_uninstall('crm')$$, '3F000', NULL, 'it is gone');
SELECT throws_ok($$SELECT crm_uninstall('public')$$, 'PT404', NULL, 'no CRM is there');

-- All that there can be: linked contacts, events, partitions' worth of columns, shared tenancy.
SET LOCAL ROLE uninstall_owner;
SELECT crm_install('full', 'shared') \g /dev/null
CREATE SCHEMA people;
CREATE TABLE people.people (id uuid PRIMARY KEY, name text);
SELECT crm_link('full', 'deal_contacts.contact_id', 'people.people') \g /dev/null
ALTER TABLE "full".deals ADD COLUMN region text;
CREATE TABLE "full".mine (id integer);
CREATE FUNCTION "full".deal(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
SET LOCAL ROLE uninstall_other;
SELECT throws_ok($$SELECT crm_uninstall('full')$$, '42501', NULL, 'only by its owner');
SET LOCAL ROLE uninstall_owner;
SELECT lives_ok($$SELECT crm_uninstall('full')$$, 'with linked contacts and a column of one''s own');
SELECT is(t.left_in('full'), 'function "full".deal(integer), table "full".mine', 'what is not the CRM''s stays');
SELECT has_table('people'::name, 'people'::name, 'and so do the people');

-- What depends on it keeps it.
SELECT crm_install('used') \g /dev/null
CREATE TABLE people.orders (deal_id uuid REFERENCES used.deals);
SELECT throws_ok($$SELECT crm_uninstall('used')$$, '2BP01', NULL, 'not while a foreign key refers to it');
DROP TABLE people.orders;
CREATE VIEW people.open_deals AS SELECT title FROM used.deals;
SELECT throws_ok($$SELECT crm_uninstall('used')$$, '2BP01', NULL, 'nor while a view reads it');
DROP VIEW people.open_deals;
RESET ROLE;
ALTER TABLE used.tags OWNER TO uninstall_other;
SET LOCAL ROLE uninstall_owner;
SELECT throws_ok($$SELECT crm_uninstall('used')$$, '42501', 'must be owner of table used.tags', 'nor what is another one''s');
RESET ROLE;
SELECT lives_ok($$SELECT crm_uninstall('used')$$, 'a superuser may');
SELECT is(t.left_in('used'), NULL, 'and nothing is left');
SELECT hasnt_schema('used', 'nor its schema');

SELECT * FROM finish();
ROLLBACK;
