-- The board of a pipeline.
--
-- Amounts are texts, as a number in JavaScript would be rounded.

WITH sums AS (
    SELECT v.stage_id, sum(v.deals) AS deals,
        jsonb_agg(jsonb_build_object('currency', v.currency, 'per', v.value_period,
                'value', trim_scale(v.value)::text, 'weighted', trim_scale(v.weighted_value)::text)
            ORDER BY v.currency, v.value_period)
            FILTER (WHERE v.deals > v.deals_without_amount) AS amounts
    FROM @crm@.pipeline_stage_summary AS v
    WHERE v.pipeline_id = page_board.pipeline_id
    GROUP BY v.stage_id
), cards AS MATERIALIZED (
    SELECT d.*
    FROM @crm@.stages AS s
        CROSS JOIN LATERAL (
            SELECT d.id, d.stage_id, d.title, d.amount, d.currency, d.value_period, d.owner_id, d.stage_entered_at, d.expected_close_date,
                d.status = 'open' AND extract(epoch FROM now() - d.stage_entered_at) > s.rotting_days * 86400.0 AS rotting,
                row_number() OVER (ORDER BY d.rank, d.stage_entered_at DESC, d.id) AS place
            FROM @crm@.deals AS d
            WHERE d.stage_id = s.id AND d.archived_at IS NULL
            ORDER BY d.rank, d.stage_entered_at DESC, d.id
            LIMIT CASE WHEN s.deal_status = 'open' THEN 2000 ELSE 100 END) AS d
    WHERE s.pipeline_id = page_board.pipeline_id
), owners AS MATERIALIZED (
    SELECT o.owner_id, @extension@.crm_linked_name(page_board.crm, 'owners', o.owner_id) AS name
    FROM (SELECT DISTINCT c.owner_id FROM cards AS c WHERE c.owner_id IS NOT NULL) AS o
)
SELECT jsonb_build_object('id', p.id, 'name', p.name, 'currency', p.currency, 'stages', coalesce((
    SELECT jsonb_agg(jsonb_build_object('id', s.id, 'name', s.name, 'status', s.deal_status, 'deals', coalesce(t.deals, 0),
            'amounts', coalesce(t.amounts, '[]'), 'cards', coalesce(k.cards, '[]'))
        ORDER BY s.position)
    FROM @crm@.stages AS s
        LEFT JOIN sums AS t ON t.stage_id = s.id
        LEFT JOIN (
            SELECT c.stage_id, jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', c.id, 'title', c.title,
                    'amount', trim_scale(c.amount)::text, 'currency', coalesce(c.currency, p.currency),
                    'per', nullif(c.value_period, 'one_time'), 'owner', o.name, 'since', c.stage_entered_at,
                    'closes', c.expected_close_date, 'rotting', nullif(c.rotting, false)))
                ORDER BY c.place) AS cards
            FROM cards AS c
                LEFT JOIN owners AS o ON o.owner_id = c.owner_id
            GROUP BY c.stage_id) AS k ON k.stage_id = s.id
    WHERE s.pipeline_id = p.id
        AND (s.archived_at IS NULL OR t.deals > 0)), '[]'))
FROM @crm@.pipelines AS p
WHERE p.id = page_board.pipeline_id;
