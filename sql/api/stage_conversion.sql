CREATE FUNCTION @extschema@.crm_stage_conversion(crm regnamespace, pipeline_id uuid,
	rule text DEFAULT 'reached', cohort text DEFAULT 'created',
	period_from timestamptz DEFAULT NULL, period_before timestamptz DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL,
	group_by text DEFAULT NULL,
	time_zone text DEFAULT NULL,
	in_currency text DEFAULT NULL,
	max_rate_age integer DEFAULT NULL)
	RETURNS TABLE (group_key text, group_name text, is_total boolean,
		from_stage_id uuid, from_stage_name text, to_stage_id uuid, to_stage_name text,
		to_status text, is_next boolean, deals bigint, converted bigint, conversion numeric,
		value_currency text, value numeric, converted_value numeric, value_conversion numeric,
		rates jsonb, oldest_rate date)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_stage_conversion(regnamespace, uuid, text, text,
	timestamptz, timestamptz, uuid, text, text, text, text, integer) IS
'How many deals of a stage came to another one: a row per pair of stages of a pipeline

deals = distinct deals that ever stood in the first stage. converted = those of them that, by the rule direct, moved from it straight to the second; by the rule reached, stood in the second one at some time later, or beyond it: in an open stage further on or, if the second stage is open, in a won one. conversion = converted / deals, null if there were none. is_next marks the steps of the funnel: to the next open stage in use and, from the last one, to the won stages. With reached there are only pairs that lead on or to closed stages.

cohort created counts deals created from period_from (included) to period_before (not included); entered counts, for each first stage, deals that entered it then; what came of them counts whenever it was. owner_id and currency choose deals. Leaves out archived and deleted deals and moves that were taken back, or made before the deal was deleted and inserted again as a new one. The rest is as in funnel: group_by, time_zone, in_currency, max_rate_age, and the values. HubSpot''s "next step conversion" is the conversion where is_next.

Errors: PT404 for an unknown pipeline, 22023 for an unknown rule, cohort, dimension or time zone, for what is not a currency, and where an exchange rate is missing or too old.

@param rule reached (default: the stage or beyond it) or direct (straight to it)
@param cohort created (default) or entered
@mcp report=flow';
