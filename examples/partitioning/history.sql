-- Makes the two tables of the history, stage_changes and deal_changes, partitioned
-- by changed_at.  What is there becomes the first partition as it is, without
-- being copied; PostgreSQL reads it once to check its times.
--
--	psql -1 -v schema=crm -v before=2027-01-01 -v ON_ERROR_STOP=1 -f history.sql mydb
--
-- As the owner of the CRM, in one transaction (-1).  Nothing of the history may be
-- of that day or later.  Further partitions are up to you: there must be one for every
-- time that a deal can move at.  A default partition takes what has none.
--
-- Then call crm_grant_access() again for the roles that use the CRM: the functions
-- of the tables' rows are new ones.
SELECT set_config('partitioning.schema', :'schema', true), set_config('partitioning.before', :'before', true) \g /dev/null

DO $partitioning$
DECLARE
    crm CONSTANT text := current_setting('partitioning.schema');
    before CONSTANT text := current_setting('partitioning.before');
    extension CONSTANT text := (SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'crm');
    tab text;
    keys text;
    old regclass;
    command text;
    commands text[];
    views text[];
BEGIN
    -- Every name in what is made again has its schema.
    SET LOCAL search_path = pg_catalog, pg_temp;
    EXECUTE format('LOCK TABLE %1$I.deals, %1$I.stage_changes, %1$I.deal_changes IN ACCESS EXCLUSIVE MODE', crm);
    -- The views of the CRM that read them.
    SELECT array_agg(DISTINCT format('CREATE OR REPLACE VIEW %s WITH (security_invoker = true) AS %s', v.oid::regclass, pg_get_viewdef(v.oid)))
    INTO views
    FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid JOIN pg_class AS v ON v.oid = r.ev_class
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND v.relkind = 'v'
        AND v.relnamespace = crm::regnamespace
        AND d.refobjid IN (format('%I.stage_changes', crm)::regclass, format('%I.deal_changes', crm)::regclass);

    FOREACH tab IN ARRAY ARRAY['stage_changes', 'deal_changes'] LOOP
        old := format('%I.%I', crm, tab)::regclass;
        keys := CASE tab WHEN 'stage_changes' THEN ', UNIQUE (deal_id, move_no, tenant_id, changed_at)' ELSE '' END;

        -- What the new table gets: triggers, policies, rights, indexes that are no keys.
        SELECT array_agg(c.command ORDER BY c.step) INTO commands
        FROM (SELECT 1, pg_get_triggerdef(t.oid)
            FROM pg_trigger AS t WHERE t.tgrelid = old AND NOT t.tgisinternal
            UNION ALL
            SELECT 2, format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', old) FROM pg_class AS c WHERE c.oid = old AND c.relrowsecurity
            UNION ALL
            SELECT 3, format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.policyname, old, p.permissive, p.cmd, array_to_string(p.roles, ', '),
                ' USING (' || p.qual || ')', ' WITH CHECK (' || p.with_check || ')')
            FROM pg_policies AS p WHERE p.schemaname = crm AND p.tablename = tab
            UNION ALL
            SELECT 4, format('GRANT %s ON %s TO %s%s', a.privilege_type, old,
                CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END)
            FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE c.oid = old AND a.grantee <> c.relowner
            UNION ALL
            SELECT 5, regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE INDEX \S+ ', 'CREATE INDEX ')
            FROM pg_index AS i WHERE i.indrelid = old AND NOT i.indisunique) AS c (step, command);

        -- The functions of its rows go with the old row type; crm_embed() makes them again.
        FOR command IN
            SELECT format('DROP FUNCTION %s', p.oid::regprocedure)
            FROM pg_proc AS p JOIN pg_type AS t ON t.oid = p.prorettype OR t.oid = ANY (p.proargtypes)
            WHERE p.pronamespace = crm::regnamespace AND t.typrelid = old
            UNION ALL
            SELECT format('DROP TRIGGER %I ON %s', t.tgname, old) FROM pg_trigger AS t WHERE t.tgrelid = old AND NOT t.tgisinternal
        LOOP
            EXECUTE command;
        END LOOP;

        EXECUTE format('ALTER TABLE %s RENAME TO %I', old, tab || '_before');
        EXECUTE format('ALTER TABLE %I.%I DROP CONSTRAINT %I', crm, tab || '_before', tab || '_pkey');
        EXECUTE format('CREATE TABLE %1$I.%2$I (LIKE %1$I.%3$I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS, PRIMARY KEY (id, changed_at)%4$s)
            PARTITION BY RANGE (changed_at)', crm, tab, tab || '_before', keys);
        EXECUTE format('COMMENT ON TABLE %I.%I IS %L', crm, tab, obj_description(old, 'pg_class'));
        EXECUTE format('ALTER TABLE %1$I.%2$I ATTACH PARTITION %1$I.%3$I FOR VALUES FROM (MINVALUE) TO (%4$L)', crm, tab, tab || '_before', before);
        EXECUTE format('CREATE TABLE %1$I.%3$I PARTITION OF %1$I.%2$I DEFAULT', crm, tab, tab || '_later');
        FOREACH command IN ARRAY commands LOOP
            EXECUTE command;
        END LOOP;
    END LOOP;

    FOREACH command IN ARRAY views LOOP
        EXECUTE command;
    END LOOP;
    EXECUTE format('SELECT %I.crm_embed(%L)', extension, crm);
END
$partitioning$;
