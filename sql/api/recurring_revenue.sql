CREATE FUNCTION @extschema@.crm_recurring_revenue(crm regnamespace, pipeline_id uuid DEFAULT NULL,
	status text DEFAULT NULL,
	closed_from timestamptz DEFAULT NULL, closed_before timestamptz DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, in_currency text DEFAULT NULL,
	group_by text DEFAULT NULL,
	time_zone text DEFAULT NULL,
	max_rate_age integer DEFAULT NULL)
	RETURNS TABLE (group_key text, group_name text, is_total boolean,
		deal_status text, value_currency text, recurring_deals bigint, mrr numeric,
		arr numeric,
		weighted_mrr numeric, one_time_deals bigint, one_time_revenue numeric,
		deals_without_probability bigint, rates jsonb, oldest_rate date)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_recurring_revenue(regnamespace, uuid, text, timestamptz,
	timestamptz, uuid, text, text, text, text, integer) IS
'Monthly and annual recurring revenue of the deals (MRR, ARR): a row per status and currency

arr = 12 * monthly + 4 * quarterly + annual amounts, exact; mrr = arr / 12, that is monthly + quarterly / 3 + annual / 12, rounded to 4 digits, as Odoo spreads its recurring plans over their months. weighted_mrr = the same of amount times probability; deals_without_probability = how many recurring deals add nothing to it. one_time_revenue = the one-time amounts, which are in none of the others. Deals without an amount are left out.

The revenue that is there stands in the row of won deals; that of open ones is what may come. status (null: all) and closed_from (included) to closed_before (not included), which choose won and lost deals by when they closed, pipeline_id (null: all), owner_id and currency choose deals. in_currency converts the amounts to one currency: those of won and lost deals at the rate of the day (UTC) that they were closed on, those of open ones at the latest (see exchange_rate); rates are those that were used, the oldest of them of the day oldest_rate, null without it; max_rate_age (null: any) is how many days a rate may be older than the day that it is for. Leaves out archived and deleted deals. group_by adds rows for each owner, organization, pipeline, stage, tag, lost_reason, currency, value_period, created_month or value of another column of deals, of a key of one (metadata.region) or of a period of one (won_at.quarter), by their days in time_zone (null: the session''s); is_total marks the rows of all deals. A deal says how much it brings a period, not for how long: it counts until it is archived.

Errors: PT404 for an unknown pipeline, 22023 for an unknown dimension, status or time zone, for what is not a currency, and where an exchange rate is missing or too old.

@param status Only open, won or lost deals
@mcp report=value';
