-- The history replayed: the state of every deal of a pipeline, over a period.

CREATE FUNCTION @extschema@.crm_summaries_as_of(crm regnamespace, tenant_id uuid, pipeline_id uuid, at timestamptz[], in_currency text,
		OUT first_point integer, OUT last_point integer, OUT rate_day date, OUT deal_status text, OUT stage_id uuid, OUT currency text,
		OUT value_period text, OUT deals bigint, OUT deals_without_amount bigint, OUT deals_without_probability bigint, OUT value numeric,
		OUT weighted_value numeric)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL SAFE ROWS 30
	AS 'MODULE_PATHNAME', 'crm_summaries_as_of';
COMMENT ON FUNCTION @extschema@.crm_summaries_as_of(regnamespace, uuid, uuid, timestamptz[], text) IS
	'What the unarchived deals of a pipeline added up to at moments of the past, which are in ascending order. A row for each stage, currency, value period and status of the deals, and for the moments first_point to last_point, numbered from 1, at which it was the same. With in_currency also by the day (UTC) whose exchange rate their amounts have: the one they were closed on, for open ones that of the moment; null for those that need none. Reads stage_changes, deal_changes and deals once each, with the rights of the caller';

CREATE FUNCTION @extschema@.crm_waterfall(crm regnamespace, tenant_id uuid, pipeline_id uuid, from_at timestamptz, to_at timestamptz,
		owner_id uuid, currency text,
		OUT value_currency text, OUT bar_no integer, OUT bar text, OUT changes bigint, OUT deals bigint, OUT value numeric)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL SAFE ROWS 50
	AS 'MODULE_PATHNAME', 'crm_waterfall';
COMMENT ON FUNCTION @extschema@.crm_waterfall(regnamespace, uuid, uuid, timestamptz, timestamptz, uuid, text) IS
	'What became of the open value of a pipeline between two moments: the bars of pipeline_waterfall() but for the closing one, unconverted, a row for each bar and currency that has any. currency is that of deals without one. Reads stage_changes, deal_changes and deals once each, with the rights of the caller';
