-- The beginning and the end of each deal, as far as the moves do not tell them.
--
-- A date without a time of day (midnight) means the known moment of that day, as in all
-- writes to a CRM.

CREATE UNLOGGED TABLE @import@.work_plan AS
SELECT x.*,
    -- the first move is the creation
    x.first_no IS NOT NULL AND x.first_from IS NULL AND x.start_at >= x.first_at AS starts_with_move
FROM (SELECT f.deal_no, f.file, f.line, f.external_id, f.first_open, f.given_no, f.given_status,
        coalesce(f.status, f.given_status) AS status,
        CASE WHEN f.status = 'won' AND f.given_status IS DISTINCT FROM 'won' THEN f.won_no
            WHEN f.status = 'lost' AND f.given_status IS DISTINCT FROM 'lost' THEN f.lost_no
            ELSE f.given_no END AS final_no,
        d.created_at, d.closed_at, d.closed_text, d.created_text, d.created_by,
        a.at AS first_at, a.from_no AS first_from, a.to_no AS first_no, a.line AS first_line,
        z.at AS last_at, z.to_no AS last_no, zs.deal_status AS last_status,
        -- a midnight on the day of the creation is the creation; a date of creation, with
        -- the first stage on that day, is when that was entered
        CASE WHEN a.at < d.created_at AND a.at <> date_trunc('day', d.created_at, r.time_zone) THEN a.at
            WHEN a.from_no IS NULL AND d.created_at = date_trunc('day', a.at, r.time_zone) THEN a.at
            ELSE coalesce(d.created_at, a.at) END AS start_at,
        a.at < d.created_at AND a.at <> date_trunc('day', d.created_at, r.time_zone) AS is_before_creation
    FROM @import@.work_final AS f
        JOIN @import@.work_deals AS d ON d.deal_no = f.deal_no
        CROSS JOIN @import@.run AS r
        LEFT JOIN @import@.work_ordered AS a ON a.deal_no = f.deal_no AND a.k = 1
        LEFT JOIN @import@.work_ordered AS z ON z.deal_no = f.deal_no AND z.is_last
        LEFT JOIN @import@.work_stages AS zs ON zs.stage_no = z.to_no) AS x;

ANALYZE @import@.work_plan;

-- How the deal ends: close, by a move that is known from the deal's own line; begin, in
-- the stage in which it began; agree, as the moves say.
CREATE UNLOGGED TABLE @import@.work_closing AS
SELECT c.*,
    CASE c.how
        WHEN 'close' THEN CASE WHEN c.closed_at IS NOT NULL THEN
                CASE WHEN c.closed_at = date_trunc('day', c.since_at, c.time_zone) THEN c.since_at ELSE c.closed_at END
            WHEN c.policies ->> 'closed_without_date' = 'last_known' THEN c.since_at
            WHEN c.policies ->> 'closed_without_date' = 'now' THEN c.started_at END
        WHEN 'now' THEN c.started_at
    END AS ends_at
FROM (SELECT p.deal_no, p.final_no, p.closed_at, r.time_zone, r.policies, r.started_at,
        coalesce(p.last_at, p.start_at) AS since_at,
        CASE
            -- the stage before is not known: the deal begins in this one
            WHEN p.last_no IS NULL AND p.status <> 'open' AND p.given_status IS DISTINCT FROM 'open'
                AND NOT (p.created_at IS NOT NULL AND p.first_open IS NOT NULL AND r.policies ->> 'missing_first_stage' = 'first_open') THEN 'begin'
            WHEN p.last_no IS NULL AND p.status <> 'open' THEN 'close'
            WHEN p.last_no IS NULL THEN 'begin'
            WHEN p.final_no IS NULL OR p.final_no = p.last_no THEN 'agree'
            WHEN p.status <> 'open' AND p.last_status = 'open'
                AND (p.given_status IS DISTINCT FROM 'open' OR p.given_no = p.last_no) THEN 'close'
            WHEN r.policies ->> 'ends_elsewhere' = 'history' THEN 'agree'
            WHEN r.policies ->> 'ends_elsewhere' = 'now' THEN 'now'
            ELSE 'reject'
        END AS how
    FROM @import@.work_plan AS p CROSS JOIN @import@.run AS r) AS c;

ANALYZE @import@.work_closing;

INSERT INTO @import@.rejects
SELECT p.file, p.line, p.external_id, x.column_name, x.value, x.reason
FROM @import@.work_plan AS p
    JOIN @import@.work_closing AS c ON c.deal_no = p.deal_no
    LEFT JOIN @import@.work_stages AS l ON l.stage_no = p.last_no
    CROSS JOIN @import@.run AS r
    CROSS JOIN LATERAL (VALUES
        ('stage', NULL, p.final_no IS NULL AND p.last_no IS NULL, 'no stage, no status, and no move'),
        ('created_at', NULL, p.created_at IS NULL AND p.created_text IS NULL AND r.policies ->> 'missing_created' = 'reject',
            'no time of creation (policy missing_created)'),
        ('created_at', NULL, p.created_at IS NULL AND p.created_text IS NULL AND r.policies ->> 'missing_created' <> 'reject'
            AND r.policies ->> 'undated' = 'reject' AND p.first_at IS NULL AND (p.closed_at IS NULL OR p.status = 'open'),
            'no time at all (policy undated)'),
        ('created_at', p.created_text, p.is_before_creation AND r.policies ->> 'moved_before_created' = 'reject',
            format('a move, in line %s, is earlier (policy moved_before_created)', p.first_line)),
        ('created_at', p.created_text, p.first_from IS NULL AND p.first_at > p.start_at AND r.policies ->> 'missing_first_stage' = 'reject',
            format('no stage is known from then on until the first move, in line %s (policy missing_first_stage)', p.first_line)),
        ('created_at', p.created_text, p.first_from IS NULL AND p.first_at > p.start_at AND r.policies ->> 'missing_first_stage' = 'first_open'
            AND p.first_open IS NULL, 'the pipeline has no open stage to begin in'),
        ('stage', (SELECT s.name FROM @import@.work_stages AS s WHERE s.stage_no = p.final_no), c.how = 'reject',
            format('the history ends in "%s" (policy ends_elsewhere)', l.name)),
        ('closed_at', NULL, (c.how = 'close' AND c.ends_at IS NULL AND p.closed_text IS NULL)
            OR (c.how = 'begin' AND p.status <> 'open' AND p.closed_text IS NULL AND r.policies ->> 'closed_without_date' = 'reject'),
            'closed, but when is not said (policy closed_without_date)'),
        -- where the history closes the deal, it may be a plan that nobody has changed
        ('closed_at', p.closed_text, p.closed_at > r.latest
            AND (c.how <> 'agree' OR p.status = 'open' OR r.policies ->> 'close_differs' <> 'history'), 'is in the future'),
        ('closed_at', p.closed_text, c.how = 'close' AND c.ends_at < c.since_at,
            CASE WHEN p.last_at IS NULL THEN 'is before the deal was created' ELSE 'is before the last move' END),
        ('closed_at', p.closed_text, c.how = 'begin' AND p.closed_at < p.created_at
            AND p.closed_at <> date_trunc('day', p.created_at, r.time_zone), 'is before the deal was created'),
        ('closed_at', p.closed_text, c.how = 'agree' AND p.status <> 'open' AND p.last_status <> 'open' AND r.policies ->> 'close_differs' = 'reject'
            AND p.closed_at <> p.last_at AND p.closed_at <> date_trunc('day', p.last_at, r.time_zone),
            'the history has another time (policy close_differs)')
    ) AS x (column_name, value, fails, reason)
WHERE x.fails
    AND NOT EXISTS (SELECT FROM @import@.rejects AS e WHERE e.external_id = p.external_id);
