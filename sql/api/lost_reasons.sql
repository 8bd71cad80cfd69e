CREATE FUNCTION @extschema@.crm_lost_reasons(crm regnamespace, pipeline_id uuid DEFAULT NULL,
	by_stage boolean DEFAULT false,
	lost_from timestamptz DEFAULT NULL, lost_before timestamptz DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, value_period text DEFAULT NULL,
	in_currency text DEFAULT NULL,
	group_by text DEFAULT NULL,
	time_zone text DEFAULT NULL,
	max_rate_age integer DEFAULT NULL)
	RETURNS TABLE (group_key text, group_name text, is_total boolean,
		lost_reason text, stage_id uuid, stage_name text, value_currency text,
		deals bigint, deal_share numeric, value numeric, value_share numeric,
		average_value numeric, deals_without_amount bigint, rates jsonb, oldest_rate date)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_lost_reasons(regnamespace, uuid, boolean, timestamptz,
	timestamptz, uuid, text, text, text, text, text, integer) IS
'Why deals were lost: their number and value by reason, the most first

A row for each lost_reason (null: none given) and currency of the deals that are lost; by_stage tells them apart by the stage that they were lost from, too: the last one in which a deal stood before it was lost, null if it was created as lost. deal_share = deals / all lost deals, value_share = value / value of all that were lost in that currency, average_value = value / deals that have an amount. A deal without an amount adds nothing and counts in its currency, or in that of its pipeline if it has none.

lost_from (included) and lost_before (not included), pipeline_id (null: all), owner_id, currency and value_period choose deals. group_by adds rows for each group of deals, as in win_rate, by days in time_zone (null: the session''s); is_total marks the rows of all deals. in_currency converts the amounts to one currency, at the rate of the day (UTC) that each was lost on (see exchange_rate); rates are those that were used, the oldest of them of the day oldest_rate, null without it; max_rate_age (null: any) is how many days a rate may be older than the day that it is for. Leaves out archived and deleted deals.

Errors: PT404 for an unknown pipeline, 22023 for an unknown dimension, value period or time zone, for what is not a currency, and where an exchange rate is missing or too old.

@mcp report=flow';
