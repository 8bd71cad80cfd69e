CREATE FUNCTION @extschema@.crm_pipeline_trend(crm regnamespace, pipeline_id uuid,
	from_at timestamptz, to_at timestamptz DEFAULT NULL, step text DEFAULT 'day',
	in_currency text DEFAULT NULL, by_stage boolean DEFAULT false,
	calendar boolean DEFAULT false,
	group_by text DEFAULT NULL,
	time_zone text DEFAULT NULL,
	max_rate_age integer DEFAULT NULL)
	RETURNS TABLE (group_key text, group_name text, is_total boolean,
		at timestamptz, value_currency text, stage_id uuid, stage text,
		open_deals bigint, open_value numeric, open_weighted_value numeric,
		won_deals bigint, won_value numeric, won_weighted_value numeric,
		lost_deals bigint, lost_value numeric, lost_weighted_value numeric,
		deals_without_amount bigint, deals_without_probability bigint,
		rates jsonb, oldest_rate date, mixed_value_periods boolean)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_pipeline_trend(regnamespace, uuid, timestamptz, timestamptz,
	text, text, boolean, boolean, text, text, integer) IS
'What a pipeline added up to at every step of a period: the chart of a dashboard

A row for each moment and currency: from_at, and each day, week, month, quarter or year (step) after it up to to_at (null: now), counted in time_zone (null: the session''s); a month after January 31 is the last of February, two months after it March 31. calendar: after from_at the beginnings of the days, weeks, months, quarters or years instead; weeks begin with the day of the setting crm.week_start, quarters and years are fiscal, by crm.fiscal_year_start. At each moment it tells what pipeline_summary_as_of tells of it, from a single reading of the history: how many deals were open, won and lost then, the sum of their amounts (value) and of amount times probability (weighted_value). Every currency that occurs in the period has a row at every moment, a period without deals the currency of the pipeline. by_stage: a row for each stage instead, in the order of the stages; stage_id and stage are null without it. A deal without an amount adds nothing and counts in its currency, or in that of the pipeline if it has none. Amounts are added whatever their value period: mixed_value_periods tells where those of several are in the row.

group_by adds rows for each group of deals, as in win_rate; is_total marks the rows of all deals. At each moment a deal is in the group of the owner, expected_close_date, stage, status, currency or value_period that it had then; by any other dimension in that of its present value, and if it was deleted since, in the group without one. By pipeline all deals that stood in this one are in its group.

in_currency converts all amounts to one currency, as pipeline_summary_as_of does: those of won and lost deals at the rate of the day (UTC) that they were closed on, those of open ones at the rate of the day of the moment; see exchange_rate. rates are those used for the deals that are open at the moment, and for what else changed since the moment before; oldest_rate is the day of the oldest one of all that the row was converted by, null without in_currency. max_rate_age (null: any) is how many days a rate may be older than the day that it is for.

Leaves out archived deals while they are archived, and moves that were taken back. Stages have no history: their names and status are those of now.

Errors: PT404 for an unknown pipeline, 22023 for another step, an unknown dimension or time zone, a from_at after to_at, a moment in the future, more than 10,000 steps, for what is not a currency and where an exchange rate is missing or too old.

@param step day (default), week, month, quarter or year
@param calendar Moments at the beginnings of calendar periods
@mcp report=value';
