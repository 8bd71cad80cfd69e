-- Rights on a CRM: four levels, granted to existing roles.

-- The only list of it.  What a CRM of this version does not have is skipped.
CREATE FUNCTION @extschema@.crm_access_rules()
	RETURNS TABLE (level text, kind text, name text, privilege text, columns text[])
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH levels (level, includes) AS (VALUES
		('read', ARRAY['read']),
		('write', ARRAY['read', 'write']),
		('admin', ARRAY['read', 'write', 'admin']),
		('agent', ARRAY['read', 'agent'])
	), tables (includes, names, privileges, columns) AS (VALUES
		('read', ARRAY['pipelines', 'stages', 'deals', 'deal_contacts', 'tags', 'deal_tags', 'exchange_rates', 'stage_changes',
			'deal_changes', 'pipeline_stage_summary', 'stage_visits', 'rotting_deals', 'stage_forecast_categories', 'deal_pushes',
			'deal_facts', 'move_facts',
			'contacts', 'owners', 'organizations'], ARRAY['SELECT'], NULL::text[]),
		('write', ARRAY['deals', 'deal_contacts', 'tags', 'deal_tags'], ARRAY['INSERT', 'UPDATE', 'DELETE'], NULL),
		('admin', ARRAY['pipelines', 'stages', 'exchange_rates'], ARRAY['INSERT', 'UPDATE', 'DELETE'], NULL),
		('agent', ARRAY['deals', 'deal_contacts', 'tags', 'deal_tags'], ARRAY['INSERT'], NULL),
		-- the columns that moves and undo_move write
		('agent', ARRAY['deals'], ARRAY['UPDATE'], ARRAY['pipeline_id', 'stage_id', 'status', 'probability',
			'stage_entered_at', 'won_at', 'lost_at', 'lost_reason']),
		-- the columns that are agreed with the customer
		('agent', ARRAY['deals'], ARRAY['UPDATE'], ARRAY['title', 'amount', 'expected_close_date', 'forecast_category']),
		('agent', ARRAY['deal_contacts'], ARRAY['UPDATE'], ARRAY['role', 'is_primary'])
	), functions (includes, name) AS (
		SELECT l.level, f.name
		FROM @extschema@.crm_api_functions() AS f CROSS JOIN LATERAL unnest(f.levels) AS l (level)
		UNION ALL
		-- the functions that crm_embed() makes
		SELECT 'read', e.name
		FROM unnest(ARRAY['weighted_value', 'summary', 'stage_changes', 'contacts', 'deals',
			'deal', 'from_stage', 'to_stage', 'from_pipeline', 'to_pipeline', 'deal_changes', 'stage_visits', 'deal_pushes',
			'stage', 'pipeline', 'next_stage', 'next_pipeline', 'pipeline_stage_summary', 'stage_forecast_categories',
			-- and crm_link()
			'owner', 'old_owner', 'new_owner', 'organization']) AS e (name)
	)
	SELECT l.level, 'table', n.name, p.privilege, t.columns
	FROM levels AS l JOIN tables AS t ON t.includes = ANY (l.includes)
		CROSS JOIN LATERAL unnest(t.names) AS n (name)
		CROSS JOIN LATERAL unnest(t.privileges) AS p (privilege)
	UNION ALL
	SELECT l.level, 'function', f.name, 'EXECUTE', NULL
	FROM levels AS l JOIN functions AS f ON f.includes = ANY (l.includes);
END;
COMMENT ON FUNCTION @extschema@.crm_access_rules() IS
	'What crm_grant_access() grants at each level: a privilege on a table, a view or a function of the CRM, on all columns or on those listed.';

CREATE FUNCTION @extschema@.crm_grant_access(schema_name text, role_name text, level text)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_grant_access';
COMMENT ON FUNCTION @extschema@.crm_grant_access(text, text, text) IS
	'Gives a role access to the CRM in a schema, of one level: ''read''; ''write'' (and deals, their contacts and tags, and moves); ''admin'' (and pipelines and stages); or ''agent'' (read, create, move and link, and edit a deal''s title, amount, expected_close_date and forecast_category; no DELETE anywhere). A level takes the place of the one that the role had. For the CRM''s owner, or who holds these rights with grant option. To be called again after crm_upgrade() and crm_link().';

CREATE FUNCTION @extschema@.crm_revoke_access(schema_name text, role_name text)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_revoke_access';
COMMENT ON FUNCTION @extschema@.crm_revoke_access(text, text) IS
	'Takes from a role all rights on the CRM''s tables, views and functions and the use of its schema, also what was granted by hand. What the role has as a member of others, or as PUBLIC, stays.';

-- What crm_grant_access() and crm_revoke_access() are to run, in this order,
-- and whether the caller may.  level is null for revoking.  What the role has
-- on the CRM's objects is revoked, then what the level comprises granted.
CREATE FUNCTION @extschema@.crm_access_commands(schema oid, owner oid, role oid, level text)
	RETURNS TABLE (command text, permitted boolean, what text)
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	WITH objects AS MATERIALIZED (
		SELECT 'table' AS kind, c.oid, c.relname AS name, c.oid::regclass::text AS shown
		FROM pg_class AS c
		WHERE c.relnamespace = schema AND c.relkind IN ('r', 'p', 'v')
			AND c.relname IN (SELECT r.name FROM @extschema@.crm_access_rules() AS r WHERE r.kind = 'table')
		UNION ALL
		SELECT 'function', p.oid, p.proname, p.oid::regprocedure::text
		FROM pg_proc AS p
		WHERE p.pronamespace = schema AND p.prokind = 'f' AND NOT p.prosecdef AND p.proowner = owner
			AND p.proname IN (SELECT r.name FROM @extschema@.crm_access_rules() AS r WHERE r.kind = 'function')
	), held AS (
		-- the rights that the role has now
		SELECT o.kind, o.shown, a.privilege_type,
			has_table_privilege(o.oid, a.privilege_type || ' WITH GRANT OPTION') AS permitted
		FROM objects AS o JOIN pg_class AS c ON c.oid = o.oid AND o.kind = 'table'
			CROSS JOIN LATERAL aclexplode(c.relacl) AS a
		WHERE a.grantee = role
		UNION
		SELECT o.kind, o.shown, x.privilege_type,
			has_column_privilege(o.oid, a.attnum, x.privilege_type || ' WITH GRANT OPTION')
		FROM objects AS o JOIN pg_attribute AS a ON a.attrelid = o.oid AND o.kind = 'table'
			CROSS JOIN LATERAL aclexplode(a.attacl) AS x
		WHERE x.grantee = role
		UNION
		SELECT o.kind, o.shown, a.privilege_type,
			has_function_privilege(o.oid, a.privilege_type || ' WITH GRANT OPTION')
		FROM objects AS o JOIN pg_proc AS p ON p.oid = o.oid AND o.kind = 'function'
			CROSS JOIN LATERAL aclexplode(p.proacl) AS a
		WHERE a.grantee = role
		UNION
		SELECT 'schema', format('%I', n.nspname), a.privilege_type,
			has_schema_privilege(n.oid, a.privilege_type || ' WITH GRANT OPTION')
		FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
		WHERE n.oid = schema AND a.grantee = role AND a.privilege_type = 'USAGE'
	), commands AS (
		SELECT 1 AS step, h.kind, h.shown, h.privilege_type AS privilege, h.permitted,
			format('REVOKE %s ON %s %s FROM %I', h.privilege_type, upper(h.kind), h.shown, pg_get_userbyid(role)) AS command
		FROM held AS h
		UNION ALL
		SELECT 2, 'schema', format('%I', n.nspname), 'USAGE', has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION'),
			format('GRANT USAGE ON SCHEMA %I TO %I', n.nspname, pg_get_userbyid(role))
		FROM pg_namespace AS n
		WHERE n.oid = schema AND level IS NOT NULL
		UNION ALL
		SELECT 3, o.kind, o.shown, r.privilege,
			CASE WHEN o.kind = 'function' THEN has_function_privilege(o.oid, 'EXECUTE WITH GRANT OPTION')
				WHEN r.columns IS NULL THEN has_table_privilege(o.oid, r.privilege || ' WITH GRANT OPTION')
				ELSE (SELECT bool_and(has_column_privilege(o.oid, c, r.privilege || ' WITH GRANT OPTION'))
					FROM unnest(r.columns) AS c)
			END,
			format('GRANT %s%s ON %s %s TO %I', r.privilege,
				(SELECT format(' (%s)', string_agg(quote_ident(c), ', ')) FROM unnest(r.columns) AS c HAVING count(*) > 0),
				upper(o.kind), o.shown, pg_get_userbyid(role))
		FROM @extschema@.crm_access_rules() AS r JOIN objects AS o ON o.kind = r.kind AND o.name = r.name
		WHERE r.level = crm_access_commands.level
	)
	SELECT c.command, c.permitted, format('%s on %s %s', c.privilege, c.kind, c.shown)
	FROM commands AS c
	ORDER BY c.step, c.command;
END;
COMMENT ON FUNCTION @extschema@.crm_access_commands(oid, oid, oid, text) IS
	'The commands that crm_grant_access() and crm_revoke_access() run; what those call';
