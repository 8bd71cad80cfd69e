CREATE FUNCTION @extschema@.crm_funnel(crm regnamespace, pipeline_id uuid,
	rule text DEFAULT 'reached', cohort text DEFAULT 'created',
	period_from timestamptz DEFAULT NULL, period_before timestamptz DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL,
	group_by text DEFAULT NULL,
	time_zone text DEFAULT NULL,
	in_currency text DEFAULT NULL,
	max_rate_age integer DEFAULT NULL)
	RETURNS TABLE (group_key text, group_name text, is_total boolean,
		stage_id uuid, stage_name text, stage_position integer, deal_status text,
		deals bigint,
		converted bigint, conversion numeric, won bigint, lost bigint, still_open bigint,
		won_conversion numeric, lost_conversion numeric,
		value_currency text, value numeric, converted_value numeric, value_conversion numeric,
		won_value numeric, lost_value numeric, rates jsonb, oldest_rate date)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_funnel(regnamespace, uuid, text, text, timestamptz,
	timestamptz, uuid, text, text, text, text, integer) IS
'The funnel of a pipeline: how many deals stood in each stage, got further, were won and lost

deals = distinct deals that ever stood in the stage. converted = those of them that, by the rule direct, moved from it straight to the next open stage in use (from the last one: to a won stage); by the rule reached, stood in that stage or beyond it at some time later. conversion = converted / deals (HubSpot''s "next step conversion", Pipedrive''s stage conversion); null for closed stages. won, lost and still_open = what those deals are now; won_conversion = won / deals, lost_conversion = lost / deals (Pipedrive''s won and lost conversion, for each stage). Null where there were no deals. value is the sum of the present amounts of those deals, converted_value of those that got further, won_value and lost_value of those that are won and lost; value_conversion = converted_value / value: null with several currencies, which group_by => currency tells apart; in_currency converts them to one: won and lost deals at the rate of the day (UTC) that they were closed on, open ones at the latest (see exchange_rate). Rates are those that were used, the oldest of them of the day oldest_rate, null without it; max_rate_age (null: any) is how many days a rate may be older than the day that it is for.

cohort created counts deals created from period_from (included) to period_before (not included); entered counts, for each stage, deals that entered it then; what came of them counts whenever it was. owner_id and currency choose deals. Leaves out archived and deleted deals and moves that were taken back, or made before the deal was deleted and inserted again as a new one. group_by adds rows for each owner, organization, pipeline, stage, tag, lost_reason, currency, value_period, created_month or value of another column of deals, of a key of one (metadata.region) or of a period of one (won_at.quarter), by their days in time_zone (null: the session''s); is_total marks the rows of all deals. For all pairs of stages see stage_conversion.

Errors: PT404 for an unknown pipeline, 22023 for an unknown rule, cohort, dimension or time zone, for what is not a currency, and where an exchange rate is missing or too old.

@param rule reached (default: the stage or beyond it) or direct (straight to the next one)
@param cohort created (default), or what the report counts otherwise: entered, closed
@mcp report=flow';
