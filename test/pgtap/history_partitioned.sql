-- The history partitioned by time, as docs/scale.md says: writes, corrections, analytics and totals are what
-- they are in a CRM with ordinary tables that the same was done to.
BEGIN;
\ir include/setup.sql
SELECT plan(18);
CREATE ROLE partition_reader;
GRANT USAGE ON SCHEMA t TO partition_reader;

SET LOCAL search_path = t, extensions, pg_catalog;
SELECT crm_install('plain') \g /dev/null
SELECT crm_grant_access('crm', 'partition_reader', 'read') \g /dev/null

-- The same in both, by names: ids differ.
CREATE FUNCTION t.begin_in(schema text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('search_path', schema || ', t, extensions, pg_catalog', true);
    INSERT INTO pipelines (id, name, is_default) VALUES (t.id('Sales'), 'Sales', true);
    INSERT INTO stages (id, pipeline_id, name, position, deal_status, probability) VALUES
        (t.id('Lead'), t.id('Sales'), 'Lead', 1, 'open', 0.1), (t.id('Offer'), t.id('Sales'), 'Offer', 2, 'open', 0.5),
        (t.id('Won'), t.id('Sales'), 'Won', 3, 'won', NULL), (t.id('Lost'), t.id('Sales'), 'Lost', 4, 'lost', NULL);
    INSERT INTO deals (id, title, stage_id, stage_entered_at, created_at, amount, currency)
    SELECT t.id('deal ' || n), 'deal ' || n, t.id('Lead'), '2024-01-01'::timestamptz + n * interval '1 day',
        '2024-01-01'::timestamptz + n * interval '1 day', 100 + n, 'EUR'
    FROM generate_series(1, 20) AS n;
    UPDATE deals SET stage_id = t.id('Offer'), stage_entered_at = stage_entered_at + interval '10 days' WHERE title < 'deal 2';
    PERFORM set_config('crm.effective_at', '2024-06-01', true);
    UPDATE deals SET amount = amount * 2 WHERE title = 'deal 3';
    PERFORM set_config('crm.effective_at', '', true);
END $$;
CREATE FUNCTION t.go_on_in(schema text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('search_path', schema || ', t, extensions, pg_catalog', true);
    UPDATE deals SET stage_id = t.id('Offer'), stage_entered_at = '2025-02-01' WHERE title IN ('deal 2', 'deal 3', 'deal 4');
    UPDATE deals SET stage_id = t.id('Won'), stage_entered_at = '2025-03-01' WHERE title IN ('deal 1', 'deal 2', 'deal 10');
    UPDATE deals SET stage_id = t.id('Lost'), stage_entered_at = '2025-03-02', lost_reason = 'price' WHERE title = 'deal 11';
    INSERT INTO deals (id, title, stage_id, stage_entered_at, created_at, amount, currency)
    VALUES (t.id('late'), 'late', t.id('Lead'), '2025-04-01', '2025-04-01', 7, 'USD');
    PERFORM undo_move(t.id('deal 11'));
    PERFORM move_deal(t.id('late'), t.id('Offer'), '2025-05-01');
    -- A correction that carries a row to another partition.
    PERFORM correct_move(t.id('deal 10'), '2024-12-01', 2, 'wrong year');
    UPDATE deals SET archived_at = '2025-06-01' WHERE title = 'deal 5';
    DELETE FROM deals WHERE title = 'deal 6';
END $$;
-- What both have to agree on; an undone move is of now.
CREATE FUNCTION t.history_in(schema text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('search_path', schema || ', t, extensions, pg_catalog', true);
    RETURN QUERY SELECT format('%s %s %s %s %s %s %s %s', deal_id, move_no, from_stage_id, to_stage_id, entered_at, least(changed_at, '2026-01-01'), reverts_no, amount)
        FROM stage_changes ORDER BY deal_id, move_no;
    RETURN QUERY SELECT format('%s %s %s %s %s %s', deal_id, version, change, CASE WHEN change IN ('created', 'edited', 'corrected') THEN NULL ELSE stage_id END, old_amount, new_amount)
        FROM deal_changes ORDER BY deal_id, version, change;
    RETURN QUERY SELECT format('%s %s %s %s %s', deal_id, visit_no, stage_id, entered_at, exited_at) FROM stage_visits ORDER BY deal_id, visit_no;
END $$;
CREATE FUNCTION t.reports_in(schema text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    call text;
BEGIN
    PERFORM set_config('search_path', schema || ', t, extensions, pg_catalog', true);
    FOREACH call IN ARRAY ARRAY['funnel(t.id(''Sales''))', 'stage_conversion(t.id(''Sales''))', 'time_in_stage(t.id(''Sales''))',
        'stage_probabilities(t.id(''Sales''))', 'pipeline_waterfall(t.id(''Sales''), ''2024-06-01'', ''2025-06-15'')',
        'pipeline_summary_as_of(t.id(''Sales''), ''2024-06-01'')', 'pipeline_summary_as_of(t.id(''Sales''), ''2025-03-15'')', 'win_rate(t.id(''Sales''))',
        'slippage(t.id(''Sales''))'] LOOP
        RETURN QUERY EXECUTE format('SELECT %L || (to_jsonb(f) #- ''{as_of}'' #- ''{computed_at}'')::text FROM %s AS f ORDER BY 1', call || ' ', call);
    END LOOP;
    RETURN QUERY SELECT (pipeline_summary(t.id('Sales')) #- '{as_of}')::text;
    RETURN QUERY SELECT context_for_deal(t.id('deal 1')) ->> 'title';
END $$;

SELECT begin_in('plain'), begin_in('crm') \g /dev/null
\set schema crm
\set before 2025-01-01
\ir ../../examples/partitioning/history.sql
SET LOCAL search_path = t, extensions, pg_catalog;
SELECT results_eq($$SELECT relname::text COLLATE "default", relkind::text FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relname ~ '^(stage|deal)_changes' AND relkind IN ('r', 'p') ORDER BY 1$$,
    $$VALUES ('deal_changes', 'p'), ('deal_changes_before', 'r'), ('deal_changes_later', 'r'), ('stage_changes', 'p'), ('stage_changes_before', 'r'), ('stage_changes_later', 'r')$$,
    'both tables are partitioned');
SELECT is_empty($$SELECT * FROM crm_check('crm')$$, 'and the CRM is what it should be');
SELECT results_eq($$SELECT * FROM history_in('crm')$$, $$SELECT * FROM history_in('plain')$$, 'the history is as it was');
SET LOCAL search_path = t, extensions, pg_catalog;
SELECT is((SELECT count(*) FROM ONLY crm.stage_changes_later), 0::bigint, 'all of it in the first partition');

SELECT lives_ok($$SELECT go_on_in('plain')$$, 'writes to ordinary tables');
SELECT lives_ok($$SELECT go_on_in('crm')$$, 'and to partitioned ones');
SET LOCAL search_path = t, extensions, pg_catalog;
SELECT results_eq($$SELECT count(*) > 0, bool_and(changed_at >= '2025-01-01') FROM crm.stage_changes_later$$, 'VALUES (true, true)', 'the new moves are in the new partition');
SELECT is((SELECT p.tableoid::regclass::text FROM crm.stage_changes AS p WHERE p.deal_id = id('deal 10') AND p.move_no = 2), 'crm.stage_changes_before',
    'the corrected one has gone to the old one');
SELECT results_eq($$SELECT * FROM history_in('crm')$$, $$SELECT * FROM history_in('plain')$$, 'the history is that of ordinary tables');
SELECT results_eq($$SELECT * FROM reports_in('crm')$$, $$SELECT * FROM reports_in('plain')$$, 'and so are the reports');
SET LOCAL search_path = t, extensions, pg_catalog;
SELECT is_empty($$SELECT * FROM crm_check_totals('crm')$$, 'the totals are right');
SELECT is_empty($$SELECT * FROM crm_fleet_check()$$, 'nothing is wrong');

-- Guards and rights; those on functions of the tables' rows are given again.
SELECT crm_grant_access('crm', 'partition_reader', 'read') \g /dev/null
SELECT throws_ok($$UPDATE crm.stage_changes SET amount = 1$$, '42501', NULL, 'the history is not updated');
SET LOCAL ROLE partition_reader;
SELECT ok((SELECT count(*) > 0 FROM crm.stage_changes), 'a reader reads it');
SELECT ok((SELECT count(*) > 0 FROM crm.deals AS d CROSS JOIN LATERAL crm.stage_changes(d) AS c), 'and embeds it');
RESET ROLE;
-- A partition ahead of time.
SELECT lives_ok($$
    ALTER TABLE crm.stage_changes DETACH PARTITION crm.stage_changes_later;
    CREATE TABLE crm.stage_changes_2999 PARTITION OF crm.stage_changes FOR VALUES FROM ('2999-01-01') TO ('3000-01-01');
    ALTER TABLE crm.stage_changes ATTACH PARTITION crm.stage_changes_later DEFAULT$$, 'one is made ahead of time');
SELECT is_empty($$SELECT * FROM crm_check('crm')$$, 'and the CRM is still what it should be');
SELECT lives_ok($$DROP TABLE crm.stage_changes_later$$, 'an old partition can be dropped');

SELECT * FROM finish();
ROLLBACK;
