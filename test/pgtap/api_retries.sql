-- Safe retries: each request of docs/postgrest.md, sent twice, as PostgREST
-- executes it.  The second time changes nothing, and says so.
BEGIN;
\ir include/setup.sql
\ir include/request.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
CREATE ROLE rt_writer;
CREATE ROLE rt_agent;
SELECT extensions.crm_grant_access('crm', 'rt_writer', 'write'), extensions.crm_grant_access('crm', 'rt_agent', 'agent') \g /dev/null
CREATE FUNCTION t.state() RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws('; ', (SELECT count(*) FROM crm.deals), (SELECT count(*) FROM crm.stage_changes), (SELECT count(*) FROM crm.deal_contacts),
        (SELECT count(*) FROM crm.deal_tags), (SELECT string_agg(concat_ws(' ', title, amount, s.name, move_no), ', ' ORDER BY title)
            FROM crm.deals AS d JOIN crm.stages AS s ON s.id = d.stage_id)) $$;
-- Sends a request twice; the two answers.
CREATE FUNCTION t.twice(request text, OUT first jsonb, OUT second jsonb, OUT same boolean) LANGUAGE plpgsql AS $$
DECLARE
    before text;
BEGIN
    EXECUTE 'SELECT ' || request INTO first;
    before := t.state();
    EXECUTE 'SELECT ' || request INTO second;
    same := before = t.state();
END $$;

-- Creating, the id chosen by the client.
SELECT is(jsonb_build_array(first #>> '{0,title}', second, same), '["A", [], true]', 'POST /deals?on_conflict=id, ignore-duplicates')
FROM twice(format($$post('rt_writer', '{}', 'deals', '{"id": "%s", "title": "A", "amount": 100}', 'id', 'ignore-duplicates')$$, id('A')));
SELECT is(jsonb_build_array(first #>> '{0,title}', second #>> '{0,title}', same), '["B", "B", true]', 'POST /deals?on_conflict=id, merge-duplicates')
FROM twice(format($$post('rt_writer', '{}', 'deals', '{"id": "%s", "title": "B", "amount": 100}', 'id')$$, id('B')));
SELECT is(jsonb_build_array(first #>> '{0,title}', second #>> '{code}', second #>> '{status}', same), '["C", "23505", "409", true]', 'POST /deals with an id alone: the second is refused')
FROM twice(format($$post('rt_writer', '{}', 'deals', '{"id": "%s", "title": "C"}')$$, id('C')));
-- By external_id.
SELECT is(jsonb_build_array(jsonb_array_length(first), jsonb_array_length(second), second #>> '{1,title}', same), '[2, 2, "E", true]',
    'POST /deals?on_conflict=tenant_id,external_id, many rows')
FROM twice($$post('rt_writer', '{}', 'deals', '[{"external_id": "d", "title": "D", "amount": 1}, {"external_id": "e", "title": "E", "amount": 2}]', 'tenant_id, external_id')$$);
SELECT is(jsonb_build_array(p #>> '{0,amount}', p #>> '{0,id}' = (SELECT id::text FROM deals WHERE external_id = 'd')), '["5.0000", true]', 'which updates')
FROM post('rt_writer', '{}', 'deals', '[{"external_id": "d", "title": "D", "amount": 5}]', 'tenant_id, external_id') AS p;
-- A row as it was read, with all its columns.
SELECT is(jsonb_build_array(first #>> '{0,title}', second #>> '{0,move_no}', same), '["A", "0", true]', 'every column sent back')
FROM twice(format($$post('rt_writer', '{}', 'deals', %L, 'id')$$, (SELECT to_jsonb(d) FROM deals AS d WHERE title = 'A')));
-- An agent has no UPDATE for an upsert; ignoring duplicates takes none.
SELECT is(jsonb_build_array(first #>> '{0,title}', second, same), '["F", [], true]', 'agent: ignore-duplicates')
FROM twice(format($$post('rt_agent', '{}', 'deals', '{"id": "%s", "title": "F"}', 'id', 'ignore-duplicates')$$, id('F')));
SELECT is(post('rt_agent', '{}', 'deals', jsonb_build_object('id', id('F'), 'title', 'F'), 'id') ->> 'status', '403', 'agent: no merge-duplicates');

-- Links.
SELECT is(jsonb_build_array(jsonb_array_length(first), second, same), '[1, [], true]', 'POST /deal_contacts?on_conflict=deal_id,contact_id')
FROM twice(format($$post('rt_agent', '{}', 'deal_contacts', '{"deal_id": "%s", "contact_id": "%s"}', 'deal_id, contact_id', 'ignore-duplicates')$$, id('A'), id('Ann')));
INSERT INTO tags (id, name) VALUES (id('hot'), 'hot');
SELECT is(jsonb_build_array(jsonb_array_length(first), second, same), '[1, [], true]', 'POST /deal_tags?on_conflict=deal_id,tag_id')
FROM twice(format($$post('rt_agent', '{}', 'deal_tags', '{"deal_id": "%s", "tag_id": "%s"}', 'deal_id, tag_id', 'ignore-duplicates')$$, id('A'), id('hot')));

-- Moves.
SELECT is(jsonb_build_array(first #>> '{0,move_no}', second #>> '{0,move_no}', same), '["1", "1", true]', 'POST /rpc/move_deal: a deal that is there stays')
FROM twice(format($$rpc('rt_agent', '{}', 'move_deal', '{"deal_id": "%s", "stage_id": "%s"}')$$, id('A'), id('Qualified')));
SELECT is(jsonb_build_array(first #>> '{0,move_no}', second ->> 'code', strpos(second ->> 'details', format('It stands in stage "Paused" (%s)', id('Paused'))), same),
    '["2", "PT409", 1, true]', 'with expected_stage_id it is refused, and told that it is there')
FROM twice(format($$rpc('rt_agent', '{}', 'move_deal', '{"deal_id": "%s", "stage_id": "%s", "expected_stage_id": "%s"}')$$, id('A'), id('Paused'), id('Qualified')));
SELECT is(rpc('rt_agent', '{}', 'move_deal', jsonb_build_object('deal_id', id('A'), 'stage_id', id('Won'), 'expected_stage_id', id('Lead'))) ->> 'code',
    'PT409', 'but not from another stage');

-- Edits, of the version that was read.
SELECT is(jsonb_build_array(first #>> '{0,title}', second, same), '["A2", [], true]', 'PATCH /deals?id=eq.&version=eq.: no row the second time')
FROM twice(format($$patch('rt_writer', '{}', 'deals', %L, '{"title": "A2"}')$$, (SELECT format('deals.id = %L AND deals.version = %s', id, version) FROM deals WHERE id = id('A'))));

SELECT * FROM finish();
ROLLBACK;
