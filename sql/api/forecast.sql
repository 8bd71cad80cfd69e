CREATE FUNCTION @extschema@.crm_forecast(crm regnamespace, pipeline_id uuid DEFAULT NULL,
	period text DEFAULT 'month',
	period_from date DEFAULT NULL, period_before date DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, value_period text DEFAULT NULL,
	today date DEFAULT NULL, in_currency text DEFAULT NULL)
	RETURNS TABLE (bucket text, period_start date, period_end date, value_currency text,
		open_deals bigint, open_value numeric, weighted_value numeric, won_deals bigint,
		won_value numeric,
		pipeline numeric, best_case numeric, commit numeric, closed numeric, omitted numeric,
		open_pipeline numeric, best_case_forecast numeric, commit_forecast numeric,
		closed_only numeric,
		deals_without_amount bigint, deals_without_probability bigint, rates jsonb)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_forecast(regnamespace, uuid, text, date, date, uuid, text, text,
	date, text) IS
'Forecast the revenue: what is won and what may be, by month or quarter

A row for each bucket and currency: bucket period has a row for each month or quarter (period; period_start to period_end, both included) with the open deals that are expected to close then and the deals that were won then; bucket overdue has the open deals whose expected_close_date is before today, whatever their period; bucket no_date the open deals without one.

open_value = sum of the open amounts, weighted_value = sum of their amount times probability, won_value = won to date. By forecast category: pipeline, best_case, commit, closed, omitted; open_value = pipeline + best_case + commit + what is open and omitted. The category is that of the deal while it is open, else that of its stage (see stage_forecast_categories). Cumulative, as in Salesforce: closed_only = closed; commit_forecast = closed + commit; best_case_forecast = closed + commit + best_case; open_pipeline = pipeline + best_case + commit.

period_from (included) and period_before (not included) choose days in the bucket period; the others are always told whole. today (null: the current date) is for a user in another time zone; won_at counts on its day in the session''s time zone. pipeline_id (null: all), owner_id, currency and value_period choose deals. A deal without an amount counts in the currency of its pipeline and adds nothing, one without a probability adds nothing to weighted_value: deals_without_amount and deals_without_probability say how many; currencies are never added up. in_currency converts the amounts to one currency: those of won and lost deals at the rate of the day (UTC) that they were closed on, those of open ones at the latest (see exchange_rate); rates are those that were used, null without it. Leaves out lost, archived and deleted deals.

Errors: PT404 for an unknown pipeline, 22023 for another period, an empty range, what is not a currency, and where an exchange rate is missing.

@mcp';
