-- The exchange rates that are needed, a row for each tenant, currency and day.
SELECT e.tenant_id, e.currency, e.day, e.multiply_by, e.divide_by, e.rates
FROM (SELECT array_agg(s.tenant_id) AS tenant_ids, array_agg(s.currency) AS currencies,
        array_agg(s.rate_day) AS days
    FROM @of@) AS c
    CROSS JOIN LATERAL @extension@.crm_conversion_rates(@query@.crm, @query@.in_currency,
        c.tenant_ids, c.currencies, c.days, @query@.max_rate_age) AS e
WHERE @query@.in_currency IS NOT NULL
