-- What is expected to be won, and when.

CREATE VIEW stage_forecast_categories WITH (security_invoker = true) AS
    SELECT s.id AS stage_id, s.tenant_id, s.pipeline_id,
        coalesce(s.forecast_category, CASE s.deal_status
            WHEN 'won' THEN 'closed'
            WHEN 'lost' THEN 'omitted'
            ELSE CASE s.open_stages - s.place
                WHEN 0 THEN CASE WHEN s.open_stages > 2 THEN 'commit' WHEN s.open_stages = 2 THEN 'best_case' END
                WHEN 1 THEN CASE WHEN s.open_stages > 2 THEN 'best_case' END
            END
        END, 'pipeline') AS forecast_category,
        s.forecast_category IS NULL AS is_default
    FROM (SELECT g.id, g.tenant_id, g.pipeline_id, g.deal_status, g.forecast_category,
                row_number() OVER w AS place,
                count(*) OVER (PARTITION BY g.pipeline_id, g.deal_status, g.archived_at IS NULL) AS open_stages
            FROM stages AS g
            WINDOW w AS (PARTITION BY g.pipeline_id, g.deal_status, g.archived_at IS NULL ORDER BY g.position)) AS s;

COMMENT ON VIEW stage_forecast_categories IS 'The forecast category of each stage: its own, or else by its status and position: closed for won, omitted for lost; of three or more open stages the last is commit, the one before it best_case, the others pipeline; of two the last is best_case. Archived stages are counted among themselves';
COMMENT ON COLUMN stage_forecast_categories.stage_id IS 'The stage';
COMMENT ON COLUMN stage_forecast_categories.tenant_id IS 'The tenant of the stage';
COMMENT ON COLUMN stage_forecast_categories.pipeline_id IS 'The pipeline of the stage';
COMMENT ON COLUMN stage_forecast_categories.forecast_category IS 'pipeline, best_case, commit, closed or omitted';
COMMENT ON COLUMN stage_forecast_categories.is_default IS 'Whether it follows from status and position, as the stage has none of its own';

CREATE FUNCTION forecast(pipeline_id uuid DEFAULT NULL, period text DEFAULT 'month',
        period_from date DEFAULT NULL, period_before date DEFAULT NULL,
        owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, value_period text DEFAULT NULL,
        today date DEFAULT NULL, in_currency text DEFAULT NULL)
    RETURNS TABLE (bucket text, period_start date, period_end date, value_currency text,
        open_deals bigint, open_value numeric, weighted_value numeric, won_deals bigint, won_value numeric,
        pipeline numeric, best_case numeric, commit numeric, closed numeric, omitted numeric,
        open_pipeline numeric, best_case_forecast numeric, commit_forecast numeric, closed_only numeric,
        deals_without_amount bigint, rates jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN forecast.pipeline_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = forecast.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', forecast.pipeline_id))
            WHEN coalesce(forecast.period, '') NOT IN ('month', 'quarter')
            THEN crm_raise('22023', 'period must be month or quarter')
            WHEN forecast.period_from > forecast.period_before
            THEN crm_raise('22023', 'period_from is after period_before')
            WHEN NOT crm_is_currency(forecast.in_currency)
            THEN crm_raise('22023', format('"%s" is not a currency', forecast.in_currency), NULL,
                'Use a code of ISO 4217, such as EUR.')
        END;

    WITH deals_asked AS (
        SELECT d.status, d.amount, d.probability, coalesce(d.currency, p.currency) AS currency,
            CASE d.status WHEN 'won' THEN d.won_at::date ELSE d.expected_close_date END AS day,
            CASE d.status WHEN 'won' THEN c.forecast_category
                ELSE coalesce(d.forecast_category, c.forecast_category) END AS category,
            -- what need not be converted has none of these
            CASE WHEN forecast.in_currency <> coalesce(d.currency, p.currency) THEN d.tenant_id END AS tenant_id,
            CASE WHEN forecast.in_currency <> coalesce(d.currency, p.currency)
                THEN crm_conversion_day(d.won_at, d.lost_at) END AS rate_day
        FROM deals AS d
            LEFT JOIN pipelines AS p ON p.id = d.pipeline_id
            LEFT JOIN stage_forecast_categories AS c ON c.stage_id = d.stage_id
        WHERE d.status <> 'lost'
            AND d.archived_at IS NULL
            AND (forecast.pipeline_id IS NULL OR d.pipeline_id = forecast.pipeline_id)
            AND (forecast.owner_id IS NULL OR d.owner_id = forecast.owner_id)
            AND (forecast.currency IS NULL OR coalesce(d.currency, p.currency) = forecast.currency)
            AND (forecast.value_period IS NULL OR d.value_period = forecast.value_period)
    ), days AS (
        SELECT a.status, a.currency, a.day, a.category, a.tenant_id, a.rate_day, count(*) AS deals,
            count(*) - count(a.amount) AS deals_without_amount,
            coalesce(sum(a.amount), 0) AS value,
            coalesce(sum(a.amount * a.probability), 0) AS weighted_value
        FROM deals_asked AS a
        GROUP BY a.status, a.currency, a.day, a.category, a.tenant_id, a.rate_day
    ), placed AS MATERIALIZED (
        SELECT l.status, l.currency, l.category, l.deals, l.deals_without_amount, l.value, l.weighted_value,
            l.bucket, l.start, l.tenant_id, l.rate_day
        FROM (SELECT y.status, y.currency, y.category, y.deals, y.deals_without_amount, y.value, y.weighted_value,
                CASE
                    WHEN y.day IS NULL THEN 'no_date'
                    WHEN y.status = 'open' AND y.day < coalesce(forecast.today, current_date) THEN 'overdue'
                    ELSE 'period'
                END AS bucket,
                date_trunc(forecast.period, y.day::timestamp) AS start,
                y.day, y.tenant_id, y.rate_day
            FROM days AS y) AS l
        WHERE l.bucket <> 'period'
            OR (forecast.period_from IS NULL OR l.day >= forecast.period_from)
                AND (forecast.period_before IS NULL OR l.day < forecast.period_before)
    ), conversions AS MATERIALIZED (
        SELECT e.tenant_id, e.currency, e.day, e.multiply_by, e.divide_by, e.rates
        FROM (SELECT array_agg(s.tenant_id) AS tenant_ids, array_agg(s.currency) AS currencies, array_agg(s.rate_day) AS days
                FROM placed AS s
                WHERE s.rate_day IS NOT NULL AND s.deals > s.deals_without_amount) AS c
            CROSS JOIN LATERAL conversion_rates(forecast.in_currency, c.tenant_ids, c.currencies, c.days) AS e
        WHERE forecast.in_currency IS NOT NULL
    ), converted AS (
        SELECT y.status, coalesce(forecast.in_currency, y.currency) AS currency, y.category, y.deals, y.deals_without_amount,
            coalesce(crm_convert(y.value, c.multiply_by, c.divide_by), y.value) AS value,
            coalesce(crm_convert(y.weighted_value, c.multiply_by, c.divide_by), y.weighted_value) AS weighted_value,
            y.bucket, y.start, c.rates
        FROM placed AS y
            LEFT JOIN conversions AS c ON c.tenant_id = y.tenant_id AND c.currency = y.currency AND c.day = y.rate_day
    ), sums AS (
        SELECT l.bucket, CASE l.bucket WHEN 'period' THEN l.start END AS start, l.currency,
            coalesce(sum(l.deals) FILTER (WHERE l.status = 'open'), 0)::bigint AS open_deals,
            coalesce(sum(l.value) FILTER (WHERE l.status = 'open'), 0) AS open_value,
            coalesce(sum(l.weighted_value) FILTER (WHERE l.status = 'open'), 0) AS weighted_value,
            coalesce(sum(l.deals) FILTER (WHERE l.status = 'won'), 0)::bigint AS won_deals,
            coalesce(sum(l.value) FILTER (WHERE l.status = 'won'), 0) AS won_value,
            coalesce(sum(l.value) FILTER (WHERE l.category = 'pipeline'), 0) AS pipeline,
            coalesce(sum(l.value) FILTER (WHERE l.category = 'best_case'), 0) AS best_case,
            coalesce(sum(l.value) FILTER (WHERE l.category = 'commit'), 0) AS commit,
            coalesce(sum(l.value) FILTER (WHERE l.category = 'closed'), 0) AS closed,
            coalesce(sum(l.value) FILTER (WHERE l.category = 'omitted'), 0) AS omitted,
            sum(l.deals_without_amount)::bigint AS deals_without_amount,
            array_agg(l.rates) AS rates
        FROM converted AS l
        GROUP BY l.bucket, CASE l.bucket WHEN 'period' THEN l.start END, l.currency
    )
    SELECT s.bucket, s.start::date,
        (s.start + CASE forecast.period WHEN 'month' THEN interval '1 month' ELSE interval '3 months' END - interval '1 day')::date,
        s.currency, s.open_deals, trim_scale(s.open_value), trim_scale(s.weighted_value), s.won_deals, trim_scale(s.won_value),
        trim_scale(s.pipeline), trim_scale(s.best_case), trim_scale(s.commit), trim_scale(s.closed), trim_scale(s.omitted),
        trim_scale(s.pipeline + s.best_case + s.commit),
        trim_scale(s.closed + s.commit + s.best_case), trim_scale(s.closed + s.commit), trim_scale(s.closed),
        s.deals_without_amount, CASE WHEN forecast.in_currency IS NOT NULL THEN crm_rates_used(s.rates) END
    FROM sums AS s
    ORDER BY array_position(ARRAY['overdue', 'period', 'no_date'], s.bucket), s.start, s.currency;
END;
REVOKE EXECUTE ON FUNCTION forecast(uuid, text, date, date, uuid, text, text, date, text) FROM PUBLIC;
COMMENT ON FUNCTION forecast(uuid, text, date, date, uuid, text, text, date, text) IS
'Forecast the revenue: what is won and what may be, by month or quarter

A row for each bucket and currency: bucket period has a row for each month or quarter (period; period_start to period_end, both included) with the open deals that are expected to close then and the deals that were won then; bucket overdue has the open deals whose expected_close_date is before today, whatever their period; bucket no_date the open deals without one.

open_value = sum of the open amounts, weighted_value = sum of their amount times probability, won_value = won to date. By forecast category: pipeline, best_case, commit, closed, omitted; open_value = pipeline + best_case + commit + what is open and omitted. The category is that of the deal while it is open, else that of its stage (see stage_forecast_categories). Cumulative, as in Salesforce: closed_only = closed; commit_forecast = closed + commit; best_case_forecast = closed + commit + best_case; open_pipeline = pipeline + best_case + commit.

period_from (included) and period_before (not included) choose days in the bucket period; the others are always told whole. today (null: the current date) is for a user in another time zone; won_at counts on its day in the session''s time zone. pipeline_id (null: all), owner_id, currency and value_period choose deals. A deal without an amount counts in the currency of its pipeline and adds nothing; currencies are never added up. in_currency converts the amounts to one currency: those of won and lost deals at the rate of the day (UTC) that they were closed on, those of open ones at the latest (see exchange_rate); rates are those that were used, null without it. Leaves out lost, archived and deleted deals.

Errors: PT404 for an unknown pipeline, 22023 for another period, an empty range, what is not a currency, and where an exchange rate is missing.

@mcp';
