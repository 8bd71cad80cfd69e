CREATE FUNCTION @extschema@.crm_pipeline_trend(crm regnamespace, pipeline_id uuid,
	from_at timestamptz, to_at timestamptz DEFAULT NULL, step text DEFAULT 'day',
	in_currency text DEFAULT NULL, by_stage boolean DEFAULT false)
	RETURNS TABLE (at timestamptz, value_currency text, stage_id uuid, stage text,
		open_deals bigint, open_value numeric, open_weighted_value numeric,
		won_deals bigint, won_value numeric, won_weighted_value numeric,
		lost_deals bigint, lost_value numeric, lost_weighted_value numeric,
		deals_without_amount bigint, deals_without_probability bigint, rates jsonb)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_pipeline_trend(regnamespace, uuid, timestamptz, timestamptz,
	text, text, boolean) IS
'What a pipeline added up to at every step of a period: the chart of a dashboard

A row for each moment and currency: from_at, and each day, week, month or quarter (step) after it up to to_at (null: now), counted in the session''s time zone; a month after January 31 is the last of February, two months after it March 31. At each moment it tells what pipeline_summary_as_of tells of it, from a single reading of the history: how many deals were open, won and lost then, the sum of their amounts (value) and of amount times probability (weighted_value). Every currency that occurs in the period has a row at every moment, a period without deals the currency of the pipeline. by_stage: a row for each stage instead, in the order of the stages; stage_id and stage are null without it. A deal without an amount counts in the currency of the pipeline and adds nothing.

in_currency converts all amounts to one currency, as pipeline_summary_as_of does: those of won and lost deals at the rate of the day (UTC) that they were closed on, those of open ones at the rate of the day of the moment; see exchange_rate. rates are those used for the deals that are open at the moment, and for what else changed since the moment before; null without in_currency.

Leaves out archived deals while they are archived, and moves that were taken back. Stages have no history: their names and status are those of now.

Errors: PT404 for an unknown pipeline, 22023 for another step, a from_at after to_at, a moment in the future, more than 10,000 steps, for what is not a currency and where an exchange rate is missing.

@param step day (default), week, month or quarter
@mcp report=value';
