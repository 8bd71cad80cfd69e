-- Installing a CRM, and finding the CRMs of this database.  All of it runs with the
-- caller's rights and does nothing that the caller could not do by hand.

CREATE FUNCTION @extschema@.crm_install(schema_name text DEFAULT 'crm', tenancy text DEFAULT 'single')
	RETURNS text
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_install';
COMMENT ON FUNCTION @extschema@.crm_install(text, text) IS
	'Makes a CRM: ordinary tables, views, triggers and functions, owned by the caller, in a schema that is created, or that is the caller''s own and empty. tenancy is ''single'', or ''shared'' for tables with row security that hold the rows of several tenants. Returns the name of the schema.';

CREATE FUNCTION @extschema@.crm_installed_version(schema_name text DEFAULT 'crm')
	RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_installed_version';
COMMENT ON FUNCTION @extschema@.crm_installed_version(text) IS
	'The version of the CRM in a schema. It is older than crm_version() until crm_upgrade() has run.';

CREATE FUNCTION @extschema@.crm_installations()
	RETURNS TABLE (schema_name text, version text, tenancy text, owner text)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT n.nspname::text,
		-- tgargs are strings, each with a zero byte behind it.
		convert_from(substring(t.tgargs FROM 1 FOR position('\x00'::bytea IN t.tgargs) - 1),
			getdatabaseencoding()),
		CASE WHEN EXISTS (
				SELECT FROM pg_policy AS p JOIN pg_depend AS d
					ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
				WHERE p.polrelid = c.oid
					AND d.refclassid = 'pg_proc'::regclass
					AND d.refobjid = '@extschema@.crm_current_tenant()'::regprocedure)
			THEN 'shared' ELSE 'single' END,
		pg_get_userbyid(c.relowner)::text
	FROM pg_trigger AS t
		JOIN pg_class AS c ON c.oid = t.tgrelid
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
	WHERE t.tgfoid = '@extschema@.crm_deal_rules()'::regprocedure
		AND t.tgnargs > 0
		AND c.relname = 'deals'
	ORDER BY n.nspname;
END;
COMMENT ON FUNCTION @extschema@.crm_installations() IS
	'The CRMs in this database: a row for each schema that holds one.';

CREATE FUNCTION @extschema@.crm_check(schema_name text DEFAULT 'crm')
	RETURNS TABLE (object text, problem text)
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_check';
COMMENT ON FUNCTION @extschema@.crm_check(text) IS
	'What is wrong with the CRM in a schema, a row each: a table, column, view, trigger or function that is missing, disabled or other than the extension declares, and a function whose query does not fit the tables. No row: nothing. crm_install() calls it.';

CREATE FUNCTION @extschema@.crm_upgrade(schema_name text DEFAULT 'crm')
	RETURNS text
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_upgrade';
COMMENT ON FUNCTION @extschema@.crm_upgrade(text) IS
	'Carries the tables of the CRM in a schema to the version of the extension, in the transaction of the call, and returns that version. For the CRM''s owner; to be run after ALTER EXTENSION crm UPDATE, at any time: a CRM works before as well. Locks the tables of the CRM. One that is up to date stays as it is.';
