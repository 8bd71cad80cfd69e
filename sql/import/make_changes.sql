-- The values of the deals that changed, over time: a row for each creation, change
-- and move, with the values from then on.  Deals whose values never changed have no row
-- here: their present values always held.

CREATE UNLOGGED TABLE @import@.work_events AS
SELECT v.deal_no, v.at, v.seq, max(v.actor) AS actor,
    bool_or(v.field = 'amount') AS has_amount, max(v.new_number) FILTER (WHERE v.field = 'amount') AS amount,
    bool_or(v.field = 'probability') AS has_probability, max(v.new_number) FILTER (WHERE v.field = 'probability') AS probability,
    bool_or(v.field = 'currency') AS has_currency, max(v.new_value) FILTER (WHERE v.field = 'currency') AS currency,
    bool_or(v.field = 'value_period') AS has_period, max(v.new_value) FILTER (WHERE v.field = 'value_period') AS value_period,
    bool_or(v.field = 'expected_close_date') AS has_expected,
    max(v.new_date) FILTER (WHERE v.field = 'expected_close_date') AS expected_close_date,
    bool_or(v.field = 'owner') AS has_owner, max(v.new_value) FILTER (WHERE v.field = 'owner') AS owner,
    jsonb_object_agg(v.field, jsonb_build_object('old', v.old_value, 'new', v.new_value)) FILTER (WHERE v.field <> ALL (ARRAY['amount',
        'probability', 'currency', 'value_period', 'expected_close_date', 'owner'])) AS other,
    false AS is_archived
FROM (SELECT w.deal_no, w.actor, w.field, w.old_value, w.new_value, w.new_date,
        round(w.new_number, 4) AS new_number,
        greatest(w.at, b.at) AS at,
        row_number() OVER (PARTITION BY w.deal_no, greatest(w.at, b.at), w.field ORDER BY w.file, w.line) AS seq
    FROM @import@.work_values AS w
        JOIN @import@.work_visits AS b ON b.deal_no = w.deal_no AND b.n = 1) AS v
GROUP BY v.deal_no, v.at, v.seq;

-- The first values: the old value of the first change of each field.
CREATE UNLOGGED TABLE @import@.work_initial AS
SELECT i.deal_no,
    bool_or(i.field = 'amount') AS has_amount, max(i.old_number) FILTER (WHERE i.field = 'amount') AS amount,
    bool_or(i.field = 'currency') AS has_currency, max(i.old_value) FILTER (WHERE i.field = 'currency') AS currency,
    bool_or(i.field = 'value_period') AS has_period, max(i.old_value) FILTER (WHERE i.field = 'value_period') AS value_period,
    bool_or(i.field = 'expected_close_date') AS has_expected,
    max(i.old_date) FILTER (WHERE i.field = 'expected_close_date') AS expected_close_date,
    bool_or(i.field = 'owner') AS has_owner, max(i.old_value) FILTER (WHERE i.field = 'owner') AS owner
FROM (SELECT DISTINCT ON (w.deal_no, w.field) w.deal_no, w.field, w.old_value, w.old_date, round(w.old_number, 4) AS old_number
    FROM @import@.work_values AS w
    ORDER BY w.deal_no, w.field, w.at, w.file, w.line) AS i
GROUP BY i.deal_no;

-- The last values: those of the deal's line, or those of the history if the line has none
-- or the policy values_end_elsewhere says so.
CREATE UNLOGGED TABLE @import@.work_last AS
SELECT l.deal_no,
    max(l.new_number) FILTER (WHERE l.field = 'amount') AS amount, bool_or(l.field = 'amount') AS has_amount,
    max(l.new_number) FILTER (WHERE l.field = 'probability') AS probability, bool_or(l.field = 'probability') AS has_probability,
    max(l.new_value) FILTER (WHERE l.field = 'currency') AS currency, bool_or(l.field = 'currency') AS has_currency,
    max(l.new_value) FILTER (WHERE l.field = 'value_period') AS value_period, bool_or(l.field = 'value_period') AS has_period,
    max(l.new_date) FILTER (WHERE l.field = 'expected_close_date') AS expected_close_date, bool_or(l.field = 'expected_close_date') AS has_expected,
    max(l.new_value) FILTER (WHERE l.field = 'owner') AS owner, bool_or(l.field = 'owner') AS has_owner
FROM (SELECT DISTINCT ON (w.deal_no, w.field) w.deal_no, w.field, w.new_value, w.new_date, round(w.new_number, 4) AS new_number
    FROM @import@.work_values AS w
    ORDER BY w.deal_no, w.field, w.at DESC, w.file DESC, w.line DESC) AS l
GROUP BY l.deal_no;

CREATE UNLOGGED TABLE @import@.work_differing AS
SELECT k.deal_no, k.file, k.line, k.external_id, d.*
FROM @import@.work_kept AS k
    JOIN @import@.work_deals AS s ON s.deal_no = k.deal_no
    JOIN @import@.work_final AS f ON f.deal_no = k.deal_no
    JOIN @import@.work_last AS l ON l.deal_no = k.deal_no
    CROSS JOIN LATERAL (SELECT
        coalesce(l.has_amount AND round(s.amount, 4) <> l.amount, false) OR coalesce(l.has_amount AND s.amount IS NOT NULL AND l.amount IS NULL, false) AS of_amount,
        coalesce(l.has_currency AND f.currency <> l.currency, false) AS of_currency,
        coalesce(l.has_period AND f.value_period <> l.value_period, false) AS of_period,
        coalesce(l.has_expected AND s.expected_close_date IS DISTINCT FROM l.expected_close_date AND s.expected_close_date IS NOT NULL, false) AS of_expected,
        coalesce(l.has_owner AND s.owner IS DISTINCT FROM l.owner AND s.owner IS NOT NULL, false) AS of_owner) AS d
WHERE d.of_amount OR d.of_currency OR d.of_period OR d.of_expected OR d.of_owner;

INSERT INTO @import@.rejects
SELECT d.file, d.line, d.external_id,
    CASE WHEN d.of_amount THEN 'amount' WHEN d.of_currency THEN 'currency' WHEN d.of_period THEN 'value_period'
        WHEN d.of_expected THEN 'expected_close_date' ELSE 'owner' END,
    NULL, 'the changes end with another value (policy values_end_elsewhere)'
FROM @import@.work_differing AS d
WHERE (SELECT r.policies ->> 'values_end_elsewhere' FROM @import@.run AS r) = 'reject';

INSERT INTO @import@.work_events
SELECT d.deal_no, r.started_at, 1, r.actor, d.of_amount, round(s.amount, 4), false, NULL, d.of_currency, f.currency, d.of_period, f.value_period,
    d.of_expected, s.expected_close_date, d.of_owner, s.owner, NULL, false
FROM @import@.work_differing AS d
    JOIN @import@.work_deals AS s ON s.deal_no = d.deal_no
    JOIN @import@.work_final AS f ON f.deal_no = d.deal_no
    CROSS JOIN @import@.run AS r
WHERE r.policies ->> 'values_end_elsewhere' = 'now';

-- Archiving comes last.
INSERT INTO @import@.work_events
SELECT s.deal_no, greatest(s.archived_at, t.at, (SELECT max(e.at) FROM @import@.work_events AS e WHERE e.deal_no = s.deal_no)),
    2000000000, r.actor, false, NULL, false, NULL, false, NULL, false, NULL, false, NULL, false, NULL, NULL, true
FROM @import@.work_deals AS s
    JOIN @import@.work_visits AS t ON t.deal_no = s.deal_no AND t.is_last
    CROSS JOIN @import@.run AS r
WHERE s.archived_at IS NOT NULL;

CREATE INDEX ON @import@.work_values (deal_no) WHERE field = 'probability';

-- Created, changed, moved, in their order; a change at the time of a move belongs to it.
CREATE UNLOGGED TABLE @import@.work_timeline AS
SELECT e.deal_no, e.at, 1 AS kind, e.seq, e.actor, e.has_amount, e.amount, e.has_probability, e.probability,
    e.has_currency, e.currency, e.has_period, e.value_period,
    e.has_expected, e.expected_close_date, e.has_owner, o.id AS owner_id, e.other, e.is_archived,
    NULL::integer AS n, NULL::integer AS stage_no
FROM @import@.work_events AS e
    LEFT JOIN @import@.work_people AS o ON o.kind = 'owner' AND o.value = e.owner
UNION ALL
SELECT t.deal_no, t.at, CASE WHEN t.n = 1 THEN 0 ELSE 2 END, t.n, t.actor,
    t.n = 1, CASE WHEN i.has_amount THEN i.amount WHEN l.has_amount THEN l.amount ELSE round(s.amount, 4) END,
    true, CASE WHEN g.deal_status = 'won' THEN 1 WHEN g.deal_status = 'lost' THEN 0
        WHEN q.old_number IS NOT NULL THEN q.old_number
        WHEN t.is_last AND NOT coalesce(l.has_probability, false) THEN coalesce(s.probability_text::numeric, g.probability)
        ELSE g.probability END,
    t.n = 1, CASE WHEN i.has_currency THEN i.currency ELSE coalesce(f.currency, p.currency) END,
    t.n = 1, CASE WHEN i.has_period THEN i.value_period ELSE coalesce(f.value_period, 'one_time') END,
    t.n = 1, CASE WHEN i.has_expected THEN i.expected_close_date ELSE s.expected_close_date END,
    t.n = 1, CASE WHEN i.has_owner THEN o.id ELSE f.owner_id END,
    NULL, false, t.n, t.stage_no
FROM @import@.work_visits AS t
    JOIN @import@.work_deals AS s ON s.deal_no = t.deal_no
    JOIN @import@.work_final AS f ON f.deal_no = t.deal_no
    JOIN @import@.work_stages AS g ON g.stage_no = t.stage_no
    LEFT JOIN @import@.work_pipelines AS p ON p.pipeline_id = g.pipeline_id
    LEFT JOIN @import@.work_initial AS i ON i.deal_no = t.deal_no
    LEFT JOIN @import@.work_last AS l ON l.deal_no = t.deal_no
    LEFT JOIN @import@.work_people AS o ON o.kind = 'owner' AND o.value = i.owner
    LEFT JOIN @import@.work_visits AS x ON x.deal_no = t.deal_no AND x.n = t.n + 1
    -- the deal entered the stage with the old value of the first change there, or of
    -- that which came with the next move
    LEFT JOIN LATERAL (SELECT w.old_number FROM @import@.work_values AS w
        WHERE w.deal_no = t.deal_no AND w.field = 'probability' AND (w.at > t.at OR t.n = 1) AND (x.at IS NULL OR w.at <= x.at)
        ORDER BY w.at, w.line LIMIT 1) AS q ON true
WHERE t.deal_no IN (SELECT e.deal_no FROM @import@.work_events AS e);

-- The values from each row on, and the visit that the row is in.
CREATE UNLOGGED TABLE @import@.work_states AS
SELECT n.*, lag(n.now_amount) OVER deal AS old_amount, lag(n.now_probability) OVER deal AS old_probability,
    lag(n.now_currency) OVER deal AS old_currency, lag(n.now_period) OVER deal AS old_period,
    lag(n.now_expected) OVER deal AS old_expected, lag(n.now_owner) OVER deal AS old_owner,
    -- a change that belongs to a move comes after the deal left the stage before
    CASE WHEN lag(n.goes_along) OVER deal THEN lag(n.now_probability, 2) OVER deal ELSE lag(n.now_probability) OVER deal END AS left_probability
FROM (SELECT s.*,
    first_value(s.amount) OVER (PARTITION BY s.deal_no, s.g_amount ORDER BY s.row_no) AS now_amount,
    first_value(s.probability_here) OVER (PARTITION BY s.deal_no, s.g_probability ORDER BY s.row_no) AS now_probability,
    first_value(s.currency) OVER (PARTITION BY s.deal_no, s.g_currency ORDER BY s.row_no) AS now_currency,
    first_value(s.value_period) OVER (PARTITION BY s.deal_no, s.g_period ORDER BY s.row_no) AS now_period,
    first_value(s.expected_close_date) OVER (PARTITION BY s.deal_no, s.g_expected ORDER BY s.row_no) AS now_expected,
    first_value(s.owner_id) OVER (PARTITION BY s.deal_no, s.g_owner ORDER BY s.row_no) AS now_owner
FROM (SELECT w.*,
        count(*) FILTER (WHERE w.has_amount) OVER deal AS g_amount,
        count(*) FILTER (WHERE w.has_probability) OVER deal AS g_probability,
        count(*) FILTER (WHERE w.has_currency) OVER deal AS g_currency,
        count(*) FILTER (WHERE w.has_period) OVER deal AS g_period,
        count(*) FILTER (WHERE w.has_expected) OVER deal AS g_expected,
        count(*) FILTER (WHERE w.has_owner) OVER deal AS g_owner,
        max(w.n) OVER deal AS visit,
        -- a probability logged at the time of a move to an open stage belongs to the move
        coalesce(CASE WHEN w.kind = 2 AND g.deal_status = 'open' AND w.at = w.before_at AND w.before_has_probability
            THEN w.before_probability END, w.probability) AS probability_here,
        count(*) FILTER (WHERE NOT w.goes_along) OVER deal + CASE WHEN w.goes_along THEN 1 ELSE 0 END AS version
    FROM (SELECT x.*, lag(x.at) OVER deal AS before_at, lag(x.has_probability AND x.kind = 1) OVER deal AS before_has_probability,
            lag(x.probability) OVER deal AS before_probability,
            row_number() OVER deal AS row_no, lead(x.n) OVER deal AS next_n, lead(x.deal_no) OVER deal IS NULL AS is_end,
            coalesce(x.kind = 1 AND lead(x.kind) OVER deal = 2 AND lead(x.at) OVER deal = x.at, false) AS goes_along
        FROM @import@.work_timeline AS x
        WINDOW deal AS (PARTITION BY x.deal_no ORDER BY x.at, x.kind, x.seq)) AS w
        LEFT JOIN @import@.work_stages AS g ON g.stage_no = w.stage_no
    WINDOW deal AS (PARTITION BY w.deal_no ORDER BY w.row_no)) AS s) AS n
WINDOW deal AS (PARTITION BY n.deal_no ORDER BY n.row_no);

CREATE INDEX ON @import@.work_states (deal_no, n);
ANALYZE @import@.work_states;

-- The history may name an owner who is gone, the deal may not.
INSERT INTO @import@.rejects
SELECT s.file, s.line, s.external_id, 'owner', p.value, 'there is no such row in the table that owners are linked to (mapping)'
FROM @import@.work_states AS t
    JOIN @import@.work_deals AS s ON s.deal_no = t.deal_no
    JOIN @import@.work_people AS p ON p.kind = 'owner' AND p.id = t.now_owner AND p.is_missing
WHERE t.is_end AND NOT EXISTS (SELECT FROM @import@.rejects AS e WHERE e.external_id = s.external_id);
