-- Merging a deal into another one, and undoing that.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();

INSERT INTO deals (id, title, amount, stage_id, metadata) VALUES
    (id('A'), 'A', 100, id('Lead'), '{"both": "a", "a": 1}'), (id('B'), 'B', 200, id('Lead'), '{"both": "b", "b": {"x": 2}}'),
    (id('C'), 'C', 300, id('Lead'), '{}');
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('B');
INSERT INTO deal_contacts (deal_id, contact_id, role, is_primary, created_at) VALUES
    (id('A'), id('Ann'), 'buyer', true, '2024-01-01'), (id('B'), id('Ann'), 'user', false, '2024-01-01'), (id('B'), id('Ben'), 'boss', true, '2024-01-01');
INSERT INTO tags (id, name) VALUES (id('hot'), 'hot'), (id('big'), 'big');
INSERT INTO deal_tags (deal_id, tag_id, created_at) VALUES (id('A'), id('hot'), '2024-01-01'), (id('B'), id('hot'), '2024-01-01'), (id('B'), id('big'), '2024-01-01');
CREATE FUNCTION t.links(deal text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' | ', (SELECT string_agg(concat_ws(' ', CASE contact_id WHEN t.id('Ann') THEN 'Ann' ELSE 'Ben' END, role, CASE WHEN is_primary THEN 'primary' END), ', ' ORDER BY role)
            FROM crm.deal_contacts WHERE deal_id = t.id(deal)),
        (SELECT string_agg(g.name, ', ' ORDER BY g.name) FROM crm.deal_tags AS dt JOIN crm.tags AS g ON g.id = dt.tag_id WHERE dt.deal_id = t.id(deal)))
$$;

SELECT is((merge_deals(id('A'), id('B'))).id, id('A'), 'the deal that is kept is returned');
SELECT is(links('A'), 'Ben boss, Ann buyer primary | big, hot', 'it has the contacts and tags of both, and its own primary contact');
SELECT is((SELECT metadata FROM deals WHERE id = id('A')), '{"a": 1, "b": {"x": 2}, "both": "a"}', 'and the metadata of both: where both have a member, its own');
SELECT is((SELECT amount FROM deals WHERE id = id('A')), 100::numeric, 'its values stay');
SELECT is((SELECT row(merged_into, archived_at IS NOT NULL, metadata)::text FROM deals WHERE id = id('B')),
    row(id('A'), true, '{"both": "b", "b": {"x": 2}}'::jsonb)::text, 'the other one is archived, points to it, and loses nothing');
SELECT is(links('B'), 'Ben boss primary, Ann user | big, hot', 'neither its contacts nor its tags');
SELECT is((pipeline_summary(id('Sales')) #> '{open,total_value}')::text, '400', 'it counts in no total');
SELECT is((SELECT other FROM deal_changes WHERE deal_id = id('B') AND change = 'archived'),
    jsonb_build_object('merged_into', jsonb_build_object('old', NULL, 'new', id('A'))), 'the history says so');
SELECT results_eq($$SELECT of_deal_id, array_agg(change ORDER BY change) FROM deal_history(id('A')) GROUP BY of_deal_id ORDER BY of_deal_id = id('A') DESC$$,
    $$VALUES (id('A'), ARRAY['created']), (id('B'), ARRAY['created', 'merged', 'moved'])$$, 'the history of the one that is kept has that of both');

SELECT throws_ok($$SELECT merge_deals(id('C'), id('B'))$$, '23514', NULL, 'a merged deal is not merged again');
SELECT throws_ok($$SELECT merge_deals(id('B'), id('C'))$$, '23514', NULL, 'nor does it take another one');
SELECT throws_ok($$SELECT merge_deals(id('C'), id('C'))$$, '22023', NULL, 'nor a deal into itself');
SELECT throws_ok($$SELECT merge_deals(id('C'), id('nothing'))$$, 'PT404', NULL, 'nor one that is not there');
SELECT throws_ok($$SELECT merge_deals(id('C'), NULL)$$, '22004', NULL, 'nor null');

-- Undone, but for what was done since.
INSERT INTO deal_tags (deal_id, tag_id, created_at) SELECT id('C'), id('big'), archived_at FROM deals WHERE id = id('B');
INSERT INTO tags (id, name) VALUES (id('new'), 'new');
INSERT INTO deal_tags (deal_id, tag_id, created_at) VALUES (id('A'), id('new'), '2024-02-02');
SELECT is((unmerge_deals(id('B'))).id, id('B'), 'the deal that was merged is returned');
SELECT is(links('A'), 'Ann buyer primary | hot, new', 'the contacts and tags that came with it go, others stay');
SELECT is(links('B'), 'Ben boss primary, Ann user | big, hot', 'it has what it had');
SELECT is(links('C'), 'big', 'a third one is left alone');
SELECT is((SELECT row(merged_into, archived_at)::text FROM deals WHERE id = id('B')), row(NULL, NULL)::text, 'it is unarchived');
SELECT is((SELECT metadata ? 'b' FROM deals WHERE id = id('A')), true, 'metadata stays, as the COMMENT says');
SELECT is((SELECT count(*) FROM deal_history(id('A')) WHERE of_deal_id <> id('A')), 0::bigint, 'the histories are apart again');
SELECT throws_ok($$SELECT unmerge_deals(id('B'))$$, 'PT409', NULL, 'what is not merged cannot be unmerged');
SELECT throws_ok($$SELECT unmerge_deals(id('nothing'))$$, 'PT404', NULL, 'nor what is not there');
SELECT merge_deals(id('C'), id('B')) \g /dev/null
UPDATE deals SET archived_at = NULL WHERE id = id('B');
SELECT throws_ok($$SELECT unmerge_deals(id('B'))$$, 'PT409', NULL, 'nor what was unarchived since: the links of the other one would not be known');
SELECT lives_ok($$SELECT merge_deals(id('A'), id('B'))$$, 'but it can be merged again');
UPDATE deals SET archived_at = now() WHERE id = id('C');
SELECT throws_ok($$SELECT merge_deals(id('A'), id('C'))$$, '23514', NULL, 'an archived deal is not merged');
SELECT * FROM finish();
ROLLBACK;
