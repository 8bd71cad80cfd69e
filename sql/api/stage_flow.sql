CREATE FUNCTION @extschema@.crm_stage_flow(crm regnamespace, pipeline_id uuid,
	period text DEFAULT 'month',
	period_from date DEFAULT NULL, period_before date DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, in_currency text DEFAULT NULL,
	group_by text DEFAULT NULL,
	time_zone text DEFAULT NULL,
	max_rate_age integer DEFAULT NULL)
	RETURNS TABLE (group_key text, group_name text, is_total boolean,
		period_start date, period_end date, stage_id uuid, stage_name text, stage_position integer,
		deal_status text, value_currency text,
		entered bigint, entered_value numeric, left_forward bigint, forward_value numeric,
		left_backward bigint, backward_value numeric, left_lost bigint, lost_value numeric,
		moved_out bigint, moved_out_value numeric, rates jsonb, oldest_rate date)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_stage_flow(regnamespace, uuid, text, date, date, uuid, text,
	text, text, text, integer) IS
'The pace of a pipeline: what number and value of deals entered and left each stage in each period

A row for each day, week, month, quarter or year (period; see forecast), stage and currency in which something happened. entered = deals that came into the stage or were created there; left_forward = deals that went on to an open stage further on, or were won; left_backward = deals that went back to an open stage before it, or were reopened; left_lost = deals that were lost; moved_out = deals that went to another pipeline. A deal counts once for each of them in a period, however often it went back and forth, with its amount as of the last time; created ones with the amount that they were created with.

period_from (included) and period_before (not included) choose days; owner_id and currency choose deals by what they are now, a deal without an amount in its currency, or in that of its pipeline if it has none. Days are those in time_zone (null: the session''s). group_by adds rows for each group of deals, as in win_rate; is_total marks the rows of all deals. in_currency converts the amounts to one currency, at the rate of the day (UTC) on which it happened (see exchange_rate); rates are those that were used, the oldest of them of the day oldest_rate, null without it; max_rate_age (null: any) is how many days a rate may be older than the day that it is for. Leaves out archived and deleted deals and moves that were taken back, or made before the deal was deleted and inserted again as a new one.

Errors: PT404 for an unknown pipeline, 22023 for an unknown dimension, period or time zone, for what is not a currency, and where an exchange rate is missing or too old.

@param period day, week, month (default), quarter or year
@mcp report=flow';
