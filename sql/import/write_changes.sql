INSERT INTO @crm@.deal_changes (tenant_id, deal_id, pipeline_id, stage_id, stage_entered_at, changed_at, move_no, version, change, status,
    old_amount, new_amount, old_currency, new_currency, old_probability, new_probability, old_value_period, new_value_period,
    old_expected_close_date, new_expected_close_date, old_owner_id, new_owner_id, old_archived_at, new_archived_at,
    changed_by, recorded_by, with_move, other)
SELECT r.tenant_id, t.deal_id, g.pipeline_id, g.stage_id, x.entered_at, x.changed_at, x.move_no, x.version, x.change, g.deal_status,
    x.old_amount, x.new_amount, x.old_currency, x.new_currency, x.old_probability, x.new_probability, x.old_period, x.new_period,
    x.old_expected, x.new_expected, x.old_owner, x.new_owner, NULL, x.archived_at, x.actor, session_user, x.with_move, x.other
FROM @import@.work_target AS t
    CROSS JOIN @import@.run AS r
    CROSS JOIN LATERAL (
        -- of values that never changed, the creation
        SELECT s.stage_no, s.at AS entered_at, s.at AS changed_at, 0 AS move_no, 1::bigint AS version, 'created' AS change,
            NULL::numeric AS old_amount, t.amount AS new_amount, NULL AS old_currency, t.currency AS new_currency,
            NULL::numeric AS old_probability, CASE WHEN s.is_last THEN t.probability ELSE i.probability END AS new_probability,
            NULL AS old_period, t.value_period AS new_period, NULL::date AS old_expected, t.expected_close_date AS new_expected,
            NULL::uuid AS old_owner, t.owner_id AS new_owner, NULL::timestamptz AS archived_at, s.actor, NULL::integer AS with_move, NULL::jsonb AS other
        FROM @import@.work_visits AS s JOIN @import@.work_stages AS i ON i.stage_no = s.stage_no
        WHERE s.deal_no = t.deal_no AND s.n = 1 AND NOT EXISTS (SELECT FROM @import@.work_states AS e WHERE e.deal_no = t.deal_no)
        UNION ALL
        SELECT s.stage_no, s.at, e.at, s.n - 1, e.version,
            CASE WHEN e.kind = 0 THEN 'created' WHEN e.is_archived THEN 'archived'
                WHEN e.has_amount OR e.has_probability OR e.has_currency OR e.has_period OR e.has_expected OR e.has_owner THEN 'updated'
                ELSE 'edited' END,
            e.old_amount, e.now_amount, e.old_currency, e.now_currency,
            CASE WHEN e.kind > 0 THEN e.old_probability END,
            CASE WHEN e.goes_along AND m.deal_no IS NOT NULL THEN m.now_probability ELSE e.now_probability END,
            e.old_period, e.now_period, e.old_expected, e.now_expected, e.old_owner, e.now_owner,
            CASE WHEN e.is_archived THEN e.at END, e.actor, CASE WHEN e.goes_along THEN e.next_n - 1 END, e.other
        FROM @import@.work_states AS e
            JOIN @import@.work_visits AS s ON s.deal_no = e.deal_no AND s.n = e.visit
            LEFT JOIN @import@.work_states AS m ON e.goes_along AND m.deal_no = e.deal_no AND m.row_no = e.row_no + 1
        WHERE e.deal_no = t.deal_no AND e.kind <> 2) AS x
    JOIN @import@.work_stages AS g ON g.stage_no = x.stage_no
WHERE t.no >= $1 AND t.no < $2
ORDER BY t.no, x.version
