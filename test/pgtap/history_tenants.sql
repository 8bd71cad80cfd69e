-- A tenant inserts a deal under the id of another tenant's deal that was
-- deleted: it learns nothing of that one's history, and neither disturbs the
-- other, whatever they do.
BEGIN;
\set tenancy shared
\set owner hist_owner
\ir include/setup.sql
\ir include/roles.sql
SELECT plan(20);
CREATE ROLE hist_app;
SELECT extensions.crm_grant_access('crm', 'hist_app', 'admin') \g /dev/null

-- As a tenant, who owns a pipeline with stages of these names.
CREATE FUNCTION t.be(tenant text) RETURNS void LANGUAGE sql AS $$ SELECT set_config('crm.tenant_id', tenant, true) $$;
CREATE FUNCTION t.outcome_for(tenant text, statement text) RETURNS text LANGUAGE sql AS $$
    SELECT t.be(tenant);
    SELECT split_part(t.as_role('hist_app', statement), E'\n', 1);
$$;
CREATE FUNCTION t.seen_for(tenant text, query text) RETURNS text LANGUAGE sql AS $$
    SELECT t.be(tenant);
    SELECT t.seen_by('hist_app', query);
$$;
CREATE FUNCTION t.move(tenant text, stage text) RETURNS text LANGUAGE sql AS $$
    SELECT t.outcome_for(tenant, format($s$UPDATE crm.deals SET stage_id = %L WHERE id = %L$s$, t.id(tenant || stage), t.id('deal')))
$$;
SELECT outcome_for(who, format($s$INSERT INTO crm.pipelines (id, name, is_default) VALUES (%1$L, 'Sales', true);
        INSERT INTO crm.stages (id, pipeline_id, name, deal_status) VALUES (%2$L, %1$L, 'Lead', 'open'), (%3$L, %1$L, 'Demo', 'open'), (%4$L, %1$L, 'Won', 'won')$s$,
    id(who), id(who || 'Lead'), id(who || 'Demo'), id(who || 'Won')))
FROM unnest('{acme,mallory,other}'::text[]) AS who \g /dev/null
CREATE FUNCTION t.insert(tenant text) RETURNS text LANGUAGE sql AS $$
    SELECT t.outcome_for(tenant, format($s$INSERT INTO crm.deals (id, title) VALUES (%L, 'x')$s$, t.id('deal')))
$$;

-- Acme's deal: four moves, one of them taken back, then gone.
SELECT is(insert('acme'), 'ok', 'acme inserts a deal');
SELECT is(string_agg(move('acme', stage), ','), 'ok,ok,ok', 'which moves') FROM unnest('{Demo,Lead,Won}'::text[]) AS stage;
SELECT is(outcome_for('acme', format('SELECT crm.undo_move(%L)', id('deal'))), 'ok', 'one move is taken back');
SELECT is(insert('mallory'), '23505', 'an id that exists is refused, as documented');
SELECT is(outcome_for('acme', format('DELETE FROM crm.deals WHERE id = %L', id('deal'))), 'ok', 'it is deleted');

-- What mallory is told of a deal under that id is what a new id's would be.
CREATE FUNCTION t.everything(tenant text) RETURNS text LANGUAGE sql AS $$
    SELECT t.seen_for(tenant, format($s$SELECT d.move_no, d.version, d.status, (SELECT count(*) FROM crm.stage_changes),
        (SELECT string_agg(c.change, ' ' ORDER BY c.version) FROM crm.deal_changes AS c),
        (SELECT count(*) FROM crm.stage_visits), jsonb_array_length(crm.context_for_deal(d.id) -> 'last_changes')
        FROM crm.deals AS d WHERE d.id = %L$s$, t.id('deal')))
$$;
SELECT is(insert('mallory'), 'ok', 'mallory takes its id');
SELECT is(everything('mallory'), '0|1|open|0|created|1|0', 'and is told of a new deal');
SELECT is(outcome_for('mallory', format('SELECT crm.undo_move(%L)', id('deal'))), 'PT409', 'that has no move to take back');
SELECT is(string_agg(move('mallory', stage), ','), 'ok,ok', 'it moves') FROM unnest('{Demo,Won}'::text[]) AS stage;
SELECT is(outcome_for('mallory', format($s$UPDATE crm.deals SET status = 'open' WHERE id = %L$s$, id('deal'))), 'ok', 'and is reopened');
SELECT is(everything('mallory'), '3|4|open|3|created|4|3', 'by its own history');
SELECT is(seen_by('hist_owner', format('SELECT tenant_id = %L, string_agg(move_no::text, '' '' ORDER BY move_no) FROM crm.stage_changes GROUP BY 1 ORDER BY 1',
    extensions.crm_external_uuid('tenant', 'acme'))), E'f|1 2 3\nt|1 2 3 4', 'the two are numbered apart');
SELECT is(seen_by('hist_owner', format('SELECT count(*) FROM crm.deals AS d, crm.stage_changes(d) AS c WHERE d.id = %L', id('deal'))), '3',
    'also for the owner, who sees both');

-- As far as a tenant can go: the largest number.
SELECT outcome_for('mallory', format('UPDATE crm.deals SET move_no = 2147483647 WHERE id = %L', id('deal'))) \g /dev/null
SELECT is(outcome_for('mallory', format('DELETE FROM crm.deals WHERE id = %L', id('deal'))), 'ok', 'mallory''s deal goes');

-- Acme's comes back.
SELECT is(insert('acme'), 'ok', 'acme restores the deal');
SELECT is(everything('acme'), '4|7|open|4|created deleted recreated|1|4', 'with its history, numbered on, but the visits of a new deal');
SELECT is(move('acme', 'Demo'), 'ok', 'it moves');
SELECT is(seen_for('acme', 'SELECT max(move_no), count(*) FROM crm.stage_changes'), '5|5', 'and is numbered on');
-- A third tenant, after all of it.
SELECT is(outcome_for('acme', format('DELETE FROM crm.deals WHERE id = %L', id('deal'))), 'ok', 'deleted again');
SELECT is(insert('other') || everything('other'), 'ok0|1|open|0|created|1|0', 'a third tenant is told of a new deal');

SELECT * FROM finish();
ROLLBACK;
