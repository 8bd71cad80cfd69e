-- What a pipeline adds up to.
--
-- The deals are read once, by the aggregate, or not at all where stage_totals
-- has the same; all else is made of that, a row for each stage, currency and
-- value period.

CREATE VIEW pipeline_stage_summary WITH (security_invoker = true) AS
    SELECT p.id AS pipeline_id, p.name AS pipeline_name, s.id AS stage_id, s.name AS stage_name,
        s.position, s.deal_status, r.currency, r.value_period, r.deals, r.deals_without_amount,
        r.value, r.weighted_value
    FROM (SELECT d.pipeline_id,
                crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period) AS summary
            FROM deals AS d
            WHERE d.archived_at IS NULL
            GROUP BY d.pipeline_id) AS t
        CROSS JOIN LATERAL crm_summary_rows(t.summary) AS r
        JOIN stages AS s ON s.id = r.stage_id
        JOIN pipelines AS p ON p.id = t.pipeline_id;

COMMENT ON VIEW pipeline_stage_summary IS 'Number and value of the unarchived deals, a row per pipeline, stage, currency and value period that has any';
COMMENT ON COLUMN pipeline_stage_summary.pipeline_id IS 'The pipeline';
COMMENT ON COLUMN pipeline_stage_summary.pipeline_name IS 'Name of the pipeline';
COMMENT ON COLUMN pipeline_stage_summary.stage_id IS 'The stage';
COMMENT ON COLUMN pipeline_stage_summary.stage_name IS 'Name of the stage';
COMMENT ON COLUMN pipeline_stage_summary.position IS 'Place of the stage in the order of the pipeline';
COMMENT ON COLUMN pipeline_stage_summary.deal_status IS 'Status of the deals in the stage: open, won or lost';
COMMENT ON COLUMN pipeline_stage_summary.currency IS 'ISO 4217 code of the amounts; null for deals that have none';
COMMENT ON COLUMN pipeline_stage_summary.value_period IS 'What the amounts are per: one_time, monthly, quarterly or annual';
COMMENT ON COLUMN pipeline_stage_summary.deals IS 'Number of deals, those without an amount included';
COMMENT ON COLUMN pipeline_stage_summary.deals_without_amount IS 'Number of deals without an amount';
COMMENT ON COLUMN pipeline_stage_summary.value IS 'Sum of the amounts';
COMMENT ON COLUMN pipeline_stage_summary.weighted_value IS 'Sum of amount times probability, exact';

-- A function of its own: who converts nothing does not pay for its planning.
CREATE FUNCTION pipeline_summary_converted(pipeline_id uuid, in_currency text, owner_id uuid DEFAULT NULL,
        tag_id uuid DEFAULT NULL, closing_from date DEFAULT NULL, closing_to date DEFAULT NULL)
    RETURNS TABLE (stage_id uuid, value_currency text, value_period text, deals bigint, deals_without_amount bigint,
        value numeric, weighted_value numeric, rates jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN pipeline_summary_converted.pipeline_id IS NULL OR pipeline_summary_converted.in_currency IS NULL
            THEN crm_raise('22004', 'pipeline_id and in_currency must not be null')
            WHEN NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = pipeline_summary_converted.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', pipeline_summary_converted.pipeline_id))
            WHEN NOT crm_is_currency(pipeline_summary_converted.in_currency)
            THEN crm_raise('22023', format('"%s" is not a currency', pipeline_summary_converted.in_currency), NULL,
                'Use a code of ISO 4217, such as EUR.')
        END;

    -- Added up by the day that their rate is of; what need not be converted has
    -- none.  Who asks for all deals does not pay for the conditions, nor for a
    -- planner that thinks that they leave few.
    WITH dated AS (
        SELECT d.tenant_id, d.rate_day,
            crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period) AS summary
        FROM (SELECT a.tenant_id, CASE WHEN pipeline_summary_converted.in_currency <> a.currency
                    THEN crm_conversion_day(a.won_at, a.lost_at) END AS rate_day,
                a.stage_id, a.amount, a.currency, a.probability, a.value_period
            FROM deals AS a
            WHERE coalesce(pipeline_summary_converted.owner_id::text, pipeline_summary_converted.tag_id::text,
                    pipeline_summary_converted.closing_from::text, pipeline_summary_converted.closing_to::text) IS NULL
                AND a.pipeline_id = pipeline_summary_converted.pipeline_id
                AND a.archived_at IS NULL
            -- else the planner takes every won_at for a group
            OFFSET 0) AS d
        GROUP BY d.tenant_id, d.rate_day
        UNION ALL
        SELECT d.tenant_id, CASE WHEN pipeline_summary_converted.in_currency <> d.currency
                THEN crm_conversion_day(d.won_at, d.lost_at) END,
            crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)
        FROM deals AS d
        WHERE coalesce(pipeline_summary_converted.owner_id::text, pipeline_summary_converted.tag_id::text,
                pipeline_summary_converted.closing_from::text, pipeline_summary_converted.closing_to::text) IS NOT NULL
            AND d.pipeline_id = pipeline_summary_converted.pipeline_id
            AND d.archived_at IS NULL
            AND (pipeline_summary_converted.tag_id IS NULL OR EXISTS (
                SELECT FROM deal_tags AS t WHERE t.deal_id = d.id AND t.tag_id = pipeline_summary_converted.tag_id))
            AND (pipeline_summary_converted.owner_id IS NULL OR d.owner_id = pipeline_summary_converted.owner_id)
            AND (pipeline_summary_converted.closing_from IS NULL OR d.expected_close_date >= pipeline_summary_converted.closing_from)
            AND (pipeline_summary_converted.closing_to IS NULL OR d.expected_close_date <= pipeline_summary_converted.closing_to)
        GROUP BY 1, 2
    ), sums AS MATERIALIZED (
        SELECT d.tenant_id, d.rate_day, r.stage_id, CASE WHEN r.deals > r.deals_without_amount THEN r.currency END AS currency, r.value_period,
            r.deals, r.deals_without_amount, r.value, r.weighted_value
        FROM dated AS d
            CROSS JOIN LATERAL crm_summary_rows(d.summary) AS r
    ), conversions AS MATERIALIZED (
        SELECT e.tenant_id, e.currency, e.day, e.multiply_by, e.divide_by, e.rates
        FROM (SELECT array_agg(s.tenant_id) AS tenant_ids, array_agg(s.currency) AS currencies, array_agg(s.rate_day) AS days
                FROM sums AS s
                WHERE s.rate_day IS NOT NULL AND s.currency IS NOT NULL) AS c
            CROSS JOIN LATERAL conversion_rates(pipeline_summary_converted.in_currency, c.tenant_ids, c.currencies, c.days) AS e
        WHERE pipeline_summary_converted.in_currency IS NOT NULL
    )
    SELECT s.stage_id, pipeline_summary_converted.in_currency, s.value_period, sum(s.deals)::bigint,
        sum(s.deals_without_amount)::bigint,
        coalesce(sum(coalesce(crm_convert(s.value, c.multiply_by, c.divide_by), s.value)), 0),
        coalesce(sum(coalesce(crm_convert(s.weighted_value, c.multiply_by, c.divide_by), s.weighted_value)), 0),
        crm_rates_used(array_agg(c.rates))
    FROM sums AS s
        LEFT JOIN conversions AS c ON c.tenant_id = s.tenant_id AND c.currency = s.currency AND c.day = s.rate_day
    GROUP BY s.stage_id, s.value_period;
END;
REVOKE EXECUTE ON FUNCTION pipeline_summary_converted(uuid, text, uuid, uuid, date, date) FROM PUBLIC;
COMMENT ON FUNCTION pipeline_summary_converted(uuid, text, uuid, uuid, date, date) IS
'What a pipeline adds up to in one currency: a row for each stage and value period that has deals

The rows that pipeline_summary makes its answer of when it is given in_currency; owner_id, tag_id, closing_from and closing_to choose deals as they do there. value = sum of the amounts, weighted_value = sum of amount times probability; those of won and lost deals converted at the rate of the day (UTC) that they were closed on, those of open ones at the latest rate; see exchange_rate. rates are those that were used.

Errors: PT404 for an unknown pipeline, 22023 for what is not a currency and where an exchange rate is missing.';

CREATE FUNCTION pipeline_summary(pipeline_id uuid, owner_id uuid DEFAULT NULL, tag_id uuid DEFAULT NULL,
        closing_from date DEFAULT NULL, closing_to date DEFAULT NULL, in_currency text DEFAULT NULL)
    RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT CASE
            WHEN pipeline_summary.pipeline_id IS NULL
            THEN crm_raise('22004', 'pipeline_id must not be null')
            WHEN NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = pipeline_summary.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', pipeline_summary.pipeline_id))
            WHEN pipeline_summary.closing_from > pipeline_summary.closing_to
            THEN crm_raise('22023', 'closing_from is after closing_to')
            WHEN NOT crm_is_currency(pipeline_summary.in_currency)
            THEN crm_raise('22023', format('"%s" is not a currency', pipeline_summary.in_currency), NULL,
                'Use a code of ISO 4217, such as EUR.')
        END;

    -- The deals that are asked for.  Who asks for all of them does not pay for
    -- the conditions, whose columns stand far back in the row.
    WITH totals AS MATERIALIZED (
        SELECT CASE
                WHEN coalesce(pipeline_summary.owner_id::text, pipeline_summary.tag_id::text,
                    pipeline_summary.closing_from::text, pipeline_summary.closing_to::text,
                    pipeline_summary.in_currency) IS NULL
                THEN crm_pipeline_totals('deals'::regclass, pipeline_summary.pipeline_id)
            END AS summary
    ), deals_asked AS MATERIALIZED (
        SELECT CASE
                WHEN t.summary IS NOT NULL THEN t.summary
                WHEN pipeline_summary.in_currency IS NOT NULL THEN NULL
                WHEN pipeline_summary.tag_id IS NOT NULL THEN (
                    SELECT crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)
                    FROM deal_tags AS t JOIN deals AS d ON d.id = t.deal_id
                    WHERE t.tag_id = pipeline_summary.tag_id
                        AND d.pipeline_id = pipeline_summary.pipeline_id
                        AND d.archived_at IS NULL
                        AND (pipeline_summary.owner_id IS NULL OR d.owner_id = pipeline_summary.owner_id)
                        AND (pipeline_summary.closing_from IS NULL OR d.expected_close_date >= pipeline_summary.closing_from)
                        AND (pipeline_summary.closing_to IS NULL OR d.expected_close_date <= pipeline_summary.closing_to))
                WHEN coalesce(pipeline_summary.owner_id::text, pipeline_summary.closing_from::text,
                    pipeline_summary.closing_to::text) IS NOT NULL THEN (
                    SELECT crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)
                    FROM deals AS d
                    WHERE d.pipeline_id = pipeline_summary.pipeline_id
                        AND d.archived_at IS NULL
                        AND (pipeline_summary.owner_id IS NULL OR d.owner_id = pipeline_summary.owner_id)
                        AND (pipeline_summary.closing_from IS NULL OR d.expected_close_date >= pipeline_summary.closing_from)
                        AND (pipeline_summary.closing_to IS NULL OR d.expected_close_date <= pipeline_summary.closing_to))
                ELSE (
                    SELECT crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)
                    FROM deals AS d
                    WHERE d.pipeline_id = pipeline_summary.pipeline_id
                        AND d.archived_at IS NULL)
            END AS summary
        FROM totals AS t
    ), converted AS MATERIALIZED (
        SELECT c.stage_id, c.value_currency, c.value_period, c.deals, c.deals_without_amount, c.value, c.weighted_value, c.rates
        FROM pipeline_summary_converted(pipeline_summary.pipeline_id, pipeline_summary.in_currency, pipeline_summary.owner_id,
                pipeline_summary.tag_id, pipeline_summary.closing_from, pipeline_summary.closing_to) AS c
        WHERE pipeline_summary.in_currency IS NOT NULL
    ), sums AS (
        SELECT r.stage_id, r.currency, r.value_period, r.deals, r.deals_without_amount, r.value, r.weighted_value
        FROM deals_asked AS a
            CROSS JOIN LATERAL crm_summary_rows(a.summary) AS r
        UNION ALL
        SELECT c.stage_id, c.value_currency, c.value_period, c.deals, c.deals_without_amount, c.value, c.weighted_value
        FROM converted AS c
    )
    SELECT jsonb_build_object(
            'pipeline_id', p.id,
            'name', p.name,
            'as_of', statement_timestamp(),
            'source', CASE WHEN (SELECT t.summary IS NULL FROM totals AS t) THEN 'deals' ELSE 'totals' END)
        || crm_summary_report(coalesce(pipeline_summary.in_currency, p.currency),
            (SELECT jsonb_agg(jsonb_build_object('stage_id', g.id, 'name', g.name, 'position', g.position,
                    'deal_status', g.deal_status, 'archived', g.archived_at IS NOT NULL))
                FROM stages AS g WHERE g.pipeline_id = p.id),
            (SELECT jsonb_agg(jsonb_build_object('stage_id', s.stage_id, 'currency', s.currency, 'value_period', s.value_period,
                    'deals', s.deals, 'deals_without_amount', s.deals_without_amount,
                    'value', s.value, 'weighted_value', s.weighted_value))
                FROM sums AS s))
        || CASE
            WHEN pipeline_summary.in_currency IS NULL THEN '{}'
            ELSE jsonb_build_object('rates', crm_rates_used(ARRAY(SELECT c.rates FROM converted AS c)))
        END
    FROM pipelines AS p
    WHERE p.id = pipeline_summary.pipeline_id;
END;
REVOKE EXECUTE ON FUNCTION pipeline_summary(uuid, uuid, uuid, date, date, text) FROM PUBLIC;
COMMENT ON FUNCTION pipeline_summary(uuid, uuid, uuid, date, date, text) IS
'Summarise a pipeline: number, value and weighted value of its deals

Counts the unarchived deals: all of them, or those of an owner (owner_id), with a tag (tag_id), or expected to close in a range of days (closing_from, closing_to, both included). total_deals, total_value and weighted_value (the sum of amount times probability, exact) stand at the top for all deals, and under open, won and lost, in each element of stages, by_currency and by_value_period. A deal without an amount counts and adds nothing; deals_without_amount tells how many there are.

stages has the stages in their order, empty ones too, archived ones only while deals stand there. Sums over different currencies are never added: where a part has several, its currency and its values are null, and by_currency has them apart. currency is the one of the amounts, or the pipeline''s if there are none.

source tells where the numbers come from: "totals", kept up to date by every write and read in no time, or "deals", added up now, as for a part of the deals or where row security lets the caller see some of them only. Both are exact.

in_currency converts all amounts to one currency, so that every part has values: those of won and lost deals at the rate of the day (UTC) that they were closed on, those of open ones at the latest rate; see exchange_rate. rates are those that were used. Read from the deals.

Errors: PT404 for an unknown pipeline, 22023 for what is not a currency and where an exchange rate is missing.

@mcp';
