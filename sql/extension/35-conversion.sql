-- Conversion between currencies.

CREATE FUNCTION crm_conversion_day(won_at timestamptz, lost_at timestamptz)
	RETURNS date
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_conversion_day';
COMMENT ON FUNCTION crm_conversion_day(timestamptz, timestamptz) IS
	'The day whose exchange rate counts for a deal: that on which it was won or lost, in UTC, and today while it is open.';

CREATE FUNCTION crm_convert(amount numeric, multiply_by numeric, divide_by numeric)
	RETURNS numeric
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	-- The server computes a quotient to the digits that its dividend has at least.
	RETURN CASE WHEN divide_by = 1 THEN amount * multiply_by
		ELSE round(amount * multiply_by * 1.000000000000 / divide_by, 8) END;
COMMENT ON FUNCTION crm_convert(numeric, numeric, numeric) IS
	'amount * multiply_by / divide_by: exact where divide_by is 1, else rounded to 8 digits after the point. The factors are those of exchange_rate()';

CREATE FUNCTION crm_rates_used(rates jsonb[])
	RETURNS jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN (SELECT coalesce(jsonb_agg(DISTINCT e.rate), '[]')
		FROM unnest(rates) AS r (rates) CROSS JOIN LATERAL jsonb_array_elements(r.rates) AS e (rate));
COMMENT ON FUNCTION crm_rates_used(jsonb[]) IS
	'The rates in several answers of exchange_rate(), each once; nulls are left out';
