-- Changes of values, contacts, tags, owners: what an import writes is what the same
-- writes, made at their times, would have recorded.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
SELECT extensions.crm_prepare_import('imp') \g /dev/null
SET LOCAL client_min_messages = warning;
SET LOCAL crm.actor = 'ann';

-- By hand.
SET LOCAL crm.effective_at = '2024-01-02';
INSERT INTO deals (id, title, stage_id, amount, currency, created_at) VALUES (t.id('a'), 'A', t.id('Lead'), 100, 'EUR', '2024-01-02');
SET LOCAL crm.effective_at = '2024-01-03';
UPDATE deals SET amount = 150 WHERE id = t.id('a');
SET LOCAL crm.effective_at = '2024-01-04';
UPDATE deals SET stage_id = t.id('Qualified'), amount = 200 WHERE id = t.id('a');
SET LOCAL crm.effective_at = '2024-01-05';
UPDATE deals SET probability = 0.6, expected_close_date = '2024-03-01' WHERE id = t.id('a');
SET LOCAL crm.effective_at = '2024-01-06';
UPDATE deals SET stage_id = t.id('Won') WHERE id = t.id('a');
SET LOCAL crm.effective_at = '2024-01-07';
UPDATE deals SET title = 'B' WHERE id = t.id('a');
SET LOCAL crm.effective_at = '';

INSERT INTO imp.deals (external_id, title, pipeline, stage, amount, currency, created_at, created_by, expected_close_date, contacts, tags, owner, metadata)
VALUES ('b', 'B', 'sales', 'WON', '200', 'eur', '2024-01-02', 'ann', '2024-03-01', '{c1,c2,c1}', '{hot,HOT," big "}', NULL, '{"k": 1}');
INSERT INTO imp.moves (external_id, from_stage, to_stage, at, actor) VALUES ('b', 'Lead', 'Qualified', '2024-01-04', 'ann'), ('b', 'Qualified', 'Won', '2024-01-06', 'ann');
INSERT INTO imp.value_changes (external_id, field, old_value, new_value, at, actor) VALUES
    ('b', 'amount', '150.00', '200', '2024-01-04', 'ann'), ('b', 'amount', '100', '150', '2024-01-03', 'ann'),
    ('b', 'probability', '0.5', '0.6', '2024-01-05', 'ann'), ('b', 'expected_close_date', NULL, '2024-03-01', '2024-01-05', 'ann'),
    ('b', 'title', 'A', 'B', '2024-01-07', 'ann');
SELECT lives_ok($$SELECT extensions.crm_import('crm', 'test', 'imp')$$, 'the same as an import');
SELECT is_empty('TABLE imp.rejects', 'nothing is rejected');

CREATE FUNCTION t.without(r jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT r - '{id,deal_id,recorded_at,external_id,updated_at,metadata}'::text[]
$$;
SELECT bag_eq($$SELECT t.without(to_jsonb(c)) FROM stage_changes AS c JOIN deals AS d ON d.id = c.deal_id WHERE d.external_id = 'b'$$,
    $$SELECT t.without(to_jsonb(c)) FROM stage_changes AS c WHERE c.deal_id = t.id('a')$$, 'the moves are those of the writes');
-- The rules give the probability of the stage that the deal enters, the log says it itself.
SELECT bag_eq($$SELECT t.without(to_jsonb(c)) FROM deal_changes AS c JOIN deals AS d ON d.id = c.deal_id WHERE d.external_id = 'b'$$,
    $$SELECT t.without(to_jsonb(c)) FROM deal_changes AS c WHERE c.deal_id = t.id('a')$$, 'so are the changes of values');
SELECT is((SELECT t.without(to_jsonb(d)) FROM deals AS d WHERE d.external_id = 'b'), (SELECT t.without(to_jsonb(d)) FROM deals AS d WHERE d.id = t.id('a')), 'and the deal');

SELECT results_eq($$SELECT c.contact_id, c.is_primary FROM deal_contacts AS c ORDER BY c.is_primary DESC$$,
    $$VALUES (extensions.crm_external_uuid('test/contact', 'c1'), true), (extensions.crm_external_uuid('test/contact', 'c2'), false)$$, 'contacts, the first one the primary');
SELECT set_eq($$SELECT lower(g.name) FROM deal_tags AS x JOIN tags AS g ON g.id = x.tag_id$$, ARRAY['hot', 'big'], 'tags, each once');
SELECT is((SELECT metadata FROM deals WHERE external_id = 'b'), '{"k": 1}'::jsonb, 'what else there is');
SELECT is((SELECT pipeline_summary_as_of(t.id('Sales'), '2024-01-03 12:00') #>> '{open,total_value}')::numeric, 300.0, 'the past has both deals');
SELECT is_empty($$SELECT * FROM extensions.crm_check_totals('crm')$$, 'the totals are right');

-- Owners and currencies by the mapping, values that end elsewhere, archived.
INSERT INTO imp.mapping (kind, value, target) VALUES ('owner', 'Ann', '11111111-1111-4111-8111-111111111111'), ('currency', '€', 'EUR'), ('pipeline', 'Vertrieb', 'Sales'),
    ('stage', 'Neu', 'Lead'), ('status', 'gewonnen', 'won');
SELECT extensions.crm_prepare_import('imp') \g /dev/null
INSERT INTO imp.deals (external_id, title, pipeline, stage, status, amount, owner, organization, created_at, closed_at, archived_at)
VALUES ('c', 'C', 'Vertrieb', 'Neu', 'gewonnen', '1.234,5 €', 'Ann', 'Org', '02.01.2024', '03.01.2024', '04.01.2024'), ('d', 'D', 'Vertrieb', 'Neu', '', '5', 'Bob', '', '02.01.2024', '', '');
INSERT INTO imp.value_changes (external_id, field, old_value, new_value, at) VALUES ('d', 'amount', '3', '4', '05.01.2024'), ('d', 'owner', 'Ann', 'Bob', '05.01.2024');
SELECT lives_ok($$SELECT extensions.crm_import('crm', 'test', 'imp', '1.234,56', 'dmy', 'Europe/Berlin', 'USD')$$, 'other formats');
SELECT is_empty('TABLE imp.rejects', 'nothing is rejected');
SELECT results_eq($$SELECT status, amount, currency, owner_id::text, organization_id, won_at, archived_at FROM deals WHERE external_id = 'c'$$,
    $$VALUES ('won', 1234.5, 'EUR', '11111111-1111-4111-8111-111111111111', extensions.crm_external_uuid('test/organization', 'Org'), timestamptz '2024-01-02 23:00+00', timestamptz '2024-01-03 23:00+00')$$, 'mapped values');
SELECT results_eq($$SELECT c.change, c.old_amount, c.new_amount, c.old_owner_id::text, c.new_owner_id, c.new_currency FROM deal_changes AS c JOIN deals AS d ON d.id = c.deal_id WHERE d.external_id = 'd' ORDER BY c.version$$,
    $$VALUES ('created', NULL, 3.0, NULL, '11111111-1111-4111-8111-111111111111'::uuid, 'USD'), ('updated', 3.0, 4.0, '11111111-1111-4111-8111-111111111111', extensions.crm_external_uuid('test/owner', 'Bob'), 'USD'),
        ('updated', 4.0, 5.0, extensions.crm_external_uuid('test/owner', 'Bob')::text, extensions.crm_external_uuid('test/owner', 'Bob'), 'USD')$$, 'values that end elsewhere: a change now');

-- Linked owners have to be there.
CREATE TABLE public.people (id uuid PRIMARY KEY, name text);
INSERT INTO public.people VALUES ('11111111-1111-4111-8111-111111111111', 'Ann'), (extensions.crm_external_uuid('test/owner', 'Bob'), 'Bob');
SELECT extensions.crm_link('crm', 'deals.owner_id', 'public.people') \g /dev/null
SELECT extensions.crm_prepare_import('imp') \g /dev/null
INSERT INTO imp.deals (external_id, pipeline, stage, owner, created_at) VALUES ('e', 'Sales', 'Lead', 'Ann', '2024-01-02'), ('f', 'Sales', 'Lead', 'Eve', '2024-01-02');
SELECT lives_ok($$SELECT extensions.crm_import('crm', 'test', 'imp', policies => '{"rejects": "skip"}')$$, 'owners of a linked table');
SELECT results_eq('SELECT external_id, column_name, value FROM imp.rejects', $$VALUES ('f', 'owner', 'Eve')$$, 'one who is not there is told');

SELECT * FROM finish();
ROLLBACK;
