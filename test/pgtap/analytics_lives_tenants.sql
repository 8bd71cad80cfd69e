-- A deal of a tenant under the id of one that another tenant deleted: who sees both tenants gets
-- the same reports on it.
BEGIN;
\set tenancy shared
\ir include/setup.sql
SELECT no_plan();

CREATE FUNCTION t.fill(tenant text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('crm.tenant_id', t.id(tenant)::text, true);
    INSERT INTO crm.pipelines (id, name, is_default) VALUES (t.id(tenant || ' p'), 'Sales', true);
    INSERT INTO crm.stages (id, pipeline_id, name, deal_status) VALUES (t.id(tenant || ' A'), t.id(tenant || ' p'), 'A', 'open'), (t.id(tenant || ' B'), t.id(tenant || ' p'), 'B', 'open');
END $$;
CREATE FUNCTION t.live(tenant text, n numeric) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('crm.tenant_id', t.id(tenant)::text, true);
    INSERT INTO crm.deals (id, title, stage_id, amount, created_at, expected_close_date) VALUES (t.id('d'), tenant, t.id(tenant || ' A'), n, '2024-01-01', '2024-05-01');
    UPDATE crm.deals SET stage_id = t.id(tenant || ' B'), stage_entered_at = '2024-02-01', expected_close_date = '2024-06-10' WHERE id = t.id('d');
END $$;
-- acme's deal lives three times, and then beta's
SELECT t.fill('acme'), t.fill('beta') \g /dev/null
DO $$ BEGIN
    FOR i IN 1 .. 3 LOOP
        PERFORM t.live('acme', i);
        DELETE FROM crm.deals WHERE id = t.id('d');
    END LOOP;
    PERFORM t.live('beta', 70);
END $$;
SELECT is((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), true, '(who sees both)');
SELECT is((SELECT count(*) FROM deal_changes WHERE deal_id = id('d') AND change = 'recreated'), 2::bigint, '(of acme)');
SELECT set_eq($$SELECT stage_name, deals::int, converted::int FROM funnel(id('beta p'))$$, $$VALUES ('A', 1, 1), ('B', 1, 0)$$, 'funnel');
SELECT set_eq($$SELECT stage_name, visits::int FROM time_in_stage(id('beta p'))$$, $$VALUES ('A', 1), ('B', 0)$$, 'time_in_stage');
SELECT set_eq($$SELECT stage_name, entered::int, entered_value FROM stage_flow(id('beta p'), 'year')$$, $$VALUES ('A', 1, 70::numeric), ('B', 1, 70)$$, 'stage_flow');
SELECT is((SELECT count(*) FROM stage_visits WHERE tenant_id = id('beta')), 2::bigint, 'stage_visits');
SELECT is((SELECT count(*) FROM deal_pushes WHERE tenant_id = id('beta')), 1::bigint, 'deal_pushes');
SELECT is((SELECT pushes FROM slippage(id('beta p'), group_by => 'title') WHERE NOT is_total), 1::bigint, 'slippage');

-- Beta's comes back as it was, after a third tenant had one of that id.
CREATE TEMP TABLE kept AS TABLE deals;
DELETE FROM deals;
SELECT fill('other'), live('other', 5) \g /dev/null
DELETE FROM deals;
SELECT set_config('crm.tenant_id', id('beta')::text, true) \g /dev/null
INSERT INTO deals SELECT * FROM kept;
SELECT set_eq($$SELECT stage_name, entered::int, entered_value FROM stage_flow(id('beta p'), 'year')$$, $$VALUES ('A', 1, 70::numeric), ('B', 1, 70)$$, 'stage_flow, with the amount of its own creation');

SELECT * FROM finish();
ROLLBACK;
