-- The rate of a pair of currencies on a day.

SELECT CASE
        WHEN NOT isfinite(exchange_rate.on_date)
        THEN @extension@.crm_raise('22023', format('on_date must not be "%s"', exchange_rate.on_date), NULL, 'It is a day, such as 2026-01-31.')
    END;

SELECT CASE WHEN c.divide_by = 1 THEN c.multiply_by
        ELSE trim_scale(round(c.multiply_by * 1.00000000000000000000 / c.divide_by, 20)) END,
    c.multiply_by, c.divide_by, c.rates, @extension@.crm_oldest_rate(c.rates)
FROM (SELECT CASE
            -- a caller who sees the rates of several tenants has to choose one
            WHEN count(*) <= 1 THEN coalesce(min(s.tenant_id::text), '00000000-0000-0000-0000-000000000000')::uuid
            ELSE @extension@.crm_current_tenant()
        END AS tenant_id
        FROM ((SELECT r.tenant_id FROM @crm@.exchange_rates AS r ORDER BY r.tenant_id LIMIT 1)
            UNION
            (SELECT r.tenant_id FROM @crm@.exchange_rates AS r ORDER BY r.tenant_id DESC LIMIT 1)) AS s) AS t
    CROSS JOIN LATERAL @extension@.crm_conversion_rates(exchange_rate.crm, exchange_rate.quote, ARRAY[t.tenant_id], ARRAY[exchange_rate.base],
        ARRAY[coalesce(exchange_rate.on_date, (now() AT TIME ZONE 'UTC')::date)], exchange_rate.max_rate_age) AS c;
