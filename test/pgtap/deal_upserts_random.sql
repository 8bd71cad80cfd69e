-- Property: INSERT ... ON CONFLICT (any key) DO UPDATE SET every given column =
-- excluded.column ends as the UPDATE does that assigns the same: the same rows,
-- history and totals, or the same error.  For random deals, columns and values.
BEGIN;
\ir include/setup.sql
\ir include/upserts.sql
SELECT t.make_pipelines() \g /dev/null
SET LOCAL search_path = crm, t, extensions;
SELECT plan(4);

-- Deals of all kinds.  Qualified is archived, as is the pipeline Old; Sales has two lost stages.
INSERT INTO pipelines (id, name, currency) VALUES (id('Old'), 'Old', 'GBP');
INSERT INTO stages (id, pipeline_id, name, position, deal_status) VALUES (id('Dusty'), id('Old'), 'Dusty', 1, 'open'), (id('Done'), id('Old'), 'Done', 2, 'won');
CREATE FUNCTION t.deal(name text, stage text, entered timestamptz, amount numeric, currency text, reason text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, external_id, stage_id, stage_entered_at, amount, currency, lost_reason, value_period, metadata)
    VALUES (t.id(name), name, 'x-' || name, t.id(stage), entered, amount, currency, reason, 'monthly', '{"a": 1}')
$$;
SELECT deal('lead', 'Lead', '2024-01-01 10:00:00.123456', NULL, NULL), deal('paused', 'Paused', '2024-01-02', 100, 'USD'),
    deal('qualified', 'Qualified', '2024-01-03 09:30', 50, 'CHF'), deal('won', 'Won', '2024-01-04 12:00:00.5', 100, 'USD'),
    deal('lost', 'Lost', '2024-01-05', 70, 'USD', 'price'), deal('dusty', 'Dusty', '2024-01-06', 10, 'GBP'),
    deal('done', 'Done', '2024-01-07', 20, 'GBP'), deal('moved', 'Lead', '2024-01-08', 30, 'USD'), deal('due', 'Due', '2024-01-09', 5, NULL) \g /dev/null
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-02-01' WHERE id = id('moved');
UPDATE deals SET stage_id = id('Won'), stage_entered_at = '2024-02-02' WHERE id = id('moved');
UPDATE deals SET probability = 0.35 WHERE id = id('paused');
UPDATE stages SET archived_at = '2024-06-01' WHERE id = id('Qualified');
UPDATE pipelines SET archived_at = '2024-06-01' WHERE id = id('Old');

CREATE TEMP TABLE choices AS SELECT jsonb_build_object(
    'id', '[]', 'tenant_id', '[]',
    'external_id', '["''y''"]',
    'title', '["''Another''", "'' ''"]',
    'pipeline_id', jsonb_build_array(quote_literal(id('Sales')), quote_literal(id('Renewals')), quote_literal(id('Old')), quote_literal(id('nowhere'))),
    'stage_id', jsonb_build_array(quote_literal(id('Lead')), quote_literal(id('Qualified')), quote_literal(id('Paused')), quote_literal(id('Won')),
        quote_literal(id('Lost')), quote_literal(id('Renewed')), quote_literal(id('Due')), quote_literal(id('Dusty')), quote_literal(id('nowhere'))),
    'status', '["''open''", "''won''", "''lost''", "''Won''"]',
    'amount', '["120", "0", "''NaN''"]',
    'currency', '["''EUR''", "''USD''", "''usd''"]',
    'probability', '["0.7", "1", "0", "1.5"]',
    'value_period', '["''annual''", "''one_time''", "''never''"]',
    'won_at', '["''2024-02-10''", "''2024-01-01''", "''2024-02-02''", "''2023-01-01''", "''2999-01-01''"]',
    'lost_at', '["''2024-02-10''", "''2024-01-05''", "''2023-01-01''"]',
    'lost_reason', '["''time''"]',
    'stage_entered_at', '["''2024-03-01''", "''2024-01-01''", "''2024-01-01 10:00:00.123''", "''2023-01-01''", "''2999-01-01''"]',
    'created_at', '["''2023-06-01''", "''2024-05-01''", "''2999-01-01''"]',
    'updated_at', '["''2024-03-01''"]', 'version', '["1", "7"]', 'move_no', '["0", "5"]',
    'expected_close_date', '["''2024-12-31''", "''20240-01-01''"]',
    'forecast_category', '["''commit''", "''perhaps''"]',
    'archived_at', '["''2024-03-01''"]',
    'owner_id', jsonb_build_array(quote_literal(id('Ann'))),
    'metadata', '["''{}''", "''[]''"]') AS choices;
UPDATE choices SET choices = (SELECT jsonb_object_agg(key, CASE jsonb_typeof(value) WHEN 'string' THEN (value #>> '{}')::jsonb ELSE value END) FROM jsonb_each(choices));

CREATE TEMP TABLE cases (n int, upsert text, plain text, upsert_outcome text, plain_outcome text);
CREATE FUNCTION t.run(cases int, share float) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    deal jsonb;
    by_id boolean;
    given t.assignment[];
    upsert text;
    plain text;
BEGIN
    FOR n IN 1 .. cases LOOP
        SELECT to_jsonb(d) INTO deal FROM crm.deals AS d ORDER BY id OFFSET floor(random() * (SELECT count(*) FROM crm.deals)) LIMIT 1;
        by_id := random() < 0.5;
        given := t.random_assignments((SELECT choices FROM choices), deal, share);
        -- A key that is given another value leads to another row.
        IF by_id THEN
            given := array(SELECT g::t.assignment FROM unnest(given) AS g WHERE g.col <> 'id');
        ELSE
            given := array(SELECT g::t.assignment FROM unnest(given) AS g WHERE g.col NOT IN ('external_id', 'tenant_id'));
        END IF;
        CONTINUE WHEN given = '{}';
        upsert := t.upsert_of('deals', CASE WHEN by_id THEN '(id)' ELSE '(tenant_id, external_id)' END,
            CASE WHEN by_id THEN '{id}'::text[] ELSE '{external_id}'::text[] END, deal, given);
        plain := t.update_of('deals', format('id = %L', deal ->> 'id'), given);
        INSERT INTO cases VALUES (n, upsert, plain, t.outcome(upsert), t.outcome(plain));
    END LOOP;
END $$;

SELECT setseed(0.42) \g /dev/null
SELECT run(1500, 0.12) \g /dev/null
SELECT run(500, 0.5) \g /dev/null
-- No default pipeline: an upsert of a deal that is there needs none.
UPDATE pipelines SET is_default = false;
SELECT run(500, 0.15) \g /dev/null

SELECT cmp_ok(count(*), '>=', 2400::bigint, 'thousands of cases') FROM cases;
SELECT cmp_ok(count(*), '>=', 600::bigint, 'many of which succeed') FROM cases WHERE upsert_outcome LIKE E'\npipelines%';
SELECT is((SELECT string_agg(upsert, E'\n') FROM (SELECT upsert FROM cases
    WHERE upsert_outcome LIKE E'\npipelines%' <> (plain_outcome LIKE E'\npipelines%') ORDER BY n LIMIT 10) AS c), NULL,
    'an upsert is refused when the UPDATE is');
-- Of two faults, INSERT finds the CHECK's before there is a conflict.
SELECT is((SELECT string_agg(upsert, E'\n') FROM (SELECT upsert FROM cases
    WHERE upsert_outcome <> plain_outcome AND upsert_outcome !~ '^(23514|23502|22003) (.* must (be|not be) |.* is not (between|a value period|a forecast category)|amount .* is out of range|probability is [01] where)' ORDER BY n LIMIT 10) AS c), NULL,
    'else it ends as the UPDATE does, and if refused, with its error');

SELECT * FROM finish();
ROLLBACK;
