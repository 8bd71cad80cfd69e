-- The exchange rate of a day: the one place that says how it is found.

CREATE FUNCTION exchange_rate(base text, quote text, on_date date DEFAULT NULL)
    RETURNS TABLE (rate numeric, multiply_by numeric, divide_by numeric, rates jsonb)
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
            WHEN exchange_rate.base IS NULL OR exchange_rate.quote IS NULL
            THEN crm_raise('22004', 'base and quote must not be null')
            WHEN NOT (crm_is_currency(exchange_rate.base) AND crm_is_currency(exchange_rate.quote))
            THEN crm_raise('22023', format('"%s" is not a currency', CASE
                    WHEN crm_is_currency(exchange_rate.base) THEN exchange_rate.quote ELSE exchange_rate.base END), NULL,
                'Use a code of ISO 4217, such as EUR.')
        END;

    WITH asked AS (
        SELECT coalesce(exchange_rate.on_date, (now() AT TIME ZONE 'UTC')::date) AS day,
            CASE
                WHEN exchange_rate.base = exchange_rate.quote THEN 'same'
                WHEN EXISTS (SELECT FROM exchange_rates AS r WHERE r.base = exchange_rate.base AND r.quote = exchange_rate.quote)
                THEN 'direct'
                WHEN EXISTS (SELECT FROM exchange_rates AS r WHERE r.base = exchange_rate.quote AND r.quote = exchange_rate.base)
                THEN 'inverse'
                ELSE 'cross'
            END AS way
    ), multiplied AS (
        -- the bases of the rate to multiply by and of the one to divide by
        SELECT a.day, a.way, CASE a.way
                WHEN 'direct' THEN exchange_rate.base
                WHEN 'cross' THEN (
                    SELECT r.base
                    FROM exchange_rates AS r
                    WHERE r.quote = exchange_rate.base
                        AND EXISTS (SELECT FROM exchange_rates AS o WHERE o.base = r.base AND o.quote = exchange_rate.quote)
                    ORDER BY r.base
                    LIMIT 1)
            END AS multiply_base
        FROM asked AS a
    ), legs AS MATERIALIZED (
        SELECT m.day, m.way, m.multiply_base,
            CASE m.way WHEN 'inverse' THEN exchange_rate.quote WHEN 'cross' THEN m.multiply_base END AS divide_base
        FROM multiplied AS m
    ), found AS (
        SELECT l.day, l.way, m.rate AS multiply_by, m.valid_from AS multiply_from, l.multiply_base,
            d.rate AS divide_by, d.valid_from AS divide_from, l.divide_base
        FROM legs AS l
            LEFT JOIN LATERAL (
                SELECT r.rate, r.valid_from
                FROM exchange_rates AS r
                WHERE r.base = l.multiply_base AND r.quote = exchange_rate.quote AND r.valid_from <= l.day
                ORDER BY r.valid_from DESC
                LIMIT 1) AS m ON true
            LEFT JOIN LATERAL (
                SELECT r.rate, r.valid_from
                FROM exchange_rates AS r
                WHERE r.base = l.divide_base AND r.quote = exchange_rate.base AND r.valid_from <= l.day
                ORDER BY r.valid_from DESC
                LIMIT 1) AS d ON true
    ), rated AS (
        SELECT CASE WHEN f.way IN ('same', 'inverse') THEN 1 ELSE f.multiply_by END AS multiply_by,
            CASE WHEN f.way IN ('same', 'direct') THEN 1 ELSE f.divide_by END AS divide_by,
            CASE WHEN f.multiply_by IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('base', f.multiply_base,
                'quote', exchange_rate.quote, 'valid_from', f.multiply_from, 'rate', f.multiply_by)) END
            || CASE WHEN f.divide_by IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('base', f.divide_base,
                'quote', exchange_rate.base, 'valid_from', f.divide_from, 'rate', f.divide_by)) END AS rates,
            f.day
        FROM found AS f
    )
    SELECT crm_convert(1, r.multiply_by, r.divide_by), r.multiply_by, r.divide_by, r.rates
    FROM rated AS r
    WHERE CASE
            WHEN r.multiply_by IS NULL OR r.divide_by IS NULL
            THEN crm_raise('22023', format('there is no exchange rate from %s to %s on %s',
                    exchange_rate.base, exchange_rate.quote, r.day), NULL,
                format('Insert one into exchange_rates: of %s in %s, valid from that day or before.',
                    exchange_rate.base, exchange_rate.quote)) IS NULL
            ELSE true
        END;
END;
REVOKE EXECUTE ON FUNCTION exchange_rate(text, text, date) FROM PUBLIC;
COMMENT ON FUNCTION exchange_rate(text, text, date) IS
'The exchange rate of a day, and how amounts are converted by it

An amount of base is amount * multiply_by / divide_by of quote; rate is that of one unit. on_date (null: today, UTC) takes the latest rate of that day or before. A pair is always converted in the same way: by its own rates if exchange_rates has any, else by the inverse of those of the opposite pair, else by way of a third currency that has rates for both, as the European Central Bank''s for the euro (of several the first by its code). rates are those that were used. From a currency to itself it is 1, and needs none.

What is multiplied only is exact; a quotient is rounded to 8 digits after the point.

Errors: 22023 for what is not a currency, and where there is no rate: its message names the pair and the day.';
