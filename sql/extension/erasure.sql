-- Erasing data that must not be kept, by law or by a rule of the user's.

CREATE FUNCTION @extschema@.crm_history_erased() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_history_erased() IS
'AFTER DELETE and AFTER TRUNCATE trigger for each statement on stage_changes and deal_changes: records up to when the history of deals is incomplete now';

CREATE FUNCTION @extschema@.crm_purge_deal(schema_name text, deal_id uuid, OUT table_name text, OUT deleted bigint)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_purge_deal';
COMMENT ON FUNCTION @extschema@.crm_purge_deal(text, uuid) IS
	'Erases a deal, standing or deleted, and its history: no table, index or total has anything of it afterwards, nor any report on the past. Returns how many rows each table lost. VACUUM removes them from the files. For the CRM''s owner. Errors: PT404 for a deal of which there is nothing.';

CREATE FUNCTION @extschema@.crm_purge_tenant(schema_name text, tenant_id uuid, OUT table_name text, OUT deleted bigint)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_purge_tenant';
COMMENT ON FUNCTION @extschema@.crm_purge_tenant(text, uuid) IS
	'Erases all that a tenant has in a shared CRM. Returns how many rows each table lost. VACUUM removes them from the files. For the CRM''s owner.';

CREATE FUNCTION @extschema@.crm_forget_actor(schema_name text, actor text, OUT table_name text, OUT changed bigint)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_forget_actor';
COMMENT ON FUNCTION @extschema@.crm_forget_actor(text, text) IS
	'Puts a pseudonym in place of an actor wherever the history names them, in changed_by, recorded_by and what corrections have kept; what they did stays. The pseudonym is a new one at each call. Returns how many rows of each table changed. VACUUM removes the old versions from the files. For the CRM''s owner.';

CREATE FUNCTION @extschema@.crm_trim_history(schema_name text, before timestamptz, OUT table_name text, OUT deleted bigint)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_trim_history';
COMMENT ON FUNCTION @extschema@.crm_trim_history(text, timestamptz) IS
	'Deletes the history of what happened before a time; deals and totals stay. Reports on a moment from then on are as before; on an earlier one they are refused (PT410), as what is not there would be missing from them. Returns how many rows each table lost. VACUUM removes them from the files. For the CRM''s owner.';
