-- Orders the moves by time.  Moves of the same time are ordered so that each begins in
-- the stage in which the move before it ended.

CREATE UNLOGGED TABLE @import@.work_steps AS
SELECT m.id, m.deal_no, m.line, m.at, f.stage_no AS from_no, t.stage_no AS to_no, m.actor
FROM @import@.work_moves AS m
    JOIN @import@.work_places AS t ON t.pipeline = m.pipeline AND t.stage = m.to_stage AND t.stage_no IS NOT NULL
    LEFT JOIN @import@.work_places AS f ON f.pipeline = m.pipeline AND f.stage = m.from_stage AND m.from_stage <> ''
WHERE m.deal_no IS NOT NULL AND m.at IS NOT NULL
    AND t.stage_no IS DISTINCT FROM f.stage_no;

ANALYZE @import@.work_steps;

-- The deals that have several moves of the same time, with all of their moves, each once.
CREATE UNLOGGED TABLE @import@.work_tied AS
SELECT DISTINCT ON (s.deal_no, s.at, s.from_no, s.to_no) s.id, s.deal_no, s.line, s.at, s.from_no, s.to_no
FROM @import@.work_steps AS s
WHERE s.deal_no IN (SELECT g.deal_no FROM @import@.work_steps AS g GROUP BY g.deal_no, g.at HAVING count(*) > 1)
ORDER BY s.deal_no, s.at, s.from_no, s.to_no, s.id;

CREATE INDEX ON @import@.work_tied (deal_no, at);
ANALYZE @import@.work_tied;

DELETE FROM @import@.work_steps AS s
USING (SELECT DISTINCT t.deal_no FROM @import@.work_tied AS t) AS d
WHERE s.deal_no = d.deal_no AND NOT EXISTS (SELECT FROM @import@.work_tied AS t WHERE t.deal_no = s.deal_no AND t.id = s.id);

CREATE UNLOGGED TABLE @import@.work_walk AS
WITH RECURSIVE walk AS (
    SELECT DISTINCT t.deal_no, NULL::integer AS stands_no, ARRAY[]::bigint[] AS taken, NULL::bigint AS id, 0 AS tie_no, true AS decided
    FROM @import@.work_tied AS t
    UNION ALL
    SELECT w.deal_no, n.to_no, w.taken || n.id, n.id, w.tie_no + 1, n.decided
    FROM walk AS w
        CROSS JOIN LATERAL (
            SELECT c.id, c.to_no, c.candidates = 1 OR c.fitting = 1 AS decided
            FROM (SELECT g.id, g.to_no, g.fits, count(*) OVER () AS candidates, count(*) FILTER (WHERE g.fits) OVER () AS fitting
                FROM (SELECT t.id, t.to_no, CASE
                            WHEN w.stands_no IS NOT NULL THEN coalesce(t.from_no = w.stands_no, false)
                            -- the first ones: no move of the same time leads to their stage
                            ELSE t.from_no IS NOT NULL AND NOT EXISTS (SELECT FROM @import@.work_tied AS x
                                WHERE x.deal_no = t.deal_no AND x.at = t.at AND x.to_no = t.from_no AND x.id <> t.id)
                        END AS fits
                    FROM @import@.work_tied AS t
                    WHERE t.deal_no = w.deal_no AND t.id <> ALL (w.taken)
                        AND t.at = (SELECT min(y.at) FROM @import@.work_tied AS y
                            WHERE y.deal_no = w.deal_no AND y.id <> ALL (w.taken))) AS g) AS c
            ORDER BY c.fits DESC, c.id
            LIMIT 1) AS n
)
SELECT w.deal_no, w.id, w.tie_no, w.decided FROM walk AS w WHERE w.id IS NOT NULL;

INSERT INTO @import@.rejects
SELECT DISTINCT ON (m.external_id) m.file, m.line, m.external_id, 'at', m.at_text,
    'several moves have this time, and nothing tells which was first (policy ties)'
FROM @import@.work_walk AS w JOIN @import@.work_moves AS m ON m.id = w.id
WHERE NOT w.decided AND (SELECT r.policies ->> 'ties' FROM @import@.run AS r) = 'reject'
ORDER BY m.external_id, m.line;

ANALYZE @import@.work_walk;

CREATE UNLOGGED TABLE @import@.work_ordered AS
SELECT s.*, row_number() OVER deal AS k, lag(s.to_no) OVER deal AS before_no, lag(s.at) OVER deal AS before_at, lag(s.line) OVER deal AS before_line,
    coalesce(lag(s.line) OVER deal > s.line, false) AS is_late,
    lead(s.id) OVER deal IS NULL AS is_last
FROM (SELECT s.id, s.deal_no, s.line, s.at, s.from_no, s.to_no, s.actor, w.tie_no
    FROM @import@.work_steps AS s
        LEFT JOIN @import@.work_walk AS w ON w.id = s.id) AS s
WINDOW deal AS (PARTITION BY s.deal_no ORDER BY s.at, s.tie_no, s.id);

ANALYZE @import@.work_ordered;

INSERT INTO @import@.rejects
SELECT DISTINCT ON (m.external_id) m.file, m.line, m.external_id, 'at', m.at_text,
    format('the move is before that of line %s (policy out_of_order)', o.before_line)
FROM @import@.work_ordered AS o JOIN @import@.work_moves AS m ON m.id = o.id
WHERE o.is_late AND (SELECT r.policies ->> 'out_of_order' FROM @import@.run AS r) = 'reject'
ORDER BY m.external_id, m.line;

INSERT INTO @import@.rejects
SELECT DISTINCT ON (m.external_id) m.file, m.line, m.external_id, 'from_stage', m.from_stage,
    format('the move before, in line %s, ended in "%s" (policy gaps)', o.before_line, s.name)
FROM @import@.work_ordered AS o
    JOIN @import@.work_moves AS m ON m.id = o.id
    JOIN @import@.work_stages AS s ON s.stage_no = o.before_no
WHERE o.from_no <> o.before_no AND (SELECT r.policies ->> 'gaps' FROM @import@.run AS r) = 'reject'
ORDER BY m.external_id, o.k;
