-- Totals of deals without reading the deals: stage_totals of a CRM.

CREATE FUNCTION @extschema@.crm_pipeline_totals(crm regnamespace, pipeline_id uuid)
	RETURNS @extschema@.crm_summary
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_pipeline_totals';
COMMENT ON FUNCTION @extschema@.crm_pipeline_totals(regnamespace, uuid) IS
	'What crm_pipeline_summary(stage_id, amount, currency, probability, value_period) over the unarchived deals of a pipeline returns, read from stage_totals in a time that does not depend on their number. Null where that might be something else than the deals that the caller sees add up to: without the right to select from deals, with row security other than a shared CRM''s own, with children or partitions, with the triggers that keep the totals disabled, under logical replication, and within a statement that writes to deals.';

CREATE FUNCTION @extschema@.crm_sees_all_deals(deals regclass)
	RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_sees_all_deals';
COMMENT ON FUNCTION @extschema@.crm_sees_all_deals(regclass) IS
	'Whether row security hides no row of that table of deals from the current user, but for those of other tenants in a shared CRM; asked by the policies of the history';

CREATE FUNCTION @extschema@.crm_compact_totals(schema_name text DEFAULT 'crm')
	RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_compact_totals';
COMMENT ON FUNCTION @extschema@.crm_compact_totals(text) IS
	'Puts sums in place of the rows of stage_totals, and returns how many rows fewer there are. Writers at the isolation level READ COMMITTED do it now and then by themselves; where all transactions are of another level, call it from time to time. For the CRM''s owner.';

CREATE FUNCTION @extschema@.crm_rebuild_totals(schema_name text DEFAULT 'crm')
	RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_rebuild_totals';
COMMENT ON FUNCTION @extschema@.crm_rebuild_totals(text) IS
	'Computes stage_totals anew from deals, and returns how many deals were counted. Needed after deals were written with their triggers disabled. Writers wait meanwhile, readers do not; progress is reported by notices. For the CRM''s owner.';

CREATE FUNCTION @extschema@.crm_check_totals(
	schema_name text DEFAULT 'crm',
	OUT tenant_id uuid, OUT pipeline_id uuid, OUT stage_id uuid, OUT currency text, OUT value_period text,
	OUT deals bigint, OUT total_deals bigint,
	OUT deals_without_amount bigint, OUT total_deals_without_amount bigint,
	OUT deals_without_probability bigint, OUT total_deals_without_probability bigint,
	OUT value numeric, OUT total_value numeric,
	OUT weighted_value numeric, OUT total_weighted_value numeric)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_check_totals';
COMMENT ON FUNCTION @extschema@.crm_check_totals(text) IS
	'Where stage_totals and deals differ, in one snapshot: a row for each total that is wrong, with what deals add up to beside what stage_totals has (total_...). No row: all totals are right. For the CRM''s owner.';
