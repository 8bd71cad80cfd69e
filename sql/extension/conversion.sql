-- Conversion between currencies.

CREATE FUNCTION @extschema@.crm_conversion_day(won_at timestamptz, lost_at timestamptz)
	RETURNS date
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_conversion_day';
COMMENT ON FUNCTION @extschema@.crm_conversion_day(timestamptz, timestamptz) IS
	'The day whose exchange rate counts for a deal: that on which it was won or lost, in UTC, and today while it is open.';

CREATE FUNCTION @extschema@.crm_converted_sum_add(state internal, amount numeric, multiply_by numeric, divide_by numeric)
	RETURNS internal
	LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
	AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_converted_sum_add(internal, numeric, numeric, numeric) IS
	'Transition function of crm_converted_sum().';

CREATE FUNCTION @extschema@.crm_converted_sum_final(state internal)
	RETURNS numeric
	LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
	AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_converted_sum_final(internal) IS
	'Final function of crm_converted_sum().';

CREATE AGGREGATE @extschema@.crm_converted_sum(amount numeric, multiply_by numeric, divide_by numeric) (
	SFUNC = @extschema@.crm_converted_sum_add,
	STYPE = internal,
	SSPACE = 512,
	FINALFUNC = @extschema@.crm_converted_sum_final,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.crm_converted_sum(numeric, numeric, numeric) IS
	'The sum of amount * multiply_by / divide_by: exact where all of divide_by are 1, else rounded to 8 digits after the point, once, so that it does not depend on what was added up before. The factors are those of exchange_rate(), null is 1; null amounts do not count, and without any the sum is null';

CREATE FUNCTION @extschema@.crm_rates_used(rates jsonb[])
	RETURNS jsonb
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_rates_used(jsonb[]) IS
	'The rates in several answers of exchange_rate(), each once; nulls are left out';

CREATE FUNCTION @extschema@.crm_oldest_rate(rates jsonb)
	RETURNS date
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_oldest_rate(jsonb) IS
	'The day from which the oldest of the rates of crm_rates_used() is valid; null if there are none';

CREATE FUNCTION @extschema@.crm_rates_told(rates jsonb[])
	RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
	RETURN (SELECT jsonb_build_object('rates', u.rates, 'oldest_rate', @extschema@.crm_oldest_rate(u.rates))
		FROM (SELECT @extschema@.crm_rates_used(rates) AS rates) AS u);
COMMENT ON FUNCTION @extschema@.crm_rates_told(jsonb[]) IS
	'What a report that is an object tells of the rates that it used';

CREATE FUNCTION @extschema@.crm_conversion_rates(crm regnamespace, in_currency text, tenant_ids uuid[] DEFAULT NULL,
	currencies text[] DEFAULT NULL, days date[] DEFAULT NULL, max_age integer DEFAULT NULL)
	RETURNS TABLE (tenant_id uuid, currency text, day date, multiply_by numeric, divide_by numeric, rates jsonb)
	LANGUAGE c STABLE PARALLEL SAFE ROWS 10
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_conversion_rates(regnamespace, text, uuid[], text[], date[], integer) IS
'How amounts of several currencies and days are converted to one: a row for each currency and day

What exchange_rate tells of a currency, its conversion to in_currency and a day, of many at once. tenant_ids, currencies and days belong together by their places, and rates are those of the tenant, whatever the caller may see. max_age (null: any) is how many days a rate may be older than the day that it is for.

Errors: 22023 for what is not a currency, for a rate that is too old, and where a rate is missing: the message names the first pair and day, the detail five of them.';
