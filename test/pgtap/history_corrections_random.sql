-- Corrections at random, at the edges too: afterwards every report is what it
-- would be, had the moves been recorded at the right times.  That is tried: in a
-- second CRM, from a plain list of what happened.
BEGIN;
\ir include/setup.sql
SELECT plan(14);
SELECT setseed(0.7);
SET LOCAL timezone = 'UTC';
SELECT extensions.crm_install('twin') \g /dev/null

CREATE FUNCTION t.make_stages(crm text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %I.pipelines (id, name, currency, is_default) VALUES (t.id(''Sales''), ''Sales'', ''USD'', true)', crm);
    EXECUTE format('INSERT INTO %I.stages (id, pipeline_id, name, deal_status, probability)
        SELECT t.id(s.name), t.id(''Sales''), s.name, s.status, s.probability
        FROM (VALUES (1, ''Lead'', ''open'', 0.1), (2, ''Demo'', ''open'', 0.5), (3, ''Quote'', ''open'', 0.8), (4, ''Won'', ''won'', 1),
            (5, ''Live'', ''won'', 1), (6, ''Lost'', ''lost'', 0)) AS s (n, name, status, probability) ORDER BY s.n', crm);
END $$;
SELECT t.make_stages('crm'), t.make_stages('twin') \g /dev/null

-- What happened, and when: the moves that stand; n = 0 is the beginning.
CREATE TABLE t.happened (deal uuid, n int, move_no int, stage text, at timestamptz, PRIMARY KEY (deal, n));
-- The changes of amounts, each with the move before it; '-infinity' is the amount at first.
CREATE TABLE t.edits (deal uuid, at timestamptz, n int, amount numeric);
CREATE TABLE t.tried (outcome text, expected text);

CREATE FUNCTION t.close_status(stage text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN stage IN ('Won', 'Live') THEN 'won' WHEN stage = 'Lost' THEN 'lost' ELSE 'open' END
$$;

-- The move that closed the deal, if it stands closed.
CREATE FUNCTION t.closer(deal uuid) RETURNS int LANGUAGE sql STABLE AS $$
    SELECT max(h.n) FROM (SELECT g.n, t.close_status(g.stage) AS status, lag(t.close_status(g.stage)) OVER (ORDER BY g.n) AS before
        FROM t.happened AS g WHERE g.deal = closer.deal) AS h
    WHERE h.status IS DISTINCT FROM h.before AND h.status <> 'open'
        AND h.status = (SELECT d.status FROM crm.deals AS d WHERE d.id = closer.deal)
$$;

-- Corrects, and writes down whether that was right to be refused.
CREATE FUNCTION t.correct(deal_id uuid, k int, new_at timestamptz, by_update boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    low timestamptz := (SELECT h.at FROM t.happened AS h WHERE h.deal = deal_id AND h.n = k - 1);
    high timestamptz := (SELECT h.at FROM t.happened AS h WHERE h.deal = deal_id AND h.n = k + 1);
    expected text := CASE WHEN new_at < low OR new_at > high OR new_at > clock_timestamp() THEN 'refused' ELSE 'done' END;
    number int := (SELECT h.move_no FROM t.happened AS h WHERE h.deal = deal_id AND h.n = k);
BEGIN
    BEGIN
        IF by_update THEN
            UPDATE crm.deals AS d SET won_at = CASE d.status WHEN 'won' THEN new_at END, lost_at = CASE d.status WHEN 'lost' THEN new_at END
            WHERE d.id = deal_id;
        ELSE
            PERFORM crm.correct_move(deal_id, new_at, number, 'random');
        END IF;
        INSERT INTO t.tried VALUES ('done', expected);
        UPDATE t.happened AS h SET at = new_at WHERE h.deal = deal_id AND h.n = k;
        -- nothing was written before the deal began
        UPDATE t.edits AS e SET at = new_at WHERE k = 0 AND e.deal = deal_id AND isfinite(e.at) AND e.at < new_at;
    EXCEPTION WHEN check_violation THEN
        INSERT INTO t.tried VALUES ('refused', expected);
    END;
END $$;

DO $$
DECLARE
    d uuid;
    m int;
    moment timestamptz;
    target text;
BEGIN
    FOR i IN 1 .. 40 LOOP
        d := t.id('deal ' || i);
        moment := '2024-01-01'::timestamptz + random() * interval '60 days';
        INSERT INTO crm.deals (id, title, amount, stage_id, created_at) VALUES (d, 'deal ' || i, 100 * i, t.id('Lead'), moment);
        INSERT INTO t.happened VALUES (d, 0, 0, 'Lead', moment);
        INSERT INTO t.edits VALUES (d, '-infinity', 0, 100 * i);
        FOR j IN 1 .. floor(random() * 7)::int LOOP
            SELECT d.move_no INTO m FROM crm.deals AS d WHERE d.id = t.id('deal ' || i);
            -- a move that was taken back, whose times are no matter
            IF random() < 0.3 THEN
                UPDATE crm.deals SET stage_entered_at = stage_entered_at + random() * interval '40 days',
                    stage_id = (SELECT s.id FROM crm.stages AS s WHERE s.id <> stage_id ORDER BY random() LIMIT 1) WHERE id = d;
                PERFORM crm.undo_move(d);
                m := m + 2;
            END IF;
            IF random() < 0.4 THEN
                PERFORM set_config('crm.effective_at', (moment + random() * interval '1 hour')::text, true);
                UPDATE crm.deals SET amount = amount + j WHERE id = d;
                INSERT INTO t.edits SELECT d, c.changed_at, (SELECT max(h.n) FROM t.happened AS h WHERE h.deal = d), c.new_amount
                FROM crm.deal_changes AS c WHERE c.deal_id = d ORDER BY c.version DESC LIMIT 1;
                PERFORM set_config('crm.effective_at', '', true);
            END IF;
            moment := moment + CASE WHEN random() < 0.1 THEN interval '0' ELSE interval '1 hour' + random() * interval '15 days' END;
            SELECT s.name INTO target FROM crm.stages AS s WHERE s.id <> (SELECT x.stage_id FROM crm.deals AS x WHERE x.id = d) ORDER BY random() LIMIT 1;
            UPDATE crm.deals SET stage_id = t.id(target), stage_entered_at = moment WHERE id = d;
            INSERT INTO t.happened SELECT d, 1 + max(h.n), m + 1, target, moment FROM t.happened AS h WHERE h.deal = d;
        END LOOP;
    END LOOP;
    FOR i IN 1 .. 600 LOOP
        d := t.id('deal ' || 1 + i % 40);
        SELECT floor(random() * (1 + max(h.n)))::int INTO m FROM t.happened AS h WHERE h.deal = d;
        SELECT CASE floor(random() * 6)
                WHEN 0 THEN (SELECT b.at FROM t.happened AS b WHERE b.deal = d AND b.n = m - 1)
                WHEN 1 THEN (SELECT b.at FROM t.happened AS b WHERE b.deal = d AND b.n = m + 1)
                WHEN 2 THEN (SELECT b.at - interval '1 second' FROM t.happened AS b WHERE b.deal = d AND b.n = m - 1)
                WHEN 3 THEN (SELECT b.at + interval '1 second' FROM t.happened AS b WHERE b.deal = d AND b.n = m + 1)
                WHEN 4 THEN h.at + (random() - 0.5) * interval '3 days'
                ELSE h.at + (random() - 0.5) * interval '20 days' END
        INTO moment FROM t.happened AS h WHERE h.deal = d AND h.n = m;
        CONTINUE WHEN moment IS NULL OR moment = (SELECT h.at FROM t.happened AS h WHERE h.deal = d AND h.n = m);
        PERFORM t.correct(d, m, moment, m > 0 AND m = t.closer(d) AND random() < 0.5);
    END LOOP;
END $$;
SELECT results_eq($$SELECT outcome, expected, count(*) > 60 FROM t.tried GROUP BY 1, 2 ORDER BY 1$$,
    $$VALUES ('done', 'done', true), ('refused', 'refused', true)$$, 'corrections between the neighbours, and others');

-- The same deals, with the right times from the start.
DO $$
DECLARE
    event record;
BEGIN
    FOR event IN
        SELECT h.deal, h.n, h.stage, h.at, NULL::numeric AS amount, true AS moves FROM t.happened AS h
        UNION ALL
        SELECT e.deal, e.n, NULL, e.at, e.amount, false
        FROM t.edits AS e WHERE isfinite(e.at)
        -- of what happened at one time, in the order in which it was written
        ORDER BY deal, at, n, moves DESC, amount
    LOOP
        IF event.moves AND event.n = 0 THEN
            INSERT INTO twin.deals (id, title, amount, stage_id, created_at)
            SELECT event.deal, d.title, e.amount, t.id(event.stage), event.at
            FROM crm.deals AS d JOIN t.edits AS e ON e.deal = d.id AND NOT isfinite(e.at) WHERE d.id = event.deal;
        ELSIF event.moves THEN
            UPDATE twin.deals SET stage_id = t.id(event.stage), stage_entered_at = event.at WHERE id = event.deal;
        ELSE
            PERFORM set_config('crm.effective_at', event.at::text, true);
            UPDATE twin.deals SET amount = event.amount WHERE id = event.deal;
            PERFORM set_config('crm.effective_at', '', true);
        END IF;
    END LOOP;
END $$;

SELECT set_eq('SELECT id, stage_id, status, amount, probability, stage_entered_at, won_at, lost_at, created_at FROM crm.deals',
    'SELECT id, stage_id, status, amount, probability, stage_entered_at, won_at, lost_at, created_at FROM twin.deals', 'the deals');
SELECT set_eq('SELECT deal_id, stage_id, status, entered_at, exited_at, next_stage_id FROM crm.stage_visits',
    'SELECT deal_id, stage_id, status, entered_at, exited_at, next_stage_id FROM twin.stage_visits', 'their visits');
SELECT is_empty('SELECT FROM crm.stage_changes WHERE changed_at < entered_at', 'no visit ends before it begins, nor one that was taken back');
SELECT is_empty($$SELECT FROM (SELECT c.changed_at, lag(c.changed_at) OVER (PARTITION BY c.deal_id ORDER BY c.version) AS before
    FROM crm.deal_changes AS c WHERE c.change <> 'corrected') AS c WHERE c.changed_at < c.before$$, 'the order of the changes of values is kept');

CREATE FUNCTION t.as_of(crm text, at timestamptz) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    result jsonb;
BEGIN
    EXECUTE format('SELECT %I.pipeline_summary_as_of(t.id(''Sales''), $1)', crm) INTO result USING at;
    RETURN result;
END $$;
CREATE TABLE t.moments AS
    SELECT h.at + o.n * interval '1 microsecond' AS at FROM t.happened AS h, generate_series(-1, 1) AS o (n) WHERE h.n % 2 = 0
    UNION SELECT e.at FROM t.edits AS e WHERE isfinite(e.at);
SELECT is_empty($$SELECT m.at FROM t.moments AS m WHERE t.as_of('crm', m.at) <> t.as_of('twin', m.at)$$, 'each moment of the past');

CREATE FUNCTION t.same(report text, what text) RETURNS text LANGUAGE sql AS $$
    SELECT set_eq(replace(report, '@', 'crm'), replace(report, '@', 'twin'), what)
$$;
SELECT t.same($$SELECT p.n, w.* FROM generate_series(0, 20) AS p (n)
    CROSS JOIN LATERAL @.pipeline_waterfall(t.id('Sales'), '2024-01-01'::timestamptz + p.n * interval '5 days',
        '2024-01-01'::timestamptz + (p.n + 3) * interval '5 days') AS w$$, 'waterfalls');
SELECT t.same($$SELECT * FROM @.forecast(t.id('Sales'))$$, 'forecast');
SELECT t.same($$SELECT p.n, w.* FROM generate_series(0, 20) AS p (n)
    CROSS JOIN LATERAL @.win_rate(t.id('Sales'), 'closed', '2024-01-01'::timestamptz + p.n * interval '5 days',
        '2024-01-01'::timestamptz + (p.n + 3) * interval '5 days') AS w$$, 'win rates');
SELECT t.same($$SELECT m.measure, x.* FROM unnest('{visit,first,latest,cumulative}'::text[]) AS m (measure)
    CROSS JOIN LATERAL @.time_in_stage(t.id('Sales'), m.measure) AS x$$, 'times in stage');
SELECT t.same($$SELECT * FROM @.funnel(t.id('Sales'))$$, 'funnel');
SELECT t.same($$SELECT * FROM @.sales_cycle(t.id('Sales'))$$, 'sales cycle');
SELECT is(crm.pipeline_summary(t.id('Sales')) - 'as_of', twin.pipeline_summary(t.id('Sales')) - 'as_of', 'the totals');
SELECT is_empty($$SELECT * FROM extensions.crm_check_totals('crm')$$, 'which are those of the deals');
SELECT * FROM finish();
ROLLBACK;
