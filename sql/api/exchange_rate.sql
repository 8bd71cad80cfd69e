CREATE FUNCTION @extschema@.crm_exchange_rate(crm regnamespace, base text, quote text,
	on_date date DEFAULT NULL, max_rate_age integer DEFAULT NULL)
	RETURNS TABLE (rate numeric, multiply_by numeric, divide_by numeric, rates jsonb,
		oldest_rate date)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_exchange_rate(regnamespace, text, text, date, integer) IS
'The exchange rate of a day, and how amounts are converted by it

An amount of base is amount * multiply_by / divide_by of quote; rate is that of one unit, of 20 digits after the point. A rate holds from its valid_from until the pair''s next one. Of those that hold on on_date (null: today, UTC), that of base in quote is taken; else the inverse of that of quote in base; else two rates by way of a third currency, as the European Central Bank''s by the euro (of several such currencies the first by its code). So a rate that is added changes nothing of the days before it. rates are those that were used, the oldest of them of the day oldest_rate; max_rate_age (null: any) is how many days a rate may be older than on_date. From a currency to itself it is 1, and needs none.

What is multiplied only is exact; a quotient is rounded to 8 digits after the point.

Errors: 22023 for what is not a currency, an infinite day, and where there is no rate or one that is too old: its message names the pair and the day.';
