-- Erasing deals, tenants, actors and what is old; and what reports then say.
BEGIN;
\set tenancy shared
\ir include/setup.sql
SELECT plan(45);
SET LOCAL crm.tenant_id = 'a';
SELECT create_pipeline('Sales', '["Lead", "Demo", {"name": "Won", "deal_status": "won"}]', is_default => true) \g /dev/null
SELECT (SELECT p.id FROM pipelines AS p) AS p, (SELECT p.tenant_id FROM pipelines AS p) AS tenant \gset
CREATE FUNCTION t.stage(name text) RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT s.id FROM crm.stages AS s WHERE s.name = stage.name AND s.tenant_id = extensions.crm_current_tenant()
$$;
CREATE FUNCTION t.deal(name text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, stage_id, amount, created_at, external_id) VALUES (t.id(name), name, t.stage('Lead'), 100, '2024-01-01', name);
    UPDATE crm.deals SET stage_id = t.stage('Demo'), stage_entered_at = '2024-02-01' WHERE id = t.id(name);
    UPDATE crm.deals SET stage_id = t.stage('Won'), won_at = '2024-03-01', amount = 90 WHERE id = t.id(name);
    UPDATE crm.deals SET won_at = '2024-03-05' WHERE id = t.id(name);
$$;
-- How often a text is somewhere in the CRM.
CREATE FUNCTION t.traces(what text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found bigint := 0;
    n bigint;
    name text;
BEGIN
    FOR name IN SELECT c.oid::regclass FROM pg_class AS c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind = 'r' LOOP
        EXECUTE format('SELECT count(*) FROM %s AS r WHERE to_jsonb(r)::text LIKE $1', name) INTO n USING '%' || what || '%';
        found := found + n;
    END LOOP;
    RETURN found;
END $$;
CREATE FUNCTION t.won(at timestamptz) RETURNS text LANGUAGE sql AS $$
    SELECT crm.pipeline_summary_as_of((SELECT p.id FROM crm.pipelines AS p WHERE p.tenant_id = extensions.crm_current_tenant()), at) #>> '{won,total_value}'
$$;
SET LOCAL crm.actor = 'ann "the" \ closer';
SELECT deal('a'), deal('b') \g /dev/null
SET LOCAL crm.actor = 'bob';
SELECT deal('c') \g /dev/null
INSERT INTO tags (id, name) VALUES (id('tag'), 'hot');
INSERT INTO deal_tags (deal_id, tag_id) VALUES (id('c'), id('tag'));
INSERT INTO deal_contacts (deal_id, contact_id) VALUES (id('c'), id('person'));

-- A deal.
SELECT ok(traces(id('c')::text) > 5, 'there is much of a deal');
SELECT results_eq($$SELECT table_name, deleted FROM extensions.crm_purge_deal('crm', id('c')) ORDER BY table_name COLLATE "C"$$,
    $$VALUES ('deal_changes', 4::bigint), ('deal_contacts', 1), ('deal_tags', 1), ('deals', 1), ('stage_changes', 2)$$, 'purged, and counted');
SELECT is(traces(id('c')::text), 0::bigint, 'nothing is left');
SELECT is(t.won('2024-03-10'), '180', 'nor in the past');
SELECT is(pipeline_summary(:'p') ->> 'total_value', '180', 'nor in the totals');
SELECT is_empty($$SELECT * FROM extensions.crm_check_totals('crm')$$, 'which are right');
SELECT alike(error_of($$SELECT extensions.crm_purge_deal('crm', id('c'))$$), E'PT404\n%', 'not twice');
SELECT deal('d') \g /dev/null
DELETE FROM deals WHERE id = id('d');
SELECT is((SELECT sum(deleted) FROM extensions.crm_purge_deal('crm', id('d'))), 6::numeric, 'a deleted one');
SELECT is(traces(id('d')::text), 0::bigint, 'leaves nothing either');
SELECT is(t.won('2024-03-10'), '180', 'nor a gap');

-- An actor.
SELECT results_eq($$SELECT table_name, changed FROM extensions.crm_forget_actor('crm', E'ann "the" \\ closer') ORDER BY 1$$,
    $$VALUES ('deal_changes', 6::bigint), ('stage_changes', 4)$$, 'an actor is forgotten');
SELECT is(traces('ann'), 0::bigint, 'everywhere');
SELECT is((SELECT count(DISTINCT changed_by) FROM stage_changes), 1::bigint, 'by one pseudonym');
SELECT alike((SELECT min(changed_by) FROM stage_changes), 'forgotten-%', 'which can be told');
SELECT is((SELECT sum(changed) FROM extensions.crm_forget_actor('crm', 'nobody')), 0::numeric, 'nobody');
SELECT throws_ok($$UPDATE stage_changes SET changed_by = 'bob'$$, '42501', NULL, 'nobody becomes somebody else');
SELECT throws_ok($$UPDATE deal_changes SET changed_by = 'forgotten-00000000-0000-4000-8000-000000000000', superseded = '{}' WHERE change = 'corrected'$$,
    '42501', NULL, 'nor is what was kept lost on the way');
SELECT alike(error_of($$UPDATE stage_changes SET amount = 1$$), '42501%crm_forget_actor()%crm_purge_deal()%', 'the refusal says where to go');

-- What is old.
SELECT is(t.won('2024-03-10'), '180', 'before');
SELECT is(pipeline_summary_as_of(:'p', '2024-02-15') #>> '{open,total_value}', '200', 'the past as it was');
SAVEPOINT whole;
SELECT results_eq($$SELECT table_name, deleted FROM extensions.crm_trim_history('crm', '2024-02-10') ORDER BY 1$$,
    $$VALUES ('deal_changes', 2::bigint), ('stage_changes', 2)$$, 'trimmed');
SELECT is((SELECT count(*) FROM deal_changes WHERE change = 'erased'), 1::bigint, 'a row tells it');
SELECT is(pipeline_summary_as_of(:'p', '2024-02-15') #>> '{open,total_value}', '200', 'what remains is as before');
SELECT is((SELECT value FROM pipeline_waterfall(:'p', '2024-02-15') WHERE bar = 'opening'), 200::numeric, 'in the waterfall, too');
SELECT is(pipeline_summary(:'p') ->> 'total_value', '180', 'the totals stay');
SELECT alike(error_of(format('SELECT pipeline_summary_as_of(%L, %L)', :'p', '2024-01-15')), E'PT410\nthe history is incomplete until 2024-02-01%', 'before that there is no answer');
SELECT alike(error_of(format('SELECT pipeline_waterfall(%L, %L)', :'p', '2024-01-15')), E'PT410\n%', 'nor a waterfall');
SELECT extensions.crm_trim_history('crm', '2024-04-01') \g /dev/null
SELECT is((SELECT array_agg(changed_at) FROM deal_changes WHERE change = 'erased'), '{2024-03-05}', 'again, later');
SELECT is((SELECT count(*) FROM stage_changes), 0::bigint, 'all moves are gone');
SELECT alike(error_of($$SELECT correct_move(id('a'), '2024-03-01')$$), E'PT409\n%The history does not have it%', 'nor can they be corrected');
SELECT alike(error_of($$SELECT extensions.crm_trim_history('crm', now() + interval '1 day')$$), '22023%', 'not the future');
ROLLBACK TO whole;

-- Rows deleted by hand.
DELETE FROM stage_changes WHERE deal_id = id('a') AND move_no = 1;
SELECT is((SELECT (deal_id = id('a'), changed_at)::text FROM deal_changes WHERE change = 'erased'), '(t,"2024-02-01 00:00:00+00")', 'a gap is recorded');
SELECT alike(error_of(format('SELECT pipeline_summary_as_of(%L, %L)', :'p', '2024-01-15')), E'PT410\n%', 'and told');
SELECT is(t.won('2024-03-10'), '180', 'what came after it is right');
DELETE FROM deal_changes WHERE changed_by = extensions.crm_current_actor() AND change IN ('erased', 'corrected');
SELECT is((SELECT (count(*) = 1, bool_and(deal_id = id('a')), max(changed_at))::text FROM deal_changes WHERE change = 'erased'),
    '(t,t,"2024-02-01 00:00:00+00")', 'the row that records it is made again, if it is deleted');
SET LOCAL crm.restoring = on;
DELETE FROM deal_changes WHERE change = 'erased';
SET LOCAL crm.restoring = off;
SELECT is_empty($$SELECT FROM deal_changes WHERE change = 'erased'$$, 'but by who puts the history back');
DELETE FROM deal_changes WHERE deal_id = id('b');
DELETE FROM stage_changes WHERE deal_id = id('b');
SELECT is((SELECT count(*) FROM deal_changes WHERE change = 'erased'), 1::bigint, 'a gap that is recorded is not recorded again');
DELETE FROM deals WHERE id = id('b');
SELECT extensions.crm_purge_deal('crm', id('b')) \g /dev/null
SELECT is(traces(id('b')::text), 0::bigint, 'goes with the deal');
ROLLBACK TO whole;
TRUNCATE stage_changes;
SELECT alike(error_of(format('SELECT pipeline_summary_as_of(%L, %L)', :'p', '2024-03-10')), E'PT410\n%', 'TRUNCATE leaves a gap');
TRUNCATE deal_changes;
SELECT alike(error_of(format('SELECT pipeline_summary_as_of(%L, %L)', :'p', '2024-03-10')), E'PT410\n%', 'of either table');
SELECT is((SELECT (count(*), bool_and(tenant_id = :'tenant'))::text FROM deal_changes WHERE change = 'erased'), '(1,t)', 'recorded once, for the tenant');
SELECT extensions.crm_purge_tenant('crm', :'tenant') \g /dev/null
SELECT is(traces(:'tenant'), 0::bigint, 'and gone with it');
ROLLBACK TO whole;

-- A tenant.
SET LOCAL crm.tenant_id = 'b';
SELECT create_pipeline('Sales', '["Lead", "Demo", {"name": "Won", "deal_status": "won"}]', is_default => true) \g /dev/null
SELECT deal('e') \g /dev/null
SELECT extensions.crm_purge_tenant('crm', :'tenant') \g /dev/null
SELECT is(traces(:'tenant'), 0::bigint, 'of a tenant nothing is left');
SELECT is(t.won('2024-03-10'), '90', 'the other one has all');
SELECT is_empty($$SELECT * FROM extensions.crm_check_totals('crm')$$, 'and totals that are right');
SELECT * FROM finish();
ROLLBACK;
