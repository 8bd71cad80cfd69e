CREATE FUNCTION @extschema@.crm_sales_velocity(crm regnamespace, pipeline_id uuid DEFAULT NULL,
	closed_from timestamptz DEFAULT NULL, closed_before timestamptz DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, value_period text DEFAULT NULL,
	in_currency text DEFAULT NULL,
	group_by text DEFAULT NULL,
	time_zone text DEFAULT NULL,
	max_rate_age integer DEFAULT NULL)
	RETURNS TABLE (group_key text, group_name text, is_total boolean,
		value_currency text, open_deals bigint, won bigint, lost bigint,
		average_won_value numeric,
		win_rate numeric, average_days_to_win numeric, velocity_per_day numeric,
		rates jsonb, oldest_rate date)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_sales_velocity(regnamespace, uuid, timestamptz, timestamptz,
	uuid, text, text, text, text, text, integer) IS
'How much the open deals will bring in a day, at the pace of the closed ones: a row per currency

velocity_per_day = open_deals * average_won_value * win_rate / average_days_to_win, the formula of Salesforce and HubSpot. open_deals = deals open now; won, lost = deals closed from closed_from (included) to closed_before (not included); average_won_value = of the won ones that have an amount; win_rate = won / (won + lost); average_days_to_win = average of won_at - created_at, in days of 24 hours. Null where a factor is not known, such as when nothing was won.

A deal without an amount counts in its currency, or in that of its pipeline if it has none. pipeline_id (null: all), owner_id, currency and value_period choose deals; amounts count as they are, so where some are monthly and some one-time, choose. in_currency converts the amounts to one currency: those of won and lost deals at the rate of the day (UTC) that they were closed on, those of open ones at the latest (see exchange_rate); rates are those that were used, the oldest of them of the day oldest_rate, null without it; max_rate_age (null: any) is how many days a rate may be older than the day that it is for. Leaves out archived and deleted deals. group_by adds rows for each owner, organization, pipeline, stage, tag, lost_reason, currency, value_period, created_month or value of another column of deals, of a key of one (metadata.region) or of a period of one (won_at.quarter), by their days in time_zone (null: the session''s); is_total marks the rows of all deals.

Errors: PT404 for an unknown pipeline, 22023 for an unknown dimension, value period or time zone, for what is not a currency, and where an exchange rate is missing or too old.

@mcp report=flow';
