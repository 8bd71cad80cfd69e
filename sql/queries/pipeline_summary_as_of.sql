-- What a pipeline added up to at a moment of the past.
--
-- Two histories that know nothing of each other: where a deal stood is in
-- stage_changes, a row of which is a visit that ended, and what it was worth in
-- deal_changes, a row of which has all that was before it.  So of a deal that
-- changed since, the first row after the moment tells the state at the moment,
-- and one that did not change is as it was.

SELECT CASE
        WHEN pipeline_summary_as_of.at > clock_timestamp()
        THEN @extension@.crm_raise('22023', format('%s is in the future', pipeline_summary_as_of.at))
    END;

WITH pipeline AS MATERIALIZED (
    SELECT p.id, p.name, p.currency, p.tenant_id
    FROM @crm@.pipelines AS p
    WHERE p.id = pipeline_summary_as_of.pipeline_id
), plan AS MATERIALIZED (
    -- Whether so much of the history is older that it pays to look for the
    -- rest: by a row before the middle of the table.
    SELECT coalesce(max(c.changed_at) <= pipeline_summary_as_of.at, false) AS look
    FROM @crm@.stage_changes AS c
    WHERE c.ctid = (SELECT format('(%s,1)', pg_relation_size((SELECT t.oid::regclass FROM pg_class AS t
            WHERE t.relnamespace = pipeline_summary_as_of.crm AND t.relname = 'stage_changes'))
        / current_setting('block_size')::bigint * 2 / 5)::tid)
), lives AS MATERIALIZED (
    -- Deals that went later: the first time, as some were put back.
    SELECT DISTINCT ON (c.deal_id) c.deal_id, c.change, c.pipeline_id, c.stage_id, c.status, c.stage_entered_at,
        c.move_no, c.old_probability
    FROM @crm@.deal_changes AS c
    WHERE c.change IN ('deleted', 'restored') AND c.changed_at > pipeline_summary_as_of.at
        AND c.tenant_id = (SELECT p.tenant_id FROM pipeline AS p)
    ORDER BY c.deal_id, c.changed_at, c.version
), taken_back AS MATERIALIZED (
    -- moves that never were, and those that took them back; but in the same life
    SELECT c.id, c.reverts_id, c.deal_id
    FROM @crm@.stage_changes AS c
        LEFT JOIN lives AS l ON l.deal_id = c.deal_id AND l.change = 'deleted' AND l.move_no < c.move_no
    WHERE c.reverts_id IS NOT NULL AND c.changed_at > pipeline_summary_as_of.at AND l.deal_id IS NULL
), changed AS MATERIALIZED (
    SELECT DISTINCT ON (c.deal_id) c.deal_id, c.move_no, c.stage_id, c.stage_entered_at, c.old_amount, c.old_currency,
        c.old_probability, c.old_value_period, c.old_archived_at
    FROM @crm@.deal_changes AS c
    WHERE c.change <> 'created' AND c.changed_at > pipeline_summary_as_of.at
        AND c.tenant_id = (SELECT p.tenant_id FROM pipeline AS p)
    ORDER BY c.deal_id, c.changed_at, c.version
), later AS MATERIALIZED (
    SELECT c.deal_id, c.move_no, c.stage_id, c.stage_entered_at, c.old_amount, c.old_currency, c.old_probability,
        c.old_value_period, c.old_archived_at, l.change AS end_of_life, l.move_no AS moves_in_life,
        t.deal_id IS NOT NULL AS had_undo
    FROM changed AS c
        LEFT JOIN lives AS l ON l.deal_id = c.deal_id
        LEFT JOIN (SELECT DISTINCT b.deal_id FROM taken_back AS b) AS t ON t.deal_id = c.deal_id
), visits AS (
    -- those that have ended since
    SELECT 'ended'::text AS kind, c.deal_id, c.from_stage_id AS stage_id, c.entered_at, c.move_no, c.amount, c.currency,
        c.from_probability AS probability, c.value_period, a.id IS NOT NULL AS archived,
        -- when it had been won or lost; null for one that was open
        CASE WHEN c.from_status <> 'open' THEN coalesce((c.closing ->> 'won_at')::timestamptz,
            (c.closing ->> 'lost_at')::timestamptz, c.entered_at) END AS closed_at
    FROM (SELECT s.id, s.deal_id, s.from_stage_id, s.entered_at, s.move_no, s.amount, s.currency,
                s.from_probability, s.value_period, s.from_status, s.closing
            FROM @crm@.stage_changes AS s
            WHERE (SELECT p.look FROM plan AS p)
                AND s.changed_at > pipeline_summary_as_of.at
                AND s.entered_at <= pipeline_summary_as_of.at
                AND s.from_pipeline_id = pipeline_summary_as_of.pipeline_id
            UNION ALL
            SELECT s.id, s.deal_id, s.from_stage_id, s.entered_at, s.move_no, s.amount, s.currency,
                s.from_probability, s.value_period, s.from_status, s.closing
            FROM @crm@.stage_changes AS s
            WHERE NOT (SELECT p.look FROM plan AS p)
                -- the same, but not by the index
                AND greatest(s.changed_at, '-infinity') > pipeline_summary_as_of.at
                AND s.entered_at <= pipeline_summary_as_of.at
                AND s.from_pipeline_id = pipeline_summary_as_of.pipeline_id) AS c
        LEFT JOIN (SELECT d.id FROM @crm@.deals AS d WHERE d.archived_at IS NOT NULL) AS a ON a.id = c.deal_id
    WHERE NOT EXISTS (SELECT FROM (
                SELECT b.id FROM taken_back AS b UNION ALL SELECT b.reverts_id AS id FROM taken_back AS b) AS b
            WHERE b.id = c.id)
        -- who sees some of the deals only, sees their history only
        AND ((SELECT @extension@.crm_sees_all_deals(pipeline_summary_as_of.crm)) OR EXISTS (SELECT FROM @crm@.deals AS d WHERE d.id = c.deal_id))
    UNION ALL
    SELECT 'present'::text AS kind, d.id AS deal_id, d.stage_id, d.stage_entered_at AS entered_at, d.move_no, d.amount, d.currency,
        d.probability, d.value_period, d.archived_at IS NOT NULL AS archived,
        coalesce(d.won_at, d.lost_at) AS closed_at
    FROM @crm@.deals AS d
    WHERE d.pipeline_id = pipeline_summary_as_of.pipeline_id
        AND d.stage_entered_at <= pipeline_summary_as_of.at
    UNION ALL
    SELECT 'last'::text AS kind, l.deal_id, l.stage_id, l.stage_entered_at AS entered_at, l.move_no, NULL::numeric AS amount,
        NULL::text AS currency, l.old_probability AS probability, NULL::text AS value_period, false AS archived,
        CASE WHEN l.status <> 'open' THEN l.stage_entered_at END AS closed_at
    FROM lives AS l
    WHERE l.change = 'deleted'
        AND l.pipeline_id = pipeline_summary_as_of.pipeline_id
        AND l.stage_entered_at <= pipeline_summary_as_of.at
        AND ((SELECT @extension@.crm_sees_all_deals(pipeline_summary_as_of.crm)) OR EXISTS (SELECT FROM @crm@.deals AS d WHERE d.id = l.deal_id))
), stood AS NOT MATERIALIZED (
    SELECT v.stage_id, v.closed_at,
            CASE WHEN c.deal_id IS NULL THEN v.amount ELSE c.old_amount END AS amount,
            CASE WHEN c.deal_id IS NULL THEN v.currency ELSE c.old_currency END AS currency,
            CASE
                WHEN c.deal_id IS NULL THEN v.probability
                WHEN c.stage_id = v.stage_id AND c.stage_entered_at = v.entered_at THEN c.old_probability
                -- What changed first did so in an earlier visit, where the move out of it was
                -- recorded later, or in one that never was.
                WHEN c.move_no < v.move_no OR c.had_undo THEN (
                    SELECT f.probability
                    FROM (SELECT 1 AS choice, x.changed_at, x.version, x.old_probability AS probability
                            FROM @crm@.deal_changes AS x
                            WHERE x.deal_id = v.deal_id AND x.stage_id = v.stage_id AND x.stage_entered_at = v.entered_at
                                AND x.changed_at > pipeline_summary_as_of.at AND x.change <> 'created'
                            UNION ALL SELECT 2 AS choice, NULL::timestamptz AS changed_at, NULL::integer AS version, v.probability) AS f
                    ORDER BY f.choice, f.changed_at, f.version
                    LIMIT 1)
                ELSE v.probability
            END AS probability,
            CASE WHEN c.deal_id IS NULL THEN v.value_period ELSE c.old_value_period END AS value_period
    FROM visits AS v
        LEFT JOIN later AS c ON c.deal_id = v.deal_id
    WHERE CASE WHEN c.deal_id IS NULL THEN NOT v.archived ELSE c.old_archived_at IS NULL END
        AND CASE
            WHEN c.end_of_life IS NULL THEN true
            WHEN c.end_of_life = 'restored' OR v.kind = 'present' THEN false
            ELSE v.kind = 'last' OR v.move_no <= c.moves_in_life
        END
), summary AS MATERIALIZED (
    SELECT NULL::date AS rate_day,
        @extension@.crm_pipeline_summary(t.stage_id, t.amount, t.currency, t.probability, t.value_period) AS summary
    FROM stood AS t
    WHERE pipeline_summary_as_of.in_currency IS NULL
    UNION ALL
    -- added up by the day that their rate is of
    SELECT CASE WHEN pipeline_summary_as_of.in_currency <> t.currency
            THEN @extension@.crm_conversion_day(coalesce(t.closed_at, pipeline_summary_as_of.at), NULL) END,
        @extension@.crm_pipeline_summary(t.stage_id, t.amount, t.currency, t.probability, t.value_period)
    FROM stood AS t
    WHERE pipeline_summary_as_of.in_currency IS NOT NULL
    GROUP BY 1
), dated AS MATERIALIZED (
    SELECT s.rate_day, r.stage_id, r.currency, r.value_period, r.deals, r.deals_without_amount, r.value, r.weighted_value
    FROM summary AS s
        CROSS JOIN LATERAL @extension@.crm_summary_rows(s.summary) AS r
), conversions AS MATERIALIZED (
    SELECT e.currency, e.day, e.multiply_by, e.divide_by, e.rates
    FROM (SELECT array_agg(p.tenant_id) AS tenant_ids, array_agg(s.currency) AS currencies, array_agg(s.rate_day) AS days
            FROM dated AS s CROSS JOIN pipeline AS p
            WHERE s.rate_day IS NOT NULL AND s.deals > s.deals_without_amount) AS c
        CROSS JOIN LATERAL @extension@.crm_conversion_rates(pipeline_summary_as_of.crm, pipeline_summary_as_of.in_currency, c.tenant_ids, c.currencies, c.days) AS e
    WHERE pipeline_summary_as_of.in_currency IS NOT NULL
), sums AS MATERIALIZED (
    SELECT r.stage_id, r.currency, r.value_period, r.deals, r.deals_without_amount, r.value, r.weighted_value,
        -- of a stage that is no more
        CASE WHEN NOT EXISTS (SELECT FROM @crm@.stages AS g WHERE g.id = r.stage_id)
            THEN coalesce(
                (SELECT c.from_status FROM @crm@.stage_changes AS c WHERE c.from_stage_id = r.stage_id LIMIT 1),
                (SELECT l.status FROM lives AS l WHERE l.stage_id = r.stage_id LIMIT 1))
        END AS deal_status
    FROM (SELECT d.stage_id, coalesce(pipeline_summary_as_of.in_currency, d.currency) AS currency, d.value_period,
                sum(d.deals) AS deals, sum(d.deals_without_amount) AS deals_without_amount,
                sum(coalesce(@extension@.crm_convert(d.value, c.multiply_by, c.divide_by), d.value)) AS value,
                sum(coalesce(@extension@.crm_convert(d.weighted_value, c.multiply_by, c.divide_by), d.weighted_value)) AS weighted_value
            FROM dated AS d
                LEFT JOIN conversions AS c ON c.currency = d.currency AND c.day = d.rate_day
            GROUP BY 1, 2, 3) AS r
)
SELECT jsonb_build_object('pipeline_id', p.id, 'name', p.name, 'as_of', pipeline_summary_as_of.at, 'source', 'history')
    || @extension@.crm_summary_report(coalesce(pipeline_summary_as_of.in_currency, p.currency),
        (SELECT jsonb_agg(g.stage)
            FROM (SELECT jsonb_build_object('stage_id', g.id, 'name', g.name, 'position', g.position,
                        'deal_status', g.deal_status, 'archived', g.archived_at IS NOT NULL) AS stage
                    FROM @crm@.stages AS g WHERE g.pipeline_id = p.id
                    UNION ALL
                    SELECT DISTINCT jsonb_build_object('stage_id', s.stage_id, 'name', NULL, 'position', NULL,
                        'deal_status', s.deal_status, 'archived', true) AS stage
                    FROM sums AS s WHERE s.deal_status IS NOT NULL) AS g),
        (SELECT jsonb_agg(jsonb_build_object('stage_id', s.stage_id, 'deal_status', s.deal_status,
                'currency', s.currency, 'value_period', s.value_period, 'deals', s.deals,
                'deals_without_amount', s.deals_without_amount, 'value', s.value, 'weighted_value', s.weighted_value))
            FROM sums AS s))
    || CASE
        WHEN pipeline_summary_as_of.in_currency IS NULL THEN '{}'
        ELSE jsonb_build_object('rates', @extension@.crm_rates_used(ARRAY(SELECT c.rates FROM conversions AS c)))
    END
FROM pipeline AS p;
