-- A database for these examples: a CRM of the role crm_owner, whose deals and
-- contacts are linked to tables of an application, and the role crm_client, which
-- the clients log in as.
--
--	psql -v password=... -f setup.sql DATABASE

\set ON_ERROR_STOP on
CREATE ROLE crm_owner LOGIN PASSWORD :'password';
CREATE ROLE crm_client LOGIN PASSWORD :'password';
SELECT format('GRANT CREATE ON DATABASE %I TO crm_owner', current_database()) \gexec

SET ROLE crm_owner;
CREATE SCHEMA extensions;
CREATE EXTENSION crm SCHEMA extensions;
SELECT extensions.crm_install() \g /dev/null

CREATE SCHEMA app;
CREATE TABLE app.users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, password text);
CREATE TABLE app.people (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, email text);
INSERT INTO app.users (name) VALUES ('Ada');
INSERT INTO app.people (name, email) VALUES ('Grace', 'grace@example.com');
SELECT extensions.crm_link('crm', 'deals.owner_id', 'app.users', columns => '{name}') \g /dev/null
SELECT extensions.crm_link('crm', 'deal_contacts.contact_id', 'app.people') \g /dev/null

SELECT extensions.crm_grant_access('crm', 'crm_client', 'admin') \g /dev/null
GRANT USAGE ON SCHEMA app TO crm_client;
GRANT SELECT (id, name) ON app.users TO crm_client;
GRANT SELECT ON app.people TO crm_client;
RESET ROLE;
-- So that clients need not qualify names.
ALTER ROLE crm_client SET search_path = crm;
ALTER ROLE crm_owner SET search_path = crm;
