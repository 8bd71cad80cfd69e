-- Summaries that are damaged where they are stored: an error, or other numbers, but
-- never a crash; and ids that were chosen to collide.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE SCHEMA t;
CREATE EXTENSION pgtap SCHEMA t;
CREATE EXTENSION crm SCHEMA t;
SET LOCAL search_path = t;
SELECT plan(12);

-- The bytes as they are: a function of PostgreSQL that returns a copy of them.
CREATE FUNCTION t.as_summary(bytea) RETURNS crm_summary LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';
CREATE FUNCTION t.as_bytes(crm_summary) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'byteasend';

CREATE TABLE good AS
SELECT as_bytes(s) AS stored
FROM (SELECT crm_pipeline_summary(md5((i % 3)::text)::uuid, i, CASE i % 4 WHEN 0 THEN 'EUR' WHEN 1 THEN 'USD' END, 0.5,
    CASE i % 5 WHEN 0 THEN 'annual' ELSE 'monthly' END) AS s FROM generate_series(1, 40) AS i) AS x;
CREATE TABLE kept (summary crm_summary);

-- Everything that reads a summary; each reads the damaged one from a table.
CREATE FUNCTION t.use_all(damaged bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    query text; state text; states text[] := '{}';
BEGIN
    DELETE FROM kept;
    INSERT INTO kept VALUES (as_summary(damaged));
    FOREACH query IN ARRAY ARRAY[
        'SELECT summary::text FROM kept',
        'SELECT crm_summary_send(summary) FROM kept',
        'SELECT summary::jsonb FROM kept',
        'SELECT summary::json FROM kept',
        'SELECT count(*) FROM kept, crm_summary_rows(summary)',
        'SELECT summary + summary FROM kept',
        'SELECT summary - (SELECT as_summary(stored) FROM good) FROM kept',
        'SELECT summary = summary, summary <> summary FROM kept',
        'SELECT summary, count(*) FROM kept GROUP BY summary',
        'SELECT crm_summary_hash_extended(summary, 1) FROM kept',
        'SELECT crm_pipeline_summary(summary)::text FROM (TABLE kept UNION ALL TABLE kept) AS k',
        'SELECT crm_pipeline_summary(summary) OVER (ROWS 1 PRECEDING) FROM (TABLE kept UNION ALL TABLE kept UNION ALL TABLE kept) AS k']
    LOOP
        BEGIN
            EXECUTE query;
            state := 'ok';
        EXCEPTION WHEN OTHERS THEN
            state := SQLSTATE;
        END;
        states := states || state;
    END LOOP;
    RETURN (SELECT string_agg(DISTINCT s, ' ' ORDER BY s) FROM unnest(states) AS s);
END $$;
SELECT is(use_all(stored), 'ok', 'the good one is read by all') FROM good;

-- The first entry begins behind form and padding; of its key, the period is the first byte.
SELECT is(use_all(set_byte(stored, 4 + 16, 9)), 'XX001', 'a period that is none') FROM good;
SELECT is(use_all(set_byte(stored, 4 + 17, 0)), 'XX001', 'a letter that is none') FROM good;
SELECT is(use_all(set_byte(stored, 4 + 23, 255)), 'XX001', 'bits of a key that mean nothing') FROM good;
SELECT is(use_all(substr(stored, 1, 4) || substr(stored, 5 + 80, 80) || substr(stored, 5, 80)), 'XX001', 'not in order') FROM good;
SELECT is(use_all(substr(stored, 1, 4 + 80) || substr(stored, 5, 80)), 'XX001', 'the same key twice') FROM good;
SELECT is(use_all(substr(stored, 1, 4 + 24) || decode(repeat('00', 56), 'hex')), 'XX001', 'an entry of zeros') FROM good;
SELECT is(use_all(substr(stored, 1, 4 + 100)), 'XX001', 'cut within an entry') FROM good;
SELECT is(use_all(substr(stored, 1, 4 + 24) || decode(repeat('ff', 23) || '7f' || repeat('00', 15) || '80' || repeat('ff', 15) || '7f', 'hex')),
    '22003 ok', 'counts and sums at the limits are read, and overflow when they are added') FROM good;
SELECT is(use_all('\x020000'::bytea || '\x00ffffff7f00000080'::bytea || stored), 'XX001', 'a working one that names more entries than it has') FROM good;

-- At random, a few bytes at a time.
SELECT is((SELECT string_agg(DISTINCT state, ' ' ORDER BY state)
    FROM (SELECT setseed(0.25)) AS s, generate_series(1, 1000) AS i,
        LATERAL (SELECT use_all(set_byte(set_byte(stored, (random() * (length(stored) - 1) + i * 0)::int, (random() * 255)::int),
            (random() * 20)::int, (random() * 255)::int)) AS result FROM good) AS r,
        LATERAL regexp_split_to_table(r.result, ' ') AS state
    WHERE state NOT IN ('ok', 'XX001', '22003')), NULL, 'damaged at random: no other error') ;

-- Of these ids every pair collided: 120,000 of them took 20 seconds.
SET LOCAL statement_timeout = '10s';
SELECT lives_ok($$SELECT crm_pipeline_summary((lpad(to_hex(i), 8, '0') || '-0000-0000-cd8c-55edd7af51ff')::uuid, 1, 'EUR', 1)
    FROM generate_series(1, 120000) AS i$$, 'ids that are chosen do not collide');

SELECT * FROM finish();
ROLLBACK;
