-- The counts of an import.  Lines with number 0 are left out, except the first ones.

INSERT INTO @import@.report (what, number)
SELECT x.what, x.number
FROM @import@.run AS r
    CROSS JOIN LATERAL (VALUES
    (1, 'deals: lines', (SELECT count(*) FROM @import@.deals), true),
    (2, 'deals: new', (SELECT count(*) FROM @import@.work_ready AS y WHERE y.action = 'new'), true),
    (3, 'deals: replaced, with their history', (SELECT count(*) FROM @import@.work_ready AS y WHERE y.action = 'replace'), true),
    (4, 'deals: unchanged', (SELECT count(*) FROM @import@.work_ready AS y WHERE y.action = 'unchanged'), true),
    (5, 'deals: kept as they are here (policy changed_here)', (SELECT count(*) FROM @import@.work_ready AS y WHERE y.action = 'kept'), false),
    (6, 'deals: rejected', (SELECT count(*) FROM @import@.work_deals AS d WHERE d.external_id IN (SELECT e.external_id FROM @import@.rejects AS e)), true),
    (7, 'deals: the same line twice', (SELECT sum(t.times - 1) FROM @import@.work_repeated AS t WHERE t.versions = 1), false),
    (8, 'deals: lines that another one replaces (policy duplicates)',
        (SELECT sum(t.times - 1) FROM @import@.work_repeated AS t WHERE t.versions > 1 AND r.policies ->> 'duplicates' <> 'reject'), false),
    (10, 'moves: lines', (SELECT count(*) FROM @import@.moves), true),
    (11, 'moves: to write', (SELECT count(*) FROM @import@.work_target AS t JOIN @import@.work_visits AS s ON s.deal_no = t.deal_no WHERE s.n > 1), true),
    (12, 'moves: within a stage, or told twice', (SELECT count(*) FROM @import@.work_moves AS m JOIN @import@.work_kept AS k ON k.deal_no = m.deal_no)
        - (SELECT count(*) FROM @import@.work_ordered AS o JOIN @import@.work_kept AS k ON k.deal_no = o.deal_no), false),
    (13, 'moves: not in the order of time (policy out_of_order)', (SELECT count(*) FROM @import@.work_ordered AS o WHERE o.is_late), false),
    (14, 'deals: with moves of one time (policy ties)', (SELECT count(DISTINCT w.deal_no) FROM @import@.work_walk AS w), false),
    (15, 'moves: added between two that do not meet (policy gaps)', (SELECT count(*) FROM @import@.work_ordered AS o
        JOIN @import@.work_kept AS k ON k.deal_no = o.deal_no WHERE o.from_no <> o.before_no AND r.policies ->> 'gaps' = 'bridge'), false),
    (16, 'deals: begin with the first stage that is known (policy missing_first_stage)', (SELECT count(*) FROM @import@.work_kept AS k
        WHERE k.first_from IS NULL AND k.first_at > k.start_at AND r.policies ->> 'missing_first_stage' <> 'first_open'
            OR k.how = 'begin' AND k.status <> 'open'), false),
    (17, 'deals: begin in the first open stage (policy missing_first_stage)', (SELECT count(*) FROM @import@.work_kept AS k
        WHERE r.policies ->> 'missing_first_stage' = 'first_open' AND (k.first_from IS NULL AND k.first_at > k.start_at
            OR k.first_no IS NULL AND k.how = 'close' AND k.given_status IS DISTINCT FROM 'open')), false),
    (18, 'deals: moved before they were created (policy moved_before_created)', (SELECT count(*) FROM @import@.work_kept AS k WHERE k.is_before_creation), false),
    (19, 'deals: created when is not said (policy missing_created)', (SELECT count(*) FROM @import@.work_kept AS k WHERE k.created_at IS NULL), false),
    (20, 'deals: closed when is not said (policy closed_without_date)', (SELECT count(*) FROM @import@.work_kept AS k
        WHERE k.closed_at IS NULL AND (k.how = 'close' OR k.how = 'begin' AND k.status <> 'open')), false),
    (21, 'deals: closed by the history at another time (policy close_differs)', (SELECT count(*) FROM @import@.work_kept AS k
        WHERE k.how = 'agree' AND k.status <> 'open' AND k.closed_at <> k.last_at
            AND k.closed_at <> date_trunc('day', k.last_at, r.time_zone)), false),
    (22, 'deals: stand where the history ends (policy ends_elsewhere)', (SELECT count(*) FROM @import@.work_kept AS k
        WHERE k.how = 'agree' AND k.final_no <> k.last_no), false),
    (23, 'deals: moved by the import (policy ends_elsewhere)', (SELECT count(*) FROM @import@.work_kept AS k WHERE k.how = 'now'), false),
    (24, 'amounts: rounded to 4 decimals (policy amount_scale)', (SELECT count(*) FROM @import@.work_deals AS d
        WHERE d.amount <> round(d.amount, 4) AND r.policies ->> 'amount_scale' = 'round'), false),
    (30, 'value changes: lines', (SELECT count(*) FROM @import@.value_changes), true),
    (31, 'deals: with values that the changes end without (policy values_end_elsewhere)', (SELECT count(*) FROM @import@.work_differing), false),
    (40, 'lines rejected', (SELECT count(*) FROM @import@.rejects), true)
) AS x (no, what, number, always)
WHERE x.always OR x.number > 0
ORDER BY x.no;
