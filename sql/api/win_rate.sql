CREATE FUNCTION @extschema@.crm_win_rate(crm regnamespace, pipeline_id uuid DEFAULT NULL,
	cohort text DEFAULT 'closed',
	period_from timestamptz DEFAULT NULL, period_before timestamptz DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, value_period text DEFAULT NULL,
	in_currency text DEFAULT NULL,
	group_by text DEFAULT NULL,
	time_zone text DEFAULT NULL,
	max_rate_age integer DEFAULT NULL)
	RETURNS TABLE (group_key text, group_name text, is_total boolean,
		deals bigint, won bigint, lost bigint, still_open bigint, win_rate numeric,
		won_share numeric,
		value_currency text, won_value numeric, lost_value numeric, win_rate_by_value numeric,
		by_currency jsonb, rates jsonb, oldest_rate date)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_win_rate(regnamespace, uuid, text, timestamptz, timestamptz,
	uuid, text, text, text, text, text, integer) IS
'How many of the deals were won: by number and by value, one row, or one for each group

win_rate = won / (won + lost), as in HubSpot and Salesforce; deals still open count for nothing. won_share = won / deals, the open ones included (Salesforce''s conversion rate). win_rate_by_value = won_value / (won_value + lost_value), of the deals that have an amount. Null where there is nothing to divide by.

cohort closed counts deals won or lost from period_from (included) to period_before (not included), so that won_share is the win rate; created counts those created then, whatever became of them. pipeline_id (null: all), owner_id, currency and value_period choose deals. Leaves out archived and deleted deals. group_by adds rows for each owner, organization, pipeline, stage, tag, lost_reason, currency, value_period, created_month or value of another column of deals, of a key of one (metadata.region) or of a period of one (won_at.quarter), by their days in time_zone (null: the session''s); is_total marks the rows of all deals. Values of different currencies are never added: with several, value_currency and the values are null, and by_currency has all of it for each one, a deal without an amount in its currency, or in that of its pipeline if it has none. in_currency converts the amounts to one currency: those of won and lost deals at the rate of the day (UTC) that they were closed on, those of open ones at the latest (see exchange_rate); rates are those that were used, the oldest of them of the day oldest_rate, null without it; max_rate_age (null: any) is how many days a rate may be older than the day that it is for.

Errors: PT404 for an unknown pipeline, 22023 for an unknown dimension, cohort, value period or time zone, for what is not a currency, and where an exchange rate is missing or too old.

@param cohort closed (default) or created: which deals the range chooses
@mcp report=flow';
