CREATE FUNCTION @extschema@.crm_forecast(crm regnamespace, pipeline_id uuid DEFAULT NULL,
	period text DEFAULT 'month',
	period_from date DEFAULT NULL, period_before date DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, value_period text DEFAULT NULL,
	today date DEFAULT NULL, in_currency text DEFAULT NULL,
	target numeric DEFAULT NULL,
	group_by text DEFAULT NULL,
	time_zone text DEFAULT NULL,
	max_rate_age integer DEFAULT NULL)
	RETURNS TABLE (group_key text, group_name text, is_total boolean,
		bucket text, period_start date, period_end date, value_currency text,
		open_deals bigint, open_value numeric, weighted_value numeric, won_deals bigint,
		won_value numeric,
		pipeline numeric, best_case numeric, commit numeric, closed numeric, omitted numeric,
		open_pipeline numeric, best_case_forecast numeric, commit_forecast numeric,
		closed_only numeric,
		deals_without_amount bigint, deals_without_probability bigint,
		target_value numeric, attainment numeric,
		coverage numeric, weighted_coverage numeric, rates jsonb, oldest_rate date,
		mixed_value_periods boolean)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_forecast(regnamespace, uuid, text, date, date, uuid, text,
	text, date, text, numeric, text, text, integer) IS
'Forecast the revenue: what is won and what may be, by day, week, month, quarter or year

A row for each bucket and currency: bucket period has a row for each day, week, month, quarter or year (period; period_start to period_end, both included; weeks begin with the day of the setting crm.week_start, quarters and years are fiscal, by crm.fiscal_year_start) with the open deals that are expected to close then and the deals that were won then; bucket overdue has the open deals whose expected_close_date is before today, whatever their period; bucket no_date the open deals without one.

open_value = sum of the open amounts, weighted_value = sum of their amount times probability, won_value = won to date. By forecast category: pipeline, best_case, commit, closed, omitted; open_value = pipeline + best_case + commit + what is open and omitted. The category is that of the deal while it is open, else that of its stage (see stage_forecast_categories). Cumulative, as in Salesforce: closed_only = closed; commit_forecast = closed + commit; best_case_forecast = closed + commit + best_case; open_pipeline = pipeline + best_case + commit.

target is the value to be won in each period, in the one currency that in_currency or currency chooses: attainment = won_value / target, coverage = open_value / (target - won_value), weighted_coverage = weighted_value / (target - won_value), null once the target is reached. With it every period from period_from to period_before has a row, even without deals (where one is null, from the first or to the last period with deals), and so has every group, each with the whole target.

period_from (included) and period_before (not included) choose days in the bucket period; the others are always told whole. today (null: the current date) is for another day than that of time_zone (null: the session''s), where won_at counts on its day. pipeline_id (null: all), owner_id, currency and value_period choose deals. A deal without an amount adds nothing and counts in its currency, or in that of its pipeline if it has none, one without a probability adds nothing to weighted_value: deals_without_amount and deals_without_probability say how many; currencies are never added up, value periods are: mixed_value_periods tells where amounts of several are in the row. in_currency converts the amounts to one currency: those of won and lost deals at the rate of the day (UTC) that they were closed on, those of open ones at the latest (see exchange_rate); rates are those that were used, the oldest of them of the day oldest_rate, null without it; max_rate_age (null: any) is how many days a rate may be older than the day that it is for. Leaves out lost, archived and deleted deals. group_by adds rows for each owner, organization, pipeline, stage, tag, lost_reason, currency, value_period, created_month or value of another column of deals, of a key of one (metadata.region) or of a period of one (won_at.quarter), by their days in time_zone (null: the session''s); is_total marks the rows of all deals.

Errors: PT404 for an unknown pipeline, 22023 for an unknown dimension, period, value period or time zone, for a period_from after period_before, for what is not a currency, and where an exchange rate is missing or too old.

@param period day, week, month (default), quarter or year
@param target Revenue to compare with
@param today The current date in another time zone
@mcp report=value';
