CREATE FUNCTION @extschema@.crm_pipeline_waterfall(crm regnamespace, pipeline_id uuid,
	from_at timestamptz, to_at timestamptz DEFAULT NULL,
	owner_id uuid DEFAULT NULL, currency text DEFAULT NULL, in_currency text DEFAULT NULL,
	max_rate_age integer DEFAULT NULL)
	RETURNS TABLE (value_currency text, bar_no integer, bar text, changes bigint, deals bigint,
		value numeric, rates jsonb, oldest_rate date, mixed_value_periods boolean)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_pipeline_waterfall(regnamespace, uuid, timestamptz,
	timestamptz, uuid, text, text, integer) IS
'What became of the open value of a pipeline between two moments: a waterfall

A row per currency and bar of the chart. opening = open value of the pipeline at from_at, closing = at to_at (null, or a time to come: now), as pipeline_summary_as_of tells them; of a from_at to come nothing changed since; closing = opening + all the bars between, exactly, in value and in deals. Bars that take something are negative. changes counts how often it happened, deals by how many the number of open deals changed.

new: created in an open stage, or put back after having been deleted. reopened: came back from won or lost. moved_in, moved_out: came from or went to another pipeline, whatever the status there. reassigned_in, reassigned_out: with owner_id, given to or taken from that owner. unarchived, archived. amount_up, amount_down: the amount changed. currency_in, currency_out: the currency changed, so that the deal left one waterfall for the other. won, lost, deleted: with the amount as of then; an amount written in the same statement as a move changes before it.

Each change counts when it took effect, in the bar of what happened, so that the waterfalls of two periods add up to that of both together. A deal without an amount adds nothing and counts in its currency, or in that of the pipeline if it has none; amounts count as they are, as in pipeline_summary, whatever their value period: mixed_value_periods tells where those of several are in the waterfall of a currency. owner_id and currency choose deals. in_currency converts all bars at the rate of the day (UTC) of to_at (see exchange_rate), so that a rate that changed is in none of them; rates are those that were used, the oldest of them of the day oldest_rate, null without it; max_rate_age (null: any) is how many days a rate may be older than the day that it is for. Leaves out archived deals while they are archived, and moves that were taken back. As Salesforce''s Pipeline Inspection, but by each change instead of by comparing two snapshots.

Errors: PT404 for an unknown pipeline, 22023 for a from_at after to_at, for what is not a currency, and where an exchange rate is missing or too old.

@mcp report=value';
