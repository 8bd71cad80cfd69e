-- Exchange rates of days: the one place that says how a rate is found.
--
-- Amounts are added up by tenant, currency and day before they are converted: so all
-- rates are looked up at once, and each sum is multiplied exactly.

WITH RECURSIVE asked AS MATERIALIZED (
    SELECT DISTINCT a.tenant_id, a.currency, a.day
    FROM unnest(conversion_rates.tenant_ids, conversion_rates.currencies, conversion_rates.days)
        AS a (tenant_id, currency, day)
), pairs AS (
    -- that have rates: by the index, from each to the next
    SELECT t.tenant_id, f.base, f.quote
    FROM (SELECT DISTINCT a.tenant_id FROM asked AS a) AS t
        CROSS JOIN LATERAL (
            SELECT r.base, r.quote
            FROM @crm@.exchange_rates AS r
            WHERE r.tenant_id = t.tenant_id
            ORDER BY r.base, r.quote
            LIMIT 1) AS f
    UNION ALL
    SELECT p.tenant_id, f.base, f.quote
    FROM pairs AS p
        CROSS JOIN LATERAL (
            SELECT r.base, r.quote
            FROM @crm@.exchange_rates AS r
            WHERE r.tenant_id = p.tenant_id AND (r.base, r.quote) > (p.base, p.quote)
            ORDER BY r.base, r.quote
            LIMIT 1) AS f
), steps AS MATERIALIZED (
    SELECT p.tenant_id, p.base AS from_currency, p.quote AS to_currency, p.base, p.quote, false AS inverse
    FROM pairs AS p
    UNION ALL
    SELECT p.tenant_id, p.quote, p.base, p.base, p.quote, true
    FROM pairs AS p
), ways AS MATERIALIZED (
    -- direct, inverse, or through a third currency
    SELECT s.tenant_id, s.from_currency AS currency, NULL::text AS via,
        s.base, s.quote, s.inverse, NULL::text AS base2, NULL::text AS quote2, NULL::boolean AS inverse2
    FROM steps AS s
    WHERE s.to_currency = conversion_rates.in_currency
    UNION ALL
    SELECT s.tenant_id, s.from_currency, s.to_currency, s.base, s.quote, s.inverse, n.base, n.quote, n.inverse
    FROM steps AS s
        JOIN steps AS n ON n.tenant_id = s.tenant_id AND n.from_currency = s.to_currency
    WHERE n.to_currency = conversion_rates.in_currency
), found AS MATERIALIZED (
    SELECT a.tenant_id, a.currency, a.day, f.multiply_by, f.divide_by, f.rates
    FROM asked AS a
        LEFT JOIN LATERAL (
            SELECT CASE WHEN w.inverse THEN 1 ELSE x.rate END
                    * CASE WHEN coalesce(w.inverse2, true) THEN 1 ELSE y.rate END AS multiply_by,
                CASE WHEN w.inverse THEN x.rate ELSE 1 END
                    * CASE WHEN w.inverse2 THEN y.rate ELSE 1 END AS divide_by,
                jsonb_build_array(jsonb_build_object('base', w.base, 'quote', w.quote,
                    'valid_from', x.valid_from, 'rate', x.rate))
                || CASE WHEN w.base2 IS NULL THEN '[]'
                    ELSE jsonb_build_array(jsonb_build_object('base', w.base2, 'quote', w.quote2,
                        'valid_from', y.valid_from, 'rate', y.rate)) END AS rates
            FROM ways AS w
                CROSS JOIN LATERAL (
                    SELECT r.rate, r.valid_from
                    FROM @crm@.exchange_rates AS r
                    WHERE r.tenant_id = a.tenant_id AND r.base = w.base AND r.quote = w.quote AND r.valid_from <= a.day
                    ORDER BY r.valid_from DESC
                    LIMIT 1) AS x
                LEFT JOIN LATERAL (
                    SELECT r.rate, r.valid_from
                    FROM @crm@.exchange_rates AS r
                    WHERE r.tenant_id = a.tenant_id AND r.base = w.base2 AND r.quote = w.quote2 AND r.valid_from <= a.day
                    ORDER BY r.valid_from DESC
                    LIMIT 1) AS y ON true
            WHERE w.tenant_id = a.tenant_id
                AND w.currency = a.currency
                AND (w.base2 IS NULL OR y.rate IS NOT NULL)
            ORDER BY w.via NULLS FIRST, w.inverse, w.inverse2
            LIMIT 1) AS f ON true
    WHERE a.currency <> conversion_rates.in_currency
), missing AS (
    SELECT m.currency, to_jsonb(m.day) #>> '{}' AS day, row_number() OVER (ORDER BY m.day, m.currency) AS n
    FROM (SELECT DISTINCT f.currency, f.day FROM found AS f WHERE f.rates IS NULL) AS m
), complaint AS (
    SELECT min(m.currency) FILTER (WHERE m.n = 1) AS currency, min(m.day) FILTER (WHERE m.n = 1) AS day,
        CASE WHEN count(*) > 1 THEN 'Missing: '
            || string_agg(format('%s on %s', m.currency, m.day), ', ' ORDER BY m.n) FILTER (WHERE m.n <= 5)
            || CASE WHEN count(*) > 5 THEN format(', and %s more', count(*) - 5) ELSE '' END END AS detail
    FROM missing AS m
), too_old AS (
    -- the oldest of them; one row in any case
    SELECT min(o.currency) AS currency, min(o.day) AS day, min(o.valid_from) AS valid_from, min(o.age) AS age
    FROM (SELECT f.currency, to_jsonb(f.day) #>> '{}' AS day, r.rate ->> 'valid_from' AS valid_from,
                f.day - (r.rate ->> 'valid_from')::date AS age
            FROM found AS f CROSS JOIN LATERAL jsonb_array_elements(f.rates) AS r (rate)
            WHERE conversion_rates.max_age IS NOT NULL
                AND f.day - (r.rate ->> 'valid_from')::date > conversion_rates.max_age
            ORDER BY f.day - (r.rate ->> 'valid_from')::date DESC, f.day, f.currency
            LIMIT 1) AS o
)
SELECT f.tenant_id, f.currency, f.day, f.multiply_by, f.divide_by, f.rates
FROM found AS f
WHERE (SELECT CASE
            WHEN a.currency IS NULL THEN true
            ELSE @extension@.crm_raise('22023', format('the exchange rate from %s to %s on %s is %s %s old, which is more than %s',
                    a.currency, conversion_rates.in_currency, a.day, a.age, CASE a.age WHEN 1 THEN 'day' ELSE 'days' END, conversion_rates.max_age), NULL,
                format('Insert a later one into exchange_rates, or allow for older ones by max_rate_age: this one is of %s.', a.valid_from))
        END
    FROM too_old AS a)
    AND (SELECT CASE
            WHEN c.currency IS NULL THEN true
            ELSE @extension@.crm_raise('22023', format('there is no exchange rate from %s to %s on %s',
                    c.currency, conversion_rates.in_currency, c.day), c.detail,
                format('Insert one into exchange_rates: of %s in %s, valid from that day or before.',
                    c.currency, conversion_rates.in_currency))
        END
    FROM complaint AS c)
UNION ALL
SELECT a.tenant_id, a.currency, a.day, 1 AS multiply_by, 1 AS divide_by, '[]' AS rates
FROM asked AS a
WHERE a.currency = conversion_rates.in_currency;
