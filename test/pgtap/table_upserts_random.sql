-- Property, as in deal_upserts_random.sql, for the other tables and all their keys.
BEGIN;
\ir include/setup.sql
\ir include/upserts.sql
SELECT t.make_pipelines() \g /dev/null
SET LOCAL search_path = crm, t, extensions;
SELECT plan(5);

UPDATE pipelines SET external_id = 'x-' || name, metadata = '{"a": 1}', description = 'old';
UPDATE stages SET external_id = 'x-' || name, metadata = '{"a": 1}', rotting_days = 9;
UPDATE stages SET forecast_category = 'commit' WHERE name = 'Qualified';
INSERT INTO deals (id, title, stage_id) VALUES (id('A'), 'A', id('Lead')), (id('B'), 'B', id('Won'));
INSERT INTO tags (id, name, color, created_at) VALUES (id('hot'), 'hot', 'red', '2024-01-01'), (id('cold'), 'cold', NULL, '2024-01-01');
INSERT INTO deal_tags (deal_id, tag_id, created_at) VALUES (id('A'), id('hot'), '2024-01-01'), (id('B'), id('hot'), '2024-01-01');
INSERT INTO deal_contacts (id, deal_id, contact_id, role, is_primary, created_at) VALUES (id('c1'), id('A'), id('Ann'), 'boss', true, '2024-01-01'),
    (id('c2'), id('A'), id('Bob'), NULL, false, '2024-01-01'), (id('c3'), id('B'), id('Ann'), NULL, true, '2024-01-01');
INSERT INTO exchange_rates (id, base, quote, valid_from, rate, created_at) VALUES (id('r1'), 'EUR', 'USD', '2024-01-01', 1.1, '2024-01-01'),
    (id('r2'), 'EUR', 'USD', current_date, 1.2, '2024-01-01');
-- A key of the user's own, on a column that is filled.
ALTER TABLE tags ADD code int NOT NULL DEFAULT 7, ADD UNIQUE (color, code);

CREATE TEMP TABLE tables (tab text, key text, key_columns text[], choices jsonb);
INSERT INTO tables SELECT tab, key, key_columns, choices FROM (VALUES
    ('pipelines', '{"(id)": ["id"], "(tenant_id, external_id)": ["external_id"],
        "(tenant_id, crm_name_key(name)) WHERE archived_at IS NULL": ["name", "archived_at"]}'::jsonb, jsonb_build_object(
        'id', '[]'::jsonb, 'name', '["''Other''", "''RENEWALS''", "'' ''"]'::jsonb, 'description', '["''new''"]'::jsonb, 'is_default', '["true", "false"]'::jsonb,
        'currency', '["''CHF''", "''usd''"]'::jsonb, 'external_id', '["''y''", "''x-Renewals''"]'::jsonb, 'metadata', '["''{}''"]'::jsonb,
        'archived_at', '["''2024-01-01''"]'::jsonb, 'created_at', '["''2023-01-01''"]'::jsonb, 'updated_at', '[]'::jsonb)),
    ('stages', '{"(id)": ["id"], "(tenant_id, external_id)": ["external_id"],
        "(pipeline_id, position) WHERE archived_at IS NULL": ["pipeline_id", "position", "archived_at"],
        "(pipeline_id, crm_name_key(name)) WHERE archived_at IS NULL": ["pipeline_id", "name", "archived_at"]}', jsonb_build_object(
        'id', '[]'::jsonb, 'pipeline_id', jsonb_build_array(quote_literal(id('Sales')), quote_literal(id('nowhere'))), 'name', '["''Other''", "''DUE''"]'::jsonb,
        'position', '["3", "77"]'::jsonb, 'deal_status', '["''open''", "''won''", "''lost''", "''Won''"]'::jsonb, 'probability', '["0.3", "1", "0", "2"]'::jsonb,
        'rotting_days', '["5", "0"]'::jsonb, 'forecast_category', '["''commit''", "''closed''", "''omitted''"]'::jsonb, 'external_id', '["''y''"]'::jsonb,
        'metadata', '["''{}''", "''[]''"]'::jsonb, 'archived_at', '["''2024-01-01''", "''infinity''"]'::jsonb, 'created_at', '["''2023-01-01''"]'::jsonb)),
    ('tags', '{"(id)": ["id"], "(tenant_id, crm_name_key(name))": ["name"], "(color, code)": ["color", "code"]}', jsonb_build_object(
        'id', '[]'::jsonb, 'name', '["''cold''", "''warm''"]'::jsonb, 'color', '["''blue''"]'::jsonb, 'code', '["7", "8"]'::jsonb, 'created_at', '["''2023-01-01''"]'::jsonb)),
    ('deal_tags', '{"(deal_id, tag_id)": ["deal_id", "tag_id"], "(id)": ["id"]}', jsonb_build_object(
        'id', '[]'::jsonb, 'deal_id', jsonb_build_array(quote_literal(id('nowhere'))), 'tag_id', '[]'::jsonb, 'tenant_id', '[]'::jsonb, 'created_at', '["''2023-01-01''"]'::jsonb)),
    ('deal_contacts', '{"(id)": ["id"], "(deal_id, contact_id)": ["deal_id", "contact_id"]}', jsonb_build_object(
        'id', '[]'::jsonb, 'deal_id', jsonb_build_array(quote_literal(id('B'))), 'contact_id', jsonb_build_array(quote_literal(id('Cy'))), 'role', '["''user''"]'::jsonb,
        'is_primary', '["true", "false"]'::jsonb, 'metadata', '["''{\"b\": 2}''"]'::jsonb, 'created_at', '["''2023-01-01''"]'::jsonb)),
    ('exchange_rates', '{"(id)": ["id"], "(tenant_id, base, quote, valid_from)": ["base", "quote", "valid_from"]}', jsonb_build_object(
        'id', '[]'::jsonb, 'base', '["''CHF''"]'::jsonb, 'quote', '["''EUR''", "''GBP''"]'::jsonb, 'valid_from', '["''2025-01-01''"]'::jsonb, 'rate', '["1.3", "-1"]'::jsonb,
        'created_at', '["''2023-01-01''"]'::jsonb))) AS v (tab, keys, choices),
    LATERAL (SELECT k.key, array(SELECT jsonb_array_elements_text(k.value)) AS key_columns FROM jsonb_each(keys) AS k) AS k;

CREATE TEMP TABLE cases (n int, tab text, key text, upsert text, plain text, upsert_outcome text, plain_outcome text);
CREATE FUNCTION t.run(cases int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one record;
    old jsonb;
    given t.assignment[];
    upsert text;
    plain text;
    row_of text;
BEGIN
    FOR n IN 1 .. cases LOOP
        SELECT * INTO one FROM tables ORDER BY tab, key OFFSET n % (SELECT count(*) FROM tables) LIMIT 1;
        -- The same row whenever the test runs: not by its times.
        EXECUTE format('SELECT to_jsonb(r) FROM crm.%I AS r ORDER BY md5((to_jsonb(r) - ''{valid_from,created_at,updated_at}''::text[])::text || %L) LIMIT 1', one.tab, n) INTO old;
        CONTINUE WHEN old -> one.key_columns[1] = 'null';
        -- A key that is given another value leads to another row; so does archived_at, if the key has only rows without.
        given := array(SELECT g::t.assignment FROM unnest(t.random_assignments(one.choices, old, 0.3)) AS g WHERE g.col <> ALL (one.key_columns) OR g.value = quote_nullable(old ->> g.col));
        CONTINUE WHEN given = '{}';
        SELECT string_agg(format('%I = %L', k, old ->> k), ' AND ') INTO row_of
        FROM unnest(CASE one.tab WHEN 'deal_tags' THEN '{deal_id,tag_id}'::text[] ELSE '{id}'::text[] END) AS k;
        upsert := t.upsert_of(one.tab, one.key, one.key_columns, old, given);
        plain := t.update_of(one.tab, row_of, given);
        INSERT INTO cases VALUES (n, one.tab, one.key, upsert, plain, t.outcome(upsert), t.outcome(plain));
    END LOOP;
END $$;
SELECT setseed(0.42) \g /dev/null
SELECT run(1500) \g /dev/null

SELECT cmp_ok(count(*), '>=', 1300::bigint, 'many cases') FROM cases;
SELECT cmp_ok(min(successes), '>=', 25::bigint, 'of each key many succeed')
FROM (SELECT count(*) FILTER (WHERE upsert_outcome LIKE E'\npipelines%') AS successes FROM cases GROUP BY tab, key) AS c;
SELECT is((SELECT count(DISTINCT (tab, key)) FROM cases), (SELECT count(*) FROM tables), 'all keys');
SELECT is((SELECT string_agg(upsert || E'\n' || left(upsert_outcome, 100) || E'\n' || left(plain_outcome, 100), E'\n') FROM (SELECT * FROM cases
    WHERE upsert_outcome LIKE E'\npipelines%' <> (plain_outcome LIKE E'\npipelines%') ORDER BY n LIMIT 10) AS c), NULL,
    'an upsert is refused when the UPDATE is');
-- Of two faults, INSERT finds the CHECK's before there is a conflict.
SELECT is((SELECT string_agg(upsert || E'\n' || left(upsert_outcome, 100) || E'\n' || left(plain_outcome, 100), E'\n') FROM (SELECT * FROM cases
    WHERE upsert_outcome <> plain_outcome AND upsert_outcome !~ '^(23514|23502|22003) (.* must (be|not be) |.* is not (between|a value period|a forecast category|a positive number)|amount .* is out of range|probability is [01] where|base and quote are both)' ORDER BY n LIMIT 10) AS c), NULL,
    'else it ends as the UPDATE does, and if refused, with its error');

SELECT * FROM finish();
ROLLBACK;
