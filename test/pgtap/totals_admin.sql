-- Looking after stage_totals: summing up, checking, rebuilding.
BEGIN;
\ir include/setup.sql
\ir include/totals.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();

-- Summing up.
INSERT INTO deals (id, title, amount) SELECT id('n' || n), 'n', n FROM generate_series(1, 20) AS n;
DO $$ BEGIN FOR i IN 1..20 LOOP UPDATE crm.deals SET amount = amount + 1 WHERE id = t.id('n' || i); END LOOP; END $$;
UPDATE deals SET stage_id = id('Due') WHERE id = id('n1');
UPDATE deals SET stage_id = id('Lead') WHERE id = id('n1');
SELECT is(pending() - crm_compact_totals(), 1::bigint, 'crm_compact_totals says how many rows fewer there are');
SELECT is(pending(), 1::bigint, 'and leaves a row a total, none where nothing is');
SELECT exact('summed up');
SELECT is(crm_compact_totals(), 0::bigint, 'there is nothing to do twice');
-- By chance, of each of these statements 1 in 60.
UPDATE deals SET value_period = (ARRAY['one_time', 'monthly', 'quarterly', 'annual'])[amount::int % 4 + 1];
DO $$ BEGIN FOR i IN 1..1200 LOOP
    UPDATE crm.deals SET currency = CASE currency WHEN 'EUR' THEN 'USD' ELSE 'EUR' END WHERE id IN (t.id('n1'), t.id('n2'), t.id('n3'), t.id('n4'));
END LOOP; END $$;
SELECT cmp_ok(pending(), '<', 8 * 1200::bigint, 'writers sum up by themselves');
SELECT exact('summed up by writers');

UPDATE deals SET value_period = 'one_time', currency = 'USD';

-- One that is wrong in nothing but the deals without a probability.
SAVEPOINT same_but_one;
UPDATE deals SET probability = 0 WHERE id = id('n2');
ALTER TABLE deals DISABLE TRIGGER USER;
UPDATE deals SET probability = NULL WHERE id = id('n2');
SELECT results_eq('SELECT deals - total_deals, deals_without_probability, total_deals_without_probability, value - total_value,
        weighted_value - total_weighted_value FROM crm_check_totals()',
    $$VALUES (0::bigint, 1::bigint, 0::bigint, 0.0000, 0.00000000)$$, 'crm_check_totals compares the deals without a probability');
ALTER TABLE deals ENABLE TRIGGER USER;
SELECT crm_rebuild_totals() \g /dev/null
SELECT exact('rebuilt with a deal without a probability');
UPDATE deals SET title = 'moves on', amount = 3 WHERE id = id('n2');
SELECT is(pending() - crm_compact_totals(), 1::bigint, 'and summed up');
SELECT exact('summed up with a deal without a probability');
ROLLBACK TO same_but_one;

-- Wrong totals are found and put right.
ALTER TABLE deals DISABLE TRIGGER zz_crm_deal_audit_update;
UPDATE deals SET amount = 1.5 WHERE id = id('n2');
UPDATE deals SET archived_at = now() WHERE id = id('n3');
SELECT is(crm_pipeline_totals('crm', id('Sales')), NULL, 'without the triggers there are no totals');
SELECT is(pipeline_summary(id('Sales')) ->> 'source', 'deals', 'but deals');
ALTER TABLE deals ENABLE TRIGGER zz_crm_deal_audit_update;
SELECT results_eq($$SELECT pipeline_id, stage_id, currency, value_period, deals, total_deals, deals_without_amount, total_deals_without_amount,
        deals_without_probability, total_deals_without_probability,
        value - total_value, weighted_value - total_weighted_value FROM crm_check_totals()$$,
    $$VALUES (id('Sales'), id('Lead'), 'USD', 'one_time', 19::bigint, 20::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, -5.5, -0.55)$$,
    'crm_check_totals shows what differs');
SELECT is(crm_rebuild_totals(), 19::bigint, 'crm_rebuild_totals says how many deals count');
SELECT exact('rebuilt');
SELECT is(pending(), 1::bigint, 'in as few rows as can be');
DELETE FROM stage_totals;
SELECT is((SELECT count(*) FROM crm_check_totals()), 1::bigint, 'missing totals are found');
SELECT crm_rebuild_totals() \g /dev/null
SELECT exact('rebuilt from nothing');

SELECT * FROM finish();
ROLLBACK;
