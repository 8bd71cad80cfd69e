-- How the open value of a pipeline came from what it was to what it is.
--
-- Of a deal there are two histories, independent of each other: where it stood
-- (stage_changes, without the moves that were taken back) and what it was worth
-- (deal_changes).  crm_waterfall() puts both into one order, by time and then by
-- the number of the move, and adds up what the deal is worth after each step less
-- what it was before it: so the steps add up whatever they are.

CREATE FUNCTION pipeline_waterfall(pipeline_id uuid, from_at timestamptz, to_at timestamptz DEFAULT NULL,
        owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, in_currency text DEFAULT NULL)
    RETURNS TABLE (value_currency text, bar_no integer, bar text, changes bigint, deals bigint, value numeric, rates jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
    -- The planner cannot know how much came later; these bear any number.
    SET jit = off
BEGIN ATOMIC
    SELECT CASE
            WHEN pipeline_waterfall.pipeline_id IS NULL
            THEN crm_raise('22004', 'pipeline_id must not be null')
            WHEN NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = pipeline_waterfall.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', pipeline_waterfall.pipeline_id))
            WHEN pipeline_waterfall.from_at IS NULL
            THEN crm_raise('22004', 'from_at must not be null')
            WHEN pipeline_waterfall.from_at > pipeline_waterfall.to_at
            THEN crm_raise('22023', 'from_at is after to_at')
            WHEN NOT crm_is_currency(pipeline_waterfall.in_currency)
            THEN crm_raise('22023', format('"%s" is not a currency', pipeline_waterfall.in_currency), NULL,
                'Use a code of ISO 4217, such as EUR.')
        END;

    WITH asked AS MATERIALIZED (
        SELECT p.tenant_id, p.currency, coalesce(pipeline_waterfall.to_at, 'infinity') AS to_at
        FROM pipelines AS p
        WHERE p.id = pipeline_waterfall.pipeline_id
    ), sums AS MATERIALIZED (
        SELECT w.value_currency AS currency, w.bar, w.changes, w.deal_count AS deals, w.value
        FROM asked AS a
            CROSS JOIN LATERAL crm_waterfall('deals'::regclass, a.tenant_id, pipeline_waterfall.pipeline_id,
                pipeline_waterfall.from_at, a.to_at, pipeline_waterfall.owner_id, a.currency) AS w
        WHERE pipeline_waterfall.currency IS NULL OR w.value_currency = pipeline_waterfall.currency
    ), conversions AS MATERIALIZED (
        -- one rate for all bars: what a rate did would be a bar of its own
        SELECT e.currency, e.multiply_by, e.divide_by, e.rates
        FROM (SELECT array_agg(a.tenant_id) AS tenant_ids, array_agg(s.currency) AS currencies,
                    array_agg((least(a.to_at, now()) AT TIME ZONE 'UTC')::date) AS days
                FROM sums AS s CROSS JOIN asked AS a
                WHERE s.value <> 0) AS c
            CROSS JOIN LATERAL conversion_rates(pipeline_waterfall.in_currency, c.tenant_ids, c.currencies, c.days) AS e
        WHERE pipeline_waterfall.in_currency IS NOT NULL
    ), converted AS MATERIALIZED (
        SELECT coalesce(pipeline_waterfall.in_currency, s.currency) AS currency, s.bar,
            sum(s.changes)::bigint AS changes, sum(s.deals)::bigint AS deals,
            sum(coalesce(crm_convert(s.value, c.multiply_by, c.divide_by), s.value)) AS value
        FROM sums AS s
            LEFT JOIN conversions AS c ON c.currency = s.currency
        GROUP BY 1, 2
    )
    SELECT t.currency, b.no, b.bar,
        CASE b.bar WHEN 'closing' THEN t.deals ELSE coalesce(s.changes, 0) END,
        CASE b.bar WHEN 'closing' THEN t.deals ELSE coalesce(s.deals, 0) END,
        trim_scale(CASE b.bar WHEN 'closing' THEN t.value ELSE coalesce(s.value, 0) END),
        CASE WHEN pipeline_waterfall.in_currency IS NOT NULL THEN (SELECT crm_rates_used(array_agg(c.rates)) FROM conversions AS c) END
    FROM (SELECT u.currency, sum(u.deals)::bigint AS deals, sum(u.value) AS value FROM converted AS u GROUP BY u.currency) AS t
        CROSS JOIN (VALUES (1, 'opening'), (2, 'new'), (3, 'reopened'), (4, 'moved_in'), (5, 'reassigned_in'),
            (6, 'unarchived'), (7, 'amount_up'), (8, 'amount_down'), (9, 'currency_in'), (10, 'currency_out'),
            (11, 'won'), (12, 'lost'), (13, 'moved_out'), (14, 'reassigned_out'), (15, 'archived'), (16, 'deleted'),
            (17, 'closing')) AS b (no, bar)
        LEFT JOIN converted AS s ON s.currency = t.currency AND s.bar = b.bar
    ORDER BY t.currency, b.no;
END;
REVOKE EXECUTE ON FUNCTION pipeline_waterfall(uuid, timestamptz, timestamptz, uuid, text, text) FROM PUBLIC;
COMMENT ON FUNCTION pipeline_waterfall(uuid, timestamptz, timestamptz, uuid, text, text) IS
'What became of the open value of a pipeline between two moments: a waterfall

A row per currency and bar of the chart. opening = open value of the pipeline at from_at, closing = at to_at (null: now), as pipeline_summary_as_of tells them; closing = opening + all the bars between, exactly, in value and in deals. Bars that take something are negative. changes counts how often it happened, deals by how many the number of open deals changed.

new: created in an open stage, or put back after having been deleted. reopened: came back from won or lost. moved_in, moved_out: came from or went to another pipeline, whatever the status there. reassigned_in, reassigned_out: with owner_id, given to or taken from that owner. unarchived, archived. amount_up, amount_down: the amount changed. currency_in, currency_out: the currency changed, so that the deal left one waterfall for the other. won, lost, deleted: with the amount as of then; an amount written in the same statement as a move changes before it.

Each change counts when it took effect, in the bar of what happened, so that the waterfalls of two periods add up to that of both together. A deal without an amount counts as a deal of the currency of the pipeline and adds nothing; amounts count as they are, as in pipeline_summary. owner_id and currency choose deals. in_currency converts all bars at the rate of the day (UTC) of to_at (see exchange_rate), so that a rate that changed is in none of them; rates are those that were used, null without it. Leaves out archived deals while they are archived, and moves that were taken back. As Salesforce''s Pipeline Inspection, but by each change instead of by comparing two snapshots.

Errors: PT404 for an unknown pipeline, 22023 for a from_at after to_at, for what is not a currency, and where an exchange rate is missing.';
