CREATE FUNCTION @extschema@.crm_funnel(crm regnamespace, pipeline_id uuid,
	rule text DEFAULT 'reached', cohort text DEFAULT 'created',
	period_from timestamptz DEFAULT NULL, period_before timestamptz DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL)
	RETURNS TABLE (stage_id uuid, stage_name text, stage_position integer, deal_status text,
		deals bigint,
		converted bigint, conversion numeric, won bigint, lost bigint, still_open bigint,
		won_conversion numeric, lost_conversion numeric)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_funnel(regnamespace, uuid, text, text, timestamptz, timestamptz,
	uuid, text) IS
'The funnel of a pipeline: how many deals stood in each stage, got further, were won and lost

deals = distinct deals that ever stood in the stage. converted = those of them that, by the rule direct, moved from it straight to the next open stage in use (from the last one: to a won stage); by the rule reached, stood in that stage or beyond it at some time later. conversion = converted / deals (HubSpot''s "next step conversion", Pipedrive''s stage conversion); null for closed stages. won, lost and still_open = what those deals are now; won_conversion = won / deals, lost_conversion = lost / deals (Pipedrive''s won and lost conversion, for each stage). Null where there were no deals.

cohort created counts deals created from period_from (included) to period_before (not included); entered counts, for each stage, deals that entered it then; what came of them counts whenever it was. owner_id and currency choose deals. Leaves out archived and deleted deals and moves that were taken back. For all pairs of stages see stage_conversion.

Errors: PT404 for an unknown pipeline, 22023 for an unknown rule or cohort.

@param rule reached (default: the stage or beyond it) or direct (straight to the next one)
@param cohort created (default), or what the report counts otherwise: entered, closed
@mcp report=flow';
