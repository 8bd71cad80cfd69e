-- How many deals are won, how fast, and what that makes a day.

CREATE FUNCTION win_rate(pipeline_id uuid DEFAULT NULL, cohort text DEFAULT 'closed',
        period_from timestamptz DEFAULT NULL, period_before timestamptz DEFAULT NULL,
        owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, value_period text DEFAULT NULL, in_currency text DEFAULT NULL)
    RETURNS TABLE (deals bigint, won bigint, lost bigint, still_open bigint, win_rate numeric, won_share numeric,
        value_currency text, won_value numeric, lost_value numeric, win_rate_by_value numeric, by_currency jsonb, rates jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN win_rate.pipeline_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = win_rate.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', win_rate.pipeline_id))
            WHEN coalesce(win_rate.cohort, '') NOT IN ('closed', 'created')
            THEN crm_raise('22023', 'cohort must be closed or created')
            WHEN win_rate.period_from > win_rate.period_before
            THEN crm_raise('22023', 'period_from is after period_before')
            WHEN NOT crm_is_currency(win_rate.in_currency)
            THEN crm_raise('22023', format('"%s" is not a currency', win_rate.in_currency), NULL,
                'Use a code of ISO 4217, such as EUR.')
        END;

    WITH dated AS MATERIALIZED (
        SELECT coalesce(d.currency, p.currency) AS currency,
            -- what need not be converted has none of these
            CASE WHEN win_rate.in_currency <> coalesce(d.currency, p.currency) THEN d.tenant_id END AS tenant_id,
            CASE WHEN win_rate.in_currency <> coalesce(d.currency, p.currency)
                THEN crm_conversion_day(d.won_at, d.lost_at) END AS rate_day,
            count(*) AS deals, count(d.amount) AS amounts,
            count(d.amount) FILTER (WHERE d.status <> 'open') AS closed_amounts,
            count(*) FILTER (WHERE d.status = 'won') AS won,
            count(*) FILTER (WHERE d.status = 'lost') AS lost,
            count(*) FILTER (WHERE d.status = 'open') AS still_open,
            coalesce(sum(d.amount) FILTER (WHERE d.status = 'won'), 0) AS won_value,
            coalesce(sum(d.amount) FILTER (WHERE d.status = 'lost'), 0) AS lost_value
        FROM deals AS d
            LEFT JOIN pipelines AS p ON p.id = d.pipeline_id
        WHERE d.archived_at IS NULL
            AND (win_rate.pipeline_id IS NULL OR d.pipeline_id = win_rate.pipeline_id)
            AND (win_rate.cohort = 'created' OR d.status <> 'open')
            AND (win_rate.period_from IS NULL OR win_rate.period_from <=
                CASE win_rate.cohort WHEN 'created' THEN d.created_at ELSE coalesce(d.won_at, d.lost_at) END)
            AND (win_rate.period_before IS NULL OR win_rate.period_before >
                CASE win_rate.cohort WHEN 'created' THEN d.created_at ELSE coalesce(d.won_at, d.lost_at) END)
            AND (win_rate.owner_id IS NULL OR d.owner_id = win_rate.owner_id)
            AND (win_rate.currency IS NULL OR coalesce(d.currency, p.currency) = win_rate.currency)
            AND (win_rate.value_period IS NULL OR d.value_period = win_rate.value_period)
        GROUP BY 1, 2, 3
    ), conversions AS MATERIALIZED (
        SELECT e.tenant_id, e.currency, e.day, e.multiply_by, e.divide_by, e.rates
        FROM (SELECT array_agg(s.tenant_id) AS tenant_ids, array_agg(s.currency) AS currencies, array_agg(s.rate_day) AS days
                FROM dated AS s
                WHERE s.rate_day IS NOT NULL AND s.closed_amounts > 0) AS c
            CROSS JOIN LATERAL conversion_rates(win_rate.in_currency, c.tenant_ids, c.currencies, c.days) AS e
        WHERE win_rate.in_currency IS NOT NULL
    ), counted AS MATERIALIZED (
        SELECT coalesce(win_rate.in_currency, d.currency) AS currency, sum(d.deals)::bigint AS deals, sum(d.amounts)::bigint AS amounts,
            sum(d.won)::bigint AS won, sum(d.lost)::bigint AS lost, sum(d.still_open)::bigint AS still_open,
            sum(coalesce(crm_convert(d.won_value, c.multiply_by, c.divide_by), d.won_value)) AS won_value,
            sum(coalesce(crm_convert(d.lost_value, c.multiply_by, c.divide_by), d.lost_value)) AS lost_value
        FROM dated AS d
            LEFT JOIN conversions AS c ON c.tenant_id = d.tenant_id AND c.currency = d.currency AND c.day = d.rate_day
        GROUP BY 1
    ), total AS (
        SELECT coalesce(sum(c.deals), 0)::bigint AS deals, coalesce(sum(c.won), 0)::bigint AS won,
            coalesce(sum(c.lost), 0)::bigint AS lost, coalesce(sum(c.still_open), 0)::bigint AS still_open,
            count(*) FILTER (WHERE c.amounts > 0) AS currencies,
            min(c.currency) FILTER (WHERE c.amounts > 0) AS currency,
            coalesce(sum(c.won_value), 0) AS won_value, coalesce(sum(c.lost_value), 0) AS lost_value,
            coalesce(jsonb_agg(jsonb_build_object(
                    'currency', c.currency,
                    'deals', c.deals,
                    'won', c.won,
                    'lost', c.lost,
                    'still_open', c.still_open,
                    'win_rate', round(c.won::numeric / nullif(c.won + c.lost, 0), 6),
                    'won_share', round(c.won::numeric / nullif(c.deals, 0), 6),
                    'won_value', trim_scale(c.won_value),
                    'lost_value', trim_scale(c.lost_value),
                    'win_rate_by_value', round(c.won_value / nullif(c.won_value + c.lost_value, 0), 6))
                ORDER BY c.currency), '[]') AS by_currency
        FROM counted AS c
    )
    SELECT t.deals, t.won, t.lost, t.still_open,
        round(t.won::numeric / nullif(t.won + t.lost, 0), 6),
        round(t.won::numeric / nullif(t.deals, 0), 6),
        CASE WHEN t.currencies = 1 THEN t.currency END,
        CASE WHEN t.currencies <= 1 THEN trim_scale(t.won_value) END,
        CASE WHEN t.currencies <= 1 THEN trim_scale(t.lost_value) END,
        CASE WHEN t.currencies <= 1 THEN round(t.won_value / nullif(t.won_value + t.lost_value, 0), 6) END,
        t.by_currency,
        CASE WHEN win_rate.in_currency IS NOT NULL THEN crm_rates_used(ARRAY(SELECT c.rates FROM conversions AS c)) END
    FROM total AS t;
END;
REVOKE EXECUTE ON FUNCTION win_rate(uuid, text, timestamptz, timestamptz, uuid, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION win_rate(uuid, text, timestamptz, timestamptz, uuid, text, text, text) IS
'How many of the deals were won: by number and by value, one row

win_rate = won / (won + lost), as in HubSpot and Salesforce; deals still open count for nothing. won_share = won / deals, the open ones included (Salesforce''s conversion rate). win_rate_by_value = won_value / (won_value + lost_value), of the deals that have an amount. Null where there is nothing to divide by.

cohort closed counts deals won or lost from period_from (included) to period_before (not included), so that won_share is the win rate; created counts those created then, whatever became of them. pipeline_id (null: all), owner_id, currency and value_period choose deals. Leaves out archived and deleted deals. Values of different currencies are never added: with several, value_currency and the values are null, and by_currency has all of it for each one, a deal without an amount in the currency of its pipeline. in_currency converts the amounts to one currency: those of won and lost deals at the rate of the day (UTC) that they were closed on, those of open ones at the latest (see exchange_rate); rates are those that were used, null without it.

Errors: PT404 for an unknown pipeline, 22023 for an unknown cohort, for what is not a currency, and where an exchange rate is missing.';

CREATE FUNCTION sales_cycle(pipeline_id uuid DEFAULT NULL,
        won_from timestamptz DEFAULT NULL, won_before timestamptz DEFAULT NULL,
        owner_id uuid DEFAULT NULL, currency text DEFAULT NULL)
    RETURNS TABLE (deals bigint, average_days numeric, median_days numeric, p90_days numeric,
        min_days numeric, max_days numeric)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN sales_cycle.pipeline_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = sales_cycle.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', sales_cycle.pipeline_id))
            WHEN sales_cycle.won_from > sales_cycle.won_before
            THEN crm_raise('22023', 'won_from is after won_before')
        END;

    WITH cycles AS (
        -- An infinite time is one that is not known.
        SELECT CASE WHEN isfinite(d.won_at) AND isfinite(d.created_at) THEN d.won_at - d.created_at END AS duration
        FROM deals AS d
        WHERE d.archived_at IS NULL
            AND d.status = 'won'
            AND (sales_cycle.pipeline_id IS NULL OR d.pipeline_id = sales_cycle.pipeline_id)
            AND (sales_cycle.won_from IS NULL OR d.won_at >= sales_cycle.won_from)
            AND (sales_cycle.won_before IS NULL OR d.won_at < sales_cycle.won_before)
            AND (sales_cycle.owner_id IS NULL OR d.owner_id = sales_cycle.owner_id)
            AND (sales_cycle.currency IS NULL OR sales_cycle.currency =
                coalesce(d.currency, (SELECT p.currency FROM pipelines AS p WHERE p.id = d.pipeline_id)))
    ), times AS (
        SELECT count(*) AS deals, avg(c.duration) AS average,
            percentile_cont(ARRAY[0.5::double precision, 0.9::double precision]) WITHIN GROUP (ORDER BY c.duration) AS percentiles,
            min(c.duration) AS shortest, max(c.duration) AS longest
        FROM cycles AS c
        WHERE c.duration IS NOT NULL
    )
    SELECT t.deals,
        round(extract(epoch FROM t.average) / 86400, 6),
        round(extract(epoch FROM t.percentiles[1]) / 86400, 6),
        round(extract(epoch FROM t.percentiles[2]) / 86400, 6),
        round(extract(epoch FROM t.shortest) / 86400, 6),
        round(extract(epoch FROM t.longest) / 86400, 6)
    FROM times AS t;
END;
REVOKE EXECUTE ON FUNCTION sales_cycle(uuid, timestamptz, timestamptz, uuid, text) FROM PUBLIC;
COMMENT ON FUNCTION sales_cycle(uuid, timestamptz, timestamptz, uuid, text) IS
'How long it takes to win a deal, in days of 24 hours, one row

Of the deals that are won: won_at - created_at, its average, median, 90th percentile (both interpolated), minimum and maximum; HubSpot''s sales cycle length (close date - create date of won deals). Null if no deal was won.

won_from (included) and won_before (not included), pipeline_id (null: all), owner_id and currency choose deals. Leaves out archived and deleted deals.

Errors: PT404 for an unknown pipeline.';

CREATE FUNCTION sales_velocity(pipeline_id uuid DEFAULT NULL,
        closed_from timestamptz DEFAULT NULL, closed_before timestamptz DEFAULT NULL,
        owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, value_period text DEFAULT NULL, in_currency text DEFAULT NULL)
    RETURNS TABLE (value_currency text, open_deals bigint, won bigint, lost bigint, average_won_value numeric,
        win_rate numeric, average_days_to_win numeric, velocity_per_day numeric, rates jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN sales_velocity.pipeline_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = sales_velocity.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', sales_velocity.pipeline_id))
            WHEN sales_velocity.closed_from > sales_velocity.closed_before
            THEN crm_raise('22023', 'closed_from is after closed_before')
            WHEN NOT crm_is_currency(sales_velocity.in_currency)
            THEN crm_raise('22023', format('"%s" is not a currency', sales_velocity.in_currency), NULL,
                'Use a code of ISO 4217, such as EUR.')
        END;

    WITH dated AS MATERIALIZED (
        SELECT coalesce(d.currency, p.currency) AS currency,
            -- what need not be converted has none of these
            CASE WHEN sales_velocity.in_currency <> coalesce(d.currency, p.currency) THEN d.tenant_id END AS tenant_id,
            CASE WHEN sales_velocity.in_currency <> coalesce(d.currency, p.currency)
                THEN crm_conversion_day(d.won_at, d.lost_at) END AS rate_day,
            count(*) FILTER (WHERE d.status = 'open') AS open_deals,
            count(*) FILTER (WHERE d.status = 'won') AS won,
            count(*) FILTER (WHERE d.status = 'lost') AS lost,
            count(d.amount) FILTER (WHERE d.status = 'won') AS won_amounts,
            sum(d.amount) FILTER (WHERE d.status = 'won') AS won_value,
            count(*) FILTER (WHERE isfinite(d.won_at) AND isfinite(d.created_at)) AS timed,
            sum(extract(epoch FROM d.won_at - d.created_at))
                FILTER (WHERE isfinite(d.won_at) AND isfinite(d.created_at)) AS seconds
        FROM deals AS d
            LEFT JOIN pipelines AS p ON p.id = d.pipeline_id
        WHERE d.archived_at IS NULL
            AND (sales_velocity.pipeline_id IS NULL OR d.pipeline_id = sales_velocity.pipeline_id)
            AND (d.status = 'open'
                OR (sales_velocity.closed_from IS NULL
                    OR coalesce(d.won_at, d.lost_at) >= sales_velocity.closed_from)
                AND (sales_velocity.closed_before IS NULL
                    OR coalesce(d.won_at, d.lost_at) < sales_velocity.closed_before))
            AND (sales_velocity.owner_id IS NULL OR d.owner_id = sales_velocity.owner_id)
            AND (sales_velocity.currency IS NULL OR coalesce(d.currency, p.currency) = sales_velocity.currency)
            AND (sales_velocity.value_period IS NULL OR d.value_period = sales_velocity.value_period)
        GROUP BY 1, 2, 3
    ), conversions AS MATERIALIZED (
        SELECT e.tenant_id, e.currency, e.day, e.multiply_by, e.divide_by, e.rates
        FROM (SELECT array_agg(s.tenant_id) AS tenant_ids, array_agg(s.currency) AS currencies, array_agg(s.rate_day) AS days
                FROM dated AS s
                WHERE s.rate_day IS NOT NULL AND s.won_amounts > 0) AS c
            CROSS JOIN LATERAL conversion_rates(sales_velocity.in_currency, c.tenant_ids, c.currencies, c.days) AS e
        WHERE sales_velocity.in_currency IS NOT NULL
    ), counted AS (
        SELECT coalesce(sales_velocity.in_currency, d.currency) AS currency, sum(d.open_deals)::bigint AS open_deals,
            sum(d.won)::bigint AS won, sum(d.lost)::bigint AS lost,
            sum(coalesce(crm_convert(d.won_value, c.multiply_by, c.divide_by), d.won_value)) / nullif(sum(d.won_amounts), 0) AS average_won_value,
            sum(d.seconds) / nullif(sum(d.timed), 0) / 86400 AS days,
            array_agg(c.rates) AS rates
        FROM dated AS d
            LEFT JOIN conversions AS c ON c.tenant_id = d.tenant_id AND c.currency = d.currency AND c.day = d.rate_day
        GROUP BY 1
    )
    SELECT c.currency, c.open_deals, c.won, c.lost, round(c.average_won_value, 4),
        round(c.won::numeric / nullif(c.won + c.lost, 0), 6),
        round(c.days, 6),
        -- divided last, by one product, so as to be rounded once
        round(c.open_deals * c.average_won_value * c.won / nullif((c.won + c.lost) * c.days, 0), 4),
        CASE WHEN sales_velocity.in_currency IS NOT NULL THEN crm_rates_used(c.rates) END
    FROM counted AS c
    ORDER BY c.currency;
END;
REVOKE EXECUTE ON FUNCTION sales_velocity(uuid, timestamptz, timestamptz, uuid, text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION sales_velocity(uuid, timestamptz, timestamptz, uuid, text, text, text) IS
'How much the open deals will bring in a day, at the pace of the closed ones: a row per currency

velocity_per_day = open_deals * average_won_value * win_rate / average_days_to_win, the formula of Salesforce and HubSpot. open_deals = deals open now; won, lost = deals closed from closed_from (included) to closed_before (not included); average_won_value = of the won ones that have an amount; win_rate = won / (won + lost); average_days_to_win = average of won_at - created_at, in days of 24 hours. Null where a factor is not known, such as when nothing was won.

A deal without an amount counts in the currency of its pipeline. pipeline_id (null: all), owner_id, currency and value_period choose deals; amounts count as they are, so where some are monthly and some one-time, choose. in_currency converts the amounts to one currency: those of won and lost deals at the rate of the day (UTC) that they were closed on, those of open ones at the latest (see exchange_rate); rates are those that were used, null without it. Leaves out archived and deleted deals.

Errors: PT404 for an unknown pipeline, 22023 for what is not a currency and where an exchange rate is missing.';
