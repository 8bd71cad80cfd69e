-- How the open value of a pipeline came from what it was to what it is.
--
-- Of a deal there are two histories, independent of each other: where it stood
-- (stage_changes, without the moves that were taken back) and what it was worth
-- (deal_changes).  Both are put into one order, by time and then by the number of
-- the move; after each step the deal is worth what the last row of each says.
-- What a step adds is what the deal is worth after it less what it was before it,
-- so that the steps add up whatever they are.

WITH asked AS MATERIALIZED (
    SELECT p.tenant_id, p.currency, coalesce(pipeline_waterfall.to_at, 'infinity') AS to_at
    FROM @crm@.pipelines AS p
    WHERE p.id = pipeline_waterfall.pipeline_id
), edits AS MATERIALIZED (
    -- all since from_at: the first one after a moment tells what was at that moment
    SELECT c.deal_id, c.move_no, c.version, c.changed_at, c.change,
        c.pipeline_id, c.status, c.stage_entered_at,
        c.old_amount, c.old_currency, c.old_owner_id, c.old_archived_at IS NOT NULL AS was_archived,
        c.new_amount, c.new_currency, c.new_owner_id, c.new_archived_at IS NOT NULL AS is_archived
    FROM @crm@.deal_changes AS c
    WHERE c.changed_at > pipeline_waterfall.from_at
        AND c.tenant_id = (SELECT a.tenant_id FROM asked AS a)
), put_back AS MATERIALIZED (
    SELECT e.deal_id, e.move_no, e.version, e.changed_at
    FROM edits AS e
    WHERE e.change = 'restored'
), moves AS MATERIALIZED (
    -- A deal that was put back may be told to have moved before it was: not in its first life.
    SELECT c.deal_id, c.move_no, c.entered_at, c.changed_at, c.from_pipeline_id, c.from_status,
        c.to_pipeline_id, c.to_status
    FROM @crm@.stage_changes AS c
    WHERE c.changed_at > pipeline_waterfall.from_at
        AND c.tenant_id = (SELECT a.tenant_id FROM asked AS a)
        AND c.reverts_no IS NULL
        AND NOT EXISTS (SELECT FROM @crm@.stage_changes AS r
            WHERE r.deal_id = c.deal_id AND r.tenant_id = c.tenant_id AND r.reverts_no = c.move_no
                AND r.changed_at > pipeline_waterfall.from_at)
        AND NOT EXISTS (SELECT FROM put_back AS b
            WHERE b.deal_id = c.deal_id AND b.move_no < c.move_no AND b.changed_at >= c.changed_at)
), first_move AS (
    SELECT DISTINCT ON (m.deal_id) m.deal_id, m.move_no, m.entered_at, m.changed_at, m.from_pipeline_id, m.from_status
    FROM moves AS m
    ORDER BY m.deal_id, m.changed_at, m.move_no
), first_edit AS (
    SELECT DISTINCT ON (e.deal_id) e.deal_id, e.changed_at, e.old_amount, e.old_currency, e.old_owner_id, e.was_archived
    FROM edits AS e
    ORDER BY e.deal_id, e.changed_at, e.version
), first_coming AS (
    -- or going
    SELECT DISTINCT ON (e.deal_id) e.deal_id, e.move_no, e.changed_at, e.change, e.pipeline_id, e.status, e.stage_entered_at
    FROM edits AS e
    WHERE e.change IN ('created', 'deleted', 'restored')
    ORDER BY e.deal_id, e.changed_at, e.version
), last_coming AS (
    SELECT DISTINCT ON (e.deal_id) e.deal_id, e.change, e.pipeline_id, e.status, e.stage_entered_at,
        e.old_amount, e.old_currency, e.old_owner_id, e.was_archived
    FROM edits AS e
    WHERE e.change IN ('created', 'deleted', 'restored')
    ORDER BY e.deal_id, e.changed_at DESC, e.version DESC
), touched AS MATERIALIZED (
    SELECT m.deal_id
    FROM moves AS m
    UNION
    SELECT e.deal_id
    FROM edits AS e
), known AS MATERIALIZED (
    -- of them those that are there, or have been deleted; not those that the caller may not see
    SELECT d.id AS deal_id, d.pipeline_id, d.status, d.stage_entered_at, d.amount, d.currency, d.owner_id,
        d.archived_at IS NOT NULL AS archived
    FROM @crm@.deals AS d
        LEFT JOIN touched AS t ON t.deal_id = d.id
    WHERE d.tenant_id = (SELECT a.tenant_id FROM asked AS a)
        AND (t.deal_id IS NOT NULL OR d.stage_entered_at > pipeline_waterfall.from_at)
    UNION ALL
    SELECT l.deal_id, l.pipeline_id, l.status, l.stage_entered_at, l.old_amount, l.old_currency, l.old_owner_id,
        l.was_archived
    FROM last_coming AS l
    WHERE l.change = 'deleted'
        AND NOT EXISTS (SELECT FROM @crm@.deals AS d WHERE d.id = l.deal_id)
        -- who sees some of the deals only, sees none that nobody can be asked about
        AND (SELECT @extension@.crm_sees_all_deals(pipeline_waterfall.crm))
), put_back_to AS (
    -- where the next step found them, or where they are
    SELECT n.deal_id, n.version, n.changed_at, coalesce(n.next_pipeline_id, k.pipeline_id) AS pipeline_id,
        coalesce(n.next_status, k.status) AS status
    FROM (SELECT x.deal_id, x.change, x.version, x.changed_at,
                lead(x.pipeline_id) OVER w AS next_pipeline_id, lead(x.status) OVER w AS next_status
            FROM (SELECT m.deal_id, 'moved' AS change, m.move_no, false AS is_edit, 0 AS version, m.changed_at,
                        m.from_pipeline_id AS pipeline_id, m.from_status AS status
                    FROM moves AS m
                    UNION ALL
                    SELECT e.deal_id, e.change, e.move_no, true AS is_edit, e.version, e.changed_at, e.pipeline_id, e.status
                    FROM edits AS e
                    WHERE e.change IN ('deleted', 'restored')) AS x
            WHERE x.deal_id IN (SELECT b.deal_id FROM put_back AS b)
            WINDOW w AS (PARTITION BY x.deal_id ORDER BY x.changed_at, x.move_no, x.is_edit, x.version)) AS n
        JOIN known AS k ON k.deal_id = n.deal_id
    WHERE n.change = 'restored'
), at_first AS MATERIALIZED (
    -- as they were at from_at, or when they began after that without a row that says so
    SELECT k.deal_id,
        coalesce(f.change, 'deleted') = 'deleted' AS is_there,
        CASE g.first WHEN 'coming' THEN f.pipeline_id WHEN 'move' THEN m.from_pipeline_id ELSE k.pipeline_id END AS pipeline_id,
        CASE g.first WHEN 'coming' THEN f.status WHEN 'move' THEN m.from_status ELSE k.status END AS status,
        CASE g.first WHEN 'coming' THEN f.stage_entered_at WHEN 'move' THEN m.entered_at ELSE k.stage_entered_at END AS entered_at,
        CASE WHEN e.deal_id IS NULL THEN k.amount ELSE e.old_amount END AS amount,
        CASE WHEN e.deal_id IS NULL THEN k.currency ELSE e.old_currency END AS currency,
        CASE WHEN e.deal_id IS NULL THEN k.owner_id ELSE e.old_owner_id END AS owner_id,
        CASE WHEN e.deal_id IS NULL THEN k.archived ELSE e.was_archived END AS archived,
        least(m.changed_at, e.changed_at) AS changed_at
    FROM known AS k
        LEFT JOIN first_move AS m ON m.deal_id = k.deal_id
        LEFT JOIN first_edit AS e ON e.deal_id = k.deal_id
        LEFT JOIN first_coming AS f ON f.deal_id = k.deal_id
        CROSS JOIN LATERAL (SELECT CASE
                WHEN f.deal_id IS NOT NULL
                    AND (m.deal_id IS NULL OR ROW(f.changed_at, f.move_no) < ROW(m.changed_at, m.move_no)) THEN 'coming'
                WHEN m.deal_id IS NOT NULL THEN 'move'
            END AS first) AS g
), steps AS (
    SELECT b.deal_id,
        CASE WHEN b.is_there AND b.entered_at > pipeline_waterfall.from_at THEN b.entered_at ELSE '-infinity' END AS at,
        -1 AS move_no, false AS is_edit, 0 AS version,
        CASE WHEN b.is_there AND b.entered_at > pipeline_waterfall.from_at THEN 'created' ELSE 'opening' END AS what,
        true AS is_place, true AS is_worth,
        b.is_there, b.pipeline_id, b.status, b.amount, b.currency, b.owner_id, b.archived
    FROM at_first AS b
        CROSS JOIN asked AS a
    WHERE b.changed_at <= a.to_at
        OR b.is_there AND b.entered_at > pipeline_waterfall.from_at AND b.entered_at <= a.to_at
    UNION ALL
    SELECT m.deal_id, m.changed_at AS at, m.move_no, false AS is_edit, 0 AS version, 'moved' AS what,
        true AS is_place, false AS is_worth,
        NULL AS is_there, m.to_pipeline_id AS pipeline_id, m.to_status AS status,
        NULL AS amount, NULL AS currency, NULL AS owner_id, NULL AS archived
    FROM moves AS m
        CROSS JOIN asked AS a
    WHERE m.changed_at <= a.to_at
        AND m.deal_id IN (SELECT k.deal_id FROM known AS k)
    UNION ALL
    SELECT e.deal_id, e.changed_at AS at, e.move_no, true AS is_edit, e.version, e.change AS what,
        e.change IN ('created', 'restored') AS is_place, true AS is_worth,
        e.change <> 'deleted' AS is_there, coalesce(b.pipeline_id, e.pipeline_id) AS pipeline_id,
        coalesce(b.status, e.status) AS status,
        e.new_amount AS amount, e.new_currency AS currency, e.new_owner_id AS owner_id, e.is_archived AS archived
    FROM edits AS e
        CROSS JOIN asked AS a
        LEFT JOIN put_back_to AS b ON b.deal_id = e.deal_id AND b.version = e.version AND b.changed_at = e.changed_at
            AND e.change = 'restored'
    WHERE e.changed_at <= a.to_at
        AND e.deal_id IN (SELECT k.deal_id FROM known AS k)
), ordered AS (
    SELECT s.deal_id, s.what, s.is_there, s.pipeline_id, s.status, s.amount, s.currency, s.owner_id, s.archived,
        row_number() OVER w AS no,
        count(*) FILTER (WHERE s.is_place) OVER w AS place_no,
        count(*) FILTER (WHERE s.is_worth) OVER w AS worth_no
    FROM steps AS s
    WINDOW w AS (PARTITION BY s.deal_id ORDER BY s.at, s.move_no, s.is_edit, s.version ROWS UNBOUNDED PRECEDING)
), states AS (
    SELECT o.deal_id, o.no, o.what,
        first_value(o.pipeline_id) OVER p AS pipeline_id,
        first_value(o.status) OVER p AS status,
        first_value(o.is_there) OVER w AS is_there,
        first_value(o.archived) OVER w AS archived,
        first_value(o.amount) OVER w AS amount,
        first_value(o.currency) OVER w AS currency,
        first_value(o.owner_id) OVER w AS owner_id
    FROM ordered AS o
    WINDOW p AS (PARTITION BY o.deal_id, o.place_no ORDER BY o.no),
        w AS (PARTITION BY o.deal_id, o.worth_no ORDER BY o.no)
), valued AS (
    SELECT s.deal_id, s.no, s.what, s.status, s.pipeline_id = pipeline_waterfall.pipeline_id AS is_here,
        s.is_there AND NOT s.archived AND s.status = 'open' AND s.pipeline_id = pipeline_waterfall.pipeline_id
            AND (pipeline_waterfall.owner_id IS NULL OR s.owner_id IS NOT DISTINCT FROM pipeline_waterfall.owner_id) AS counts,
        coalesce(s.amount, 0) AS value,
        coalesce(s.currency, a.currency) AS currency
    FROM states AS s
        CROSS JOIN asked AS a
), compared AS (
    SELECT v.what, v.status, v.is_here, v.counts, v.value, v.currency,
        coalesce(lag(v.counts) OVER w, false) AS counted, lag(v.is_here) OVER w AS was_here,
        lag(v.value) OVER w AS old_value, lag(v.currency) OVER w AS old_currency
    FROM valued AS v
    WINDOW w AS (PARTITION BY v.deal_id ORDER BY v.no)
), parts AS (
    -- what comes and what changes
    SELECT CASE
            WHEN c.counted THEN CASE
                WHEN c.currency <> c.old_currency THEN 'currency_in'
                WHEN c.value > c.old_value THEN 'amount_up'
                ELSE 'amount_down'
            END
            WHEN c.what IN ('created', 'restored') THEN 'new'
            WHEN c.what = 'moved' AND c.was_here THEN 'reopened'
            WHEN c.what = 'moved' THEN 'moved_in'
            WHEN c.what = 'unarchived' THEN 'unarchived'
            ELSE 'reassigned_in'
        END AS bar, c.currency,
        CASE WHEN c.counted AND c.currency = c.old_currency THEN 0 ELSE 1 END AS deals,
        CASE WHEN c.counted AND c.currency = c.old_currency THEN c.value - c.old_value ELSE c.value END AS value
    FROM compared AS c
    WHERE c.counts
        AND c.what <> 'opening'
        AND (NOT c.counted OR c.value <> c.old_value OR c.currency <> c.old_currency)
    UNION ALL
    -- what goes
    SELECT CASE
            WHEN c.counts THEN 'currency_out'
            WHEN c.what = 'moved' AND NOT c.is_here THEN 'moved_out'
            WHEN c.what = 'moved' AND c.status = 'won' THEN 'won'
            WHEN c.what = 'moved' THEN 'lost'
            WHEN c.what IN ('archived', 'deleted') THEN c.what
            ELSE 'reassigned_out'
        END, c.old_currency, -1 AS deals, -c.old_value
    FROM compared AS c
    WHERE c.counted
        AND (NOT c.counts OR c.currency <> c.old_currency)
), opening AS (
    SELECT coalesce(b.currency, a.currency) AS currency, coalesce(b.amount, 0) AS value
    FROM at_first AS b
        CROSS JOIN asked AS a
    WHERE b.is_there
        AND b.entered_at <= pipeline_waterfall.from_at
        AND NOT b.archived
        AND b.status = 'open'
        AND b.pipeline_id = pipeline_waterfall.pipeline_id
        AND (pipeline_waterfall.owner_id IS NULL OR b.owner_id = pipeline_waterfall.owner_id)
    UNION ALL
    -- and what has not been touched since
    SELECT coalesce(d.currency, a.currency), coalesce(d.amount, 0)
    FROM @crm@.deals AS d
        CROSS JOIN asked AS a
    WHERE d.pipeline_id = pipeline_waterfall.pipeline_id
        AND d.status = 'open'
        AND d.archived_at IS NULL
        AND d.stage_entered_at <= pipeline_waterfall.from_at
        AND (pipeline_waterfall.owner_id IS NULL OR d.owner_id = pipeline_waterfall.owner_id)
        AND NOT EXISTS (SELECT FROM touched AS t WHERE t.deal_id = d.id)
), sums AS MATERIALIZED (
    SELECT p.currency, p.bar, count(*) AS changes, sum(p.deals) AS deals, sum(p.value) AS value
    FROM parts AS p
    WHERE pipeline_waterfall.currency IS NULL OR p.currency = pipeline_waterfall.currency
    GROUP BY p.currency, p.bar
    UNION ALL
    SELECT o.currency, 'opening' AS bar, count(*), count(*), sum(o.value)
    FROM opening AS o
    WHERE pipeline_waterfall.currency IS NULL OR o.currency = pipeline_waterfall.currency
    GROUP BY o.currency
), conversions AS MATERIALIZED (
    -- one rate for all bars: what a rate did would be a bar of its own
    SELECT e.currency, e.multiply_by, e.divide_by, e.rates
    FROM (SELECT array_agg(a.tenant_id) AS tenant_ids, array_agg(s.currency) AS currencies,
                array_agg((least(a.to_at, now()) AT TIME ZONE 'UTC')::date) AS days
            FROM sums AS s CROSS JOIN asked AS a
            WHERE s.value <> 0) AS c
        CROSS JOIN LATERAL @extension@.crm_conversion_rates(pipeline_waterfall.crm, pipeline_waterfall.in_currency, c.tenant_ids, c.currencies, c.days) AS e
    WHERE pipeline_waterfall.in_currency IS NOT NULL
), converted AS MATERIALIZED (
    SELECT coalesce(pipeline_waterfall.in_currency, s.currency) AS currency, s.bar,
        sum(s.changes)::bigint AS changes, sum(s.deals)::bigint AS deals,
        sum(coalesce(@extension@.crm_convert(s.value, c.multiply_by, c.divide_by), s.value)) AS value
    FROM sums AS s
        LEFT JOIN conversions AS c ON c.currency = s.currency
    GROUP BY 1, 2
)
SELECT t.currency, b.no, b.bar,
    CASE b.bar WHEN 'closing' THEN t.deals ELSE coalesce(s.changes, 0) END,
    CASE b.bar WHEN 'closing' THEN t.deals ELSE coalesce(s.deals, 0) END,
    trim_scale(CASE b.bar WHEN 'closing' THEN t.value ELSE coalesce(s.value, 0) END),
    CASE WHEN pipeline_waterfall.in_currency IS NOT NULL THEN (SELECT @extension@.crm_rates_used(array_agg(c.rates)) FROM conversions AS c) END
FROM (SELECT u.currency, sum(u.deals)::bigint AS deals, sum(u.value) AS value FROM converted AS u GROUP BY u.currency) AS t
    CROSS JOIN (VALUES (1, 'opening'), (2, 'new'), (3, 'reopened'), (4, 'moved_in'), (5, 'reassigned_in'),
        (6, 'unarchived'), (7, 'amount_up'), (8, 'amount_down'), (9, 'currency_in'), (10, 'currency_out'),
        (11, 'won'), (12, 'lost'), (13, 'moved_out'), (14, 'reassigned_out'), (15, 'archived'), (16, 'deleted'),
        (17, 'closing')) AS b (no, bar)
    LEFT JOIN converted AS s ON s.currency = t.currency AND s.bar = b.bar
ORDER BY t.currency, b.no;
