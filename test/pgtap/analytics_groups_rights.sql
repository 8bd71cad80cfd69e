-- Groups, changes and facts show what the caller may see: columns, rows, tenants.
BEGIN;
\set tenancy shared
\ir include/setup.sql
SELECT no_plan();
CREATE ROLE gr_all;
CREATE ROLE gr_some;
GRANT USAGE ON SCHEMA crm, t TO gr_all, gr_some;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm, t TO gr_all, gr_some;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO gr_all;

-- the same in two tenants, one of which has a deal more of each owner
CREATE FUNCTION t.fill(tenant text, n integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    deal uuid;
BEGIN
    PERFORM set_config('crm.tenant_id', t.id(tenant)::text, true);
    INSERT INTO crm.pipelines (id, name, is_default) VALUES (t.id(tenant || ' p'), 'Sales', true);
    INSERT INTO crm.stages (id, pipeline_id, name, deal_status, probability) VALUES (t.id(tenant || ' open'), t.id(tenant || ' p'), 'Open', 'open', 0.5),
        (t.id(tenant || ' won'), t.id(tenant || ' p'), 'Won', 'won', 1), (t.id(tenant || ' lost'), t.id(tenant || ' p'), 'Lost', 'lost', 0);
    INSERT INTO crm.tags (id, name) VALUES (t.id(tenant || ' tag'), tenant || ' tag');
    FOR i IN 1 .. n LOOP
        FOR o IN 1 .. 2 LOOP
            INSERT INTO crm.deals (stage_id, title, amount, owner_id, created_at) VALUES (t.id(tenant || ' open'), tenant, 100, t.id('owner ' || o), '2024-01-01')
                RETURNING id INTO deal;
            UPDATE crm.deals SET stage_id = t.id(tenant || CASE o WHEN 1 THEN ' won' ELSE ' lost' END), stage_entered_at = '2024-02-01' WHERE id = deal;
            INSERT INTO crm.deal_tags (deal_id, tag_id) VALUES (deal, t.id(tenant || ' tag'));
        END LOOP;
    END LOOP;
END $$;
SELECT t.fill('acme', 1), t.fill('beta', 2) \g /dev/null

CREATE FUNCTION t.as_told(who text, tenant text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    PERFORM set_config('crm.tenant_id', t.id(tenant)::text, true);
    EXECUTE format('SET LOCAL ROLE %I', who);
    BEGIN
        EXECUTE format('SELECT string_agg(r::text, '' '') FROM (%s) AS r', query) INTO result;
    EXCEPTION WHEN OTHERS THEN
        result := SQLSTATE || ' ' || SQLERRM;
    END;
    RESET ROLE;
    RETURN coalesce(result, 'nothing');
END $$;

-- tenants
SELECT is(as_told('gr_all', tenant, query), said, format('%s, %s', tenant, query))
FROM (VALUES
    ('acme', 'SELECT group_name, deals FROM crm.win_rate(group_by => ''tag'')', '(,2) ("acme tag",2)'),
    ('beta', 'SELECT group_name, deals FROM crm.win_rate(group_by => ''tag'')', '(,4) ("beta tag",4)'),
    ('acme', 'SELECT is_total, deals FROM crm.win_rate(group_by => ''owner'')', '(t,2) (f,1) (f,1)'),
    ('beta', 'SELECT is_total, deals FROM crm.win_rate(group_by => ''tenant_id'')', '(t,4) (f,4)'),
    ('acme', 'SELECT deals, value FROM crm.lost_reasons()', '(1,100)'),
    ('beta', 'SELECT deals, value FROM crm.lost_reasons(by_stage => true)', '(2,200)'),
    ('acme', 'SELECT count(*), count(DISTINCT deal_id) FROM crm.changes_since(''2023-01-01'')', '(4,2)'),
    ('beta', 'SELECT count(*), count(DISTINCT title) FROM crm.changes_since(''2023-01-01'')', '(8,1)'),
    ('acme', 'SELECT count(*), sum(moves), max(title) FROM crm.deal_facts', '(2,2,acme)'),
    ('beta', 'SELECT count(*), max(title) FROM crm.move_facts', '(4,beta)')) AS v (tenant, query, said);
SELECT is(as_told('gr_all', 'acme', format('SELECT sum(entered) FROM crm.stage_flow(%L)', id('acme p'))), '(4)', 'stage_flow');
SELECT is(as_told('gr_all', 'acme', format('SELECT sum(entered) FROM crm.stage_flow(%L)', id('beta p'))), format('PT404 pipeline %s does not exist', id('beta p')), 'another tenant''s');
-- who sees all tenants: of each its own
SELECT is((SELECT string_agg(group_name || ' ' || deals, ', ' ORDER BY group_name) FROM crm.win_rate(group_by => 'tag') WHERE NOT is_total),
    'acme tag 2, beta tag 4', 'whom row security does not bind');

-- names of groups are found by an index, although row security stands before it
SELECT t.fill('many', 100) \g /dev/null
ANALYZE crm.deals;
CREATE FUNCTION t.index_scans(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint := pg_stat_get_xact_numscans('crm.deals_pkey'::regclass);
BEGIN
    PERFORM as_told('gr_all', 'many', query);
    RETURN pg_stat_get_xact_numscans('crm.deals_pkey'::regclass) - before;
END $$;
SELECT is(index_scans(query), scans, query)
FROM (VALUES
    ('SELECT * FROM crm.win_rate(group_by => ''deal'')', 200::bigint),
    ('SELECT * FROM crm.win_rate(group_by => ''title'')', 0)) AS v (query, scans);

-- columns: a dimension needs the right to read it, and no other right
GRANT SELECT ON crm.pipelines, crm.stages, crm.stage_changes TO gr_some;
GRANT SELECT (id, tenant_id, pipeline_id, stage_id, status, stage_entered_at, amount, currency, value_period, owner_id, won_at, lost_at, created_at, archived_at) ON crm.deals TO gr_some;
SELECT is(as_told('gr_some', 'acme', query), said, 'some columns: ' || query)
FROM (VALUES
    ('SELECT deals FROM crm.win_rate()', '(2)'),
    ('SELECT is_total, deals FROM crm.win_rate(group_by => ''owner'')', '(t,2) (f,1) (f,1)'),
    ('SELECT is_total, deals FROM crm.win_rate(group_by => ''title'')', '42501 permission denied for column "title" of table "deals"'),
    ('SELECT is_total, deals FROM crm.win_rate(group_by => ''metadata.region'')', '42501 permission denied for column "metadata" of table "deals"'),
    ('SELECT is_total, deals FROM crm.sales_cycle(group_by => ''expected_close_date.month'')', '42501 permission denied for column "expected_close_date" of table "deals"'),
    ('SELECT is_total, deals FROM crm.win_rate(group_by => ''organization'')', '42501 permission denied for column "organization_id" of table "deals"'),
    ('SELECT is_total, deals FROM crm.win_rate(group_by => ''created_at.year'')', '(t,2) (f,2)'),
    ('SELECT is_total, deals FROM crm.win_rate(group_by => ''tag'')', '42501 permission denied for table deal_tags')) AS v (query, said);

-- with a plan that is kept, too
GRANT SELECT (title) ON crm.deals TO gr_some;
SELECT is(as_told('gr_some', 'acme', 'SELECT is_total, deals FROM crm.win_rate(group_by => ''title'')'), '(t,2) (f,2)', 'a right that came');
REVOKE SELECT (title) ON crm.deals FROM gr_some;
SELECT is(as_told('gr_some', 'acme', 'SELECT is_total, deals FROM crm.win_rate(group_by => ''title'')'), '42501 permission denied for column "title" of table "deals"', 'and went');

-- rows: policies of one's own
CREATE POLICY own ON crm.deals AS RESTRICTIVE TO gr_all USING (owner_id = t.id('owner 2'));
SELECT is(as_told('gr_all', 'beta', query), said, 'one owner''s: ' || query)
FROM (VALUES
    ('SELECT is_total, deals, lost FROM crm.win_rate(group_by => ''tag'')', '(t,2,2) (f,2,2)'),
    ('SELECT DISTINCT deal_owner_id = t.id(''owner 2'') FROM crm.changes_since(''2023-01-01'')', '(t)'),
    ('SELECT count(*), sum(moves) FROM crm.deal_facts', '(2,2)'),
    ('SELECT count(*) FROM crm.move_facts', '(2)'),
    ('SELECT sum(deals) FROM crm.lost_reasons(by_stage => true)', '(2)')) AS v (query, said);

-- what is planted is not seen, and what is pasted is not run
CREATE SCHEMA planted;
CREATE FUNCTION planted.crm_groups(group_by text, keys jsonb) RETURNS TABLE (group_key text, is_total boolean) LANGUAGE sql AS 'SELECT ''planted'', true';
CREATE FUNCTION planted.crm_period_start(period text, day date) RETURNS date LANGUAGE sql AS 'SELECT ''1999-01-01''::date';
SET LOCAL search_path = planted, crm, t, pg_catalog;
SELECT tenant.set FROM set_config('crm.tenant_id', id('acme')::text, true) AS tenant (set) \g /dev/null
SELECT is((SELECT string_agg(coalesce(group_key, 'total'), ' ') FROM win_rate(id('acme p'), group_by => 'created_at.year')), 'total 2024-01-01', 'planted functions');
SELECT throws_ok(format('SELECT * FROM win_rate(group_by => %L)', d), '22023', format('deals cannot be grouped by "%s"', left(d, 40)), 'not a dimension: ' || d)
FROM unnest(ARRAY['owner_id; SELECT 1', 'owner_id, title', '(SELECT 1)', 'd.owner_id', '*', '"owner_id"', 'OWNER', 'metadata->>x', ' owner', 'owner_id::text',
    'xmin', 'tableoid', 'status.month', '$1', 'NULL', repeat('x', 3000)]) AS d;
SELECT lives_ok(format('SELECT * FROM win_rate(group_by => %L)', 'metadata.' || k), 'any key: ' || left(k, 20))
FROM unnest(ARRAY['a''b', 'a"b', 'a.b', '$1', '{}', '@crm@', '%s', repeat('k', 3000)]) AS k;

SELECT * FROM finish();
ROLLBACK;
