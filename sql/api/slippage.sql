CREATE FUNCTION @extschema@.crm_slippage(crm regnamespace, pipeline_id uuid DEFAULT NULL,
	pushed_from timestamptz DEFAULT NULL, pushed_before timestamptz DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL,
	group_by text DEFAULT 'pipeline',
	time_zone text DEFAULT NULL)
	RETURNS TABLE (group_key text, group_name text, is_total boolean,
		deals bigint, pushed_deals bigint, pushed_share numeric,
		pushes bigint,
		pushes_per_deal numeric, months_pushed bigint, average_months numeric, days_pushed bigint,
		average_days numeric)
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_slippage(regnamespace, uuid, timestamptz, timestamptz, uuid,
	text, text, text) IS
'How often and how far the expected close of deals was pushed to a later month, worst first

A row for all deals (is_total), and one for each pipeline, owner, deal, or whatever else group_by names, as in win_rate, by days in time_zone (null: the session''s): group_key is its id, group_name its name or the title of the deal. A push is a change of expected_close_date to a day in a later calendar month, as in Salesforce''s push count; a date that is put off within its month, or moved to an earlier one, is not a push, and does not take one back. deals = those that have an expected_close_date, or were pushed; pushed_deals = those that were pushed; pushed_share = pushed_deals / deals; pushes_per_deal = pushes / deals; months_pushed and days_pushed = how much later the new dates were than the old ones, in calendar months and in days; average_months and average_days = the same / pushes, null if there are none. By deal there are only those that were pushed.

pushed_from (included) and pushed_before (not included) choose pushes, pipeline_id (null: all), owner_id and currency choose deals, which count for the pipeline and owner that they have now. Leaves out archived and deleted deals. Moves that were taken back make no difference.

Errors: PT404 for an unknown pipeline, 22023 for an unknown dimension or time zone, and for what is not a currency.

@mcp report=flow';
