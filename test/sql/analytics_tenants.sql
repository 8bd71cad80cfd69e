-- the analytics show what the caller may see, and write nothing
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_tenants', 'shared');
SET search_path = analytics_tenants, public;
CREATE ROLE regress_crm_analyst;
GRANT USAGE ON SCHEMA analytics_tenants TO regress_crm_analyst;
GRANT SELECT, INSERT, UPDATE, DELETE ON pipelines, stages, deals, deal_contacts TO regress_crm_analyst;
GRANT SELECT ON stage_changes, deal_changes, stage_visits, rotting_deals, stage_forecast_categories, deal_pushes TO regress_crm_analyst;
-- nobody may call them unless told
SELECT count(*) FROM pg_proc
WHERE pronamespace = 'analytics_tenants'::regnamespace AND has_function_privilege('regress_crm_analyst', oid, 'EXECUTE');
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA analytics_tenants TO regress_crm_analyst;

-- the same example in both tenants, and in one of them a deal more
SET ROLE regress_crm_analyst;
SET timezone = 'UTC';
DO $$
DECLARE
	tenant int;
	lead uuid; won uuid; pipeline uuid; deal uuid;
BEGIN
	FOR tenant IN 1 .. 2 LOOP
		PERFORM set_config('crm.tenant_id', format('00000000-0000-0000-0000-00000000000%s', tenant), false);
		INSERT INTO pipelines (id, name) VALUES (format('00000000-0000-0000-0000-0000000000f%s', tenant)::uuid, 'Sales') RETURNING id INTO pipeline;
		INSERT INTO stages (pipeline_id, name, rotting_days) VALUES (pipeline, 'Lead', 1) RETURNING id INTO lead;
		INSERT INTO stages (pipeline_id, name, deal_status, probability) VALUES (pipeline, 'Won', 'won', 1) RETURNING id INTO won;
		FOR i IN 1 .. tenant LOOP
			INSERT INTO deals (stage_id, title, amount, owner_id, created_at)
				VALUES (lead, 'Open', 10, '00000000-0000-0000-0000-000000000011', '2024-01-01') RETURNING id INTO deal;
			UPDATE deals SET expected_close_date = '2024-01-31' WHERE id = deal;
			UPDATE deals SET expected_close_date = '2024-02-01' WHERE id = deal;
			INSERT INTO deals (stage_id, title, amount, created_at) VALUES (lead, 'Won', 100, '2024-01-01') RETURNING id INTO deal;
			UPDATE deals SET stage_id = won, stage_entered_at = '2024-01-11' WHERE id = deal;
		END LOOP;
	END LOOP;
END $$;
CREATE TEMP VIEW everything AS SELECT
	(SELECT count(*) FROM analytics_tenants.stage_visits) AS visits,
	(SELECT sum(t.visits) FROM analytics_tenants.pipelines AS p, analytics_tenants.time_in_stage(p.id) AS t) AS timed,
	(SELECT sum(f.deals) FROM analytics_tenants.pipelines AS p, analytics_tenants.funnel(p.id) AS f) AS funnel,
	(SELECT sum(c.converted) FROM analytics_tenants.pipelines AS p, analytics_tenants.stage_conversion(p.id) AS c) AS pairs,
	(SELECT won_value FROM analytics_tenants.win_rate()) AS won,
	(SELECT deals FROM analytics_tenants.sales_cycle()) AS cycle,
	(SELECT velocity_per_day FROM analytics_tenants.sales_velocity()) AS velocity,
	(SELECT one_time_revenue FROM analytics_tenants.recurring_revenue(status => 'won')) AS revenue,
	(SELECT count(*) FROM analytics_tenants.rotting_deals()) AS rotting,
	(SELECT sum(s.closed_deals) FROM analytics_tenants.pipelines AS p, analytics_tenants.stage_probabilities(p.id) AS s) AS closed,
	(SELECT sum(f.open_deals + f.won_deals) FROM analytics_tenants.forecast() AS f) AS forecast,
	(SELECT pushes FROM analytics_tenants.slippage() WHERE is_total) AS pushes,
	(SELECT string_agg(w.bar || ' ' || w.value, ', ' ORDER BY w.bar_no)
		FROM analytics_tenants.pipelines AS p, analytics_tenants.pipeline_waterfall(p.id, '-infinity') AS w WHERE w.changes <> 0) AS waterfall,
	(SELECT sum((analytics_tenants.pipeline_summary_as_of(p.id, '2024-01-05') ->> 'total_value')::numeric) FROM analytics_tenants.pipelines AS p) AS as_of;
ALTER VIEW everything SET (security_invoker = true);
SET crm.tenant_id = '00000000-0000-0000-0000-000000000001';
SELECT * FROM everything;
-- another tenant's pipeline is not there
SELECT time_in_stage('00000000-0000-0000-0000-0000000000f2');
SELECT funnel('00000000-0000-0000-0000-0000000000f2');
SELECT stage_conversion('00000000-0000-0000-0000-0000000000f2');
SELECT win_rate('00000000-0000-0000-0000-0000000000f2');
SELECT sales_cycle('00000000-0000-0000-0000-0000000000f2');
SELECT sales_velocity('00000000-0000-0000-0000-0000000000f2');
SELECT recurring_revenue('00000000-0000-0000-0000-0000000000f2');
SELECT rotting_deals('00000000-0000-0000-0000-0000000000f2');
SELECT stage_probabilities('00000000-0000-0000-0000-0000000000f2');
SELECT forecast('00000000-0000-0000-0000-0000000000f2');
SELECT slippage('00000000-0000-0000-0000-0000000000f2');
SELECT pipeline_waterfall('00000000-0000-0000-0000-0000000000f2', '2024-01-01');
SELECT pipeline_summary_as_of('00000000-0000-0000-0000-0000000000f2', '2024-01-05');
SET crm.tenant_id = '00000000-0000-0000-0000-000000000002';
SELECT * FROM everything;
BEGIN READ ONLY;
SELECT * FROM everything;
ROLLBACK;
-- no tenant, no figures
RESET crm.tenant_id;
SELECT count(*) FROM stage_visits;
\echo :LAST_ERROR_SQLSTATE

-- a policy of one's own holds, too: only deals with an owner
RESET ROLE;
CREATE POLICY owned ON deals AS RESTRICTIVE FOR SELECT USING (owner_id IS NOT NULL);
SET ROLE regress_crm_analyst;
SET crm.tenant_id = '00000000-0000-0000-0000-000000000002';
SELECT timed, funnel, pairs, won, cycle, velocity, revenue, rotting, closed, forecast, pushes, waterfall, as_of FROM everything;

RESET ROLE;
RESET crm.tenant_id;
DROP VIEW everything;
RESET search_path;
DROP SCHEMA analytics_tenants CASCADE;
DROP ROLE regress_crm_analyst;
