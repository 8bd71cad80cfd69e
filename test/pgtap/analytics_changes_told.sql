-- What changes_since() says of a change.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
CREATE TABLE t.people (id uuid PRIMARY KEY, name text);
INSERT INTO t.people VALUES (id('ann'), 'Ann'), (id('bob'), 'Bob');
INSERT INTO deals (id, stage_id, title, amount, owner_id, created_at) VALUES (id('x'), id('Lead'), 'Twice lost', 100, id('ann'), '2024-01-01');
SELECT move_deal(id('x'), id('Lost'), '2024-01-02', 'price'), move_deal(id('x'), id('Lead'), '2024-01-03'), move_deal(id('x'), id('Lost'), '2024-01-04', 'timing') \g /dev/null

-- The sentences since then, the newest first, without the title.
CREATE FUNCTION t.told(since timestamptz) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s', c.change, regexp_replace(c.summary, '^("[^"]*"|A deal) ', '')) || CASE WHEN coalesce(c.old_value, c.new_value) IS NULL THEN '' ELSE format(' [%s > %s]', c.old_value, c.new_value) END, E'\n' ORDER BY c.n)
    FROM crm.changes_since(since) WITH ORDINALITY AS c (at, change, deal, title, summary, old_value, new_value, h, i, j, k, l, next_cursor, n)
$$;
SELECT is(told('2024-01-02'), E'lost was lost in Lead, 100 USD: timing [Lead > Lost]\nreopened was reopened in Lead [Lost > Lead]\nlost was lost in Lead, 100 USD: price [Lead > Lost]', 'each loss has its reason');
SELECT move_deal(id('x'), id('Lead'), '2024-01-05') \g /dev/null
SELECT is(told('2024-01-04'), E'reopened was reopened in Lead [Lost > Lead]\nlost was lost in Lead, 100 USD: timing [Lead > Lost]', 'also after it was reopened');
SELECT move_deal(id('x'), id('Lost'), '2024-01-06'), move_deal(id('x'), id('Lead'), '2024-01-07'), move_deal(id('x'), id('Lost'), '2024-01-08', 'no answer'),
    undo_move(id('x')) \g /dev/null
SELECT is(told('2024-01-06'), E'reopened was reopened in Lead [Lost > Lead]\nlost was lost in Lead, 100 USD [Lead > Lost]', 'none, if it was lost without one, or if that was taken back');
SELECT move_deal(id('x'), id('Lost'), '2024-01-09', 'budget') \g /dev/null
UPDATE deals SET stage_id = id('Due'), status = 'auto' WHERE id = id('x');
SELECT is(told('2024-01-09'), E'reopened was reopened in Renewals: Due [Sales: Lost > Renewals: Due]\nlost was lost in Lead, 100 USD: budget [Lead > Lost]', 'another pipeline');
SELECT set_config('crm.effective_at', '', true) \g /dev/null
UPDATE deals SET stage_id = id('Lead') WHERE id = id('x');
SELECT is(split_part(told('2024-01-10'), E'\n', 1), 'moved moved from Renewals: Due to Sales: Lead [Renewals: Due > Sales: Lead]', 'and back');
UPDATE deals SET owner_id = id('bob') WHERE id = id('x');
SELECT is(split_part(told('2024-01-10'), E'\n', 1), format('owner changed its owner from %1$s to %2$s [%1$s > %2$s]', id('ann'), id('bob')), 'owners that are not linked');
SELECT extensions.crm_link('crm', 'deals.owner_id', 't.people') \g /dev/null
SELECT is(split_part(told('2024-01-10'), E'\n', 1), 'owner changed its owner from Ann to Bob [Ann > Bob]', 'and linked');
CREATE TABLE t.kept AS SELECT * FROM deals;
DELETE FROM deals;
UPDATE t.kept SET amount = 200;
INSERT INTO deals SELECT * FROM t.kept;
SELECT is(array_to_string((string_to_array(told('2024-01-10'), E'\n'))[:2], E'\n'), E'restored was restored\ndeleted was deleted', 'deleted and restored');
DELETE FROM deals;
INSERT INTO deals (id, stage_id, title) SELECT id, stage_id, title FROM t.kept;
SELECT is(array_to_string((string_to_array(told('2024-01-10'), E'\n'))[:2], E'\n'), E'restored was restored\ndeleted was deleted', 'and restored without an amount');

SELECT is(error_of(format('SELECT * FROM changes_since(''2024-01-01'', after_cursor => %L)', c)), E'22023\nafter_cursor is not a cursor\nIt is next_cursor of the last row of the page before.', c)
FROM unnest(ARRAY['', '1/2/3', '0/------------------------------------/0', '0/00000000-0000-0000-0000-00000000000x/0', '1234567890123456789/00000000-0000-0000-0000-000000000000/0']) AS c;

-- The owner at the time, whoever has the deal now.
CREATE FUNCTION t.of_owner(since timestamptz, owner text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(c.change, ' ' ORDER BY c.n)
    FROM crm.changes_since(since, owner_id => t.id(owner)) WITH ORDINALITY AS c (at, change, deal, title, summary, old_value, new_value, h, i, j, k, l, next_cursor, n)
$$;
INSERT INTO t.people VALUES (id('cid'), 'Cid'), (id('dan'), 'Dan'), (id('eve'), 'Eve');
SET LOCAL crm.effective_at = '2024-06-01';
INSERT INTO deals (id, stage_id, title, amount, owner_id, created_at) VALUES (id('given'), id('Lead'), 'Given away', 5, id('cid'), '2024-05-31');
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('given');
UPDATE deals SET stage_id = id('Lost'), lost_reason = 'x' WHERE id = id('given');
UPDATE deals SET owner_id = id('dan') WHERE id = id('given');
UPDATE deals SET stage_id = id('Lead') WHERE id = id('given');
UPDATE deals SET stage_id = id('Qualified'), owner_id = id('eve') WHERE id = id('given');
SELECT is(of_owner('2024-05-01', 'cid'), 'owner lost moved created', 'moves and losses of a deal that somebody else has, of the same time');
SELECT is(of_owner('2024-05-01', 'dan'), 'moved owner reopened owner', 'of the owner in between, to whom the last statement is told as well');
SELECT is(of_owner('2024-05-01', 'eve'), 'moved owner reopened owner lost moved created', 'of the present owner all');
SET LOCAL crm.effective_at = '';
DELETE FROM deals WHERE id = id('given');
SELECT is(of_owner('2024-05-01', 'eve'), 'deleted moved owner', 'and of the last owner, if it is deleted');
SELECT is(of_owner('2024-05-01', 'cid'), 'owner lost moved created', 'of the first one as before');
SELECT * FROM finish();
ROLLBACK;
