-- A CRM for PostgREST, and the roles that it needs.  Run it with psql as the owner
-- of the database, who must have the right to create roles:
--
--	createdb crm
--	psql -d crm -v password="$(openssl rand -hex 16)" -f setup.sql
--
-- The password goes into db-uri of postgrest.conf.  Roles belong to all databases of
-- the server: for a second one they stay as they are, with their password.

\set ON_ERROR_STOP on
SELECT count(*) = 0 AS "first" FROM pg_roles WHERE rolname = 'crm_authenticator' \gset
\if :first
\if :{?password}
\else
DO $$ BEGIN
	RAISE 'no password for the role crm_authenticator' USING ERRCODE = '22023', HINT = 'Call psql with -v password=...';
END $$;
\endif
\endif

BEGIN;

CREATE SCHEMA extensions;
CREATE EXTENSION crm SCHEMA extensions;

-- For many tenants; with 'single', no claim tenant_id is needed.
SELECT extensions.crm_install('crm', tenancy => 'shared');

-- The roles for tokens, each with the rights of a level.
SELECT format('CREATE ROLE %I NOLOGIN', r) FROM unnest('{crm_reader,crm_user,crm_admin,crm_agent}'::text[]) AS r
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) \gexec
SELECT extensions.crm_grant_access('crm', 'crm_reader', 'read'),
	extensions.crm_grant_access('crm', 'crm_user', 'write'),
	extensions.crm_grant_access('crm', 'crm_admin', 'admin'),
	extensions.crm_grant_access('crm', 'crm_agent', 'agent');

-- Limits the time of a request.
ALTER ROLE crm_reader SET statement_timeout = '10s';
ALTER ROLE crm_user SET statement_timeout = '10s';
ALTER ROLE crm_admin SET statement_timeout = '30s';
ALTER ROLE crm_agent SET statement_timeout = '10s';

-- PostgREST's own role: it inherits no rights, but can become the others.
\if :first
CREATE ROLE crm_authenticator LOGIN NOINHERIT PASSWORD :'password';
GRANT crm_reader, crm_user, crm_admin, crm_agent TO crm_authenticator;
\endif

-- If the claim has another name or place:
-- ALTER ROLE crm_authenticator SET crm.tenant_claim = 'app_metadata.tenant_id';

COMMIT;

NOTIFY pgrst, 'reload schema';
