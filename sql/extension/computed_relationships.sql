-- What PostgREST embeds in rows beyond the foreign keys.

CREATE FUNCTION @extschema@.crm_embed(schema_name text)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_embed';
COMMENT ON FUNCTION @extschema@.crm_embed(text) IS
	'Makes the functions by which PostgREST embeds rows that no foreign key leads to (the history of a deal, the deal and the stages of a stage change, the contacts, owner and organization of a deal that are linked) and computes fields (deals.weighted_value, pipelines.summary); or makes them anew, which is to be done after ALTER SCHEMA ... RENAME of the CRM''s schema, as they name it. crm_install() calls it. For the CRM''s owner.';
