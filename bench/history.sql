-- A CRM with a history: {size} deals and 4 moves of each on average, written down
-- in the order of time.  Run by analytics.py, which fills in {size}.
--
-- A third of the deals have had their amount raised since half of the moves were
-- made.  One deal in 6 goes back and forth, one in 50 moves three times in an instant; one
-- in 20 is archived, one in 100 deleted, one in 1000 has a move that was taken back.
SELECT crm_install('crm_history');
SET search_path = crm_history, extensions;
INSERT INTO pipelines (id, name) VALUES ('00000000-0000-0000-0000-0000000000aa', 'Bench');
INSERT INTO stages (id, pipeline_id, name, position, deal_status, probability)
    SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, '00000000-0000-0000-0000-0000000000aa',
        'Stage ' || n, n, CASE n WHEN 7 THEN 'won' WHEN 8 THEN 'lost' ELSE 'open' END,
        CASE n WHEN 7 THEN 1 WHEN 8 THEN 0 ELSE n / 20.0 END
    FROM generate_series(1, 8) AS n;
SET session_replication_role = replica;
CREATE UNLOGGED TABLE new_deals AS
    SELECT n, crm_uuid_v7() AS id, 2 + n % 5 AS moves, '2023-01-01'::timestamptz + n * (900.0 / {size}) * interval '1 day' AS created_at
    FROM generate_series(1::bigint, {size}) AS n;
CREATE UNLOGGED TABLE steps AS
    SELECT d.n, d.id, i, d.moves, d.created_at,
        CASE WHEN i = 0 THEN 1
            WHEN i = moves AND n % 10 < 4 THEN 8
            WHEN i = moves AND n % 10 < 7 THEN 7
            WHEN n % 6 = 0 AND i >= 3 THEN i - 1
            ELSE least(i + 1, 6) END AS stage,
        CASE WHEN i = 0 THEN d.created_at
            WHEN n % 50 = 0 THEN d.created_at + interval '1 day'
            ELSE d.created_at + i * interval '9 days' + abs(hashint8(n * 16 + i)::bigint) * interval '280 microseconds' END AS at
    FROM new_deals AS d, generate_series(0, d.moves) AS i;
INSERT INTO stage_changes (tenant_id, deal_id, from_pipeline_id, from_stage_id, to_pipeline_id, to_stage_id, entered_at,
        changed_at, recorded_at, move_no, from_status, to_status, amount, currency, probability, from_probability,
        changed_by, recorded_by)
    SELECT '00000000-0000-0000-0000-000000000000', b.id,
        '00000000-0000-0000-0000-0000000000aa', ('00000000-0000-0000-0000-00000000000' || b.stage_before)::uuid,
        '00000000-0000-0000-0000-0000000000aa', ('00000000-0000-0000-0000-00000000000' || b.stage)::uuid,
        b.at_before, b.at, b.at, b.i, 'open', CASE b.stage WHEN 7 THEN 'won' WHEN 8 THEN 'lost' ELSE 'open' END,
        ((b.n * 7919) % 10000000) / 100.0, 'USD', b.stage / 20.0, b.stage_before / 20.0, 'bench', 'bench'
    FROM (SELECT s.*, lag(at) OVER w AS at_before, lag(stage) OVER w AS stage_before
            FROM steps AS s WINDOW w AS (PARTITION BY n ORDER BY i)) AS b
    WHERE b.i > 0
    ORDER BY b.at;
INSERT INTO deals (id, tenant_id, pipeline_id, stage_id, amount, currency, probability, value_period, status,
        stage_entered_at, move_no, title, owner_id, expected_close_date, won_at, lost_at, external_id, created_at, archived_at)
    SELECT id, '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-0000000000aa',
        ('00000000-0000-0000-0000-00000000000' || stage)::uuid,
        CASE WHEN n % 50 > 0 THEN ((n * 7919) % 10000000) / 100.0 END, CASE WHEN n % 50 > 0 THEN 'USD' END,
        CASE stage WHEN 7 THEN 1 WHEN 8 THEN 0 ELSE stage / 20.0 END,
        CASE WHEN n % 10 = 0 THEN 'monthly' ELSE 'one_time' END,
        CASE stage WHEN 7 THEN 'won' WHEN 8 THEN 'lost' ELSE 'open' END,
        at, moves, 'Deal number ' || n,
        ('00000000-0000-0000-0001-0000000000' || lpad(to_hex(n % 200), 2, '0'))::uuid, '2026-01-01'::date + (n % 700)::integer,
        CASE stage WHEN 7 THEN at END, CASE stage WHEN 8 THEN at END,
        'ext-' || n, created_at, CASE WHEN n % 20 = 3 THEN '2026-01-01'::timestamptz END
    FROM steps
    WHERE i = moves AND n % 100 <> 11
    ORDER BY at;
-- Moves that were taken back: two rows each.
INSERT INTO stage_changes (tenant_id, deal_id, from_pipeline_id, from_stage_id, to_pipeline_id, to_stage_id, entered_at,
        changed_at, recorded_at, move_no, from_status, to_status, changed_by, recorded_by)
    SELECT tenant_id, id, pipeline_id, stage_id, pipeline_id, '00000000-0000-0000-0000-000000000002', stage_entered_at,
        stage_entered_at + interval '1 day', now(), move_no + 1, status, 'open', 'bench', 'bench'
    FROM deals
    WHERE title LIKE '%007';
INSERT INTO stage_changes (tenant_id, deal_id, from_pipeline_id, from_stage_id, to_pipeline_id, to_stage_id, entered_at,
        changed_at, recorded_at, move_no, from_status, to_status, changed_by, recorded_by, reverts_id, reverts_no)
    SELECT c.tenant_id, c.deal_id, c.to_pipeline_id, c.to_stage_id, c.from_pipeline_id, c.from_stage_id, c.changed_at,
        c.changed_at + interval '1 day', now(), c.move_no + 1, c.to_status, c.from_status, 'bench', 'bench', c.id, c.move_no
    FROM deals AS d
        JOIN stage_changes AS c ON c.deal_id = d.id AND c.move_no = d.move_no + 1
    WHERE d.title LIKE '%007';
UPDATE deals SET move_no = move_no + 2 WHERE title LIKE '%007';
INSERT INTO deal_changes (tenant_id, deal_id, pipeline_id, stage_id, stage_entered_at, changed_at, recorded_at, move_no,
        version, change, status, old_amount, new_amount, old_currency, new_currency, old_probability, new_probability,
        old_value_period, new_value_period, old_owner_id, new_owner_id, old_expected_close_date, new_expected_close_date,
        old_archived_at, new_archived_at, changed_by, recorded_by)
    SELECT d.tenant_id, d.id, d.pipeline_id, ('00000000-0000-0000-0000-00000000000' || e.stage)::uuid, e.at, e.changed_at,
        e.changed_at, e.i, d.version, e.change, CASE e.stage WHEN 7 THEN 'won' WHEN 8 THEN 'lost' ELSE 'open' END,
        old.amount * 0.9, d.amount, old.currency, d.currency, CASE WHEN old.id IS NOT NULL THEN e.stage / 20.0 END, e.stage / 20.0,
        old.value_period, d.value_period, old.owner_id, d.owner_id, old.expected_close_date, d.expected_close_date,
        old.archived_at, d.archived_at, 'bench', 'bench'
    FROM (SELECT id, i, stage, at, at AS changed_at, 'created' AS change
            FROM steps
            WHERE i = 0
            UNION ALL
            (SELECT DISTINCT ON (s.n) s.id, s.i, s.stage, s.at, c.edited_at, 'updated'
            FROM steps AS s CROSS JOIN LATERAL (
                SELECT greatest(s.created_at + interval '5 days', '2024-04-01'::timestamptz + s.n % 400 * interval '1 day') AS edited_at) AS c
            WHERE s.n % 3 = 0 AND s.at <= c.edited_at
            ORDER BY s.n, s.i DESC)) AS e
        JOIN deals AS d ON d.id = e.id
        LEFT JOIN deals AS old ON old.id = d.id AND e.change = 'updated'
    ORDER BY e.changed_at;
DROP TABLE new_deals, steps;
RESET session_replication_role;
