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
		OUT value_currency text, OUT bar_no integer, OUT bar text, OUT changes bigint, OUT deals bigint, OUT value numeric, OUT value_periods text[])
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL SAFE ROWS 50
	AS 'MODULE_PATHNAME', 'crm_waterfall';
COMMENT ON FUNCTION @extschema@.crm_waterfall(regnamespace, uuid, uuid, timestamptz, timestamptz, uuid, text) IS
	'What became of the open value of a pipeline between two moments: the bars of pipeline_waterfall() but for the closing one, unconverted, a row for each bar and currency that has any. currency is that of deals without one; value_periods are those of all amounts in that currency. Reads stage_changes, deal_changes and deals once each, with the rights of the caller';

-- A trend: the sums with their changes, and the rows that these add up to.

CREATE FUNCTION @extschema@.crm_summary_changes(crm regnamespace, tenant_id uuid, pipeline_id uuid, at timestamptz[], in_currency text,
		subject_column text DEFAULT NULL, cohorts bytea[] DEFAULT NULL,
		OUT rate_day date, OUT rate_points integer[], OUT deal_status text, OUT stage_id uuid, OUT currency text,
		OUT value_period text, OUT subject_no integer, OUT subject text, OUT changes bytea)
	RETURNS SETOF record
	LANGUAGE c STABLE PARALLEL SAFE ROWS 30
	AS 'MODULE_PATHNAME', 'crm_summary_changes';
COMMENT ON FUNCTION @extschema@.crm_summary_changes(regnamespace, uuid, uuid, timestamptz[], text, text, bytea[]) IS
	'What crm_summaries_as_of() tells, a row for each sum with its changes at those moments, for crm_trend_rows(). Sums are also told apart by what deals had then in subject_column, owner_id or expected_close_date (subject), or by the cohort of crm_deal_cohort() that they are in now (subject_no, counted from 1; 0: none). With in_currency, rate_day is the day whose exchange rate the amounts have; with rate_points it is that of the moment, at the moments of these numbers';

CREATE FUNCTION @extschema@.crm_trend_rows(moments timestamptz[],
		group_keys text[], totals boolean[], value_currencies text[], stages uuid[], line_sums integer[],
		statuses text[], gone_stages uuid[], value_periods text[], currencies text[], rate_days date[], of_points boolean[], changes bytea[],
		conversion_currencies text[], conversion_days date[], multiply_by numeric[], divide_by numeric[], oldest_rates date[],
		OUT group_key text, OUT is_total boolean, OUT value_currency text, OUT stage_id uuid, OUT at timestamptz,
		OUT open_deals bigint, OUT open_value numeric, OUT open_weighted_value numeric,
		OUT won_deals bigint, OUT won_value numeric, OUT won_weighted_value numeric,
		OUT lost_deals bigint, OUT lost_value numeric, OUT lost_weighted_value numeric,
		OUT deals_without_amount bigint, OUT deals_without_probability bigint, OUT value_period text, OUT conversions integer[],
		OUT oldest_rate date)
	RETURNS SETOF record
	LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 400
	AS 'MODULE_PATHNAME', 'crm_trend_rows';
COMMENT ON FUNCTION @extschema@.crm_trend_rows(timestamptz[], text[], boolean[], text[], uuid[], integer[], text[], uuid[], text[], text[], date[], boolean[], bytea[], text[], date[], numeric[], numeric[], date[]) IS
	'The rows of a trend, whose lines add up sums of crm_summary_changes(): the line of group_keys[i], totals[i], value_currencies[i] and stages[i] that of the number line_sums[i], none if that is null. statuses to changes are of the sums: deal_status, the stage if it is no more, and so on; the last five are the exchange rates. A row for each line and moment; value_period is null where amounts of several value periods are added up, conversions are the numbers of the rates used for open deals and for what changed, oldest_rate is the oldest day of all that were used';
