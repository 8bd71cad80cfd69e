-- pipeline_waterfall() against a replay of random histories, deal by deal and
-- event by event, from the beginning: re-entries, reopened deals, moves taken
-- back, other pipelines, currencies and owners, archived and deleted deals, some
-- put back, ties, and edits recorded out of the order of the moves.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(16);

CREATE FUNCTION t.pick(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE
AS $$ SELECT choices[1 + floor(random() * cardinality(choices))::integer] $$;
CREATE FUNCTION t.random_amount() RETURNS numeric LANGUAGE sql VOLATILE
AS $$ SELECT CASE WHEN random() < 0.85 THEN round((random() * 2000 - 100)::numeric, 4) END $$;

-- Something is done to a deal; what the rules refuse is not done.
CREATE FUNCTION t.act(deal uuid, at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    act text := t.pick('move', 'move', 'move', 'move', 'undo', 'amount', 'amount', t.pick('amount', 'amount', 'amount now'), 'currency', 'owner', 'archive',
        'unarchive', 'unarchive', 'move and amount', 'move and archive', 'edit', 'delete', 'put back', 'put back');
    stage uuid := t.id(t.pick('Lead', 'Qualified', 'Paused', 'Won', 'Lost', 'Due', 'Contacted', 'Renewed', 'Lead', 'Due'));
    gone crm.deals;
BEGIN
    PERFORM set_config('crm.effective_at', CASE WHEN act LIKE '% now' THEN '' ELSE at::text END, true);
    CASE act
        WHEN 'move' THEN UPDATE crm.deals SET stage_id = stage WHERE id = deal;
        WHEN 'undo' THEN PERFORM crm.undo_move(deal);
        WHEN 'amount', 'amount now' THEN UPDATE crm.deals SET amount = t.random_amount() WHERE id = deal;
        WHEN 'currency' THEN UPDATE crm.deals SET currency = t.pick('USD', 'EUR', 'JPY'), amount = t.random_amount() WHERE id = deal;
        WHEN 'owner' THEN UPDATE crm.deals SET owner_id = t.id(t.pick('ann', 'bob')) WHERE id = deal;
        WHEN 'archive' THEN UPDATE crm.deals SET archived_at = at WHERE id = deal;
        WHEN 'unarchive' THEN UPDATE crm.deals SET archived_at = NULL, amount = amount + 1 WHERE id = deal;
        WHEN 'move and amount' THEN UPDATE crm.deals SET amount = t.random_amount(), stage_id = stage WHERE id = deal;
        WHEN 'move and archive' THEN UPDATE crm.deals SET archived_at = at, stage_id = stage WHERE id = deal;
        WHEN 'edit' THEN UPDATE crm.deals SET probability = 0.3, expected_close_date = '2024-05-01' WHERE id = deal;
        WHEN 'delete' THEN
            IF random() < 0.3 THEN
                DELETE FROM crm.deals WHERE id = deal;
            END IF;
        WHEN 'put back' THEN
            PERFORM set_config('crm.effective_at', t.pick('', at::text), true);
            INSERT INTO crm.deals (id, title, stage_id, amount, owner_id)
            SELECT deal, 'Back', stage, t.random_amount(), t.id('ann') WHERE NOT EXISTS (SELECT FROM crm.deals WHERE id = deal);
    END CASE;
    RETURN act;
EXCEPTION WHEN check_violation OR invalid_parameter_value OR SQLSTATE 'PT409' OR SQLSTATE 'PT404' OR datetime_field_overflow THEN
    RETURN 'refused ' || act || ' ' || SQLERRM;
END $$;

SELECT setseed(0.42) \g /dev/null
SET LOCAL crm.effective_at = '2024-01-01';
INSERT INTO deals (id, title, stage_id, amount, currency, owner_id)
SELECT id('deal ' || n), n, id(pick('Lead', 'Qualified', 'Due', 'Won')), random_amount(), pick('USD', 'EUR'), id(pick('ann', 'bob'))
FROM generate_series(1, 40) AS n;
CREATE TABLE t.acts AS
SELECT n, t.act(t.id('deal ' || 1 + floor(random() * 40)::integer), '2024-01-01'::timestamptz + n / 12 * interval '16 hours') AS act
FROM generate_series(1, 2000) AS n;
SET LOCAL crm.effective_at = '';
-- without a history of their own, as after an import that switched the triggers off
ALTER TABLE deals DISABLE TRIGGER zz_crm_deal_audit_insert;
INSERT INTO deals (id, title, stage_id, amount, created_at) VALUES
    (id('unknown 1'), 'Unknown', id('Lead'), 7.07, '2024-02-01'), (id('unknown 2'), 'Unknown', id('Lead'), 8.08, '2024-02-01');
ALTER TABLE deals ENABLE TRIGGER zz_crm_deal_audit_insert;
UPDATE deals SET stage_id = id('Won'), stage_entered_at = '2024-04-01' WHERE id = id('unknown 2');

SELECT is_empty($$SELECT k.act FROM unnest(ARRAY['move', 'undo', 'amount now', 'currency', 'archive', 'unarchive', 'delete', 'put back']) AS k (act)
    WHERE NOT EXISTS (SELECT FROM acts AS a WHERE a.act = k.act)$$, 'everything happened');
SELECT cmp_ok(count(*) FILTER (WHERE act NOT LIKE 'refused%'), '>', 1000::bigint, 'and often') FROM acts;
SELECT isnt_empty($$SELECT FROM deal_changes WHERE change IN ('restored', 'recreated')$$, 'deals were put back');
SELECT isnt_empty($$SELECT FROM deal_changes AS c JOIN stage_changes AS m ON m.deal_id = c.deal_id AND m.move_no > c.move_no
    WHERE m.changed_at < c.changed_at AND m.reverts_id IS NULL$$, 'moves took effect before edits that were recorded before them');
SELECT isnt_empty($$SELECT FROM stage_changes AS c JOIN stage_changes AS n ON n.deal_id = c.deal_id AND n.move_no = c.move_no + 1
    WHERE n.changed_at = c.changed_at$$, 'some moves are of the same time');

CREATE TYPE t.deal_state AS (there boolean, pipeline uuid, status text, amount numeric, currency text, owner uuid, archived boolean);
CREATE FUNCTION t.is_open(s t.deal_state, pipeline uuid, owner uuid) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(s.there AND NOT s.archived AND s.status = 'open' AND s.pipeline = $2 AND (owner IS NULL OR s.owner = $3), false)
$$;

CREATE FUNCTION t.stands(move crm.stage_changes) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT move.reverts_id IS NULL AND NOT EXISTS (SELECT FROM crm.stage_changes AS r WHERE r.reverts_id = move.id)
$$;
CREATE FUNCTION t.replay(pipeline uuid, from_at timestamptz, to_at timestamptz, the_owner uuid DEFAULT NULL)
RETURNS TABLE (currency text, bar text, changes bigint, deals bigint, value numeric) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    home text := (SELECT p.currency FROM crm.pipelines AS p WHERE p.id = pipeline);
    deal uuid;
    e record;
    m record;
    old t.deal_state;
    new t.deal_state;
    was boolean;
    is_now boolean;
    what text;
BEGIN
    CREATE TEMP TABLE bars (currency text, bar text, deals integer, value numeric) ON COMMIT DROP;
    FOR deal IN SELECT deal_id FROM crm.deal_changes UNION SELECT id FROM crm.deals LOOP
        new := ROW(false, NULL, NULL, NULL, NULL, NULL, false);
        -- one that nothing tells about when it came
        IF NOT EXISTS (SELECT FROM crm.deal_changes AS c WHERE c.deal_id = deal AND c.change = 'created') THEN
            SELECT true, v.pipeline_id, v.status, d.amount, d.currency, d.owner_id, false, v.entered_at INTO e
            FROM crm.stage_visits AS v JOIN crm.deals AS d ON d.id = v.deal_id WHERE d.id = deal ORDER BY v.visit_no LIMIT 1;
            new := ROW(true, e.pipeline_id, e.status, e.amount, e.currency, e.owner_id, false);
            IF e.entered_at > from_at AND e.entered_at <= to_at AND t.is_open(new, pipeline, the_owner) THEN
                INSERT INTO bars VALUES (coalesce(new.currency, home), 'new', 1, coalesce(new.amount, 0));
            ELSIF e.entered_at <= from_at AND t.is_open(new, pipeline, the_owner) THEN
                INSERT INTO bars VALUES (coalesce(new.currency, home), 'opening', 1, coalesce(new.amount, 0));
            END IF;
        END IF;
        FOR e IN
            SELECT c.changed_at, c.move_no, 0 AS kind, 0 AS version, 'moved' AS change, c.to_pipeline_id AS pipeline_id, c.to_status AS status,
                NULL::numeric AS amount, NULL AS currency, NULL::uuid AS owner_id, NULL::timestamptz AS archived_at
            FROM crm.stage_changes AS c
            WHERE c.deal_id = deal AND t.stands(c)
                AND NOT EXISTS (SELECT FROM crm.deal_changes AS b WHERE b.deal_id = deal AND b.change IN ('restored', 'recreated')
                    AND b.move_no < c.move_no AND b.changed_at >= c.changed_at)
            UNION ALL
            SELECT c.changed_at, c.move_no, 1, c.version, c.change, c.pipeline_id, c.status, c.new_amount, c.new_currency, c.new_owner_id, c.new_archived_at
            FROM crm.deal_changes AS c WHERE c.deal_id = deal
            ORDER BY 1, 2, 3, 4
        LOOP
            EXIT WHEN e.changed_at > to_at;
            old := new;
            IF e.change IN ('moved', 'created', 'restored', 'recreated') THEN
                new.pipeline := e.pipeline_id;
                new.status := e.status;
            END IF;
            IF e.change IN ('restored', 'recreated') THEN
                -- put back where its moves, if they are told to have been before, took it
                SELECT c.to_pipeline_id, c.to_status INTO m FROM crm.stage_changes AS c
                WHERE c.deal_id = deal AND c.move_no > e.move_no AND c.changed_at <= e.changed_at AND t.stands(c)
                    AND c.move_no <= ALL (SELECT g.move_no FROM crm.deal_changes AS g
                        WHERE g.deal_id = deal AND g.change = 'deleted' AND g.changed_at > e.changed_at)
                ORDER BY c.move_no DESC LIMIT 1;
                IF FOUND THEN
                    new.pipeline := m.to_pipeline_id;
                    new.status := m.to_status;
                END IF;
            END IF;
            IF e.change <> 'moved' THEN
                new.there := e.change <> 'deleted';
                new.amount := e.amount;
                new.currency := e.currency;
                new.owner := e.owner_id;
                new.archived := e.archived_at IS NOT NULL;
            END IF;
            was := t.is_open(old, pipeline, the_owner);
            is_now := t.is_open(new, pipeline, the_owner);
            IF e.changed_at <= from_at THEN
                -- what it was before is no more
                IF was THEN
                    INSERT INTO bars VALUES (coalesce(old.currency, home), 'opening', -1, -coalesce(old.amount, 0));
                END IF;
                IF is_now THEN
                    INSERT INTO bars VALUES (coalesce(new.currency, home), 'opening', 1, coalesce(new.amount, 0));
                END IF;
            ELSIF was AND is_now THEN
                IF coalesce(old.currency, home) <> coalesce(new.currency, home) THEN
                    INSERT INTO bars VALUES (coalesce(old.currency, home), 'currency_out', -1, -coalesce(old.amount, 0)),
                        (coalesce(new.currency, home), 'currency_in', 1, coalesce(new.amount, 0));
                ELSIF coalesce(new.amount, 0) <> coalesce(old.amount, 0) THEN
                    INSERT INTO bars VALUES (coalesce(new.currency, home),
                        CASE WHEN coalesce(new.amount, 0) > coalesce(old.amount, 0) THEN 'amount_up' ELSE 'amount_down' END,
                        0, coalesce(new.amount, 0) - coalesce(old.amount, 0));
                END IF;
            ELSIF is_now THEN
                what := e.change;
                IF what IN ('created', 'restored', 'recreated') THEN
                    what := 'new';
                ELSIF what = 'moved' THEN
                    what := CASE WHEN old.pipeline = new.pipeline THEN 'reopened' ELSE 'moved_in' END;
                ELSIF what <> 'unarchived' THEN
                    what := 'reassigned_in';
                END IF;
                INSERT INTO bars VALUES (coalesce(new.currency, home), what, 1, coalesce(new.amount, 0));
            ELSIF was THEN
                what := e.change;
                IF what = 'moved' THEN
                    what := CASE WHEN old.pipeline <> new.pipeline THEN 'moved_out' ELSE new.status END;
                ELSIF what NOT IN ('archived', 'deleted') THEN
                    what := 'reassigned_out';
                END IF;
                INSERT INTO bars VALUES (coalesce(old.currency, home), what, -1, -coalesce(old.amount, 0));
            END IF;
        END LOOP;
    END LOOP;
    RETURN QUERY SELECT b.currency, b.bar, CASE b.bar WHEN 'opening' THEN sum(b.deals) ELSE count(*) END, sum(b.deals), sum(b.value)
        FROM bars AS b GROUP BY b.currency, b.bar
        HAVING b.bar <> 'opening' OR sum(b.deals) <> 0;
    DROP TABLE bars;
END $$;

-- Moments: those of events, those between, and before and after all.
CREATE TABLE t.periods AS
SELECT least(a, b) AS from_at, greatest(a, b) AS to_at
FROM (SELECT m.at AS a, lead(m.at) OVER (ORDER BY random()) AS b
    FROM ((SELECT changed_at AS at FROM stage_changes ORDER BY random() LIMIT 6)
        UNION ALL (SELECT changed_at + interval '1 hour' FROM deal_changes ORDER BY random() LIMIT 6)
        UNION ALL (SELECT changed_at FROM deal_changes WHERE change IN ('deleted', 'restored', 'recreated') ORDER BY random() LIMIT 4)
        UNION ALL SELECT unnest('{-infinity,2024-01-01,2024-02-01,2024-03-01,infinity}'::timestamptz[])) AS m) AS p
WHERE b IS NOT NULL
UNION ALL VALUES ('-infinity'::timestamptz, 'infinity'::timestamptz), ('2023-01-01', '2024-02-15'), ('2024-02-15', '2024-03-15'), ('2024-03-15', 'infinity');

CREATE TABLE t.asked AS
SELECT p.id AS pipeline, d.from_at, d.to_at, w.value_currency AS currency, w.bar, w.changes, w.deals, w.value
FROM periods AS d CROSS JOIN (VALUES (id('Sales')), (id('Renewals'))) AS p (id)
    CROSS JOIN LATERAL pipeline_waterfall(p.id, d.from_at, d.to_at) AS w;
SELECT is_empty($$SELECT k.bar FROM unnest(ARRAY['opening', 'new', 'reopened', 'moved_in', 'unarchived', 'amount_up', 'amount_down', 'currency_in',
        'currency_out', 'won', 'lost', 'moved_out', 'archived', 'deleted', 'closing']) AS k (bar)
    WHERE NOT EXISTS (SELECT FROM asked AS a WHERE a.bar = k.bar AND a.changes > 0)$$, 'every bar has something in it');
SELECT is_empty($$SELECT pipeline, from_at, to_at, currency FROM asked GROUP BY 1, 2, 3, 4
    HAVING sum(value) FILTER (WHERE bar <> 'closing') <> sum(value) FILTER (WHERE bar = 'closing')
        OR sum(deals) FILTER (WHERE bar <> 'closing') <> sum(deals) FILTER (WHERE bar = 'closing')$$, 'the bars add up');
CREATE TABLE t.replayed AS
SELECT p.id AS pipeline, d.from_at, d.to_at, r.currency, r.bar, r.changes, r.deals, r.value
FROM periods AS d CROSS JOIN (VALUES (id('Sales')), (id('Renewals'))) AS p (id) CROSS JOIN LATERAL replay(p.id, d.from_at, d.to_at) AS r;
SELECT is_empty('SELECT pipeline, from_at, to_at, currency, bar, changes, deals, value FROM asked WHERE bar <> ''closing'' AND changes <> 0
    EXCEPT SELECT * FROM replayed', 'each bar is what the replay says');
SELECT is_empty('SELECT * FROM replayed
    EXCEPT SELECT pipeline, from_at, to_at, currency, bar, changes, deals, value FROM asked', 'and there is no bar that is not there');
SELECT bag_eq($$SELECT w.value_currency, w.bar, w.changes, w.deals, w.value
        FROM pipeline_waterfall(id('Sales'), '2024-02-15', 'infinity', id('ann')) AS w WHERE w.bar <> 'closing' AND w.changes <> 0$$,
    $$SELECT r.currency, r.bar, r.changes, r.deals, r.value FROM replay(id('Sales'), '2024-02-15', 'infinity', id('ann')) AS r$$, 'of one owner as well');
-- now
SELECT results_eq($$SELECT w.value_currency, w.deals, w.value FROM pipeline_waterfall(id('Sales'), '2024-02-01') AS w WHERE w.bar = 'closing' AND w.deals <> 0 ORDER BY 1$$,
    $$SELECT coalesce(currency, 'USD'), count(*), trim_scale(coalesce(sum(amount), 0)) FROM deals
        WHERE pipeline_id = id('Sales') AND status = 'open' AND archived_at IS NULL GROUP BY 1 ORDER BY 1$$, 'closing is what is open now');
-- opening and closing, as the summary of that moment has them
CREATE TABLE t.summaries AS
SELECT p.id AS pipeline, m.at, c.part ->> 'currency' AS currency, (c.part -> 'open' ->> 'total_value')::numeric AS value
FROM (SELECT from_at AS at FROM periods UNION SELECT to_at FROM periods) AS m CROSS JOIN (VALUES (id('Sales')), (id('Renewals'))) AS p (id)
    CROSS JOIN LATERAL jsonb_array_elements(pipeline_summary_as_of(p.id, m.at) -> 'by_currency') AS c (part)
WHERE m.at BETWEEN '2020-01-01' AND clock_timestamp();
SELECT is_empty($$SELECT * FROM (
        SELECT a.pipeline, CASE a.bar WHEN 'opening' THEN a.from_at ELSE a.to_at END AS at, a.currency, a.value
        FROM asked AS a WHERE a.bar IN ('opening', 'closing') AND a.value <> 0) AS w
    WHERE w.at BETWEEN '2020-01-01' AND clock_timestamp() EXCEPT SELECT s.pipeline, s.at, s.currency, s.value FROM summaries AS s$$,
    'a bar at the end is what pipeline_summary_as_of tells');
SELECT is_empty($$SELECT s.pipeline, s.at, s.currency, s.value FROM summaries AS s WHERE s.value <> 0
    AND NOT EXISTS (SELECT FROM asked AS a WHERE a.pipeline = s.pipeline AND a.currency = s.currency AND a.value = s.value
        AND (a.bar = 'opening' AND a.from_at = s.at OR a.bar = 'closing' AND a.to_at = s.at))$$, 'and there is no more');
-- what closes one period opens the next
SELECT is_empty($$SELECT a.currency, a.deals, a.value FROM asked AS a WHERE a.bar = 'closing' AND a.to_at = '2024-03-15' AND a.pipeline = id('Sales') AND a.deals <> 0
    EXCEPT SELECT a.currency, a.deals, a.value FROM asked AS a WHERE a.bar = 'opening' AND a.from_at = '2024-03-15' AND a.pipeline = id('Sales')$$,
    'the closing of a period is the opening of the next');
SELECT is_empty($$SELECT a.pipeline, a.currency, a.bar, a.changes, a.deals, a.value FROM asked AS a
        WHERE a.from_at = '-infinity' AND a.to_at = 'infinity' AND a.bar NOT IN ('opening', 'closing')
    EXCEPT SELECT p.id, w.value_currency, w.bar, sum(w.changes)::bigint, sum(w.deals)::bigint, trim_scale(sum(w.value))
    FROM (VALUES (id('Sales')), (id('Renewals'))) AS p (id)
        CROSS JOIN (VALUES ('-infinity'::timestamptz, '2024-02-15'::timestamptz), ('2024-02-15', '2024-03-15'), ('2024-03-15', 'infinity')) AS d (a, b)
        CROSS JOIN LATERAL pipeline_waterfall(p.id, d.a, d.b) AS w
    GROUP BY 1, 2, 3$$, 'the bars of periods add up to those of all of them together');

-- from one closed status to another
INSERT INTO deals (id, title, stage_id, amount, currency, owner_id, created_at) VALUES (id('twice closed'), 'Twice closed', id('Lead'), 10, 'USD', id('cy'), '2023-01-01');
UPDATE deals SET stage_id = id('Won'), stage_entered_at = '2023-02-01' WHERE id = id('twice closed');
UPDATE deals SET stage_id = id('Lost'), stage_entered_at = '2023-02-10' WHERE id = id('twice closed');
SELECT results_eq($$SELECT w.bar, w.deals FROM pipeline_waterfall(id('Sales'), '2023-01-15', '2023-03-01', id('cy')) AS w WHERE w.changes <> 0$$,
    $$VALUES ('opening', 1::bigint), ('won', -1)$$, 'a deal that was won, then lost, is in the bar of what ended it as an open one');

SELECT finish();
ROLLBACK;
