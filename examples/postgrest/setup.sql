-- A CRM for PostgREST, and the roles that it needs; for psql, as the owner of
-- the database, who may create roles:
--
--	createdb crm
--	psql -d crm -v password="$(openssl rand -hex 16)" -f setup.sql
--
-- The password goes into db-uri of postgrest.conf.

\set ON_ERROR_STOP on
\if :{?password}
\else
\warn 'setup.sql: give a password for the role crm_authenticator: -v password=...'
\quit
\endif

BEGIN;

CREATE SCHEMA extensions;
CREATE EXTENSION crm SCHEMA extensions;

-- Rows of many tenants; 'single' for one, which then needs no claim tenant_id.
SELECT extensions.crm_install('crm', tenancy => 'shared');

-- The roles that tokens name, each with a level of rights.
CREATE ROLE crm_reader NOLOGIN;
CREATE ROLE crm_user NOLOGIN;
CREATE ROLE crm_admin NOLOGIN;
CREATE ROLE crm_agent NOLOGIN;
SELECT extensions.crm_grant_access('crm', 'crm_reader', 'read'),
	extensions.crm_grant_access('crm', 'crm_user', 'write'),
	extensions.crm_grant_access('crm', 'crm_admin', 'admin'),
	extensions.crm_grant_access('crm', 'crm_agent', 'agent');

-- No request takes longer.
ALTER ROLE crm_reader SET statement_timeout = '10s';
ALTER ROLE crm_user SET statement_timeout = '10s';
ALTER ROLE crm_admin SET statement_timeout = '30s';
ALTER ROLE crm_agent SET statement_timeout = '10s';

-- PostgREST's own: it inherits nothing, it becomes them.
CREATE ROLE crm_authenticator LOGIN NOINHERIT PASSWORD :'password';
GRANT crm_reader, crm_user, crm_admin, crm_agent TO crm_authenticator;

-- Where the claim has another name or place:
-- ALTER ROLE crm_authenticator SET crm.tenant_claim = 'app_metadata.tenant_id';

COMMIT;

NOTIFY pgrst, 'reload schema';
