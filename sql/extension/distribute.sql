-- Distributing a CRM over the nodes of a Citus cluster: its schema becomes one that Citus
-- places on a node.

CREATE FUNCTION @extschema@.crm_distribute(schema_name text DEFAULT 'crm')
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_distribute';
COMMENT ON FUNCTION @extschema@.crm_distribute(text) IS
	'Distributes the CRM in a schema by Citus, with its data: the schema becomes a distributed one, on one of the nodes. For its owner, on the coordinator. crm_install() does so by itself while citus.enable_schema_based_sharding is on. On a CRM that is distributed, it makes the functions and comments of all nodes anew, as is needed after a node was added.';

-- What crm_distribute() is to run, in this order.  is_new: the schema is not distributed yet;
-- has_rows: there may be rows in other tables than stage_totals.
CREATE FUNCTION @extschema@.crm_distribute_commands(schema oid, extension oid, is_new boolean, has_rows boolean)
	RETURNS SETOF text
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	WITH functions AS MATERIALIZED (
		SELECT p.oid, pg_get_functiondef(p.oid) AS definition, p.oid::regprocedure::text AS name, p.proowner, p.proacl
		FROM pg_proc AS p
		WHERE p.pronamespace = schema AND p.prokind = 'f'
	), triggers AS MATERIALIZED (
		-- They would fire on rows that are copied into the shards.
		SELECT t.tgname, c.oid::regclass::text AS table_name, pg_get_triggerdef(t.oid) AS definition, t.tgenabled
		FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
		WHERE is_new AND (has_rows OR c.relname = 'stage_totals') AND c.relnamespace = schema AND c.relkind IN ('r', 'p') AND NOT t.tgisinternal AND t.tgparentid = 0
			AND t.tgtype & 4 <> 0 -- INSERT
	), commands AS (
		-- Citus takes no policy that has a sub-query.  Once deals have row security, the history
		-- is for those who see all deals.
		SELECT 1 AS step, c.relname::text AS name, format('ALTER POLICY deals ON %I.%I USING (%I.crm_sees_all_deals(tableoid))',
				n.nspname, c.relname, (SELECT e.nspname FROM pg_namespace AS e WHERE e.oid = extension)) AS command
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
			JOIN pg_policy AS p ON p.polrelid = c.oid
			JOIN pg_class AS r ON r.oid = COALESCE(pg_partition_root(c.oid), c.oid)
		WHERE is_new AND n.oid = schema AND r.relname IN ('stage_changes', 'deal_changes') AND p.polname = 'deals'
		UNION ALL
		SELECT 3, '', format('SELECT pg_catalog.citus_schema_distribute(''%I''::pg_catalog.regnamespace)', n.nspname)
		FROM pg_namespace AS n
		WHERE is_new AND n.oid = schema
		UNION ALL
		SELECT 2, t.tgname::text, format('DROP TRIGGER %I ON %s', t.tgname, t.table_name)
		FROM triggers AS t
		UNION ALL
		SELECT 4, t.tgname::text, t.definition
		FROM triggers AS t
		UNION ALL
		SELECT 5, t.tgname::text, format('ALTER TABLE %s %s TRIGGER %I', t.table_name,
				CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, t.tgname)
		FROM triggers AS t
		WHERE t.tgenabled <> 'O'
		UNION ALL
		SELECT 6, f.name, f.definition
		FROM functions AS f
		UNION ALL
		-- The rights that they have here.
		SELECT 7, f.name, format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f.name)
		FROM functions AS f
		WHERE f.proacl IS NOT NULL
		UNION ALL
		SELECT 8, f.name, format('GRANT EXECUTE ON FUNCTION %s TO %s%s', f.name,
				CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
				CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
		FROM functions AS f CROSS JOIN LATERAL aclexplode(f.proacl) AS a
		WHERE a.grantee <> f.proowner
	)
	SELECT c.command FROM commands AS c ORDER BY c.step, c.name;
END;
COMMENT ON FUNCTION @extschema@.crm_distribute_commands(oid, oid, boolean, boolean) IS
	'The commands by which crm_distribute() distributes the CRM in a schema.';


CREATE FUNCTION @extschema@.crm_propagate_context()
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_propagate_context';
COMMENT ON FUNCTION @extschema@.crm_propagate_context() IS
	'On a node of a Citus cluster, in a transaction block: takes the actor, crm.effective_at and the other settings of the session to the nodes that take part in the transaction. A statement that writes to a CRM does it by itself.';

CREATE FUNCTION @extschema@.crm_propagates_context()
	RETURNS boolean
	LANGUAGE c STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_propagates_context';
COMMENT ON FUNCTION @extschema@.crm_propagates_context() IS
	'Whether the server has Citus and loads the library of crm for each session, so that statements that write to a CRM on another node take the settings of the session there.';
