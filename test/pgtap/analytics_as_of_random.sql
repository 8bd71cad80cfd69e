-- pipeline_summary_as_of() against what was told then, and against a replay of
-- the histories by other means, on random deals; pipeline_trend() against it.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(31);

-- Where each deal stood, by going through its moves from the first one on.  A
-- move that was taken back drops its visit, and the one before goes on.
CREATE FUNCTION t.replay_stage(deal uuid, last_move int, last_stage uuid, last_entered timestamptz, at timestamptz,
    OUT stage_id uuid, OUT entered_at timestamptz, OUT probability numeric, OUT ended boolean) LANGUAGE plpgsql AS $$
DECLARE
    m record;
    stages uuid[] := '{}';
    times timestamptz[] := '{}';
    probabilities numeric[] := '{}';
BEGIN
    FOR m IN SELECT * FROM crm.stage_changes AS c WHERE c.deal_id = deal AND c.move_no <= last_move ORDER BY c.move_no LOOP
        IF cardinality(stages) = 0 THEN
            stages := ARRAY[m.from_stage_id];
            times := ARRAY[m.entered_at];
            probabilities := ARRAY[m.from_probability];
        END IF;
        IF m.reverts_id IS NOT NULL THEN
            stages := stages[:cardinality(stages) - 1];
            times := times[:cardinality(times) - 1];
            probabilities := probabilities[:cardinality(probabilities) - 1];
        ELSE
            -- what it was on leaving is what it was at the end of the visit
            probabilities[cardinality(probabilities)] := m.from_probability;
            stages := stages || m.to_stage_id;
            times := times || m.changed_at;
            probabilities := probabilities || m.probability;
        END IF;
    END LOOP;
    IF cardinality(stages) = 0 THEN
        stages := ARRAY[last_stage];
        times := ARRAY[last_entered];
        probabilities := ARRAY[NULL::numeric];
    END IF;
    IF stages[cardinality(stages)] <> last_stage OR times[cardinality(times)] <> last_entered THEN
        RAISE 'the replay of % ends elsewhere', deal;
    END IF;
    FOR i IN REVERSE cardinality(stages) .. 1 LOOP
        IF times[i] <= at THEN
            stage_id := stages[i];
            entered_at := times[i];
            ended := i < cardinality(stages);
            probability := probabilities[i];
            RETURN;
        END IF;
    END LOOP;
END $$;

-- The deals there were: what they were worth by going through their changes
-- from the first one on.
CREATE FUNCTION t.replay(at timestamptz) RETURNS TABLE (deal_id uuid, stage_id uuid, amount numeric, currency text,
    probability numeric, value_period text, owner_id uuid, expected_close_date date) LANGUAGE plpgsql AS $$
DECLARE
    deal record;
    c record;
    end_of_life record;
    visit record;
    state record;
    archived boolean;
    changes_in_visit int;
BEGIN
    FOR deal IN SELECT i.id, d.stage_id, d.stage_entered_at, d.move_no, d.amount, d.currency, d.probability, d.value_period, d.archived_at,
            d.owner_id, d.expected_close_date,
            d.id IS NOT NULL AS present
        FROM (SELECT id FROM crm.deals UNION SELECT h.deal_id FROM crm.deal_changes AS h) AS i LEFT JOIN crm.deals AS d ON d.id = i.id
    LOOP
        SELECT * INTO end_of_life FROM crm.deal_changes AS h
            WHERE h.deal_id = deal.id AND h.change IN ('deleted', 'restored', 'recreated') AND h.changed_at > at
            ORDER BY h.recorded_at, h.id LIMIT 1;
        CONTINUE WHEN end_of_life.change IN ('restored', 'recreated') OR end_of_life.change IS NULL AND NOT deal.present;
        IF end_of_life.change = 'deleted' THEN
            visit := t.replay_stage(deal.id, end_of_life.move_no, end_of_life.stage_id, end_of_life.stage_entered_at, at);
        ELSE
            visit := t.replay_stage(deal.id, deal.move_no, deal.stage_id, deal.stage_entered_at, at);
        END IF;
        CONTINUE WHEN visit.stage_id IS NULL;

        deal_id := deal.id;
        stage_id := visit.stage_id;
        amount := deal.amount;
        currency := deal.currency;
        value_period := deal.value_period;
        owner_id := deal.owner_id;
        expected_close_date := deal.expected_close_date;
        archived := deal.archived_at IS NOT NULL;
        SELECT * INTO state FROM crm.deal_changes AS h WHERE h.deal_id = deal.id AND h.change <> 'created' ORDER BY h.recorded_at, h.version LIMIT 1;
        IF state.id IS NOT NULL THEN
            amount := state.old_amount;
            currency := state.old_currency;
            value_period := state.old_value_period;
            owner_id := state.old_owner_id;
            expected_close_date := state.old_expected_close_date;
            archived := state.old_archived_at IS NOT NULL;
        END IF;
        FOR c IN SELECT * FROM crm.deal_changes AS h WHERE h.deal_id = deal.id AND h.changed_at <= at ORDER BY h.recorded_at, h.id LOOP
            amount := c.new_amount;
            currency := c.new_currency;
            value_period := c.new_value_period;
            owner_id := c.new_owner_id;
            expected_close_date := c.new_expected_close_date;
            archived := c.new_archived_at IS NOT NULL;
        END LOOP;
        CONTINUE WHEN archived;

        -- Backwards from the end of the visit.
        probability := CASE WHEN visit.ended THEN visit.probability
            WHEN end_of_life.change = 'deleted' THEN end_of_life.old_probability ELSE deal.probability END;
        FOR c IN SELECT * FROM crm.deal_changes AS h WHERE h.deal_id = deal.id AND h.changed_at > at
                AND h.stage_id = visit.stage_id AND h.stage_entered_at = visit.entered_at AND h.change NOT IN ('created', 'restored', 'recreated') ORDER BY h.recorded_at DESC, h.id DESC
        LOOP
            probability := c.old_probability;
        END LOOP;
        RETURN NEXT;
    END LOOP;
END $$;

-- What a report has, without what says where it is from.
CREATE FUNCTION t.plain(report jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT report - '{as_of,source}'::text[] $$;
CREATE FUNCTION t.expected(pipeline uuid, at timestamptz) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT t.plain(jsonb_build_object('pipeline_id', p.id, 'name', p.name) || extensions.crm_summary_report(p.currency,
        (SELECT jsonb_agg(to_jsonb(s) || jsonb_build_object('stage_id', s.id, 'archived', s.archived_at IS NOT NULL)) FROM crm.stages AS s WHERE s.pipeline_id = p.id),
        (SELECT jsonb_agg(s) FROM (SELECT r.stage_id, r.currency, r.value_period, count(*) AS deals, count(*) - count(r.amount) AS deals_without_amount,
                count(*) - count(r.probability) AS deals_without_probability,
                coalesce(sum(r.amount), 0) AS value, coalesce(sum(r.amount * r.probability), 0) AS weighted_value
            FROM t.replay(at) AS r JOIN crm.stages AS g ON g.id = r.stage_id WHERE g.pipeline_id = p.id GROUP BY 1, 2, 3) AS s)))
    FROM crm.pipelines AS p WHERE p.id = pipeline
$$;

-- Random writes.  The time is said of some: of none that come after a told one.
CREATE FUNCTION t.pick(what anyarray) RETURNS anyelement LANGUAGE sql AS $$ SELECT what[1 + floor(random() * cardinality(what))::int] $$;
CREATE TABLE t.kept (LIKE crm.deals);
CREATE FUNCTION t.random_write(dated boolean, undo boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    deal uuid := (SELECT id FROM crm.deals ORDER BY random() LIMIT 1);
    entered timestamptz := (SELECT stage_entered_at FROM crm.deals WHERE id = deal);
    stages text[] := '{Lead,Qualified,Paused,Won,Lost,Due,Contacted,Renewed,Churned}';
    at timestamptz := CASE WHEN dated AND random() < 0.6 THEN entered + random() * least(clock_timestamp() - entered, '40 days') END;
BEGIN
    PERFORM set_config('crm.effective_at', coalesce(at::text, ''), true);
    CASE floor(random() * 12)::int
        WHEN 0 THEN
            PERFORM set_config('crm.effective_at', '', true);
            INSERT INTO crm.deals (title, stage_id, amount, currency, value_period, stage_entered_at)
            VALUES ('x', t.id(t.pick(stages)), nullif((random() * 100)::int, 7), t.pick('{USD,EUR,CHF}'::text[]), t.pick('{one_time,monthly}'::text[]),
                CASE WHEN dated THEN timestamptz '2024-01-01' + random() * interval '100 days' END);
        WHEN 1, 2, 3, 4 THEN
            UPDATE crm.deals SET stage_id = t.id(t.pick(stages)) WHERE id = deal;
        WHEN 5 THEN
            UPDATE crm.deals SET stage_id = t.id(t.pick(stages)), amount = (random() * 100)::int, value_period = t.pick('{one_time,annual}'::text[]) WHERE id = deal;
        WHEN 6 THEN
            UPDATE crm.deals SET amount = nullif((random() * 100)::int, 7), currency = t.pick('{USD,EUR}'::text[]),
                owner_id = t.pick(ARRAY[NULL, t.id('one'), t.id('two')]), expected_close_date = t.pick(ARRAY[NULL, '2024-02-10', '2024-02-20', '2024-05-01']::date[])
            WHERE id = deal;
        WHEN 7, 8 THEN
            UPDATE crm.deals SET probability = round(random()::numeric, 4), value_period = t.pick('{one_time,monthly}'::text[]) WHERE id = deal AND status = 'open';
        WHEN 9 THEN
            UPDATE crm.deals SET archived_at = CASE WHEN archived_at IS NULL THEN coalesce(at, clock_timestamp()) END, amount = amount + 1 WHERE id = deal;
        WHEN 10 THEN
            IF undo AND EXISTS (SELECT FROM crm.stage_visits WHERE deal_id = deal AND exited_at IS NOT NULL) THEN
                BEGIN
                    PERFORM crm.undo_move(deal);
                EXCEPTION WHEN SQLSTATE 'PT409' THEN NULL;
                END;
            END IF;
        WHEN 11 THEN
            IF random() < 0.5 THEN
                WITH gone AS (DELETE FROM crm.deals WHERE id = deal RETURNING *) INSERT INTO t.kept SELECT * FROM gone;
            ELSE
                WITH back AS (DELETE FROM t.kept WHERE id = (SELECT id FROM t.kept LIMIT 1) RETURNING *)
                    INSERT INTO crm.deals SELECT * FROM back;
            END IF;
    END CASE;
    PERFORM set_config('crm.effective_at', '', true);
END $$;

SELECT setseed(0.42) \g /dev/null

-- First without saying a time: what pipeline_summary tells is what as_of has to tell later.
CREATE TABLE t.told (n int, at timestamptz, pipeline uuid, report jsonb);
INSERT INTO deals (title, stage_id, amount) SELECT 'x', id('Lead'), i FROM generate_series(1, 20) AS i;
DO $$
BEGIN
    FOR n IN 1 .. 300 LOOP
        PERFORM t.random_write(false, false);
        INSERT INTO t.told SELECT n, clock_timestamp(), p, t.plain(crm.pipeline_summary(p)) FROM unnest(ARRAY[t.id('Sales'), t.id('Renewals')]) AS p;
    END LOOP;
END $$;
SELECT is_empty($$SELECT n, pipeline, at, report, pipeline_summary_as_of(pipeline, at) FROM t.told WHERE plain(pipeline_summary_as_of(pipeline, at)) <> report$$,
    'as was told then, after each of 300 writes');
SELECT cmp_ok((SELECT count(DISTINCT report) FROM t.told), '>', 200::bigint, '(which were many different things)');

-- Then with times, moves taken back, and many to a time.
INSERT INTO deals (title, stage_id, amount, stage_entered_at) SELECT 'x', id('Lead'), i, timestamptz '2024-01-01' + i * interval '1 day' FROM generate_series(1, 20) AS i;
DO $$
BEGIN
    FOR n IN 1 .. 700 LOOP
        PERFORM t.random_write(true, true);
    END LOOP;
END $$;
CREATE TABLE t.moments AS
    SELECT DISTINCT m.at FROM (SELECT changed_at FROM stage_changes UNION ALL SELECT changed_at FROM deal_changes UNION ALL SELECT entered_at FROM stage_changes) AS c (at),
        LATERAL (VALUES (c.at), (c.at - interval '1 microsecond'), (c.at + random() * interval '10 days')) AS m (at)
    WHERE m.at < clock_timestamp();
SELECT cmp_ok((SELECT count(*) FROM moments), '>', 1000::bigint, 'moments at, just before and after what happened');
SELECT is_empty($$SELECT at, p FROM (SELECT at FROM t.moments ORDER BY md5(at::text) LIMIT 250) AS m, unnest(ARRAY[id('Sales'), id('Renewals')]) AS p
    WHERE plain(pipeline_summary_as_of(p, at)) IS DISTINCT FROM expected(p, at)$$, 'as a replay has it, at 250 of them');
SELECT is(plain(pipeline_summary_as_of(p, clock_timestamp())), plain(pipeline_summary(p)), 'now') FROM unnest(ARRAY[id('Sales'), id('Renewals')]) AS p;
SELECT ok((SELECT count(*) > 5 FROM stage_changes WHERE reverts_id IS NOT NULL) AND (SELECT count(*) > 5 FROM deal_changes WHERE change IN ('restored', 'recreated'))
    AND (SELECT count(*) > 5 FROM deal_changes WHERE change = 'archived'), '(with all kinds of writes)');

-- The whole of the index, and none of it.
CREATE TABLE t.both AS SELECT at, pipeline_summary_as_of(id('Sales'), at) AS report FROM (SELECT at FROM t.moments ORDER BY md5(at::text) LIMIT 50) AS m;
DROP INDEX stage_changes_changed_at_idx, deal_changes_changed_at_idx;
ANALYZE;
SELECT is_empty($$SELECT at FROM t.both WHERE report <> pipeline_summary_as_of(id('Sales'), at)$$, 'the same without the indexes');

-- Arguments and edges.
SELECT is(error_of(format('SELECT pipeline_summary_as_of(%L, now())', id('nothing'))), format(E'PT404\npipeline %s does not exist\nUse the id of a pipeline that you may read.', id('nothing')), 'no such pipeline');
SELECT throws_ok('SELECT pipeline_summary_as_of(NULL, now())', '22004', 'pipeline_id must not be null', 'null');
SELECT throws_ok($$SELECT pipeline_summary_as_of(id('Sales'), NULL)$$, '22004', 'at must not be null', 'null');
SELECT throws_ok($$SELECT pipeline_summary_as_of(id('Sales'), '2999-01-01')$$, '22023', 'at is in the future: 2999-01-01 00:00:00+00', 'the future');
SELECT is((SELECT (r ->> 'total_deals', r ->> 'total_value', r ->> 'currency', jsonb_array_length(r -> 'stages'), r ->> 'as_of')::text
    FROM pipeline_summary_as_of(id('Sales'), '1999-01-01') AS r), '(0,0,USD,6,1999-01-01T00:00:00+00:00)', 'before everything: nothing');
INSERT INTO pipelines (id, name) VALUES (id('empty'), 'empty');
SELECT is(plain(pipeline_summary_as_of(id('empty'), now())), plain(pipeline_summary(id('empty'))), 'a pipeline without anything');

-- Each group of the trend is what the deals add up to that were in it: by what they
-- had then, or of what the history does not have in columns, by what they have now.
CREATE TABLE t.owners AS SELECT d.id, t.pick(ARRAY[NULL, id('ours'), id('theirs')]) AS organization_id FROM deals AS d;
UPDATE deals AS d SET organization_id = o.organization_id FROM t.owners AS o WHERE o.id = d.id;
INSERT INTO tags (id, name) SELECT id(n), n FROM unnest('{Fair,Partner}'::text[]) AS n;
INSERT INTO deal_tags (deal_id, tag_id) SELECT d.id, g.id FROM deals AS d, tags AS g WHERE random() < 0.4;
CREATE TABLE t.grouped AS
    SELECT v.dimension, r.* FROM unnest('{owner,expected_close_date,expected_close_date.month,organization,tag,stage,status,currency,value_period,pipeline,id}'::text[]) AS v (dimension)
        CROSS JOIN (SELECT at FROM t.moments WHERE at < '2026-01-01' ORDER BY md5(at::text || 'groups') LIMIT 4) AS m
        CROSS JOIN LATERAL pipeline_trend(id('Sales'), m.at, m.at + interval '30 days', 'week', group_by => v.dimension) AS r;
CREATE TABLE t.expected_groups AS
    SELECT k.dimension, k.key, a.at, coalesce(r.currency, p.currency) AS currency,
        count(*) FILTER (WHERE g.deal_status = 'open') AS open_deals, coalesce(sum(r.amount) FILTER (WHERE g.deal_status = 'open'), 0) AS open_value,
        coalesce(sum(r.amount * r.probability) FILTER (WHERE g.deal_status = 'open'), 0) AS open_weighted,
        count(*) FILTER (WHERE g.deal_status = 'won') AS won_deals, coalesce(sum(r.amount) FILTER (WHERE g.deal_status = 'won'), 0) AS won_value,
        count(*) FILTER (WHERE g.deal_status = 'lost') AS lost_deals, coalesce(sum(r.amount) FILTER (WHERE g.deal_status = 'lost'), 0) AS lost_value,
        count(*) - count(r.amount) AS without_amount,
        count(DISTINCT r.value_period) FILTER (WHERE r.amount IS NOT NULL) > 1 AS mixed
    FROM (SELECT DISTINCT at FROM t.grouped) AS a
        CROSS JOIN LATERAL t.replay(a.at) AS r
        JOIN stages AS g ON g.id = r.stage_id
        JOIN pipelines AS p ON p.id = g.pipeline_id AND p.id = id('Sales')
        LEFT JOIN deals AS d ON d.id = r.deal_id
        CROSS JOIN LATERAL (VALUES ('total', NULL), ('owner', r.owner_id::text), ('expected_close_date', r.expected_close_date::text),
            ('expected_close_date.month', date_trunc('month', r.expected_close_date)::date::text), ('organization', d.organization_id::text),
            ('stage', r.stage_id::text), ('status', g.deal_status), ('currency', coalesce(r.currency, p.currency)), ('value_period', r.value_period),
            ('pipeline', p.id::text), ('id', d.id::text)) AS k (dimension, key)
    GROUP BY 1, 2, 3, 4;
INSERT INTO t.expected_groups
    SELECT 'tag', k.key, a.at, coalesce(r.currency, 'USD'),
        count(*) FILTER (WHERE g.deal_status = 'open'), coalesce(sum(r.amount) FILTER (WHERE g.deal_status = 'open'), 0),
        coalesce(sum(r.amount * r.probability) FILTER (WHERE g.deal_status = 'open'), 0),
        count(*) FILTER (WHERE g.deal_status = 'won'), coalesce(sum(r.amount) FILTER (WHERE g.deal_status = 'won'), 0),
        count(*) FILTER (WHERE g.deal_status = 'lost'), coalesce(sum(r.amount) FILTER (WHERE g.deal_status = 'lost'), 0), count(*) - count(r.amount),
        count(DISTINCT r.value_period) FILTER (WHERE r.amount IS NOT NULL) > 1
    FROM (SELECT DISTINCT at FROM t.grouped) AS a
        CROSS JOIN LATERAL t.replay(a.at) AS r
        JOIN stages AS g ON g.id = r.stage_id AND g.pipeline_id = id('Sales')
        LEFT JOIN LATERAL (SELECT x.tag_id::text AS key FROM deal_tags AS x WHERE x.deal_id = r.deal_id) AS k ON true
    GROUP BY 2, 3, 4;
CREATE VIEW t.told_groups AS
    SELECT CASE WHEN is_total THEN 'total' ELSE dimension END AS dimension, group_key, at, value_currency, open_deals, open_value, open_weighted_value,
        won_deals, won_value, lost_deals, lost_value, deals_without_amount, mixed_value_periods
    FROM t.grouped WHERE open_deals + won_deals + lost_deals > 0;
SELECT is_empty('TABLE t.told_groups EXCEPT TABLE t.expected_groups', 'each group of the trend is what its deals add up to');
SELECT is_empty('TABLE t.expected_groups EXCEPT TABLE t.told_groups', 'and no group is left out');
SELECT cmp_ok((SELECT count(DISTINCT (dimension, group_key)) FROM t.told_groups), '>', 60::bigint, '(of many groups)');
SELECT cmp_ok((SELECT count(*) FROM t.expected_groups AS e WHERE dimension = 'owner' AND NOT EXISTS (SELECT FROM deals AS d WHERE d.owner_id::text = e.key
    HAVING count(*) >= e.open_deals + e.won_deals + e.lost_deals)), '>', 0::bigint, '(some of which had more deals then)');

-- A stage that is no more: its deals count by the status they had.
CREATE TABLE t.before AS SELECT pipeline_summary_as_of(id('Renewals'), t.at) AS report, t.at
    FROM (SELECT clock_timestamp() AS at) AS t;
SELECT delete_stage(id('Renewed'), id('Contacted')) \g /dev/null
-- with the triggers, a stage with a history is archived only
ALTER TABLE stages DISABLE TRIGGER USER;
DELETE FROM stages WHERE id = id('Renewed');
ALTER TABLE stages ENABLE TRIGGER USER;
SELECT is((SELECT pipeline_summary_as_of(id('Renewals'), at) #- '{stages}' FROM t.before), (SELECT report #- '{stages}' FROM t.before), 'a stage deleted since');
SELECT is((SELECT s - '{name,position}'::text[] FROM t.before, jsonb_array_elements(pipeline_summary_as_of(id('Renewals'), at) -> 'stages') AS s WHERE s ->> 'stage_id' = id('Renewed')::text),
    (SELECT s - '{name,position}'::text[] FROM t.before, jsonb_array_elements(report -> 'stages') AS s WHERE s ->> 'stage_id' = id('Renewed')::text), 'is there without a name');

-- Many moments from one reading are what each is by itself.
CREATE TABLE t.points AS SELECT row_number() OVER (ORDER BY at) AS n, at FROM (SELECT at FROM t.moments ORDER BY md5(at::text) LIMIT 150) AS m;
CREATE FUNCTION t.at_points(points timestamptz[], in_currency text) RETURNS TABLE (pipeline uuid, at timestamptz, sums text) LANGUAGE sql AS $$
    SELECT p.id, points[n], (SELECT row(s.rate_day, s.deal_status, s.stage_id, s.currency, s.value_period, s.deals, s.deals_without_amount,
        s.deals_without_probability, s.value, s.weighted_value)::text)
    FROM crm.pipelines AS p, extensions.crm_summaries_as_of('crm', p.tenant_id, p.id, points, in_currency) AS s, generate_series(s.first_point, s.last_point) AS n
$$;
CREATE TABLE t.waterfalls AS SELECT p.id, w.* FROM pipelines AS p, pipeline_waterfall(p.id, '2024-02-01') AS w;
CREATE FUNCTION t.bars() RETURNS SETOF t.waterfalls LANGUAGE sql AS $$
    TABLE t.waterfalls EXCEPT ALL SELECT p.id, w.* FROM crm.pipelines AS p, crm.pipeline_waterfall(p.id, '2024-02-01') AS w
$$;
CREATE TABLE t.together AS SELECT c AS in_currency, s.* FROM (VALUES (NULL), ('EUR')) AS v (c), t.at_points((SELECT array_agg(p.at ORDER BY p.n) FROM points AS p), c) AS s;
CREATE TABLE t.singly AS SELECT c AS in_currency, s.* FROM (VALUES (NULL), ('EUR')) AS v (c), t.points AS p, t.at_points(ARRAY[p.at], c) AS s;
SELECT is_empty('(TABLE t.together EXCEPT ALL TABLE t.singly) UNION ALL (TABLE t.singly EXCEPT ALL TABLE t.together)', 'many moments from one reading');
SELECT cmp_ok((SELECT count(*) FROM t.together), '>', 2000::bigint, '(which are many rows)');

-- Of a large pipeline the changes of all deals are read, of a small one those of its own.
ALTER TABLE deals DISABLE TRIGGER USER;
INSERT INTO deals (tenant_id, pipeline_id, stage_id, title, status, archived_at, stage_entered_at, created_at)
    SELECT p.tenant_id, p.id, s.id, 'filler', 'open', '2023-01-02', '2023-01-01', '2023-01-01'
    FROM pipelines AS p JOIN stages AS s ON s.id IN (id('Lead'), id('Contacted')) AND s.pipeline_id = p.id, generate_series(1, 1001);
SELECT is_empty($$TABLE t.together EXCEPT ALL SELECT c AS in_currency, s.*
        FROM (VALUES (NULL), ('EUR')) AS v (c), t.at_points((SELECT array_agg(p.at ORDER BY p.n) FROM points AS p), c) AS s$$, 'the same of large pipelines');
SELECT is_empty('SELECT * FROM t.bars()', 'and their waterfalls');
DELETE FROM deals WHERE title = 'filler';
ALTER TABLE deals ENABLE TRIGGER USER;

-- The trend beside the summary of each moment, by currency and by stage.
CREATE TABLE t.trend AS
    SELECT p.id AS pipeline, p.currency AS home, r.* FROM pipelines AS p
        CROSS JOIN (SELECT at, n, (ARRAY['day', 'week', 'month', 'quarter'])[1 + n % 4] AS step FROM t.points WHERE n % 12 = 0) AS m
        CROSS JOIN LATERAL pipeline_trend(p.id, m.at, least(m.at + 12 * ('1 ' || CASE m.step WHEN 'quarter' THEN 'month' ELSE m.step END)::interval, clock_timestamp()), m.step) AS r
    WHERE p.id IN (id('Sales'), id('Renewals'));
CREATE TABLE t.report AS SELECT pipeline, home, at, pipeline_summary_as_of(pipeline, at) AS report FROM (SELECT DISTINCT pipeline, home, at FROM t.trend) AS a;
SELECT is_empty($$
    (SELECT DISTINCT pipeline, at, value_currency, open_deals, open_value, open_weighted_value, won_deals, won_value, won_weighted_value,
            lost_deals, lost_value, lost_weighted_value FROM t.trend WHERE open_deals + won_deals + lost_deals > 0)
    EXCEPT SELECT r.pipeline, r.at, coalesce(c ->> 'currency', r.home), sum((c #>> '{open,total_deals}')::bigint), sum((c #>> '{open,total_value}')::numeric),
        sum((c #>> '{open,weighted_value}')::numeric), sum((c #>> '{won,total_deals}')::bigint), sum((c #>> '{won,total_value}')::numeric),
        sum((c #>> '{won,weighted_value}')::numeric), sum((c #>> '{lost,total_deals}')::bigint), sum((c #>> '{lost,total_value}')::numeric),
        sum((c #>> '{lost,weighted_value}')::numeric)
    FROM t.report AS r CROSS JOIN LATERAL jsonb_array_elements(r.report -> 'by_currency') AS c GROUP BY 1, 2, 3$$, 'the trend is the summary of each moment');
SELECT is_empty($$SELECT r.pipeline, r.at FROM t.report AS r CROSS JOIN LATERAL (SELECT sum(t.open_deals + t.won_deals + t.lost_deals) AS deals,
            sum(t.deals_without_amount) AS deals_without_amount, sum(t.deals_without_probability) AS deals_without_probability
        FROM (SELECT DISTINCT pipeline, at, value_currency, open_deals, won_deals, lost_deals, deals_without_amount, deals_without_probability FROM t.trend) AS t
        WHERE t.pipeline = r.pipeline AND t.at = r.at) AS t
    WHERE row(t.*)::text <> format('(%s,%s,%s)', r.report ->> 'total_deals', r.report ->> 'deals_without_amount', r.report ->> 'deals_without_probability')$$,
    'and leaves no deal out');
SELECT cmp_ok((SELECT count(*) FROM t.report), '>', 80::bigint, '(at many moments)');
CREATE TABLE t.staged AS SELECT p.id AS pipeline, r.* FROM pipelines AS p CROSS JOIN t.before AS b
    CROSS JOIN LATERAL pipeline_trend(p.id, b.at - interval '60 weeks', b.at, 'week', by_stage => true) AS r WHERE p.id IN (id('Sales'), id('Renewals'));
SELECT is_empty($$SELECT s.pipeline, s.at, r.stage, s.stage_id, s.deals, s.value FROM
        (SELECT pipeline, at, stage_id, sum(open_deals + won_deals + lost_deals) AS deals, sum(open_value + won_value + lost_value) AS value
            FROM t.staged GROUP BY 1, 2, 3) AS s
        FULL JOIN (SELECT a.pipeline, a.at, r.stage, (r.stage ->> 'stage_id')::uuid AS stage_id
            FROM (SELECT DISTINCT pipeline, at FROM t.staged) AS a
                CROSS JOIN LATERAL jsonb_array_elements(pipeline_summary_as_of(a.pipeline, a.at) -> 'stages') AS r (stage)) AS r USING (pipeline, at, stage_id)
    WHERE (s.deals, s.value) IS DISTINCT FROM ((r.stage ->> 'total_deals')::numeric, coalesce((r.stage ->> 'total_value')::numeric, s.value))
        AND (r.stage IS NOT NULL OR s.deals > 0)$$, 'and so it is by stage');
SELECT ok((SELECT count(*) FILTER (WHERE stage IS NULL AND won_deals + open_deals + lost_deals > 0) > 0 FROM t.staged), '(also of a stage that is no more)');

-- Who sees some of the deals sees the past of those.
CREATE ROLE as_of_reader;
GRANT USAGE ON SCHEMA crm, t, extensions TO as_of_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO as_of_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO as_of_reader;
ALTER TABLE deals ENABLE ROW LEVEL SECURITY;
CREATE POLICY small ON deals USING (amount < 50);
CREATE TABLE t.visible AS SELECT d.id FROM deals AS d WHERE d.amount < 50;
CREATE TABLE t.moment AS SELECT max(stage_entered_at) - interval '1 day' AS at FROM deals WHERE stage_entered_at < '2026-01-01';
CREATE TABLE t.counted AS SELECT count(*) FROM t.moment, t.replay(at) AS r JOIN t.visible AS v ON v.id = r.deal_id JOIN stages AS s ON s.id = r.stage_id
    WHERE s.pipeline_id = id('Sales');
GRANT SELECT ON t.moment, t.counted TO as_of_reader;
SET LOCAL ROLE as_of_reader;
SELECT is((SELECT (pipeline_summary_as_of(id('Sales'), at) ->> 'total_deals')::bigint FROM t.moment), (SELECT count FROM t.counted), 'row security');
RESET ROLE;
SELECT cmp_ok((SELECT count FROM t.counted), '>', 5::bigint, '(of some)');

SELECT * FROM finish();
ROLLBACK;
