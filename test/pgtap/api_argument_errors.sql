-- What a function of a CRM says of a wrong argument: which one it is, and what is right.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
INSERT INTO deals (id, title, amount) VALUES (id('A'), 'A', 100), (id('B'), 'B', 100);
INSERT INTO deal_contacts (deal_id, contact_id) VALUES (id('A'), id('Ann'));
INSERT INTO exchange_rates (base, quote, rate, valid_from) VALUES ('EUR', 'USD', 1.1, '2020-01-01');

-- Values that arguments without a default can have.
CREATE TABLE t.good (argument text PRIMARY KEY, value text);
INSERT INTO t.good VALUES ('pipeline_id', id('Sales')), ('deal_id', id('A')), ('stage_id', id('Qualified')), ('person_id', id('Ann')), ('contact_id', id('Ann')), ('keep', id('A')), ('merge', id('B')), ('merged', id('B')),
    ('deal', id('A')), ('at', '2024-01-01'), ('from_at', '2024-01-01'), ('changed_at', '2024-01-01'), ('base', 'EUR'), ('quote', 'USD'), ('name', 'New'), ('stage_ids', '{}'), ('history', '[]'), ('reason', 'x');
-- Values of a type of which many cannot be meant.
CREATE TABLE t.odd (type regtype, value text);
INSERT INTO t.odd VALUES ('text', repeat('z', 500)), ('text', ''), ('integer', -1), ('integer', 0), ('integer', 2147483647), ('numeric', -1), ('numeric', 'NaN'), ('numeric', 'Infinity'),
    ('timestamptz', 'infinity'), ('timestamptz', '-infinity'), ('timestamptz', '2999-01-01'), ('timestamptz', '4000-01-01 BC'), ('date', 'infinity'), ('date', '-infinity'), ('date', '4000-01-01 BC'),
    ('uuid', id('nothing')), ('uuid[]', '{NULL}'), ('jsonb', '[1]'), ('jsonb', '{}');
CREATE VIEW t.arguments AS
    SELECT f.name AS function, a.name AS argument, a.type::regtype AS type, a.n > p.pronargs - p.pronargdefaults AS optional, a.n
    FROM extensions.crm_api_functions() AS f
        JOIN pg_proc AS p ON p.proname = f.name AND p.pronamespace = 'crm'::regnamespace
        CROSS JOIN LATERAL unnest(p.proargnames, p.proargtypes::oid[]) WITH ORDINALITY AS a (name, type, n)
    WHERE a.n <= p.pronargs AND f.name <> 'mcp';
SELECT is_empty('SELECT function, argument FROM t.arguments WHERE NOT optional AND argument NOT IN (SELECT argument FROM t.good)', 'all that are needed are known');
SELECT cmp_ok((SELECT count(DISTINCT argument) FROM t.arguments JOIN t.odd USING (type))::integer, '>', 40, 'there are arguments of these types');

-- The error of a call; null if there is none.  Nothing of it stays.
CREATE FUNCTION t.said(function text, arguments text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    said jsonb; state text; message text; hint text;
BEGIN
    EXECUTE format('SELECT count(*) FROM crm.%I(%s)', function, arguments);
    RAISE SQLSTATE 'UNDOI';
EXCEPTION WHEN SQLSTATE 'UNDOI' THEN
    RETURN NULL;
WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN jsonb_build_object('state', state, 'message', message, 'hint', hint);
END $$;
CREATE TABLE t.errors AS
    SELECT o.function, o.argument, v.value,
        t.said(o.function, (SELECT string_agg(format('%I => %s::%s', a.argument, CASE WHEN a.argument = o.argument THEN quote_nullable(v.value) ELSE quote_literal(g.value) END, a.type), ', ')
            FROM t.arguments AS a LEFT JOIN t.good AS g USING (argument)
            WHERE a.function = o.function AND (NOT a.optional OR a.argument = o.argument))) AS said
    FROM t.arguments AS o
        JOIN (SELECT type, value FROM t.odd UNION ALL SELECT DISTINCT type, NULL FROM t.arguments) AS v USING (type)
    WHERE NOT (o.optional AND v.value IS NULL);
DELETE FROM t.errors WHERE said IS NULL;
SELECT cmp_ok((SELECT count(*) FROM t.errors)::integer, '>', 100, 'many are refused');
SELECT is_empty($$SELECT function, argument, left(value, 20), said FROM t.errors WHERE said ->> 'hint' = ''$$, 'a hint says what is right');
-- others are of what the argument was for: a row, a deal's history, a rate, a period
SELECT is_empty($$SELECT e.function, e.argument, left(e.value, 20), e.said FROM t.errors AS e JOIN extensions.crm_api_functions() AS f ON f.name = e.function
    WHERE 'read' = ANY (f.levels) AND e.said ->> 'state' <> 'PT404'
        AND e.said ->> 'message' !~ ('\m' || e.argument || '\M|^deals cannot be grouped by|exchange rate|^the period has more than')$$, 'the message names the argument');
SELECT is_empty($$SELECT function, argument, left(value, 20), said FROM t.errors WHERE length(said ->> 'message') > 200$$, 'and shows no more of the value than its beginning');
SELECT is_empty($$SELECT function, argument, left(value, 20), said FROM t.errors WHERE concat(said ->> 'message', said ->> 'hint') ~ 'crm_|pg_|SPI|trigger|regclass'$$, 'in words of the CRM');
SELECT * FROM finish();
ROLLBACK;
