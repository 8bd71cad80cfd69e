-- What comes in every month and year.

CREATE FUNCTION recurring_revenue(pipeline_id uuid DEFAULT NULL, status text DEFAULT NULL,
        closed_from timestamptz DEFAULT NULL, closed_before timestamptz DEFAULT NULL,
        owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, in_currency text DEFAULT NULL)
    RETURNS TABLE (deal_status text, value_currency text, recurring_deals bigint, mrr numeric, arr numeric,
        weighted_mrr numeric, one_time_deals bigint, one_time_revenue numeric, rates jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN recurring_revenue.pipeline_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = recurring_revenue.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', recurring_revenue.pipeline_id))
            WHEN recurring_revenue.status NOT IN ('open', 'won', 'lost')
            THEN crm_raise('22023', 'status must be open, won or lost')
            WHEN recurring_revenue.closed_from > recurring_revenue.closed_before
            THEN crm_raise('22023', 'closed_from is after closed_before')
            WHEN NOT crm_is_currency(recurring_revenue.in_currency)
            THEN crm_raise('22023', format('"%s" is not a currency', recurring_revenue.in_currency), NULL,
                'Use a code of ISO 4217, such as EUR.')
        END;

    WITH deals_asked AS (
        -- A year's worth is a whole multiple of every amount, so it is exact.
        SELECT d.status, d.currency, d.amount, d.probability,
            CASE d.value_period WHEN 'monthly' THEN 12 WHEN 'quarterly' THEN 4 WHEN 'annual' THEN 1 END AS times_a_year,
            -- what need not be converted has none of these
            CASE WHEN recurring_revenue.in_currency <> d.currency THEN d.tenant_id END AS tenant_id,
            CASE WHEN recurring_revenue.in_currency <> d.currency
                THEN crm_conversion_day(d.won_at, d.lost_at) END AS rate_day
        FROM deals AS d
        WHERE d.archived_at IS NULL
            AND d.amount IS NOT NULL
            AND (recurring_revenue.pipeline_id IS NULL OR d.pipeline_id = recurring_revenue.pipeline_id)
            AND (recurring_revenue.status IS NULL OR d.status = recurring_revenue.status)
            AND (d.status = 'open'
                OR (recurring_revenue.closed_from IS NULL
                    OR coalesce(d.won_at, d.lost_at) >= recurring_revenue.closed_from)
                AND (recurring_revenue.closed_before IS NULL
                    OR coalesce(d.won_at, d.lost_at) < recurring_revenue.closed_before))
            AND (recurring_revenue.owner_id IS NULL OR d.owner_id = recurring_revenue.owner_id)
            AND (recurring_revenue.currency IS NULL OR d.currency = recurring_revenue.currency)
    ), dated AS MATERIALIZED (
        SELECT a.status, a.currency, a.tenant_id, a.rate_day, count(a.times_a_year) AS recurring_deals,
            coalesce(sum(a.amount * a.times_a_year), 0) AS arr,
            coalesce(sum(a.amount * a.times_a_year * a.probability), 0) AS weighted_arr,
            count(*) FILTER (WHERE a.times_a_year IS NULL) AS one_time_deals,
            coalesce(sum(a.amount) FILTER (WHERE a.times_a_year IS NULL), 0) AS one_time_revenue
        FROM deals_asked AS a
        GROUP BY a.status, a.currency, a.tenant_id, a.rate_day
    ), conversions AS MATERIALIZED (
        SELECT e.tenant_id, e.currency, e.day, e.multiply_by, e.divide_by, e.rates
        FROM (SELECT array_agg(s.tenant_id) AS tenant_ids, array_agg(s.currency) AS currencies, array_agg(s.rate_day) AS days
                FROM dated AS s
                WHERE s.rate_day IS NOT NULL) AS c
            CROSS JOIN LATERAL conversion_rates(recurring_revenue.in_currency, c.tenant_ids, c.currencies, c.days) AS e
        WHERE recurring_revenue.in_currency IS NOT NULL
    ), sums AS (
        SELECT d.status, coalesce(recurring_revenue.in_currency, d.currency) AS currency,
            sum(d.recurring_deals)::bigint AS recurring_deals, sum(d.one_time_deals)::bigint AS one_time_deals,
            sum(coalesce(crm_convert(d.arr, c.multiply_by, c.divide_by), d.arr)) AS arr,
            sum(coalesce(crm_convert(d.weighted_arr, c.multiply_by, c.divide_by), d.weighted_arr)) AS weighted_arr,
            sum(coalesce(crm_convert(d.one_time_revenue, c.multiply_by, c.divide_by), d.one_time_revenue)) AS one_time_revenue,
            array_agg(c.rates) AS rates
        FROM dated AS d
            LEFT JOIN conversions AS c ON c.tenant_id = d.tenant_id AND c.currency = d.currency AND c.day = d.rate_day
        GROUP BY 1, 2
    )
    SELECT s.status, s.currency, s.recurring_deals, round(s.arr / 12, 4), trim_scale(s.arr),
        round(s.weighted_arr / 12, 4), s.one_time_deals, trim_scale(s.one_time_revenue),
        CASE WHEN recurring_revenue.in_currency IS NOT NULL THEN crm_rates_used(s.rates) END
    FROM sums AS s
    ORDER BY array_position(ARRAY['won', 'open', 'lost'], s.status), s.currency;
END;
REVOKE EXECUTE ON FUNCTION recurring_revenue(uuid, text, timestamptz, timestamptz, uuid, text, text) FROM PUBLIC;
COMMENT ON FUNCTION recurring_revenue(uuid, text, timestamptz, timestamptz, uuid, text, text) IS
'Monthly and annual recurring revenue of the deals (MRR, ARR): a row per status and currency

arr = 12 * monthly + 4 * quarterly + annual amounts, exact; mrr = arr / 12, that is monthly + quarterly / 3 + annual / 12, rounded to 4 digits, as Odoo spreads its recurring plans over their months. weighted_mrr = the same of amount times probability. one_time_revenue = the one-time amounts, which are in none of the others. Deals without an amount are left out.

The revenue that is there stands in the row of won deals; that of open ones is what may come. status (null: all) and closed_from (included) to closed_before (not included), which choose won and lost deals by when they closed, pipeline_id (null: all), owner_id and currency choose deals. in_currency converts the amounts to one currency: those of won and lost deals at the rate of the day (UTC) that they were closed on, those of open ones at the latest (see exchange_rate); rates are those that were used, null without it. Leaves out archived and deleted deals. A deal says how much it brings a period, not for how long: it counts until it is archived.

Errors: PT404 for an unknown pipeline, 22023 for an unknown status, for what is not a currency, and where an exchange rate is missing.';
