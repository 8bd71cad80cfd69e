-- Many tenants in the same tables: two honest ones, acme and globex, and
-- mallory, who knows the ids of the others' rows.  All are the same role, apart
-- by the claims of their requests.
BEGIN;
\set tenancy shared
\set owner crm_owner
\ir include/setup.sql
\ir include/roles.sql
SELECT plan(112);

CREATE ROLE crm_app;
GRANT USAGE ON SCHEMA crm TO crm_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA crm TO crm_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO crm_app;

CREATE FUNCTION t.claim(claims text, tenant_setting text DEFAULT '') RETURNS void LANGUAGE sql AS $$
    SELECT set_config('request.jwt.claims', claims, true), set_config('crm.tenant_id', tenant_setting, true)
$$;
CREATE FUNCTION t.tenant(name text) RETURNS uuid LANGUAGE sql
AS $$ SELECT extensions.crm_external_uuid('tenant', name) $$;

-- As a tenant: what as_role(), outcome() and seen_by() give.
CREATE FUNCTION t.as_tenant(tenant text, statement text) RETURNS text LANGUAGE sql AS $$
    SELECT t.claim(json_build_object('sub', tenant, 'tenant_id', tenant)::text);
    SELECT t.as_role('crm_app', statement);
$$;
CREATE FUNCTION t.outcome_for(tenant text, statement text) RETURNS text LANGUAGE sql AS $$
    SELECT t.claim(json_build_object('sub', tenant, 'tenant_id', tenant)::text);
    SELECT t.outcome('crm_app', statement);
$$;
CREATE FUNCTION t.seen_for(tenant text, query text) RETURNS text LANGUAGE sql AS $$
    SELECT t.claim(json_build_object('sub', tenant, 'tenant_id', tenant)::text);
    SELECT t.seen_by('crm_app', query);
$$;

-- The same rows for each, with ids made of the tenant's name and the row's.
CREATE FUNCTION t.populate(tenant text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT as_tenant(tenant, format($s$INSERT INTO crm.pipelines (id, name, is_default, external_id)
        VALUES (%L, 'Sales', true, 'p1')$s$, id(tenant || ' Sales')));
    RETURN NEXT as_tenant(tenant, format($s$INSERT INTO crm.stages (id, pipeline_id, name, deal_status, external_id) VALUES
        (%1$L, %2$L, 'Lead', 'open', 's1'), (%3$L, %2$L, 'Won', 'won', 's2'),
        (%4$L, %2$L, 'Lost', 'lost', 's3'), (%5$L, %2$L, 'Lost too', 'lost', 's4')$s$,
        id(tenant || ' Lead'), id(tenant || ' Sales'), id(tenant || ' Won'), id(tenant || ' Lost'), id(tenant || ' Lost too')));
    RETURN NEXT as_tenant(tenant, format($s$INSERT INTO crm.deals (id, title, amount, external_id) VALUES (%L, %L, 100, 'd1')$s$,
        id(tenant || ' deal'), tenant || ' deal'));
    RETURN NEXT as_tenant(tenant, format($s$UPDATE crm.deals SET status = 'won' WHERE id = %L$s$, id(tenant || ' deal')));
    RETURN NEXT as_tenant(tenant, format($s$INSERT INTO crm.tags (id, name) VALUES (%L, 'hot')$s$, id(tenant || ' hot')));
    RETURN NEXT as_tenant(tenant, format($s$INSERT INTO crm.deal_tags (deal_id, tag_id) VALUES (%L, %L)$s$,
        id(tenant || ' deal'), id(tenant || ' hot')));
    RETURN NEXT as_tenant(tenant, format($s$INSERT INTO crm.deal_contacts (deal_id, contact_id) VALUES (%L, %L)$s$,
        id(tenant || ' deal'), id('the same person')));
END $$;

SELECT is(string_agg(r, E'\n'), repeat(E'ok\n', 6) || 'ok', 'acme has a CRM') FROM populate('acme') AS r;
SELECT is(string_agg(r, E'\n'), repeat(E'ok\n', 6) || 'ok', 'globex has one with the same names and external ids') FROM populate('globex') AS r;
SELECT is(string_agg(r, E'\n'), repeat(E'ok\n', 6) || 'ok', 'so has mallory') FROM populate('mallory') AS r;

-- Each sees its own.
SELECT is(seen_for('acme', format('SELECT count(*), count(DISTINCT tenant_id), bool_and(tenant_id = %L) FROM crm.%I', tenant('acme'), tab)),
    n || '|1|t', 'acme sees its own ' || tab)
FROM (VALUES ('pipelines', 1), ('stages', 4), ('deals', 1), ('stage_changes', 1), ('deal_changes', 1), ('deal_contacts', 1), ('tags', 1), ('deal_tags', 1)) AS v (tab, n);
SELECT is(seen_for('acme', 'SELECT changed_by, recorded_by FROM crm.stage_changes'), 'acme|' || session_user, 'and who made the change');
SELECT is(seen_for('acme', 'SELECT DISTINCT pipeline_name FROM crm.pipeline_stage_summary'), 'Sales', 'a view shows its own');
SELECT is(seen_for('acme', $$SELECT deals FROM crm.pipeline_stage_summary$$), '1', 'and counts its own');

-- No tenant: an error, in reading and in writing, never the nil tenant.
SELECT t.claim('') \g /dev/null
SELECT is(outcome('crm_app', 'SELECT count(*) FROM crm.deals'), '42501', 'no claims, no setting: no reading');
SELECT is(outcome('crm_app', $$INSERT INTO crm.pipelines (name) VALUES ('x')$$), '42501', 'nor writing');
SELECT is(outcome('crm_app', format($$INSERT INTO crm.pipelines (tenant_id, name) VALUES (%L, 'x')$$, tenant('acme'))), '42501',
    'nor naming a tenant oneself');
SELECT t.claim('{"sub": "x"}') \g /dev/null
SELECT is(outcome('crm_app', 'SELECT count(*) FROM crm.deals'), '42501', 'claims without a tenant: no reading');
SELECT is(outcome('crm_app', 'DELETE FROM crm.deals'), '42501', 'nor deleting');
SELECT t.claim('{"sub": "x"}', 'acme') \g /dev/null
SELECT is(outcome('crm_app', 'SELECT count(*) FROM crm.deals'), '42501', 'and the setting does not count beside claims');
SELECT t.claim('{"tenant_id": "00000000-0000-0000-0000-000000000000"}') \g /dev/null
SELECT is(outcome('crm_app', 'SELECT count(*) FROM crm.deals'), '42501', 'the nil tenant is none');
SELECT t.claim('', 'acme') \g /dev/null
SELECT is(seen_by('crm_app', 'SELECT title FROM crm.deals'), 'acme deal', 'without claims the setting names the tenant');
SELECT t.claim('', '') \g /dev/null
SELECT t.claim('{"tenant_id": "' || tenant('acme') || '"}') \g /dev/null
SELECT is(seen_by('crm_app', 'SELECT title FROM crm.deals'), 'nothing', 'a tenant with a name is not claimed by its uuid');
SELECT t.claim('', tenant('acme')::text) \g /dev/null
SELECT is(seen_by('crm_app', 'SELECT title FROM crm.deals'), 'nothing', 'nor by the setting');

-- The owner and superusers are above row security, and need no tenant; but
-- a row has one.
SELECT t.claim('') \g /dev/null
SELECT is(seen_by('crm_owner', 'SELECT count(*) FROM crm.deals'), '3', 'the owner sees all');
SELECT is(outcome('crm_owner', $$INSERT INTO crm.pipelines (name) VALUES ('x')$$), '42501', 'a row without a tenant is refused even the owner');
SELECT is(outcome('crm_owner', format($$INSERT INTO crm.pipelines (tenant_id, name) VALUES (%L, 'x')$$, tenant('acme'))), 'ok',
    'who may name one');
SELECT is(outcome('crm_owner', format($$INSERT INTO crm.deals (tenant_id, title) VALUES (%L, 'x')$$, tenant('acme'))), 'ok',
    'and the tenant''s default pipeline is meant');
SELECT is(outcome('crm_owner', format($$UPDATE crm.deals SET status = 'lost', stage_id = %L WHERE id = %L$$, id('acme Lost'), id('acme deal'))),
    'ok', 'and moves deals of any');
SELECT is(outcome('crm_owner', format($$UPDATE crm.deals SET stage_id = %L WHERE id = %L$$, id('globex Lost'), id('acme deal'))),
    '23503', 'but not to another tenant''s stage');
SELECT is(split_part(as_role('crm_owner', format($$UPDATE crm.deals SET tenant_id = %L WHERE id = %L$$, tenant('globex'), id('acme deal'))),
    E'\n', 2), 'column "tenant_id" of table "deals" never changes', 'nor to another tenant');

-- Other tenants' rows cannot be seen, updated, deleted.
SELECT is(seen_for('mallory', format('SELECT * FROM crm.%I WHERE tenant_id <> %L', tab, tenant('mallory'))), 'nothing', 'hidden: ' || tab)
FROM unnest('{pipelines,stages,deals,stage_changes,deal_changes,deal_contacts,tags,deal_tags}'::text[]) AS tab;
SELECT is(as_tenant('mallory', format('UPDATE crm.deals SET title = ''x'' WHERE id = %L', id('acme deal'))), 'ok', 'an update of a foreign row');
SELECT is(as_tenant('mallory', format('DELETE FROM crm.pipelines WHERE id <> %L', id('mallory Sales'))), 'ok', 'and a deletion of foreign rows');
SELECT results_eq('SELECT count(*), count(*) FILTER (WHERE title = ''x'') FROM deals', 'VALUES (3::bigint, 0::bigint)', 'concern none');
SELECT is(as_tenant('mallory', format('SELECT crm.undo_move(%L)', id('acme deal'))),
    format(E'PT404\ndeal %s does not exist\nUse the id of a deal that you may read.', id('acme deal')), 'undo_move: no such deal');
SELECT is(as_tenant('mallory', format('SELECT crm.move_deal(%L, %L)', id('acme deal'), id('acme Lead'))),
    format(E'PT404\ndeal %s does not exist\nUse the id of a deal that you may read.', id('acme deal')), 'move_deal: no such deal');
SELECT is(as_tenant('mallory', format('SELECT crm.pipeline_summary(%L)', id('acme Sales'))),
    format(E'PT404\npipeline %s does not exist\nUse the id of a pipeline that you may read.', id('acme Sales')), 'pipeline_summary: no such pipeline');
SELECT is(split_part(as_tenant('mallory', format('SELECT crm.%s', call)), E'\n', 1), 'PT404', call)
FROM unnest(ARRAY[format('set_default_pipeline(%L)', id('acme Sales')), format('reorder_stages(%L, ''{}'')', id('acme Sales')),
    format('delete_stage(%L)', id('acme Lost')), format('apply_stage_probability(%L)', id('acme Lost')),
    format('set_primary_contact(%L, %L)', id('acme deal'), id('the same person'))]) AS call;
SELECT is(seen_for('mallory', format($$SELECT jsonb_array_length(crm.context_for_person(%L) -> 'deals')$$, id('the same person'))),
    '1', 'context_for_person: only mallory''s deal');

-- A reference to a foreign row fails as one to a missing row does.
CREATE FUNCTION t.same_failure(statement text, what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    foreign_row text := as_tenant('mallory', replace(statement, 'victim', 'acme'));
    missing text := as_tenant('mallory', replace(statement, 'victim', 'nobody'));
BEGIN
    foreign_row := regexp_replace(foreign_row, '[0-9a-f]{8}-[0-9a-f-]{27}', 'some id', 'g');
    missing := regexp_replace(missing, '[0-9a-f]{8}-[0-9a-f-]{27}', 'some id', 'g');
    IF foreign_row = 'ok' THEN
        RETURN fail(what);
    END IF;
    RETURN is(foreign_row, missing, what);
END $$;
SELECT same_failure($$INSERT INTO crm.stages (pipeline_id, name) VALUES (t.id('victim Sales'), 'x')$$, 'a stage in a foreign pipeline');
SELECT same_failure($$INSERT INTO crm.stages (pipeline_id, name, position) VALUES (t.id('victim Sales'), 'Lead', 1)$$, 'with a name and position taken there');
SELECT same_failure($$INSERT INTO crm.deals (title, pipeline_id) VALUES ('x', t.id('victim Sales'))$$, 'a deal in a foreign pipeline');
SELECT same_failure($$INSERT INTO crm.deals (title, stage_id) VALUES ('x', t.id('victim Lead'))$$, 'a deal in a foreign stage');
SELECT same_failure($$UPDATE crm.deals SET stage_id = t.id('victim Lead')$$, 'a move to a foreign stage');
SELECT same_failure($$UPDATE crm.deals SET pipeline_id = t.id('victim Sales')$$, 'a move to a foreign pipeline');
SELECT same_failure($$UPDATE crm.deals SET stage_id = t.id('victim Lead'), pipeline_id = t.id('victim Sales')$$, 'both');
SELECT same_failure($$SELECT crm.move_deal(t.id('mallory deal'), t.id('victim Lead'))$$, 'move_deal to a foreign stage');
SELECT same_failure($$SELECT crm.move_deal(t.id('mallory deal'), t.id('mallory Lead'), expected_stage_id => t.id('victim Lead'))$$, 'move_deal that expects a foreign stage');
SELECT same_failure($$SELECT crm.delete_stage(t.id('mallory Won'), t.id('victim Lead'))$$, 'delete_stage with deals to a foreign stage');
SELECT same_failure($$SELECT crm.reorder_stages(t.id('mallory Sales'), ARRAY[t.id('victim Lead')])$$, 'reorder_stages with a foreign stage');
SELECT same_failure($$INSERT INTO crm.deal_contacts (deal_id, contact_id) VALUES (t.id('victim deal'), t.id('the same person'))$$, 'a contact of a foreign deal');
SELECT same_failure($$UPDATE crm.deal_contacts SET deal_id = t.id('victim deal')$$, 'a contact moved to a foreign deal');
SELECT same_failure($$INSERT INTO crm.deal_tags (deal_id, tag_id) VALUES (t.id('victim deal'), t.id('mallory hot'))$$, 'a tag on a foreign deal');
SELECT same_failure($$INSERT INTO crm.deal_tags (deal_id, tag_id) VALUES (t.id('mallory deal'), t.id('victim hot'))$$, 'a foreign tag');

-- A row given to another tenant is refused, and tells nothing of that tenant:
-- whether it is there, has a default pipeline, stages of a status, archived ones.
SELECT same_failure(statement, 'forged: ' || left(statement, 60)) FROM unnest(ARRAY[
    $$INSERT INTO crm.pipelines (tenant_id, name) VALUES (t.tenant('victim'), 'Sales')$$,
    $$INSERT INTO crm.pipelines (tenant_id, name, is_default) VALUES (t.tenant('victim'), 'x', true)$$,
    $$INSERT INTO crm.pipelines (tenant_id, name, external_id) VALUES (t.tenant('victim'), 'x', 'p1')$$,
    $$INSERT INTO crm.stages (tenant_id, pipeline_id, name) VALUES (t.tenant('victim'), t.id('victim Sales'), 'Lead')$$,
    $$INSERT INTO crm.deals (tenant_id, title) VALUES (t.tenant('victim'), 'x')$$,
    $$INSERT INTO crm.deals (tenant_id, title, status) VALUES (t.tenant('victim'), 'x', 'won')$$,
    $$INSERT INTO crm.deals (tenant_id, title, status) VALUES (t.tenant('victim'), 'x', 'lost')$$,
    $$INSERT INTO crm.deals (tenant_id, title, pipeline_id, stage_id) VALUES (t.tenant('victim'), 'x', t.id('mallory Sales'), t.id('victim Lead'))$$,
    $$INSERT INTO crm.deals (tenant_id, title, external_id) VALUES (t.tenant('victim'), 'x', 'd1')$$,
    $$INSERT INTO crm.deal_contacts (tenant_id, deal_id, contact_id) VALUES (t.tenant('victim'), t.id('victim deal'), t.id('x'))$$,
    $$INSERT INTO crm.deal_contacts (tenant_id, deal_id, contact_id) VALUES (t.tenant('victim'), t.id('victim deal'), t.id('the same person'))$$,
    $$INSERT INTO crm.tags (tenant_id, name) VALUES (t.tenant('victim'), 'hot')$$,
    $$INSERT INTO crm.deal_tags (tenant_id, deal_id, tag_id) VALUES (t.tenant('victim'), t.id('victim deal'), t.id('victim hot'))$$,
    $$INSERT INTO crm.stage_changes SELECT gen_random_uuid(), t.tenant('victim'), t.id('victim deal'), from_pipeline_id, from_stage_id,
        to_pipeline_id, to_stage_id, entered_at, changed_at, recorded_at, move_no FROM crm.stage_changes$$
    ]) AS statement;
SELECT is(as_tenant('mallory', format($$INSERT INTO crm.deals (tenant_id, title) VALUES (%L, 'x')$$, tenant('acme'))),
    E'42501\nnew row violates row-level security policy for table "deals"', 'it is row security that refuses it');
SELECT is(as_tenant('mallory', format($$INSERT INTO crm.deals (tenant_id, title, id) VALUES (%L, 'x', %L)$$, tenant('mallory'), id('named'))),
    'ok', 'naming one''s own tenant is fine');

-- Upserts: a conflict with a foreign row reads and changes nothing.
SELECT is(outcome_for('mallory', format($$INSERT INTO crm.deals (id, title) VALUES (%L, 'x') ON CONFLICT (id) DO UPDATE SET title = deals.title || 'x'$$,
    id('acme deal'))), '42501', 'an upsert on a foreign id');
SELECT is(as_tenant('mallory', format($$INSERT INTO crm.deals (title, external_id) VALUES ('upserted', 'd1') ON CONFLICT (tenant_id, external_id)
    DO UPDATE SET title = excluded.title$$)), 'ok', 'an upsert by external id');
SELECT results_eq($$SELECT title FROM deals WHERE external_id = 'd1' ORDER BY 1$$, $$VALUES ('acme deal'), ('globex deal'), ('upserted')$$,
    'means the tenant''s own row');

-- A row of one's own cannot be sent to another tenant.
SELECT is(outcome_for('mallory', format('UPDATE crm.%I SET tenant_id = %L', tab, tenant('acme'))), '23514', 'not to be given away: ' || tab)
FROM unnest('{pipelines,stages,deals,deal_contacts,tags,deal_tags}'::text[]) AS tab;

-- History of a deleted deal is no history of another tenant's deal that takes
-- its id: there is nothing to undo, no stage to return to.
SELECT is(as_tenant('acme', format('DELETE FROM crm.deals WHERE id = %L', id('acme deal'))), 'ok', 'acme deletes its deal');
SELECT is(as_tenant('mallory', format($$INSERT INTO crm.deals (id, title, status) VALUES (%L, 'x', 'won')$$, id('acme deal'))), 'ok',
    'mallory takes its id');
SELECT is(split_part(as_tenant('mallory', format('SELECT crm.undo_move(%L)', id('acme deal'))), E'\n', 1), 'PT409', 'there is nothing to undo');
SELECT is(outcome_for('mallory', format('UPDATE crm.deals SET status = ''open'' WHERE id = %L', id('acme deal'))), '23514', 'and nothing to return to');

SELECT is(string_agg(change, ' ' ORDER BY recorded_at), 'created deleted created', 'a new deal, not one that came back') FROM deal_changes WHERE deal_id = id('acme deal');
SELECT is(seen_for('mallory', format('SELECT change FROM crm.deal_changes WHERE deal_id = %L', id('acme deal'))), 'created', 'whose past is hidden');

-- Policies of the user's: rows that they hide are not named either.
CREATE POLICY no_secrets ON crm.pipelines AS RESTRICTIVE FOR SELECT USING (name <> 'Sales');
SELECT alike(as_tenant('globex', $$INSERT INTO crm.deals (title, status) VALUES ('x', 'lost')$$),
    format(E'23514\npipeline %s has several stages%%', id('globex Sales')), 'a hidden pipeline is not named');
SELECT alike(as_tenant('globex', $$INSERT INTO crm.pipelines (name, is_default) VALUES ('x', true)$$),
    format(E'23505\nthere is a default pipeline already\nIt is %s.%%', id('globex Sales')), 'nor is it as the default');
DROP POLICY no_secrets ON crm.pipelines;
CREATE POLICY nothing_big ON crm.deals AS RESTRICTIVE FOR SELECT USING (amount < 50);
SELECT alike(as_tenant('globex', format('DELETE FROM crm.stages WHERE id = %L', id('globex Won'))),
    E'23503\n%\nThere are deals in it.\n%', 'hidden deals are not named');
SELECT is(as_tenant('globex', format('SELECT crm.undo_move(%L)', id('globex deal'))),
    format(E'PT404\ndeal %s does not exist\nUse the id of a deal that you may read.', id('globex deal')), 'and not undone');
DROP POLICY nothing_big ON crm.deals;
CREATE POLICY support ON crm.deals TO crm_app USING (true);
CREATE POLICY support ON crm.pipelines FOR SELECT TO crm_app USING (true);
SELECT is(outcome_for('support', format($$INSERT INTO crm.deals (tenant_id, title) VALUES (%L, 'x')$$, tenant('acme'))), 'ok',
    'a policy may let a role write for all tenants');
DROP POLICY support ON crm.deals;
DROP POLICY support ON crm.pipelines;
CREATE POLICY hide_history ON crm.stage_changes AS RESTRICTIVE USING (false);
SELECT is(as_tenant('globex', format('UPDATE crm.deals SET stage_id = %L', id('globex Lost'))), 'ok', 'moves are recorded past policies on history');
SELECT is(as_tenant('globex', format('SELECT crm.undo_move(%L)', id('globex deal'))), 'ok', 'and undone');
SELECT is(seen_for('globex', 'SELECT * FROM crm.stage_changes'), 'nothing', 'while the tenant sees none of it');
DROP POLICY hide_history ON crm.stage_changes;

-- With FORCE ROW LEVEL SECURITY the owner is like everybody else, but what the
-- triggers do as the owner still works.
ALTER TABLE crm.pipelines FORCE ROW LEVEL SECURITY;
ALTER TABLE crm.stages FORCE ROW LEVEL SECURITY;
ALTER TABLE crm.deals FORCE ROW LEVEL SECURITY;
ALTER TABLE crm.stage_changes FORCE ROW LEVEL SECURITY;
ALTER TABLE crm.deal_changes FORCE ROW LEVEL SECURITY;
SELECT is(as_tenant('globex', format('UPDATE crm.deals SET stage_id = %L', id('globex Lost'))), 'ok', 'FORCE: a move');
SELECT is(as_tenant('globex', 'SELECT crm.undo_move(id) FROM crm.deals'), 'ok', 'FORCE: undo');
SELECT is(as_tenant('globex', 'UPDATE crm.deals SET amount = 1'), 'ok', 'FORCE: a change');
SELECT is(outcome_for('globex', format('DELETE FROM crm.stages WHERE id = %L', id('globex Won'))), '23503', 'FORCE: a stage in use');
SELECT is(as_tenant('globex', format('INSERT INTO crm.stages (pipeline_id, name) VALUES (%L, ''x'')', id('globex Sales'))), 'ok', 'FORCE: a stage at the end');
SELECT t.claim('') \g /dev/null
SELECT is(outcome('crm_owner', 'SELECT FROM crm.deals'), '42501', 'FORCE: the owner needs a tenant, too');
SELECT is(count(*), 4::bigint, 'a superuser does not') FROM crm.deals WHERE tenant_id <> tenant('acme');

SELECT * FROM finish();
ROLLBACK;
