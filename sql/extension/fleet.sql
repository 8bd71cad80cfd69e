-- All CRMs of a database, for those who run it.  Each CRM is read with the rights
-- of its owner, and only where the caller may read it anyway.

-- What the deals of one CRM add up to: for crm_fleet_summary().
CREATE FUNCTION @extschema@.crm_deals_by_stage(crm regnamespace)
	RETURNS TABLE (pipeline_id uuid, pipeline_name text, stage_name text, deal_status text, currency text, value_period text,
		deals bigint, deals_without_amount bigint, deals_without_probability bigint, value numeric, weighted_value numeric)
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_deals_by_stage(regnamespace) IS
	'The unarchived deals of the CRM in that schema, a row for each pipeline, name and status of a stage, currency and value period; what crm_fleet_summary() calls';

CREATE FUNCTION @extschema@.crm_fleet_summary()
	RETURNS TABLE (schema_name text, pipeline_id uuid, pipeline_name text, stage_name text, deal_status text, currency text,
		value_period text, deals bigint, deals_without_amount bigint, deals_without_probability bigint, value numeric,
		weighted_value numeric)
	LANGUAGE c STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_fleet_summary';
COMMENT ON FUNCTION @extschema@.crm_fleet_summary() IS
	'What the unarchived deals of all CRMs in this database add up to: a row for each CRM, pipeline, name and status of a stage, currency and value period that has any. A CRM is left out if the caller may not select from its deals, stages and pipelines, or if row security hides some of their rows from the caller; with a warning, if reading it fails. All CRMs are read in one snapshot, one after the other, so that no more locks are held than for one.';

CREATE FUNCTION @extschema@.crm_fleet_summary_by_stage()
	RETURNS TABLE (stage_name text, deal_status text, currency text, value_period text, crms bigint, deals bigint,
		deals_without_amount bigint, deals_without_probability bigint, value numeric, weighted_value numeric)
	LANGUAGE sql STABLE PARALLEL UNSAFE
BEGIN ATOMIC
	SELECT min(f.stage_name COLLATE "C"), f.deal_status, f.currency, f.value_period, count(DISTINCT f.schema_name),
		sum(f.deals)::bigint, sum(f.deals_without_amount)::bigint, sum(f.deals_without_probability)::bigint,
		sum(f.value), sum(f.weighted_value)
	FROM @extschema@.crm_fleet_summary() AS f
	GROUP BY @extschema@.crm_name_key(f.stage_name), f.deal_status, f.currency, f.value_period
	ORDER BY 1, 2, 3, 4;
END;
COMMENT ON FUNCTION @extschema@.crm_fleet_summary_by_stage() IS
	'The rows of crm_fleet_summary() with those of one name and status of a stage, currency and value period in one: names are compared by crm_name_key(). crms is the number of CRMs that have such deals. Amounts of different currencies or periods are never added.';

CREATE FUNCTION @extschema@.crm_fleet_check()
	RETURNS TABLE (schema_name text, object text, problem text)
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_fleet_check';
COMMENT ON FUNCTION @extschema@.crm_fleet_check() IS
	'What is wrong with the CRMs in this database whose owner''s rights the caller has: the rows of crm_check() for each, such as one for an older version or a disabled trigger, and one if crm_check_totals() finds wrong totals, for which it reads all deals. No row: nothing. A CRM that cannot be checked has a row that tells why.';

CREATE PROCEDURE @extschema@.crm_upgrade_all()
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'crm_upgrade_all';
COMMENT ON PROCEDURE @extschema@.crm_upgrade_all() IS
	'Carries all CRMs in this database whose owner''s rights the caller has to the version of the extension: crm_upgrade() for each, as its owner, in a transaction of its own. Reports its progress by notices. One that fails, such as by lock_timeout, gets a warning, and there is an error at the end. If it is interrupted, call it again: what is upgraded stays so.';

-- What crm_uninstall() drops.
CREATE FUNCTION @extschema@.crm_installed_objects(crm regnamespace)
	RETURNS TABLE (catalog oid, object oid)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 'pg_class'::regclass::oid, c.oid
	FROM pg_class AS c
	WHERE c.relnamespace = crm AND c.relkind IN ('r', 'p', 'v')
		AND (c.relname = 'stage_totals'
			OR c.relname IN (SELECT r.name FROM @extschema@.crm_access_rules() AS r WHERE r.kind = 'table'))
	UNION ALL
	-- Functions of the language crm, and functions that take a row of a table or view there.
	SELECT 'pg_proc'::regclass::oid, p.oid
	FROM pg_proc AS p
		JOIN pg_language AS l ON l.oid = p.prolang
		LEFT JOIN pg_type AS t ON t.oid = p.proargtypes[0] AND t.typnamespace = crm AND t.typtype = 'c'
	WHERE p.pronamespace = crm
		AND p.proname IN (SELECT r.name FROM @extschema@.crm_access_rules() AS r WHERE r.kind = 'function')
		AND (l.lanplcallfoid = '@extschema@.crm_call()'::regprocedure
			OR (p.pronargs = 1 AND t.oid IS NOT NULL)
			OR (p.proname = 'mcp' AND p.pronargs = 0))
	UNION ALL
	SELECT 'pg_type'::regclass::oid, t.oid
	FROM pg_type AS t
	WHERE t.typnamespace = crm AND t.typtype = 'd'
		AND t.typname IN ('text/event-stream', 'text/html', 'deal_status', 'value_period', 'forecast_category', 'deal_metadata');
END;
COMMENT ON FUNCTION @extschema@.crm_installed_objects(regnamespace) IS
	'The tables, views, functions and types that crm_install() and crm_link() made in that schema, by their catalogs and OIDs; what crm_uninstall() drops';

-- Citus drops shards by DROP only.
CREATE FUNCTION @extschema@.crm_uninstall_commands(crm regnamespace)
	RETURNS SETOF text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH objects AS (
		SELECT CASE c.relkind WHEN 'v' THEN 2 ELSE 3 END AS step,
			CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, format('%I.%I', c.relnamespace::regnamespace::text, c.relname) AS name
		FROM @extschema@.crm_installed_objects(crm) AS o JOIN pg_class AS c ON o.catalog = 'pg_class'::regclass AND c.oid = o.object
		UNION ALL
		SELECT 1, 'FUNCTION', o.object::regprocedure::text
		FROM @extschema@.crm_installed_objects(crm) AS o
		WHERE o.catalog = 'pg_proc'::regclass
		)
	SELECT c.command
	FROM (SELECT o.step, format('DROP %s %s', o.kind, string_agg(o.name, ', ' ORDER BY o.name)) AS command
		FROM objects AS o
		GROUP BY o.step, o.kind
		UNION ALL
		-- CASCADE, as shards that were moved away may still be on their old node.
		SELECT 4, format('DROP DOMAIN %s CASCADE', string_agg(o.object::regtype::text, ', '))
		FROM @extschema@.crm_installed_objects(crm) AS o
		WHERE o.catalog = 'pg_type'::regclass
		HAVING count(*) > 0) AS c
	ORDER BY c.step;
END;
COMMENT ON FUNCTION @extschema@.crm_uninstall_commands(regnamespace) IS
	'The commands by which crm_uninstall() drops a CRM that Citus has distributed.';

CREATE FUNCTION @extschema@.crm_uninstall(schema_name text)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_uninstall';
COMMENT ON FUNCTION @extschema@.crm_uninstall(text) IS
	'Drops the CRM in a schema with all its data: what crm_install() and crm_link() made, and the schema if nothing else is in it. Is refused while something else depends on the CRM, such as a view or a foreign key of your own. For the CRM''s owner.';
