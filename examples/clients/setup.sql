-- A database for the examples: a CRM, and a role that its clients log in as.
--
--	psql -v password=... -f setup.sql DATABASE

\set ON_ERROR_STOP on
CREATE SCHEMA extensions;
CREATE EXTENSION crm SCHEMA extensions;
SELECT extensions.crm_install() \g /dev/null

-- The owners and contacts of deals are in tables of the application's.
CREATE SCHEMA app;
CREATE TABLE app.users (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, password text);
CREATE TABLE app.people (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, email text);
INSERT INTO app.users (name) VALUES ('Ada');
INSERT INTO app.people (name, email) VALUES ('Grace', 'grace@example.com');
SELECT extensions.crm_link('crm', 'deals.owner_id', 'app.users', columns => '{name}') \g /dev/null
SELECT extensions.crm_link('crm', 'deal_contacts.contact_id', 'app.people') \g /dev/null

CREATE ROLE crm_client LOGIN PASSWORD :'password';
SELECT extensions.crm_grant_access('crm', 'crm_client', 'admin') \g /dev/null
GRANT USAGE ON SCHEMA app TO crm_client;
GRANT SELECT (id, name) ON app.users TO crm_client;
GRANT SELECT ON app.people TO crm_client;
-- So that clients need not qualify names.
ALTER ROLE crm_client SET search_path = crm;
