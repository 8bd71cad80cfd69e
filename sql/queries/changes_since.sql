-- The changes since a moment.
--
-- Rows are ordered by (changed_at, id of the row of the history, no), and paged in this
-- order: one row of the history may be several changes.
--
-- The index by time has no creations.  They are found by id instead, as an id contains
-- the time of recording, and a change that took effect since then was also recorded
-- since then.  Earlier rows are read too if they were corrected since.

SELECT CASE
        WHEN changes_since.max_rows NOT BETWEEN 1 AND 1000
        THEN @extension@.crm_raise('22023', 'max_rows must be from 1 to 1000')
        WHEN changes_since.after_cursor !~ '^-?[0-9]{1,18}/[0-9a-f-]{36}/[0-9]$'
        THEN @extension@.crm_raise('22023', 'after_cursor is not a cursor', NULL, 'It is next_cursor of the last row of the page before.')
    END;

WITH asked AS MATERIALIZED (
    -- a day earlier, as a clock may have been set back
    SELECT (lpad(to_hex(CASE
                WHEN isfinite(changes_since.at)
                THEN least(greatest(0, floor(extract(epoch FROM changes_since.at) * 1000) - 86400000), 281474976710655)
                ELSE 0
            END::bigint), 12, '0') || repeat('0', 20))::uuid AS first_id,
        split_part(changes_since.after_cursor, '/', 1)::bigint AS micros,
        split_part(changes_since.after_cursor, '/', 2)::uuid AS id,
        split_part(changes_since.after_cursor, '/', 3)::integer AS no
), created AS (
    SELECT k.id, k.tenant_id, k.deal_id, k.pipeline_id, k.stage_id, k.changed_at, k.changed_by,
        k.new_amount, k.new_currency, k.new_owner_id
    FROM @crm@.deal_changes AS k
    WHERE k.id >= (SELECT a.first_id FROM asked AS a)
        AND k.change = 'created'
    UNION ALL
    SELECT k.id, k.tenant_id, k.deal_id, k.pipeline_id, k.stage_id, k.changed_at, k.changed_by,
        k.new_amount, k.new_currency, k.new_owner_id
    FROM (SELECT DISTINCT o.deal_id, o.tenant_id
            FROM @crm@.deal_changes AS o
            WHERE o.change = 'corrected' AND o.id >= (SELECT a.first_id FROM asked AS a)) AS o
        JOIN @crm@.deal_changes AS k ON k.deal_id = o.deal_id AND k.tenant_id = o.tenant_id
    WHERE k.change = 'created'
        AND k.id < (SELECT a.first_id FROM asked AS a)
), changes AS (
    SELECT k.changed_at, k.id, 0 AS no, k.tenant_id, k.deal_id, 'created' AS change, NULL AS old_value,
        g.name AS new_value, k.new_amount AS amount, k.new_currency AS currency, k.changed_by,
        k.pipeline_id, k.pipeline_id AS other_pipeline_id, k.new_owner_id AS old_owner_id, k.new_owner_id
    FROM created AS k
        LEFT JOIN @crm@.stages AS g ON g.id = k.stage_id
    WHERE k.changed_at >= changes_since.at
    UNION ALL
    SELECT c.changed_at, c.id, 0, c.tenant_id, c.deal_id,
        CASE
            WHEN c.to_status <> 'open' AND c.to_status <> c.from_status THEN c.to_status
            WHEN c.to_status = 'open' AND c.from_status <> 'open' THEN 'reopened'
            ELSE 'moved'
        END, f.name, t.name, c.amount, c.currency, c.changed_by, c.to_pipeline_id, c.from_pipeline_id, NULL, NULL
    FROM @crm@.stage_changes AS c
        LEFT JOIN @crm@.stages AS f ON f.id = c.from_stage_id
        LEFT JOIN @crm@.stages AS t ON t.id = c.to_stage_id
    WHERE c.changed_at >= changes_since.at
        AND c.reverts_no IS NULL
        AND NOT EXISTS (SELECT FROM @crm@.stage_changes AS r
            WHERE r.deal_id = c.deal_id AND r.tenant_id = c.tenant_id AND r.reverts_no = c.move_no)
    UNION ALL
    SELECT k.changed_at, k.id, v.no, k.tenant_id, k.deal_id, v.change, v.old_value, v.new_value,
        CASE WHEN v.change = 'deleted' THEN k.old_amount ELSE k.new_amount END,
        CASE WHEN v.change = 'deleted' THEN k.old_currency ELSE k.new_currency END,
        k.changed_by, k.pipeline_id, k.pipeline_id, k.old_owner_id, k.new_owner_id
    FROM @crm@.deal_changes AS k
        CROSS JOIN LATERAL (VALUES
            (1, 'amount', concat_ws(' ', trim_scale(k.old_amount), k.old_currency), concat_ws(' ', trim_scale(k.new_amount), k.new_currency),
                k.change <> 'deleted' AND (k.old_amount IS DISTINCT FROM k.new_amount OR k.old_currency IS DISTINCT FROM k.new_currency)),
            (2, 'close_date', to_jsonb(k.old_expected_close_date) #>> '{}', to_jsonb(k.new_expected_close_date) #>> '{}',
                k.change <> 'deleted' AND k.old_expected_close_date IS DISTINCT FROM k.new_expected_close_date),
            (3, 'owner', k.old_owner_id::text, k.new_owner_id::text,
                k.change <> 'deleted' AND k.old_owner_id IS DISTINCT FROM k.new_owner_id),
            (4, k.change, NULL, NULL, k.change IN ('archived', 'unarchived', 'deleted'))) AS v (no, change, old_value, new_value, happened)
    WHERE k.changed_at >= changes_since.at
        AND k.change IN ('updated', 'archived', 'unarchived', 'deleted', 'restored')
        AND v.happened
), page AS (
    SELECT c.changed_at, c.id, c.no, c.deal_id, c.change, nullif(c.old_value, '') AS old_value, nullif(c.new_value, '') AS new_value,
        concat_ws(' ', trim_scale(c.amount), c.currency) AS value, c.changed_by,
        d.title, d.amount AS deal_amount, d.currency AS deal_currency, d.pipeline_id AS deal_pipeline_id, d.owner_id AS deal_owner_id,
        d.lost_reason, (extract(epoch FROM c.changed_at) * 1000000)::bigint AS micros
    FROM changes AS c
        CROSS JOIN asked AS a
        LEFT JOIN @crm@.deals AS d ON d.id = c.deal_id AND d.tenant_id = c.tenant_id
    WHERE (changes_since.pipeline_id IS NULL OR changes_since.pipeline_id IN (c.pipeline_id, c.other_pipeline_id))
        AND (changes_since.owner_id IS NULL OR changes_since.owner_id IN (d.owner_id, c.old_owner_id, c.new_owner_id))
        AND (a.id IS NULL OR ((extract(epoch FROM c.changed_at) * 1000000)::bigint, c.id, c.no) < (a.micros, a.id, a.no))
    ORDER BY c.changed_at DESC, c.id DESC, c.no DESC
    LIMIT changes_since.max_rows
)
SELECT p.changed_at, p.change, p.deal_id, p.title,
    concat(coalesce('"' || p.title || '"', 'A deal'), CASE p.change
        WHEN 'created' THEN concat(' was created in ', coalesce(p.new_value, 'a deleted stage'), ', ' || nullif(p.value, ''))
        WHEN 'moved' THEN concat(' moved from ', coalesce(p.old_value, 'a deleted stage'), ' to ', coalesce(p.new_value, 'a deleted stage'))
        WHEN 'won' THEN concat(' was won', ', ' || nullif(p.value, ''))
        WHEN 'lost' THEN concat(' was lost', ' in ' || p.old_value, ', ' || nullif(p.value, ''), ': ' || p.lost_reason)
        WHEN 'reopened' THEN concat(' was reopened in ', coalesce(p.new_value, 'a deleted stage'))
        WHEN 'amount' THEN concat(' changed its amount from ', coalesce(p.old_value, 'none'), ' to ', coalesce(p.new_value, 'none'))
        WHEN 'close_date' THEN concat(' changed its expected close from ', coalesce(p.old_value, 'none'), ' to ', coalesce(p.new_value, 'none'))
        WHEN 'owner' THEN concat(' changed its owner from ', coalesce(p.old_value, 'none'), ' to ', coalesce(p.new_value, 'none'))
        ELSE ' was ' || p.change
    END),
    p.old_value, p.new_value, trim_scale(p.deal_amount), p.deal_currency, p.deal_pipeline_id, p.deal_owner_id, p.changed_by,
    format('%s/%s/%s', p.micros, p.id, p.no)
FROM page AS p
ORDER BY p.changed_at DESC, p.id DESC, p.no DESC;
