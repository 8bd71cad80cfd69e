-- crm_install(), what it refuses, and knowing the CRMs of a database
\set original :DBNAME
SET client_min_messages = warning;
CREATE ROLE regress_crm_owner;
CREATE ROLE regress_crm_deputy IN ROLE regress_crm_owner;
CREATE ROLE regress_crm_other;
CREATE DATABASE regress_crm_install OWNER regress_crm_owner;
\c regress_crm_install
SET client_min_messages = warning;

-- a trusted extension: the database's owner needs no superuser
SET ROLE regress_crm_owner;
CREATE SCHEMA extensions;
GRANT USAGE ON SCHEMA extensions TO PUBLIC;
CREATE EXTENSION crm SCHEMA extensions;
SET search_path = extensions;

-- arguments
SELECT crm_install(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT crm_install(tenancy => NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT crm_install('');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_install('pg_crm');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_install('pg_catalog');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_install('$user');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_install(repeat('x', 64));
\echo :LAST_ERROR_SQLSTATE
SELECT crm_install(repeat('ü', 32));
\echo :LAST_ERROR_SQLSTATE
SELECT crm_install('crm', 'many');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_install('crm', 'Shared');
\echo :LAST_ERROR_SQLSTATE

-- who may
SET ROLE regress_crm_other;
SELECT crm_install();
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
CREATE SCHEMA crm AUTHORIZATION regress_crm_other;
SET ROLE regress_crm_owner;
SELECT crm_install();
\echo :LAST_ERROR_SQLSTATE
-- not even with the right to create there
RESET ROLE;
GRANT ALL ON SCHEMA crm TO regress_crm_owner;
SET ROLE regress_crm_owner;
SELECT crm_install();
\echo :LAST_ERROR_SQLSTATE
-- its owner may, without the right to create schemas, once nobody else may create there
SET ROLE regress_crm_other;
SELECT crm_install();
\echo :LAST_ERROR_SQLSTATE
REVOKE ALL ON SCHEMA crm FROM regress_crm_owner;
SELECT crm_install();
SELECT schema_name, owner FROM crm_installations();
RESET ROLE;
DROP SCHEMA crm CASCADE;
-- so may a member of the owner's role, and owns the tables
SET ROLE regress_crm_owner;
CREATE SCHEMA crm;
SET ROLE regress_crm_deputy;
SELECT crm_install();
SELECT schema_name, owner FROM crm_installations();
RESET ROLE;
DROP SCHEMA crm CASCADE;
-- and a superuser
CREATE SCHEMA crm AUTHORIZATION regress_crm_other;
SELECT crm_install();
DROP SCHEMA crm CASCADE;

-- a CRM, and more of them, under all sorts of names
SET ROLE regress_crm_owner;
SELECT crm_install();
SELECT crm_install('My CRM', 'shared');
SELECT crm_install('a"b');
SELECT crm_install('it''s; DROP SCHEMA crm --', tenancy => 'shared');
SELECT crm_install(repeat('ü', 31)) = repeat('ü', 31) AS installed;
-- beside the extension's own objects
SELECT crm_install('extensions');
SELECT schema_name, version = crm_version() AS current, tenancy, owner
FROM crm_installations() ORDER BY schema_name COLLATE "C";
-- row security of one's own does not make a CRM a shared one
ALTER TABLE crm.deals ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON crm.deals USING (true);
SELECT tenancy FROM crm_installations() WHERE schema_name = 'crm';
DROP POLICY own ON crm.deals;
ALTER TABLE crm.deals DISABLE ROW LEVEL SECURITY;

-- twice
\set VERBOSITY terse
SELECT crm_install();
\echo :LAST_ERROR_SQLSTATE
SELECT crm_install('My CRM');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default

-- The objects in these schemas that are not the extension's.
CREATE VIEW public.installed AS
	SELECT d.classid, d.objid, d.refobjid::regnamespace::text AS schema,
		o.type, replace(o.identity, d.refobjid::regnamespace || '.', '') AS name
	FROM pg_depend AS d, pg_identify_object(d.classid, d.objid, 0) AS o
	WHERE d.refclassid = 'pg_namespace'::regclass
		AND d.refobjid::regnamespace::text IN ('crm', '"My CRM"', '"a""b"', 'extensions')
		AND d.deptype = 'n'
		AND d.classid <> 'pg_extension'::regclass
		AND NOT EXISTS (SELECT FROM pg_depend AS e
			WHERE e.classid = d.classid AND e.objid = d.objid AND e.deptype = 'e');

-- the same everywhere
SELECT count(*) > 0 AS some, count(DISTINCT names) AS ways
FROM (SELECT string_agg(type || ' ' || name, ', ' ORDER BY type, name) AS names
	FROM public.installed GROUP BY schema) AS by_schema;

-- No object refers to a table of another CRM, by whatever way.
CREATE VIEW public.crossing AS
	SELECT pg_describe_object(d.classid, d.objid, d.objsubid) AS object,
		d.refobjid::regclass AS refers_to
	FROM pg_depend AS d
		JOIN pg_class AS r ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid
		LEFT JOIN pg_rewrite AS w ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
		LEFT JOIN pg_trigger AS t ON d.classid = 'pg_trigger'::regclass AND d.objid = t.oid
		LEFT JOIN pg_constraint AS k ON d.classid = 'pg_constraint'::regclass AND d.objid = k.oid
		LEFT JOIN pg_policy AS l ON d.classid = 'pg_policy'::regclass AND d.objid = l.oid
		LEFT JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
		LEFT JOIN pg_class AS c
			ON c.oid = coalesce(w.ev_class, t.tgrelid, k.conrelid, l.polrelid)
	WHERE r.relnamespace <> coalesce(p.pronamespace, c.relnamespace)
		AND r.relnamespace >= 16384;
SELECT * FROM public.crossing;
CREATE TABLE public.witness (deal_id uuid CONSTRAINT witness_fkey REFERENCES crm.deals);
SELECT * FROM public.crossing ORDER BY 1, 2;
DROP TABLE public.witness;

-- one does not see the other's rows
INSERT INTO crm.pipelines (name) VALUES ('Sales');
SELECT (SELECT count(*) FROM crm.pipelines) AS crm, (SELECT count(*) FROM "a""b".pipelines) AS ab;

-- all of it the caller's, none of it the extension's
SELECT count(*) > 0 AS some,
	count(*) FILTER (WHERE c.relowner <> 'regress_crm_owner'::regrole) AS of_others
FROM public.installed AS i JOIN pg_class AS c ON i.classid = 'pg_class'::regclass AND i.objid = c.oid;
SELECT count(*) FILTER (WHERE p.proowner <> 'regress_crm_owner'::regrole) AS of_others
FROM public.installed AS i JOIN pg_proc AS p ON i.classid = 'pg_proc'::regclass AND i.objid = p.oid;
\set VERBOSITY terse
DROP EXTENSION crm;
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
DROP SCHEMA "it's; DROP SCHEMA crm --" CASCADE;

-- taking it back
BEGIN;
SET LOCAL client_min_messages = log;
SELECT crm_install('later');
SHOW search_path;
SHOW client_min_messages;
SAVEPOINT one;
SELECT crm_install('last');
ROLLBACK TO one;
SHOW search_path;
SHOW client_min_messages;
SELECT schema_name FROM crm_installations() WHERE schema_name LIKE 'la%';
SELECT crm_install('last');
ROLLBACK;
SELECT schema_name FROM crm_installations() WHERE schema_name LIKE 'la%';
SELECT to_regnamespace('later'), to_regnamespace('last');

-- a transaction that must not write, or that began long ago
BEGIN READ ONLY;
SELECT crm_install('later');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT crm_install('later');
SELECT crm_installed_version('later') = crm_version() AS current;
ROLLBACK;

-- schemas that hold something
CREATE SCHEMA busy;
CREATE FUNCTION busy.crm_uuid_v7() RETURNS uuid LANGUAGE sql
	AS $$ SELECT '00000000-0000-0000-0000-000000000bad'::uuid $$;
SELECT crm_install('busy');
\echo :LAST_ERROR_SQLSTATE
CREATE TABLE busy.deals (id uuid);
CREATE TYPE busy.mood AS ENUM ('good', 'bad');
CREATE COLLATION busy.c (locale = 'C');
CREATE SEQUENCE busy.s;
SELECT crm_install('busy');
DROP FUNCTION busy.crm_uuid_v7();
DROP TABLE busy.deals;
DROP COLLATION busy.c;
DROP SEQUENCE busy.s;
SELECT crm_install('busy');
DROP TYPE busy.mood;
-- a trigger of that name makes no CRM
CREATE TABLE busy.deals (id uuid);
CREATE FUNCTION busy.crm_deal_rules() RETURNS trigger LANGUAGE plpgsql
	AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER zz_crm_deal_rules BEFORE UPDATE ON busy.deals
	FOR EACH ROW EXECUTE FUNCTION busy.crm_deal_rules('1.0');
SELECT crm_install('busy');
SELECT crm_installed_version('busy');
\echo :LAST_ERROR_SQLSTATE
DROP TABLE busy.deals;
DROP FUNCTION busy.crm_deal_rules();
SELECT crm_install('busy');
DROP SCHEMA busy CASCADE;

-- schemas in which everybody creates
CREATE SCHEMA open;
GRANT CREATE ON SCHEMA open TO PUBLIC;
SELECT crm_install('open');
\echo :LAST_ERROR_SQLSTATE
REVOKE CREATE ON SCHEMA open FROM PUBLIC;
GRANT CREATE ON SCHEMA extensions TO PUBLIC;
SELECT crm_install('open');
\echo :LAST_ERROR_SQLSTATE
REVOKE CREATE ON SCHEMA extensions FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT CREATE ON SCHEMAS TO PUBLIC;
SELECT crm_install('opened');
\echo :LAST_ERROR_SQLSTATE
SELECT to_regnamespace('opened');
ALTER DEFAULT PRIVILEGES REVOKE CREATE ON SCHEMAS FROM PUBLIC;
SELECT crm_install('open');
DROP SCHEMA open CASCADE;

-- A hostile session: names before ours in the path, temporary ones among them,
-- and settings that give the same text another meaning.
CREATE SCHEMA evil;
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'evil' $$;
CREATE FUNCTION evil.crm_uuid_v7() RETURNS uuid LANGUAGE sql AS $$ SELECT NULL::uuid $$;
CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT true $$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.same);
CREATE TYPE evil.uuid AS ENUM ('evil');
CREATE TABLE evil.pipelines (id uuid PRIMARY KEY);
CREATE TEMP TABLE stages (id uuid PRIMARY KEY);
CREATE TEMP TABLE deals (id uuid PRIMARY KEY);
SET search_path = evil, pg_temp, pg_catalog;
SET check_function_bodies = off;
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SET transform_null_equals = on;
SELECT extensions.crm_install('victim');
SELECT extensions.crm_installed_version('victim') OPERATOR(pg_catalog.=) extensions.crm_version() AS current;
SHOW search_path;
SHOW check_function_bodies;
SHOW standard_conforming_strings;
SHOW transform_null_equals;
RESET check_function_bodies;
RESET standard_conforming_strings;
RESET escape_string_warning;
RESET transform_null_equals;
SET search_path = extensions;
SELECT * FROM public.crossing;
SELECT pg_describe_object(classid, objid, objsubid)
FROM pg_depend
WHERE refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass)
	AND (pg_identify_object(refclassid, refobjid, 0)).schema IN ('evil', 'pg_temp')
	AND coalesce((pg_identify_object(classid, objid, 0)).schema, '') <> 'evil'
	AND pg_describe_object(classid, objid, objsubid) LIKE '%victim%';
-- word for word what an ordinary session gets
CREATE VIEW public.constraints AS
	SELECT connamespace::regnamespace::text AS schema, conname,
		replace(pg_get_constraintdef(oid), connamespace::regnamespace || '.', '') AS definition
	FROM pg_constraint;
SELECT (SELECT count(*) FROM public.constraints WHERE schema = 'victim') > 20 AS many, *
FROM ((SELECT conname, definition FROM public.constraints WHERE schema = 'victim'
		EXCEPT SELECT conname, definition FROM public.constraints WHERE schema = 'crm')
	UNION ALL
	(SELECT conname, definition FROM public.constraints WHERE schema = 'crm'
		EXCEPT SELECT conname, definition FROM public.constraints WHERE schema = 'victim')) AS differing;
DROP TABLE pg_temp.stages, pg_temp.deals;
DROP SCHEMA evil, victim CASCADE;

-- A failure in the middle of it leaves nothing, and its context is one
-- statement; here somebody forbids triggers.
RESET ROLE;
CREATE FUNCTION public.no_triggers() RETURNS event_trigger LANGUAGE plpgsql
	AS $$ BEGIN RAISE 'no triggers here'; END $$;
CREATE EVENT TRIGGER no_triggers ON ddl_command_start WHEN TAG IN ('CREATE TRIGGER')
	EXECUTE FUNCTION public.no_triggers();
SET ROLE regress_crm_owner;
DO $$
DECLARE
	context text;
BEGIN
	PERFORM crm_install('failing');
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
	RAISE WARNING '%: %', sqlerrm,
		ARRAY(SELECT m[1] FROM regexp_matches(context, '(?n)^.*(CREATE [A-Z]+) ', 'g') AS m);
END $$;
SHOW search_path;
SELECT to_regnamespace('failing');
RESET ROLE;
DROP EVENT TRIGGER no_triggers;
DROP FUNCTION public.no_triggers();

-- versions: a table named deals that calls our rules is a CRM
SET ROLE regress_crm_owner;
SELECT crm_installed_version() = crm_version() AS current,
	crm_installed_version('My CRM') = crm_version() AS current_too,
	crm_installed_version(NULL) IS NULL AS null;
SELECT crm_installed_version('public');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_installed_version('nowhere');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_upgrade() = crm_version() AS current;
SELECT crm_upgrade(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT crm_upgrade('public');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_upgrade('nowhere');
\echo :LAST_ERROR_SQLSTATE
SET ROLE regress_crm_other;
SELECT crm_upgrade();
\echo :LAST_ERROR_SQLSTATE
SELECT crm_installed_version() = crm_version() AS current;
SET ROLE regress_crm_owner;
CREATE SCHEMA elder;
CREATE TABLE elder.deals (id uuid);
CREATE TRIGGER rules BEFORE UPDATE ON elder.deals
	FOR EACH ROW EXECUTE FUNCTION crm_deal_rules('0.0.9');
CREATE SCHEMA newer;
CREATE TABLE newer.deals (id uuid);
CREATE TRIGGER rules BEFORE UPDATE ON newer.deals
	FOR EACH ROW EXECUTE FUNCTION crm_deal_rules('10.0.0');
SELECT crm_installed_version('elder'), crm_installed_version('newer');
SELECT schema_name, version FROM crm_installations() WHERE schema_name IN ('elder', 'newer');
\set VERBOSITY terse
SELECT crm_upgrade('elder');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_upgrade('newer');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
SELECT crm_install('elder');

\c :original
DROP DATABASE regress_crm_install;
DROP ROLE regress_crm_deputy, regress_crm_other, regress_crm_owner;
