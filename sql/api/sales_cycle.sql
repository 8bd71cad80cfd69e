CREATE FUNCTION @extschema@.crm_sales_cycle(crm regnamespace, pipeline_id uuid DEFAULT NULL,
	won_from timestamptz DEFAULT NULL, won_before timestamptz DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL,
	group_by text DEFAULT NULL,
	time_zone text DEFAULT NULL)
	RETURNS TABLE (group_key text, group_name text, is_total boolean,
		deals bigint, average_days numeric, median_days numeric, p90_days numeric,
		min_days numeric, max_days numeric)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_sales_cycle(regnamespace, uuid, timestamptz, timestamptz,
	uuid, text, text, text) IS
'How long it takes to win a deal, in days of 24 hours, one row, or one for each group

Of the deals that are won: won_at - created_at, its average, median, 90th percentile (both interpolated), minimum and maximum; HubSpot''s sales cycle length (close date - create date of won deals). Null if no deal was won.

won_from (included) and won_before (not included), pipeline_id (null: all), owner_id and currency choose deals. Leaves out archived and deleted deals. group_by adds rows for each owner, organization, pipeline, stage, tag, lost_reason, currency, value_period, created_month or value of another column of deals, of a key of one (metadata.region) or of a period of one (won_at.quarter), by their days in time_zone (null: the session''s); is_total marks the rows of all deals.

Errors: PT404 for an unknown pipeline, 22023 for an unknown dimension or time zone, and for what is not a currency.

@mcp report=flow';
