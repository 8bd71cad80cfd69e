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
SELECT is(array_to_string((string_to_array(told('2024-01-10'), E'\n'))[:2], E'\n'), E'restored was restored\ndeleted was deleted from Lead, 100 USD [Lead > ]', 'deleted and restored');
DELETE FROM deals;
INSERT INTO deals (id, stage_id, title) SELECT id, stage_id, title FROM t.kept;
SELECT is(array_to_string((string_to_array(told('2024-01-10'), E'\n'))[:2], E'\n'), E'recreated was created again in Lead [ > Lead]\ndeleted was deleted from Lead, 200 USD [Lead > ]', 'and inserted without an amount');

SELECT is(error_of(format('SELECT * FROM changes_since(''2024-01-01'', after_cursor => %L)', c)), format(E'22023\nafter_cursor must not be "%s"\nIt is the last next_cursor of the page before.', left(c, 40)), c)
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

-- A currency without an amount is not told.
INSERT INTO deals (id, stage_id, title, currency, created_at) VALUES (id('unknown'), id('Lead'), 'Unknown', 'GBP', '2024-07-01');
SET LOCAL crm.effective_at = '2024-07-02';
UPDATE deals SET currency = 'USD' WHERE id = id('unknown');
UPDATE deals SET stage_id = id('Won') WHERE id = id('unknown');
SET LOCAL crm.effective_at = '2024-07-03';
UPDATE deals SET amount = 1191.5 WHERE id = id('unknown');
UPDATE deals SET currency = 'GBP' WHERE id = id('unknown');
UPDATE deals SET amount = NULL WHERE id = id('unknown');
SET LOCAL crm.effective_at = '';
CREATE FUNCTION t.told_of(title text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s [%s > %s]', c.summary, c.old_value, c.new_value), E'\n' ORDER BY c.n)
    FROM crm.changes_since('2024-06-10') WITH ORDINALITY AS c (at, change, deal, title, summary, old_value, new_value, h, i, j, k, l, next_cursor, n)
    WHERE c.title = told_of.title
$$;
SELECT is(told_of('Unknown'), E'"Unknown" changed its amount from 1191.5 GBP to none [1191.5 GBP > ]\n'
    '"Unknown" changed its amount from 1191.5 USD to 1191.5 GBP [1191.5 USD > 1191.5 GBP]\n"Unknown" changed its amount from none to 1191.5 USD [ > 1191.5 USD]\n'
    '"Unknown" was won [Lead > Won]\n"Unknown" was created in Lead [ > Lead]', 'a currency without an amount');

-- Of a deleted deal what the history has.
DELETE FROM deals;
SELECT is((SELECT array_agg(format('%s %s [%s] %s %s %s %s', c.title, c.summary, c.old_value, c.deal_amount, c.deal_currency, c.deal_pipeline_id = id('Sales'), c.deal_owner_id) ORDER BY c.n)
        FROM changes_since('2024-06-10') WITH ORDINALITY AS c (at, change, deal, title, summary, old_value, new_value, deal_amount, deal_currency, deal_pipeline_id, deal_owner_id, changed_by, next_cursor, n)
        WHERE c.deal = id('unknown') AND (c.change IN ('deleted', 'created'))),
    ARRAY[' A deal was deleted from Won [Won]  GBP t ', ' A deal was created in Lead []  GBP t '], 'a deal that was deleted');
INSERT INTO deals (id, stage_id, title, amount, owner_id) VALUES (id('gone'), id('Lead'), 'Gone', 70, id('cid'));
DELETE FROM deals;
SELECT is((SELECT array_agg(format('%s [%s] %s %s %s', c.summary, c.old_value, c.deal_amount, c.deal_currency, c.deal_owner_id = id('cid')) ORDER BY c.n)
        FROM changes_since('2024-06-10') WITH ORDINALITY AS c (at, change, deal, title, summary, old_value, new_value, deal_amount, deal_currency, deal_pipeline_id, deal_owner_id, changed_by, next_cursor, n)
        WHERE c.deal = id('gone')),
    ARRAY['A deal was deleted from Lead, 70 USD [Lead] 70 USD t', 'A deal was created in Lead, 70 USD [] 70 USD t'], 'with amount and owner');

-- One line, whatever the texts.
INSERT INTO deals (id, stage_id, title) VALUES (id('lines'), id('Lead'), E'Two\n\tlines  and ' || repeat('é ', 100));
UPDATE deals SET stage_id = id('Lost'), lost_reason = E'\r\n too ' || repeat('x', 9000) WHERE id = id('lines');
SELECT is(summary, '"Two lines and' || repeat(' é', 43) || '…" was lost in Lead: too ' || repeat('x', 195) || '…', 'long texts of several lines')
FROM changes_since('2024-06-10') WHERE deal_id = id('lines') AND change = 'lost';
SELECT is(extensions.crm_one_line(v, n), said, said) FROM (VALUES ('', 5, ''), (E' \n ', 5, ''), (E'\u2028a\u00a0\u0085b\u2003', 5, 'a b'), ('abcde', 5, 'abcde'), ('abcdef', 5, 'abcd…'),
    ('abc def', 5, 'abc…'), ('abcd ', 4, 'abcd'), ('abcd e', 4, 'abc…'), ('👩‍🚀👩‍🚀', 6, '👩‍🚀👩‍🚀'), ('abcd', -1, 'ab…')) AS v (v, n, said);

-- What is written with a move into another pipeline is told of both.
INSERT INTO deals (id, stage_id, title, amount, created_at) VALUES (id('over'), id('Lead'), 'Goes over', 1, '2024-08-01');
UPDATE deals SET stage_id = id('Due'), amount = 2, expected_close_date = '2030-01-01' WHERE id = id('over');
CREATE FUNCTION t.kinds(pipeline text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(c.change, ' ' ORDER BY c.change)
    FROM crm.changes_since('2024-06-10', t.id(pipeline)) WITH ORDINALITY AS c (at, change, deal, title, summary, old_value, new_value, h, i, j, k, l, next_cursor, n)
    WHERE c.deal = t.id('over')
$$;
SELECT is(kinds('Sales'), 'amount close_date created moved', 'in the pipeline that it left');
SELECT is(kinds('Renewals'), 'amount close_date moved', 'and in that which it entered');
UPDATE deals SET amount = 3 WHERE id = id('over');
SELECT is(kinds('Sales') || ', ' || kinds('Renewals'), 'amount close_date created moved, amount amount close_date moved', 'each further one once');
SELECT undo_move(id('over')) \g /dev/null
SELECT is(kinds('Sales') || ', ' || kinds('Renewals'), 'amount close_date created, amount', 'a move that was taken back is told of neither');

-- A period of which rows are missing is refused.
SELECT extensions.crm_trim_history('crm', '2024-07-03') \g /dev/null
SELECT is(error_of($$SELECT changes_since('2024-07-01')$$),
    E'PT410\nthe history is incomplete until 2024-07-02 00:00:00.000000+00:00\nRows of it were deleted.\nAsk for the changes since a later moment.', 'a trimmed period');
SELECT alike(error_of(format('SELECT changes_since(''-infinity'', %L)', id('Renewals'))), 'PT410%', 'of each pipeline');
SELECT isnt_empty($$SELECT FROM changes_since('2024-07-03')$$, 'what came after it');
SELECT isnt_empty($$SELECT FROM changes_since('2024-07-03', id('Sales'))$$, 'of a pipeline');
SELECT * FROM finish();
ROLLBACK;
