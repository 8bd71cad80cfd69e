-- The changes since a moment.
--
-- Rows are ordered by (changed_at, id of the row of the history, no), and paged in this
-- order: one row of the history may be several changes.  What is told of a change is made
-- after that, for the page only.
--
-- Of a pipeline that has few deals, or some that the caller does not see, the rows of its
-- deals are read: of those that stand in it, and that left it or were deleted, or whose
-- history has a gap.  Else all of the history since a moment is read at which the page is
-- full for sure: that of the last of max_rows changes, whichever they are.  These are looked
-- for among the newest edits and among what was recorded last, which is the newest as well
-- unless it was dated back: at 5,000 rows of each, as most may be of other pipelines.  If
-- there are too few, all since the moment asked for is read; with an owner, the history of
-- the deals which that owner has, or had since then.

SELECT CASE
        WHEN changes_since.max_rows NOT BETWEEN 1 AND 1000
        THEN @extension@.crm_raise('22023', format('max_rows must not be %s', changes_since.max_rows), NULL, 'It is from 1 to 1000.')
        WHEN changes_since.after_cursor !~ '^-?[0-9]{1,18}/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/[0-9]$'
        THEN @extension@.crm_raise('22023', format('after_cursor must not be "%s"', left(changes_since.after_cursor, 40)), NULL, 'It is the last next_cursor of the page before.')
        WHEN g.until IS NOT NULL
        THEN @extension@.crm_raise('PT410', 'the history is incomplete until ' || to_char(g.until, 'YYYY-MM-DD HH24:MI:SS.USTZH:TZM'),
            'Rows of it were deleted.', 'Ask for the changes since a later moment.')
    END
FROM (SELECT max(e.changed_at) AS until
    FROM @crm@.deal_changes AS e
    WHERE e.change = 'erased' AND e.pipeline_id = '00000000-0000-0000-0000-000000000000' AND e.changed_at >= changes_since.at
        AND (changes_since.pipeline_id IS NULL OR e.tenant_id = (SELECT p.tenant_id FROM @crm@.pipelines AS p WHERE p.id = changes_since.pipeline_id))) AS g;

WITH asked AS MATERIALIZED (
    SELECT split_part(changes_since.after_cursor, '/', 1)::bigint AS micros,
        split_part(changes_since.after_cursor, '/', 2)::uuid AS id,
        split_part(changes_since.after_cursor, '/', 3)::integer AS no,
        -- no change of the page is later
        CASE
            WHEN changes_since.after_cursor IS NULL THEN 'infinity'
            ELSE timestamptz 'epoch'
                + (greatest(split_part(changes_since.after_cursor, '/', 1)::bigint, -200000000000000000) / 1000000 + 2) * interval '1 second'
        END AS latest
), caller AS MATERIALIZED (
    -- what was recorded last may be far to seek among what row security hides
    SELECT @extension@.crm_sees_all_deals(d.deals) AS sees_all,
        @extension@.crm_sees_all_deals(d.deals)
            AND (changes_since.pipeline_id IS NOT NULL OR NOT row_security_active(d.deals)) AS seeks_recorded
    FROM (SELECT to_regclass(changes_since.crm::text || '.deals') AS deals) AS d
), undone AS MATERIALIZED (
    -- few of the moves; those of a pipeline are spared the index by time
    SELECT r.deal_id, r.tenant_id, r.reverts_no
    FROM @crm@.stage_changes AS r
    WHERE r.reverts_no IS NOT NULL
        AND (changes_since.pipeline_id IS NOT NULL OR r.changed_at >= changes_since.at)
        AND (changes_since.pipeline_id IS NULL OR changes_since.pipeline_id IN (r.from_pipeline_id, r.to_pipeline_id))
), given AS NOT MATERIALIZED (
    -- deals that the owner had, and gave away or deleted
    SELECT k.deal_id, k.tenant_id
    FROM @crm@.deal_changes AS k
    WHERE k.old_owner_id = changes_since.owner_id AND k.old_owner_id IS DISTINCT FROM k.new_owner_id AND k.changed_at >= changes_since.at
), full_page AS MATERIALIZED (
    SELECT CASE WHEN NOT changes_since.few_deals THEN (
            SELECT n.changed_at
            FROM (
                (SELECT k.changed_at
                    FROM (SELECT k.changed_at, k.deal_id, k.tenant_id, k.pipeline_id, k.change, k.old_amount, k.new_amount, k.old_currency, k.new_currency,
                                k.old_expected_close_date, k.new_expected_close_date, k.old_owner_id, k.new_owner_id
                            FROM @crm@.deal_changes AS k
                            WHERE (changes_since.pipeline_id IS NULL OR (SELECT c.sees_all FROM caller AS c))
                                AND k.change <> 'created'
                                AND k.changed_at BETWEEN changes_since.at AND (SELECT a.latest FROM asked AS a)
                            ORDER BY k.changed_at DESC
                            LIMIT 5000) AS k
                    WHERE (changes_since.pipeline_id IS NULL OR k.pipeline_id = changes_since.pipeline_id)
                        AND k.change IN ('updated', 'archived', 'unarchived', 'restored', 'recreated')
                        AND (
                            @part amount_changed of k@
                            OR k.old_expected_close_date IS DISTINCT FROM k.new_expected_close_date OR k.old_owner_id IS DISTINCT FROM k.new_owner_id)
                        AND
                        @part before_cursor of k@
                        AND (changes_since.owner_id IN (k.old_owner_id, k.new_owner_id) OR
                            @part deal_of_owner of k@
                        )
                    LIMIT changes_since.max_rows)
                UNION ALL
                (SELECT k.changed_at
                    FROM (SELECT k.changed_at, k.deal_id, k.tenant_id, k.pipeline_id, k.change, k.new_owner_id
                            FROM @crm@.deal_changes AS k
                            WHERE (SELECT c.seeks_recorded FROM caller AS c)
                                AND (changes_since.after_cursor IS NULL OR k.id < (SELECT a.id FROM asked AS a))
                            ORDER BY k.id DESC
                            LIMIT 5000) AS k
                    WHERE (changes_since.pipeline_id IS NULL OR k.pipeline_id = changes_since.pipeline_id)
                        AND k.change = 'created'
                        AND
                        @part before_cursor of k@
                        AND (k.new_owner_id = changes_since.owner_id OR
                            @part deal_of_owner of k@
                        )
                    LIMIT changes_since.max_rows)
                UNION ALL
                (SELECT c.changed_at
                    FROM (SELECT c.changed_at, c.deal_id, c.tenant_id, c.from_pipeline_id, c.to_pipeline_id, c.move_no, c.reverts_no
                            FROM @crm@.stage_changes AS c
                            WHERE (SELECT c.seeks_recorded FROM caller AS c)
                                AND (changes_since.after_cursor IS NULL OR c.id < (SELECT a.id FROM asked AS a))
                            ORDER BY c.id DESC
                            LIMIT 5000) AS c
                    WHERE (changes_since.pipeline_id IS NULL OR changes_since.pipeline_id IN (c.from_pipeline_id, c.to_pipeline_id))
                        AND c.reverts_no IS NULL
                        AND NOT EXISTS (SELECT FROM undone AS u
                            WHERE u.deal_id = c.deal_id AND u.tenant_id = c.tenant_id AND u.reverts_no = c.move_no)
                        AND
                        @part before_cursor of c@
                        AND (
                            @part deal_of_owner of c@
                            OR
                            @part owner_at_move of c@
                        )
                    LIMIT changes_since.max_rows)
                ) AS n
            ORDER BY n.changed_at DESC
            OFFSET changes_since.max_rows - 1
            LIMIT 1
        ) END AS since
), since AS MATERIALIZED (
    -- null: the history of the owner's deals is read
    SELECT CASE WHEN changes_since.owner_id IS NULL OR changes_since.few_deals THEN coalesce(f.since, changes_since.at) ELSE f.since END AS at
    FROM full_page AS f
), owned AS MATERIALIZED (
    SELECT d.id AS deal_id, d.tenant_id FROM @crm@.deals AS d
    WHERE d.owner_id = changes_since.owner_id AND (SELECT s.at IS NULL FROM since AS s)
    UNION ALL
    SELECT g.deal_id, g.tenant_id FROM given AS g
), edits AS (
    SELECT k.id, k.tenant_id, k.deal_id, k.stage_id, k.change, k.changed_at, k.changed_by, k.old_amount, k.new_amount,
        k.old_currency, k.new_currency, k.old_expected_close_date, k.new_expected_close_date, k.old_owner_id, k.new_owner_id
    FROM @crm@.deal_changes AS k
    WHERE (changes_since.pipeline_id IS NULL
            OR NOT changes_since.few_deals AND (SELECT c.sees_all FROM caller AS c)
                AND k.pipeline_id = changes_since.pipeline_id)
        AND k.changed_at BETWEEN (SELECT s.at FROM since AS s) AND (SELECT a.latest FROM asked AS a)
    UNION ALL
    SELECT k.id, k.tenant_id, k.deal_id, k.stage_id, k.change, k.changed_at, k.changed_by, k.old_amount, k.new_amount,
        k.old_currency, k.new_currency, k.old_expected_close_date, k.new_expected_close_date, k.old_owner_id, k.new_owner_id
    FROM @crm@.deal_changes AS k
    WHERE changes_since.owner_id IS NOT NULL AND NOT changes_since.few_deals
        AND (changes_since.pipeline_id IS NULL OR (SELECT c.sees_all FROM caller AS c) AND k.pipeline_id = changes_since.pipeline_id)
        AND (k.deal_id, k.tenant_id) IN (SELECT o.deal_id, o.tenant_id FROM owned AS o)
        AND (SELECT s.at IS NULL FROM since AS s)
    UNION ALL
    SELECT k.id, k.tenant_id, k.deal_id, k.stage_id, k.change, k.changed_at, k.changed_by, k.old_amount, k.new_amount,
        k.old_currency, k.new_currency, k.old_expected_close_date, k.new_expected_close_date, k.old_owner_id, k.new_owner_id
    FROM @crm@.deal_changes AS k
    WHERE (changes_since.few_deals OR NOT (SELECT c.sees_all FROM caller AS c))
        AND k.pipeline_id = changes_since.pipeline_id
        AND (k.deal_id, k.tenant_id) IN (
            SELECT d.id AS deal_id, d.tenant_id FROM @crm@.deals AS d
            WHERE d.pipeline_id = changes_since.pipeline_id
            UNION ALL
            SELECT c.deal_id, c.tenant_id FROM @crm@.stage_changes AS c
            WHERE c.from_pipeline_id = changes_since.pipeline_id
                AND (c.to_pipeline_id < changes_since.pipeline_id OR c.to_pipeline_id > changes_since.pipeline_id)
            UNION ALL
            SELECT o.deal_id, o.tenant_id FROM @crm@.deal_changes AS o
            WHERE o.change IN ('deleted', 'restored', 'recreated', 'erased')
                AND o.pipeline_id IN (changes_since.pipeline_id, '00000000-0000-0000-0000-000000000000'))
    UNION ALL
    -- what was written by the statement that moved the deal into the pipeline
    SELECT k.id, k.tenant_id, k.deal_id, k.stage_id, k.change, k.changed_at, k.changed_by, k.old_amount, k.new_amount,
        k.old_currency, k.new_currency, k.old_expected_close_date, k.new_expected_close_date, k.old_owner_id, k.new_owner_id
    FROM @crm@.stage_changes AS c
        CROSS JOIN LATERAL (SELECT k.id, k.tenant_id, k.deal_id, k.stage_id, k.change, k.changed_at, k.changed_by, k.old_amount, k.new_amount,
                k.old_currency, k.new_currency, k.old_expected_close_date, k.new_expected_close_date, k.old_owner_id, k.new_owner_id
            FROM @crm@.deal_changes AS k
            WHERE k.deal_id = c.deal_id AND k.tenant_id = c.tenant_id AND k.changed_at = c.changed_at AND k.with_move = c.move_no
                AND k.pipeline_id = c.from_pipeline_id
            LIMIT 1) AS k
    WHERE c.to_pipeline_id = changes_since.pipeline_id AND c.from_pipeline_id <> c.to_pipeline_id
        AND c.changed_at BETWEEN coalesce((SELECT s.at FROM since AS s), changes_since.at) AND (SELECT a.latest FROM asked AS a)
        AND NOT EXISTS (SELECT FROM undone AS u
            WHERE u.deal_id = c.deal_id AND u.tenant_id = c.tenant_id AND u.reverts_no = c.move_no)
), moves AS (
    SELECT c.id, c.tenant_id, c.deal_id, c.from_stage_id, c.to_stage_id, c.from_status, c.to_status, c.changed_at, c.changed_by, c.move_no,
        c.reverts_no, c.amount, c.currency
    FROM @crm@.stage_changes AS c
    WHERE (changes_since.pipeline_id IS NULL
            OR NOT changes_since.few_deals AND (SELECT c.sees_all FROM caller AS c)
                AND changes_since.pipeline_id IN (c.from_pipeline_id, c.to_pipeline_id))
        AND c.changed_at BETWEEN (SELECT s.at FROM since AS s) AND (SELECT a.latest FROM asked AS a)
    UNION ALL
    SELECT c.id, c.tenant_id, c.deal_id, c.from_stage_id, c.to_stage_id, c.from_status, c.to_status, c.changed_at, c.changed_by, c.move_no,
        c.reverts_no, c.amount, c.currency
    FROM @crm@.stage_changes AS c
    WHERE changes_since.owner_id IS NOT NULL AND NOT changes_since.few_deals
        AND (changes_since.pipeline_id IS NULL
            OR (SELECT c.sees_all FROM caller AS c) AND changes_since.pipeline_id IN (c.from_pipeline_id, c.to_pipeline_id))
        AND (c.deal_id, c.tenant_id) IN (SELECT o.deal_id, o.tenant_id FROM owned AS o)
        AND (SELECT s.at IS NULL FROM since AS s)
    UNION ALL
    SELECT c.id, c.tenant_id, c.deal_id, c.from_stage_id, c.to_stage_id, c.from_status, c.to_status, c.changed_at, c.changed_by, c.move_no,
        c.reverts_no, c.amount, c.currency
    FROM @crm@.stage_changes AS c
    WHERE (changes_since.few_deals OR NOT (SELECT c.sees_all FROM caller AS c))
        AND c.from_pipeline_id = changes_since.pipeline_id
    UNION ALL
    SELECT c.id, c.tenant_id, c.deal_id, c.from_stage_id, c.to_stage_id, c.from_status, c.to_status, c.changed_at, c.changed_by, c.move_no,
        c.reverts_no, c.amount, c.currency
    FROM @crm@.stage_changes AS c
    WHERE (changes_since.few_deals OR NOT (SELECT c.sees_all FROM caller AS c))
        AND c.to_pipeline_id = changes_since.pipeline_id AND c.from_pipeline_id <> c.to_pipeline_id
), changes AS (
    SELECT c.changed_at, c.id, 0 AS no, c.tenant_id, c.deal_id,
        CASE
            WHEN c.to_status <> 'open' AND c.to_status <> c.from_status THEN c.to_status
            WHEN c.to_status = 'open' AND c.from_status <> 'open' THEN 'reopened'
            ELSE 'moved'
        END AS change, c.changed_by, c.from_stage_id, c.to_stage_id, NULL::numeric AS old_amount, c.amount AS new_amount,
        NULL AS old_currency, c.currency AS new_currency, NULL::date AS old_date, NULL::date AS new_date,
        NULL::uuid AS old_owner_id, NULL::uuid AS new_owner_id, c.move_no
    FROM moves AS c
    WHERE c.changed_at >= changes_since.at
        AND c.reverts_no IS NULL
        AND NOT EXISTS (SELECT FROM undone AS u
            WHERE u.deal_id = c.deal_id AND u.tenant_id = c.tenant_id AND u.reverts_no = c.move_no)
        AND (
            @part deal_of_owner of c@
            OR
            @part owner_at_move of c@
        )
    UNION ALL
    SELECT v.changed_at, v.id, v.no, v.tenant_id, v.deal_id, v.what, v.changed_by, CASE WHEN v.what = 'deleted' THEN v.stage_id END, v.stage_id, v.old_amount, v.new_amount,
        v.old_currency, v.new_currency, v.old_expected_close_date, v.new_expected_close_date, v.old_owner_id, v.new_owner_id, NULL
    FROM (SELECT k.id, k.tenant_id, k.deal_id, k.stage_id, k.changed_at, k.changed_by, k.old_amount, k.new_amount,
                k.old_currency, k.new_currency, k.old_expected_close_date, k.new_expected_close_date, k.old_owner_id, k.new_owner_id,
                -- both go on together
                generate_series(0, 4) AS no,
                unnest(ARRAY[
                    CASE WHEN k.change IN ('created', 'recreated') THEN k.change END,
                    CASE WHEN k.change NOT IN ('created', 'deleted', 'restored', 'recreated') AND
                        @part amount_changed of k@
                        THEN 'amount' END,
                    CASE WHEN k.change NOT IN ('created', 'deleted', 'restored', 'recreated')
                        AND k.old_expected_close_date IS DISTINCT FROM k.new_expected_close_date THEN 'close_date' END,
                    CASE WHEN k.change NOT IN ('created', 'deleted', 'restored', 'recreated') AND k.old_owner_id IS DISTINCT FROM k.new_owner_id THEN 'owner' END,
                    CASE WHEN k.change IN ('archived', 'unarchived', 'deleted', 'restored') THEN k.change END]) AS what
            FROM edits AS k
            WHERE k.changed_at >= changes_since.at
                AND (changes_since.owner_id IN (k.old_owner_id, k.new_owner_id) OR
                    @part deal_of_owner of k@
                )
                AND k.change IN ('created', 'updated', 'archived', 'unarchived', 'deleted', 'restored', 'recreated')) AS v
    WHERE v.what IS NOT NULL
), page AS (
    SELECT c.changed_at, c.id, c.no, c.tenant_id, c.deal_id, c.change, c.changed_by, c.from_stage_id, c.to_stage_id, c.old_amount,
        c.new_amount, c.old_currency, c.new_currency, c.old_date, c.new_date, c.old_owner_id, c.new_owner_id, c.move_no
    FROM changes AS c
    WHERE (changes_since.after_cursor IS NULL OR ((extract(epoch FROM c.changed_at) * 1000000)::bigint, c.id, c.no)
            < ((SELECT a.micros FROM asked AS a), (SELECT a.id FROM asked AS a), (SELECT a.no FROM asked AS a)))
    ORDER BY c.changed_at DESC, c.id DESC, c.no DESC
    LIMIT changes_since.max_rows
), told AS (
    SELECT p.changed_at, p.id, p.no, p.deal_id, p.change, p.changed_by,
        nullif(CASE p.change
                WHEN 'amount' THEN trim_scale(p.old_amount) || ' ' || p.old_currency
                WHEN 'close_date' THEN to_jsonb(p.old_date) #>> '{}'
                WHEN 'owner' THEN coalesce(@extension@.crm_linked_name(changes_since.crm, 'owners', p.old_owner_id), p.old_owner_id::text)
                ELSE CASE WHEN f.pipeline_id <> t.pipeline_id THEN (SELECT l.name || ': ' FROM @crm@.pipelines AS l WHERE l.id = f.pipeline_id) ELSE '' END || f.name
            END, '') AS old_value,
        nullif(CASE
                WHEN p.change = 'amount' THEN trim_scale(p.new_amount) || ' ' || p.new_currency
                WHEN p.change = 'close_date' THEN to_jsonb(p.new_date) #>> '{}'
                WHEN p.change = 'owner' THEN coalesce(@extension@.crm_linked_name(changes_since.crm, 'owners', p.new_owner_id), p.new_owner_id::text)
                WHEN p.no = 0 THEN CASE WHEN f.pipeline_id <> t.pipeline_id THEN (SELECT l.name || ': ' FROM @crm@.pipelines AS l WHERE l.id = t.pipeline_id) ELSE '' END || t.name
            END, '') AS new_value,
        CASE WHEN p.change = 'deleted' THEN trim_scale(p.old_amount) || ' ' || p.old_currency ELSE trim_scale(p.new_amount) || ' ' || p.new_currency END AS value,
        d.title, d.amount AS deal_amount, d.currency AS deal_currency, d.pipeline_id AS deal_pipeline_id, d.owner_id AS deal_owner_id,
        -- what a deleted deal was last
        CASE WHEN d.id IS NULL THEN (
            SELECT jsonb_build_object('amount', k.old_amount, 'currency', k.old_currency, 'pipeline_id', k.pipeline_id, 'owner_id', k.old_owner_id)
            FROM @crm@.deal_changes AS k
            WHERE k.deal_id = p.deal_id AND k.tenant_id = p.tenant_id AND k.change = 'deleted'
            ORDER BY k.changed_at DESC
            LIMIT 1
        ) END AS gone,
        -- the move out of lost, or to another reason, has the one that the deal had until then
        CASE WHEN p.change = 'lost' THEN coalesce((
            SELECT coalesce(n.closing, '{}')
            FROM @crm@.stage_changes AS n
            WHERE n.deal_id = p.deal_id AND n.tenant_id = p.tenant_id AND n.move_no > p.move_no
                AND n.from_status = 'lost' AND (n.to_status <> 'lost' OR n.closing ? 'lost_reason')
            ORDER BY n.move_no
            LIMIT 1
        ), jsonb_build_object('lost_reason', d.lost_reason)) ->> 'lost_reason' END AS lost_reason
    FROM page AS p
        LEFT JOIN @crm@.deals AS d ON d.id = p.deal_id AND d.tenant_id = p.tenant_id
        LEFT JOIN @crm@.stages AS f ON f.id = p.from_stage_id
        LEFT JOIN @crm@.stages AS t ON t.id = p.to_stage_id
    -- what is told twice is looked up once, and the order is kept
    OFFSET 0
)
SELECT p.changed_at, p.change, p.deal_id, p.title,
    concat(coalesce('"' || @extension@.crm_one_line(p.title, 100) || '"', 'A deal'), CASE p.change
        WHEN 'created' THEN concat(' was created in ', coalesce(o.new_value, 'a deleted stage'), ', ' || p.value)
        WHEN 'recreated' THEN concat(' was created again in ', coalesce(o.new_value, 'a deleted stage'), ', ' || p.value)
        WHEN 'moved' THEN concat(' moved from ', coalesce(o.old_value, 'a deleted stage'), ' to ', coalesce(o.new_value, 'a deleted stage'))
        WHEN 'won' THEN concat(' was won', ', ' || p.value)
        WHEN 'lost' THEN concat(' was lost', ' in ' || o.old_value, ', ' || p.value, ': ' || @extension@.crm_one_line(p.lost_reason, 200))
        WHEN 'reopened' THEN concat(' was reopened in ', coalesce(o.new_value, 'a deleted stage'))
        WHEN 'amount' THEN concat(' changed its amount from ', coalesce(o.old_value, 'none'), ' to ', coalesce(o.new_value, 'none'))
        WHEN 'close_date' THEN concat(' changed its expected close from ', coalesce(o.old_value, 'none'), ' to ', coalesce(o.new_value, 'none'))
        WHEN 'deleted' THEN concat(' was deleted', ' from ' || o.old_value, ', ' || p.value)
        WHEN 'owner' THEN concat(' changed its owner from ', coalesce(o.old_value, 'none'), ' to ', coalesce(o.new_value, 'none'))
        ELSE ' was ' || p.change
    END),
    p.old_value, p.new_value, trim_scale(coalesce(p.deal_amount, (p.gone ->> 'amount')::numeric)), coalesce(p.deal_currency, p.gone ->> 'currency'),
    coalesce(p.deal_pipeline_id, (p.gone ->> 'pipeline_id')::uuid), coalesce(p.deal_owner_id, (p.gone ->> 'owner_id')::uuid), p.changed_by,
    concat_ws('/', (extract(epoch FROM p.changed_at) * 1000000)::bigint, p.id, p.no)
FROM told AS p
    CROSS JOIN LATERAL (SELECT @extension@.crm_one_line(p.old_value, 100) AS old_value, @extension@.crm_one_line(p.new_value, 100) AS new_value) AS o
ORDER BY p.changed_at DESC, p.id DESC, p.no DESC;
