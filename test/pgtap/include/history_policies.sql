-- The history follows the deals that a user sees, whatever the tenancy: run by
-- history_policies_single.sql and history_policies_shared.sql, after
-- include/setup.sql and include/roles.sql.
SELECT plan(50);
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
SET LOCAL ROLE hist_boss;
SELECT lives_ok(format('INSERT INTO crm.deals (id, title) VALUES (%L, ''again''); DELETE FROM crm.deals WHERE title = ''again'' ', t.id('hist_bob 5')), 'but by someone who sees all deals');
RESET ROLE;

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
