-- The history follows the deals that a user sees, whatever the tenancy: run by
-- history_policies_single.sql and history_policies_shared.sql, after
-- include/setup.sql and include/roles.sql.
SELECT plan(CASE :'tenancy' WHEN 'shared' THEN 74 ELSE 72 END);
SET LOCAL crm.tenant_id = '11111111-1111-4111-8111-111111111111';

-- Anna and Bob each have deals; the boss sees everything by BYPASSRLS, the
-- auditor is told the history by a policy.
CREATE ROLE hist_anna;
CREATE ROLE hist_bob;
CREATE ROLE hist_auditor;
CREATE ROLE hist_boss BYPASSRLS;
SELECT extensions.crm_grant_access('crm', r, 'write') FROM unnest('{hist_anna,hist_bob,hist_boss,hist_auditor}'::text[]) AS r \g /dev/null
SELECT t.make_pipelines() \g /dev/null
INSERT INTO crm.deals (id, title, amount, owner_id, expected_close_date, created_at, stage_entered_at)
SELECT t.id(format('%s %s', who, n)), format('%s %s', who, n), n, t.id(who), '2024-01-31', '2024-01-01', '2024-01-01'
FROM unnest('{hist_anna,hist_bob}'::text[]) AS who, generate_series(1, 6) AS n;
SET LOCAL crm.effective_at = '2024-01-11';
UPDATE crm.deals SET stage_id = t.id('Qualified') WHERE title ~ '[12345]';
SET LOCAL crm.effective_at = '2024-01-21';
UPDATE crm.deals SET stage_id = t.id('Won') WHERE title ~ '[12]';
SET LOCAL crm.effective_at = '';
UPDATE crm.deals SET expected_close_date = '2024-03-15' WHERE title ~ '[345]';
DELETE FROM crm.deals WHERE title ~ '5';

-- Of which deals a user sees history, by title; a deleted one is "gone".
CREATE FUNCTION t.told(relation text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT string_agg(DISTINCT n.title, '','' ORDER BY n.title) FROM %s AS r
        JOIN (SELECT t.id(format(''%%s %%s'', who, n)) AS id, CASE n WHEN 5 THEN ''gone'' ELSE split_part(who, ''_'', 2) END AS title
            FROM unnest(''{hist_anna,hist_bob}''::text[]) AS who, generate_series(1, 6) AS n) AS n ON n.id = r.deal_id', relation)
    INTO result;
    RETURN coalesce(result, 'nothing');
END $$;
CREATE FUNCTION t.told_to(who name, relation text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    result := t.told(relation);
    RESET ROLE;
    RETURN result;
END $$;
CREATE TABLE t.relations (name text);
INSERT INTO t.relations VALUES ('crm.stage_changes'), ('crm.deal_changes'), ('crm.stage_visits'), ('crm.deal_pushes'), ('crm.move_facts');

-- Without policies of one's own.
SELECT is(told_to('hist_anna', name), 'anna,bob,gone', name || ': all of it, as long as deals are not hidden') FROM t.relations;

-- With one.
SET LOCAL ROLE :"owner";
ALTER TABLE crm.deals ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_their_owner ON crm.deals AS RESTRICTIVE USING (current_user = 'hist_clerk' OR owner_id = md5(current_user)::uuid);
SELECT format('CREATE POLICY everybody ON crm.deals USING (true)') WHERE :'tenancy' = 'single' \gexec
RESET ROLE;
SELECT is(told_to('hist_anna', name), 'anna', name || ': Anna''s') FROM t.relations;
SELECT is(told_to('hist_bob', name), 'bob', name || ': Bob''s') FROM t.relations;
SELECT is(told_to('hist_boss', name), 'anna,bob,gone', name || ': who bypasses row security') FROM t.relations;
SELECT is(told_to(:'owner', name), 'anna,bob,gone', name || ': the owner') FROM t.relations;
SELECT is(told_to('hist_auditor', name), 'nothing', name || ': who sees no deal') FROM t.relations;

-- Reports on the history.
CREATE FUNCTION t.reported(who name, report text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', who);
    EXECUTE format('SELECT string_agg(r::text, E''\n'') FROM %s AS r', report) INTO result;
    RESET ROLE;
    RETURN coalesce(result, 'nothing');
END $$;
-- What Anna is told is what the boss is told of her deals.
SELECT is(reported('hist_anna', format('crm.%s(%L)', name, t.id('Sales'))),
    reported('hist_boss', format('crm.%s(%L, owner_id => %L)', name, t.id('Sales'), t.id('hist_anna'))), name || ': as for the deals of an owner')
FROM unnest('{time_in_stage,funnel,stage_conversion,win_rate,sales_cycle,sales_velocity,slippage,lost_reasons,stage_flow}'::text[]) AS name;
SELECT isnt(reported('hist_anna', format('crm.funnel(%L)', t.id('Sales'))), reported('hist_boss', format('crm.funnel(%L)', t.id('Sales'))), 'which is not all');
SELECT is(reported(who, format('(SELECT s ->> ''total_deals'' FROM crm.pipeline_summary_as_of(%L, at => ''2024-01-15'') AS s)', t.id('Sales'))),
    expected, who || ': the summary of a moment of the past')
FROM (VALUES ('hist_anna', '(5)'), ('hist_boss', '(12)')) AS v (who, expected);
SELECT is(reported('hist_anna', format('(SELECT count(*) FROM crm.pipeline_waterfall(%L, ''2023-12-31'', ''2024-02-01'') WHERE true)', t.id('Sales'))) IS NULL, false, 'a waterfall');
SELECT is(reported('hist_anna', format('(SELECT jsonb_array_length(crm.context_for_deal(%L) -> ''last_changes''))', t.id('hist_anna 1'))), '(2)', 'a deal''s own');

-- Whoever is to see the history of deals that they do not see, or that are
-- deleted, is told so by a policy.
SET LOCAL ROLE :"owner";
CREATE POLICY audit ON crm.stage_changes FOR SELECT TO hist_auditor USING (tenant_id = (SELECT tenant_id FROM crm.pipelines LIMIT 1));
RESET ROLE;
SELECT is(told_to('hist_auditor', 'crm.stage_changes'), 'anna,bob,gone', 'an auditor''s policy');
SELECT is(told_to('hist_auditor', 'crm.deal_changes'), 'nothing', 'is of that table');

-- Nor does a deal that takes the id of a deleted one show what that was.
SET LOCAL ROLE hist_anna;
SELECT throws_ok(format('INSERT INTO crm.deals (id, title, owner_id) VALUES (%L, ''again'', %L)', t.id('hist_bob 5'), t.id('hist_anna')),
    '42501', format('deal %s was deleted, and you cannot bring it back', t.id('hist_bob 5')), 'a deleted deal is not brought back');
SELECT lives_ok(format('INSERT INTO crm.deals (id, title, owner_id) VALUES (%L, ''new'', %L)', t.id('new'), t.id('hist_anna')), 'an id that was never used');
RESET ROLE;
-- Whatever way she tries, what she reads then is what she read before.
SELECT matches(as_role('hist_anna', format(way, t.id('hist_bob 5'), t.id('hist_anna'), t.id('hist_anna 1'))), '^(42501|23514|PT404)', 'refused: ' || way)
FROM unnest(ARRAY['INSERT INTO crm.deals (id, title, owner_id) VALUES (%1$L, ''again'', %2$L) ON CONFLICT (id) DO UPDATE SET title = ''again''',
    'INSERT INTO crm.deals (id, title, owner_id) VALUES (%1$L, ''again'', %2$L) ON CONFLICT DO NOTHING',
    'SET LOCAL crm.restoring = on; INSERT INTO crm.deals (id, title, owner_id) VALUES (%1$L, ''again'', %2$L)',
    'MERGE INTO crm.deals AS d USING (SELECT 1) AS s ON d.id = %1$L WHEN NOT MATCHED THEN INSERT (id, title, owner_id) VALUES (%1$L, ''again'', %2$L)',
    'UPDATE crm.deals SET id = %1$L WHERE id = %3$L', 'SELECT crm.merge_deals(%1$L, %3$L)', 'SELECT crm.undo_move(%1$L)']) AS way;
SELECT is(told_to('hist_anna', name), 'anna', name || ': she reads nothing of the deleted deal') FROM t.relations;
SELECT is(reported('hist_anna', format('(SELECT count(*) FROM crm.changes_since(''-infinity'', max_rows => 1000) WHERE deal_id = %L)', t.id('hist_bob 5'))), '(0)', 'nor by changes_since');
SELECT matches(as_role('hist_anna', format('SELECT * FROM crm.deal_history(%L)', t.id('hist_bob 5'))), '^PT404', 'nor by deal_history');
-- Nor does another tenant, who may take the id.
SELECT set_config('crm.tenant_id', '22222222-2222-4222-8222-222222222222', true) WHERE :'tenancy' = 'shared' \g /dev/null
INSERT INTO crm.pipelines (id, name, is_default) SELECT t.id('other'), 'Other', true WHERE :'tenancy' = 'shared';
INSERT INTO crm.stages (pipeline_id, name) SELECT t.id('other'), 'Lead' WHERE :'tenancy' = 'shared';
SELECT is(as_role('hist_anna', format('INSERT INTO crm.deals (id, title, owner_id) VALUES (%L, ''again'', %L)', t.id('hist_bob 5'), t.id('hist_anna'))), 'ok', 'another tenant takes the id')
WHERE :'tenancy' = 'shared';
SELECT is(reported('hist_anna', format('(SELECT (SELECT count(*) FROM crm.stage_changes), (SELECT string_agg(change, '','') FROM crm.deal_changes),
        (SELECT count(*) FROM crm.stage_visits), (SELECT count(*) FROM crm.deal_pushes), (SELECT count(*) FROM crm.move_facts), (SELECT count(*) FROM crm.deal_history(%L)))', t.id('hist_bob 5'))),
    '(0,created,1,0,0,1)', 'and reads the history of a new deal') WHERE :'tenancy' = 'shared';
DELETE FROM crm.deals WHERE id = t.id('hist_bob 5') AND title = 'again';
SET LOCAL crm.tenant_id = '11111111-1111-4111-8111-111111111111';
SET LOCAL ROLE hist_boss;
SELECT lives_ok(format('INSERT INTO crm.deals (id, title) VALUES (%L, ''again''); DELETE FROM crm.deals WHERE title = ''again'' ', t.id('hist_bob 5')), 'but by someone who sees all deals');
RESET ROLE;

-- Where history is missing, she is told so: what is left would be added up to wrong figures.
CREATE TABLE t.periods (report text);
INSERT INTO t.periods SELECT format(r, t.id('Sales')) FROM unnest('{"pipeline_summary_as_of(%L, ''2024-01-05'')","pipeline_trend(%L, ''2024-01-05'')",
    "pipeline_waterfall(%L, ''2024-01-05'')","changes_since(''2024-01-05'', %L)"}'::text[]) AS r;
SELECT is(as_role('hist_anna', 'SELECT crm.' || report), 'ok', 'whole: ' || report) FROM t.periods;
SAVEPOINT whole;
SET LOCAL ROLE :"owner";
SELECT extensions.crm_trim_history('crm', '2024-01-15') \g /dev/null
RESET ROLE;
SELECT alike(as_role('hist_anna', 'SELECT crm.' || report), 'PT410%', 'trimmed: ' || report) FROM t.periods;
ROLLBACK TO whole;

-- Rights to write the history are no way round it.
SET LOCAL ROLE :"owner";
GRANT DELETE ON crm.stage_changes, crm.deal_changes TO hist_anna;
RESET ROLE;
SET LOCAL ROLE hist_anna;
DELETE FROM crm.stage_changes;
DELETE FROM crm.deal_changes;
RESET ROLE;
SELECT is(t.told('crm.stage_changes'), 'bob,gone', 'nor a way to remove that of others');

SELECT * FROM finish();
ROLLBACK;
