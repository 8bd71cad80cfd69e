-- What clients are told of values that a CHECK or NOT NULL refuses: the value and
-- what is expected, never the failing row.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
INSERT INTO deals (id, title, status) VALUES (id('W'), 'W', 'won');

CREATE TABLE t.faults (n serial, tab text, body jsonb, said text);
INSERT INTO t.faults (tab, body, said) VALUES
    ('deals', '{"title": "x", "currency": "eur"}', E'23514\ncurrency must be a currency code of ISO 4217, not "eur"\nWrite it in capitals: EUR.'),
    ('deals', '{"title": "x", "currency": "BUCKS"}', E'23514\ncurrency must be a currency code of ISO 4217, not "BUCKS"\nUse a code such as EUR.'),
    ('deals', '{"title": "x", "probability": 70}', E'23514\nprobability 70 is not between 0 and 1\nWrite 70 % as 0.7.'),
    ('deals', '{"title": "x", "probability": 1e30}', E'23514\nprobability 1000000000000000000000000000000 is not between 0 and 1\nWrite 70 % as 0.7.'),
    ('deals', '{"title": "x", "amount": 1e15}', E'22003\namount 1000000000000000 is out of range\nAn amount has at most 15 digits before the decimal point and 4 behind it.\nGive a smaller amount, in the currency''s main unit.'),
    ('deals', '{"title": null}', E'23502\ntitle must be given\nGive it a value that is not null.'),
    ('deals', '{"title": "  "}', E'23514\ntitle must not be blank\nGive it a character that is seen.'),
    ('deals', '{"title": "x", "metadata": []}', E'23514\nmetadata must be a JSON object, not an array\nWrite it as {"key": value}.'),
    ('deals', '{"title": "x", "metadata": 1}', E'23514\nmetadata must be a JSON object, not a single value\nWrite it as {"key": value}.'),
    ('deals', '{"title": "x", "value_period": "weekly"}', E'23514\n"weekly" is not a value period\nUse one_time, monthly, quarterly or annual.'),
    ('deals', '{"title": "x", "forecast_category": "closed"}', E'23514\n"closed" is not a forecast category of open deals\nUse pipeline, best_case, commit or omitted.'),
    ('pipelines', '{"name": null}', E'23502\nname must be given\nGive it a value that is not null.'),
    ('pipelines', '{"name": ""}', E'23514\nname must not be blank\nGive it a character that is seen.'),
    ('pipelines', '{"name": "x", "currency": "usd"}', E'23514\ncurrency must be a currency code of ISO 4217, not "usd"\nWrite it in capitals: USD.'),
    ('pipelines', '{"name": "x", "tenant_id": "11111111-1111-4111-8111-111111111111"}', E'23514\ntenant_id cannot be 11111111-1111-4111-8111-111111111111 in a CRM for one tenant\nLeave it out.'),
    ('stages', '{"name": "x"}', E'23502\npipeline_id must be given\nGive it a value that is not null.'),
    ('stages', '{"pipeline_id": "@Sales", "name": "x", "probability": 50}', E'23514\nprobability 50 is not between 0 and 1\nWrite 70 % as 0.7.'),
    ('stages', '{"pipeline_id": "@Sales", "name": "x", "deal_status": "won", "probability": 0.5}', E'23514\nprobability is 1 where the status is won, not 0.5\nLeave it out, or write the status as well.'),
    ('stages', '{"pipeline_id": "@Sales", "name": "x", "deal_status": "won", "forecast_category": "commit"}', E'23514\n"commit" is not a forecast category of a stage for won deals\nUse closed or omitted.'),
    ('stages', '{"pipeline_id": "@Sales", "name": "x", "rotting_days": 0}', E'23514\nrotting_days must be positive, not 0\nNull means never.'),
    ('deals', '{"title": "x", "expected_close_date": "infinity"}', E'23514\nexpected_close_date must be in the years 1900 to 9999\nGive a day or a moment of these years.'),
    ('pipelines', '{"name": "x", "created_at": "1899-12-31"}', E'23514\ncreated_at must be in the years 1900 to 9999\nGive a day or a moment of these years.'),
    ('tags', '{"name": " "}', E'23514\nname must not be blank\nGive it a character that is seen.'),
    ('tags', '{"name": "x", "tenant_id": "11111111-1111-4111-8111-111111111111"}', E'23514\ntenant_id cannot be 11111111-1111-4111-8111-111111111111 in a CRM for one tenant\nLeave it out.'),
    ('exchange_rates', '{"base": "EUR", "quote": "USD", "rate": 1, "tenant_id": "11111111-1111-4111-8111-111111111111"}', E'23514\ntenant_id cannot be 11111111-1111-4111-8111-111111111111 in a CRM for one tenant\nLeave it out.'),
    ('stages', '{"pipeline_id": "@Sales", "name": ""}', E'23514\nname must not be blank\nGive it a character that is seen.'),
    ('stages', '{"pipeline_id": "@Sales", "name": "x", "metadata": []}', E'23514\nmetadata must be a JSON object, not an array\nWrite it as {"key": value}.'),
    ('pipelines', '{"name": "x", "metadata": []}', E'23514\nmetadata must be a JSON object, not an array\nWrite it as {"key": value}.'),
    ('tags', '{"name": null}', E'23502\nname must be given\nGive it a value that is not null.'),
    ('deal_tags', '{"deal_id": "@W"}', E'23502\ntag_id must be given\nGive it a value that is not null.'),
    ('deal_contacts', '{"deal_id": "@W"}', E'23502\ncontact_id must be given\nGive it a value that is not null.'),
    ('deal_contacts', '{"deal_id": "@W", "contact_id": "@Ann", "role": "\t "}', E'23514\nrole must not be blank\nGive it a character that is seen.'),
    ('deal_contacts', '{"deal_id": "@W", "contact_id": "@Ann", "metadata": "x"}', E'23514\nmetadata must be a JSON object, not a single value\nWrite it as {"key": value}.'),
    ('exchange_rates', '{"base": "EUR", "quote": "EUR", "rate": 1}', E'23514\nbase and quote are both EUR\nA currency needs no rate to itself.\nGive two currencies, or leave the row out.'),
    ('exchange_rates', '{"base": "euro", "quote": "USD", "rate": 1}', E'23514\nbase must be a currency code of ISO 4217, not "euro"\nUse a code such as EUR.'),
    ('exchange_rates', '{"base": "EUR", "quote": "USD", "rate": -1}', E'23514\nrate -1 is not a positive number\nIt is the price of one unit of base, in quote.'),
    ('exchange_rates', '{"base": "EUR", "quote": "USD", "rate": "NaN"}', E'23514\nrate NaN is not a positive number\nIt is the price of one unit of base, in quote.'),
    ('exchange_rates', '{"base": "EUR", "quote": "USD", "rate": 1, "valid_from": "infinity"}', E'23514\nvalid_from must be in the years 1900 to 9999\nGive a day or a moment of these years.');
CREATE FUNCTION t.insert_of(tab text, body jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT format('INSERT INTO crm.%I (%s) VALUES (%s)', tab, string_agg(quote_ident(k), ', '),
        string_agg(CASE WHEN v #>> '{}' ~ '^@' THEN quote_literal(t.id(substr(v #>> '{}', 2))) WHEN jsonb_typeof(v) IN ('array', 'object') OR k = 'metadata' THEN quote_literal(v)
            ELSE quote_nullable(v #>> '{}') END, ', '))
    FROM jsonb_each(body) AS e (k, v) $$;
SELECT is(error_of(insert_of(tab, body)), said, tab || ': ' || body) FROM t.faults ORDER BY n;
-- Texts that an index could not take, and the longest that are taken.
SELECT is(error_of(insert_of(tab, to_jsonb(b) || jsonb_build_object(c, v))), said, format('%s: %s bytes of %s', tab, octet_length(v), c))
FROM (SELECT string_agg(md5(i::text), '') AS v FROM generate_series(1, 500) AS i) AS l,
    (VALUES ('pipelines', 'name', '{}'::jsonb), ('stages', 'name', '{"pipeline_id": "@Sales"}'), ('tags', 'name', '{}'), ('pipelines', 'external_id', '{"name": "x"}'),
        ('stages', 'external_id', '{"pipeline_id": "@Sales", "name": "x"}'), ('deals', 'external_id', '{"title": "x"}'), ('deals', 'rank', '{"title": "x"}')) AS f (tab, c, b),
    format(E'22001\n%s is too long\nIt has 16000 bytes, of 2000 at most.\nShorten it.', c) AS said;
-- And texts that would make what shows them too long for PostgreSQL, for everybody.
SELECT is(error_of(insert_of(tab, to_jsonb(b) || jsonb_build_object(c, repeat('x', n + 1)))), format(E'22001\n%s is too long\nIt has %s bytes, of %s at most.\nShorten it.', c, n + 1, n),
    format('%s: %s bytes of %s', tab, n, c))
FROM (VALUES ('deals', 'title', 2000, '{}'::jsonb), ('deals', 'description', 1000000, '{"title": "x"}'), ('deals', 'lost_reason', 10000, '{"title": "x", "stage_id": "@Lost"}'),
        ('pipelines', 'description', 1000000, '{"name": "x"}'), ('tags', 'color', 10000, '{"name": "x"}')) AS f (tab, c, n, b);
SELECT alike(error_of(insert_of(tab, to_jsonb(b) || jsonb_build_object('metadata', jsonb_build_object('a', repeat('x', 1000000))))), E'22001\nmetadata is too long\nIt has 1000% bytes, of 1000000 at most.\nShorten it.', tab || ': metadata')
FROM (VALUES ('deals', '{"title": "x"}'::jsonb), ('stages', '{"pipeline_id": "@Sales", "name": "x"}'), ('pipelines', '{"name": "x"}')) AS f (tab, b);
SELECT lives_ok(format('INSERT INTO deals (title, description, metadata) VALUES (%L, %L, %L)', repeat('x', 2000), repeat('x', 1000000), jsonb_build_object('a', repeat('x', 999000))), 'as much as may be');
SELECT set_config('crm.actor', repeat('ä', 200000), true) \g /dev/null
INSERT INTO deals (id, title) VALUES (id('by an actor'), 'by an actor');
SELECT is(changed_by, repeat('ä', 1000), 'of an actor the beginning is recorded') FROM deal_changes WHERE deal_id = id('by an actor');
SELECT set_config('crm.actor', '', true) \g /dev/null
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('by an actor');
SELECT is(error_of(format('SELECT correct_move(%L, now(), 1, repeat(%L, 10001))', id('by an actor'), 'x')), E'22001\nreason is too long\nIt has 10001 bytes, of 10000 at most.\nShorten it.', 'a reason');
SELECT is(error_of(format('SELECT replace_history(%L, %L, NULL)', id('by an actor'), jsonb_build_array(jsonb_build_object('stage_id', id('Qualified'), 'at', now(), k, repeat('x', 10001))))),
    format(E'22001\n%s of element 1 of history is too long\nIt has 10001 bytes, of 10000 at most.\nShorten it.', k), 'a history with a long ' || k) FROM unnest('{actor,lost_reason}'::text[]) AS k;
SELECT is(error_of(insert_of('tags', jsonb_build_object('name', repeat(U&'\FDFA', 61)))), E'22001\nname is too long\nIt has 2013 bytes, of 2000 at most.\nShorten it.', 'what counts is the key of a name');
SELECT lives_ok(format('INSERT INTO pipelines (name) VALUES (%L)', repeat(U&'\FDFA', 60)), 'a key of less');
SELECT lives_ok(format('INSERT INTO deals (title, external_id, rank) VALUES (''x'', %1$L, %1$L)', left(v, 2000)), '2000 bytes that do not compress')
FROM (SELECT string_agg(md5(i::text), '') AS v FROM generate_series(1, 500) AS i) AS l;
SELECT is(error_of(format('UPDATE deals SET probability = 0.5 WHERE id = %L', id('W'))),
    E'23514\nprobability is 1 where the status is won, not 0.5\nLeave it out, or write the status as well.', 'of a closed deal, by UPDATE');

-- Every CHECK of the tables that clients write has its message; those that the rules of
-- deals and stages keep from being asked are these.  deals_check is several rules, named
-- as constraints: see below.
SELECT is_empty($$SELECT c.conname FROM pg_constraint AS c
    WHERE c.connamespace = 'crm'::regnamespace AND c.contype = 'c' AND c.conrelid::regclass::text <> ALL ('{deal_changes,stage_changes,stage_totals}')
    AND c.conname NOT IN ('deals_status_check', 'stages_deal_status_check', 'deals_check')
    AND c.conname !~ '_times_check$'
    AND NOT EXISTS (SELECT FROM t.faults AS f, jsonb_object_keys(f.body) AS k
        WHERE (c.conrelid = f.tab::regclass OR c.contypid <> 0) AND c.conname = concat_ws('_', f.tab, k, 'check'))$$,
    'no CHECK without a message');
-- What crm_check_deal() refuses, each rule by its name, for a deal that no trigger has seen.
SET LOCAL session_replication_role = replica;
SELECT is(regexp_match(error_of(format('UPDATE deals SET %s WHERE id = %L', fault, id('W'))), '^(\d+)\n.*"(deals_\w+_check)"'), ARRAY['23514', format('deals_%s_check', rule)], 'without triggers: ' || fault)
FROM (VALUES ('amount = ''NaN''', 'amount'), ('amount = 1, currency = NULL', 'amount_currency'), ('currency = ''usd''', 'currency'),
    ('lost_at = now()', 'lost_at'), ('lost_reason = ''price''', 'lost_reason'), ('won_at = NULL', 'won_at'),
    ('probability = 0.5', 'probability'), ('title = '' ''', 'title'), ('status = ''Won''', 'status'), ('value_period = ''weekly''', 'value_period'),
    ('forecast_category = ''closed''', 'forecast_category'), ('metadata = ''[]''', 'metadata'), ('archived_at = ''infinity''', 'times'),
    ('stage_entered_at = ''1899-12-31''', 'times'), ('expected_close_date = ''infinity''', 'times'), ('won_at = ''10000-01-01''', 'times'),
    ('created_at = ''-infinity''', 'times'), ('updated_at = ''infinity''', 'times')) AS v (fault, rule);
SET LOCAL session_replication_role = origin;
-- With the triggers, what a client can do of these has a message of its own.
SELECT is_empty($$SELECT rule FROM unnest('{amount,currency,probability,title}'::text[]) AS rule
    WHERE NOT EXISTS (SELECT FROM t.faults WHERE tab = 'deals' AND split_part(said, E'\n', 2) LIKE rule || ' %' AND said NOT LIKE '% must be given\nGive it a value that is not null.')$$,
    'nor one of the rules of deals that clients can break');

-- The CHECK is the rule: where the user has dropped it, other values are theirs.
SELECT alike(error_of($$INSERT INTO deals (title, forecast_category) VALUES ('x', 'upside')$$), '%is not a forecast category of open deals%', 'the value that is none');
ALTER DOMAIN forecast_category DROP CONSTRAINT deals_forecast_category_check;
SELECT lives_ok($$INSERT INTO deals (title, forecast_category) VALUES ('x', 'upside')$$, 'a CHECK that was dropped asks for nothing');
ALTER TABLE deals ADD CONSTRAINT own_check CHECK (forecast_category <> 'none');
SELECT alike(error_of($$INSERT INTO deals (title, forecast_category) VALUES ('x', 'none')$$), E'23514\nnew row for relation "deals" violates check constraint "own_check"\n%', 'one of the user''s own speaks for itself');
-- A column of another type is not looked at.
ALTER TABLE tags ALTER name TYPE varchar(20);
SELECT alike(error_of($$INSERT INTO tags (name) VALUES (' ')$$), E'23514\nnew row for relation "tags" violates check constraint "tags_name_check"\n%', 'another type: the CHECK itself');

SELECT * FROM finish();
ROLLBACK;
