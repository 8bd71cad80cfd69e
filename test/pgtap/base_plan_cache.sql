-- The plans that a session keeps: a bounded number, whatever it has used.
BEGIN;
CREATE EXTENSION pgtap;
CREATE SCHEMA extensions;
CREATE EXTENSION crm SCHEMA extensions;
SELECT no_plan();

SELECT extensions.crm_install(format('crm_%s', n)) FROM generate_series(1, 10) AS n \g /dev/null
CREATE FUNCTION deals_of(schema text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    pipeline uuid;
    report text;
    deals bigint;
BEGIN
    EXECUTE format($q$SELECT id FROM %I.create_pipeline('Sales', '["Lead"]')$q$, schema) INTO pipeline;
    EXECUTE format('INSERT INTO %I.deals (title, amount, pipeline_id) VALUES (1, 1, $1), (2, 2, $1)', schema) USING pipeline;
    FOREACH report IN ARRAY ARRAY['win_rate', 'sales_velocity', 'recurring_revenue', 'forecast', 'slippage', 'funnel',
        'stage_conversion', 'time_in_stage', 'stage_probabilities', 'sales_cycle', 'rotting_deals'] LOOP
        EXECUTE format('SELECT count(*) FROM %I.%I($1)', schema, report) USING pipeline;
    END LOOP;
    EXECUTE format($q$SELECT (%I.pipeline_summary($1) ->> 'total_deals')::bigint$q$, schema) INTO deals USING pipeline;
    RETURN deals;
END $$;
CREATE FUNCTION kept(context text) RETURNS bigint LANGUAGE sql AS
    'SELECT count(*) FROM pg_backend_memory_contexts WHERE name = context';

SELECT is((SELECT array_agg(DISTINCT deals_of(format('crm_%s', n))) FROM generate_series(1, 10) AS n), ARRAY[2::bigint],
    'the reports of ten CRMs, by one session');
-- each has the plan of a query or that of a look-up at least
SELECT cmp_ok(kept('crm report'), '<=', 120::bigint, 'the plans of some are kept');
SELECT cmp_ok(kept('crm report'), '>', 0::bigint, 'but not of none');
SELECT is((SELECT (crm_1.pipeline_summary(p.id) ->> 'total_value')::numeric FROM crm_1.pipelines AS p), 3::numeric,
    'what is no longer kept is planned again');

-- Nor is it kept that a query returns what is declared: the tables may be altered after its plan was made.
SELECT crm_1.lost_reasons(p.id), crm_1.pipeline_page(p.id) IS NOT NULL FROM crm_1.pipelines AS p \g /dev/null
INSERT INTO crm_1.stages (pipeline_id, name, deal_status) SELECT p.id, 'Lost', 'lost' FROM crm_1.pipelines AS p;
UPDATE crm_1.deals SET status = 'lost';
ALTER TABLE crm_1.deals DROP lost_reason CASCADE, ADD lost_reason bigint DEFAULT 7;
SELECT throws_ok($$SELECT count(l::text) FROM crm_1.pipelines AS p, crm_1.lost_reasons(p.id) AS l$$, '42804', 'column 4 of the query of lost_reasons is of type bigint, not text',
    'a column of another type');
SELECT throws_ok($$SELECT crm_1.pipeline_page(p.id) FROM crm_1.pipelines AS p$$, '42804', 'column 4 of the query of lost_reasons is of type bigint, not text',
    'in a report within a report');
SELECT * FROM finish();
ROLLBACK;
