-- The stages in which each deal stood, from its creation on.

CREATE UNLOGGED TABLE @import@.work_kept AS
SELECT p.*, c.how, c.ends_at
FROM @import@.work_plan AS p JOIN @import@.work_closing AS c ON c.deal_no = p.deal_no
WHERE NOT EXISTS (SELECT FROM @import@.rejects AS e WHERE e.external_id = p.external_id);

CREATE INDEX ON @import@.work_kept (deal_no);
ANALYZE @import@.work_kept;

-- The time of moves that have none.
CREATE UNLOGGED TABLE @import@.work_undated AS
SELECT CASE r.policies ->> 'undated' WHEN 'earliest' THEN
        coalesce((SELECT min(least(k.start_at, k.closed_at)) FROM @import@.work_kept AS k), r.started_at)
    ELSE r.started_at END AS at
FROM @import@.run AS r;

CREATE UNLOGGED TABLE @import@.work_entries AS
-- the creation, where no move is it
SELECT k.deal_no, 0::bigint AS ord, k.created_by AS actor,
    CASE WHEN k.first_no IS NOT NULL THEN coalesce(k.first_from,
            CASE WHEN r.policies ->> 'missing_first_stage' = 'first_open' THEN k.first_open END)
        WHEN k.how = 'begin' THEN k.final_no
        ELSE CASE WHEN k.given_status = 'open' THEN k.given_no ELSE k.first_open END END AS stage_no,
    CASE WHEN k.how = 'begin' AND k.status <> 'open' THEN
            coalesce(CASE WHEN k.closed_at < k.created_at THEN k.created_at ELSE k.closed_at END,
                CASE r.policies ->> 'closed_without_date' WHEN 'last_known' THEN k.start_at WHEN 'now' THEN r.started_at END, u.at)
        ELSE coalesce(k.start_at, u.at) END AS at
FROM @import@.work_kept AS k CROSS JOIN @import@.run AS r CROSS JOIN @import@.work_undated AS u
WHERE NOT coalesce(k.starts_with_move, false)
    AND NOT (k.first_no IS NOT NULL AND k.first_from IS NULL AND r.policies ->> 'missing_first_stage' <> 'first_open')
UNION ALL
-- what a move says of the stage before
SELECT o.deal_no, o.k * 10 - 5, o.actor, o.from_no, greatest(o.at, k.start_at)
FROM @import@.work_ordered AS o JOIN @import@.work_kept AS k ON k.deal_no = o.deal_no
WHERE o.from_no <> o.before_no AND (SELECT r.policies ->> 'gaps' FROM @import@.run AS r) = 'bridge'
UNION ALL
SELECT o.deal_no, o.k * 10, o.actor, o.to_no,
    CASE WHEN o.is_last AND k.how = 'agree' AND k.status <> 'open' AND k.last_status <> 'open' AND k.closed_at <> o.at
            AND (SELECT r.policies ->> 'close_differs' FROM @import@.run AS r) = 'closed_at'
            AND k.closed_at >= coalesce(o.before_at, k.start_at)
            AND k.closed_at <> date_trunc('day', o.at, (SELECT r.time_zone FROM @import@.run AS r))
        THEN k.closed_at ELSE greatest(o.at, CASE WHEN NOT k.is_before_creation THEN k.created_at END) END
FROM @import@.work_ordered AS o
    JOIN @import@.work_kept AS k ON k.deal_no = o.deal_no
UNION ALL
SELECT k.deal_no, 2000000000, (SELECT r.actor FROM @import@.run AS r), k.final_no, k.ends_at
FROM @import@.work_kept AS k
WHERE k.how IN ('close', 'now');

-- Entries into the same stage in a row are one visit.  since: when the deal got its status.
CREATE UNLOGGED TABLE @import@.work_visits AS
SELECT t.*, lag(t.stage_no) OVER deal AS before_no, lag(t.at) OVER deal AS before_at, lag(t.since) OVER deal AS before_since
FROM (SELECT x.deal_no, (row_number() OVER deal)::integer AS n, x.stage_no, x.at, x.actor, x.is_last,
        max(x.at) FILTER (WHERE x.deal_status IS DISTINCT FROM x.status_before) OVER deal AS since
    FROM (SELECT v.deal_no, v.ord, v.stage_no, v.at, v.actor, s.deal_status,
            lag(s.deal_status) OVER deal AS status_before, lead(v.deal_no) OVER deal IS NULL AS is_last
        FROM (SELECT i.*, lag(i.stage_no) OVER (PARTITION BY i.deal_no ORDER BY i.at, i.ord) AS stood_no
            FROM @import@.work_entries AS i) AS v
            JOIN @import@.work_stages AS s ON s.stage_no = v.stage_no
        WHERE v.stage_no IS DISTINCT FROM v.stood_no
        WINDOW deal AS (PARTITION BY v.deal_no ORDER BY v.at, v.ord)) AS x
    WINDOW deal AS (PARTITION BY x.deal_no ORDER BY x.at, x.ord)) AS t
WINDOW deal AS (PARTITION BY t.deal_no ORDER BY t.n);

CREATE INDEX ON @import@.work_visits (deal_no, n);
ANALYZE @import@.work_visits;

INSERT INTO @import@.rejects
SELECT DISTINCT ON (k.external_id) k.file, k.line, k.external_id, 'stage', s.name,
    format('the stage was archived at %s, and the deal would have entered it at %s', s.archived_at, t.at)
FROM @import@.work_visits AS t
    JOIN @import@.work_stages AS s ON s.stage_no = t.stage_no AND t.at >= s.archived_at
    JOIN @import@.work_kept AS k ON k.deal_no = t.deal_no
ORDER BY k.external_id, t.n;
