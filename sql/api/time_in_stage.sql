CREATE FUNCTION @extschema@.crm_time_in_stage(crm regnamespace, pipeline_id uuid,
	measure text DEFAULT 'visit', with_current boolean DEFAULT false,
	entered_from timestamptz DEFAULT NULL, entered_before timestamptz DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, percentiles boolean DEFAULT true,
	group_by text DEFAULT NULL,
	time_zone text DEFAULT NULL)
	RETURNS TABLE (group_key text, group_name text, is_total boolean,
		stage_id uuid, stage_name text, stage_position integer, deal_status text,
		deals bigint,
		visits bigint, average_days numeric, median_days numeric, p90_days numeric,
		max_days numeric)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_time_in_stage(regnamespace, uuid, text, boolean,
	timestamptz, timestamptz, uuid, text, boolean, text, text) IS
'How long deals stay in each stage of a pipeline, in days of 24 hours

A row per stage, in their order, archived ones only if deals stood there: how many deals, how many visits, and average, median, 90th percentile (both interpolated, as percentile_cont does) and maximum of what measure says. visit: every visit by itself, average = sum of (exited - entered) / visits. The others are one figure a deal: first its first visit, latest its latest (HubSpot''s "latest time in stage"), cumulative all of its visits together (HubSpot''s "cumulative time in stage").

Counts visits that have ended; with with_current true also the present one of open deals, up to now. entered_from (included) and entered_before (not included) choose visits by when they began, owner_id and currency choose deals. percentiles false leaves median and 90th percentile null, which is faster. Leaves out archived and deleted deals and moves that were taken back, or made before the deal was deleted and inserted again as a new one. group_by adds rows for each owner, organization, pipeline, stage, tag, lost_reason, currency, value_period, created_month or value of another column of deals, of a key of one (metadata.region) or of a period of one (won_at.quarter), by their days in time_zone (null: the session''s); is_total marks the rows of all deals. Null where nothing is to be measured.

Errors: PT404 for an unknown pipeline, 22023 for an unknown measure, dimension or time zone, and for what is not a currency.

@param measure visit (default), first, latest or cumulative
@param with_current Also the visits that have not ended
@param percentiles false: no median, but faster
@mcp report=flow';
