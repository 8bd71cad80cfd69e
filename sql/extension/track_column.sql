-- Columns of the user's whose changes are recorded.

CREATE FUNCTION @extschema@.crm_track_column(schema_name text, column_name text)
	RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_track_column';
COMMENT ON FUNCTION @extschema@.crm_track_column(text, text) IS
	'From now on deal_changes records changes of that column of deals, which is yours, in its column other. The mark is an argument of the trigger that records, so it is in a dump; after the column was renamed, call it again. False: it was so before. For the CRM''s owner.';

CREATE FUNCTION @extschema@.crm_untrack_column(schema_name text, column_name text)
	RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_untrack_column';
COMMENT ON FUNCTION @extschema@.crm_untrack_column(text, text) IS
	'From now on deal_changes does not record changes of that column any longer; what it has recorded stays. False: it did not. For the CRM''s owner.';
