-- What a pipeline adds up to, as JSON: for pipeline_summary() of every CRM.
CREATE FUNCTION @extschema@.crm_summary_report(currency text, stages jsonb, sums jsonb)
	RETURNS jsonb
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
	-- not SQL: a session plans it once
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (WITH stage AS MATERIALIZED (
		SELECT g.stage_id, g.name, g.position, g.deal_status, g.archived
		FROM jsonb_to_recordset(coalesce(stages, '[]')) AS g (stage_id uuid, name text, position integer, deal_status text, archived boolean)
	), facts AS MATERIALIZED (
		SELECT s.stage_id, coalesce(s.deal_status, g.deal_status) AS deal_status, s.currency, s.value_period,
			s.deals, s.deals_without_amount, s.deals_without_probability, s.value, s.weighted_value,
			-- only amounts have a currency and a period that matter
			CASE WHEN s.deals > s.deals_without_amount THEN s.currency END AS amount_currency,
			CASE WHEN s.deals > s.deals_without_amount THEN s.value_period END AS amount_period
		FROM jsonb_to_recordset(coalesce(sums, '[]')) AS s (stage_id uuid, deal_status text, currency text, value_period text,
				deals bigint, deals_without_amount bigint, deals_without_probability bigint, value numeric, weighted_value numeric)
			LEFT JOIN stage AS g ON g.stage_id = s.stage_id
	), whole AS MATERIALIZED (
		SELECT CASE count(DISTINCT f.amount_currency)
				WHEN 0 THEN crm_summary_report.currency
				WHEN 1 THEN min(f.amount_currency)
			END AS currency,
			CASE
				WHEN min(f.amount_period) IS NULL THEN 'one_time'
				WHEN min(f.amount_period) = max(f.amount_period) THEN min(f.amount_period)
			END AS value_period
		FROM facts AS f
	), added AS (
		-- all deals, then by status, stage, currency and value period
		SELECT grouping(f.deal_status, f.stage_id, f.currency, f.value_period) AS kind,
			f.deal_status, f.stage_id, f.currency, f.value_period,
			count(DISTINCT f.amount_currency) AS currencies,
			min(f.amount_currency) AS amount_currency,
			min(f.amount_period) AS amount_period, max(f.amount_period) AS other_period,
			sum(f.deals) AS deals, sum(f.deals_without_amount) AS deals_without_amount,
			sum(f.deals_without_probability) AS deals_without_probability,
			sum(f.value) AS value, sum(f.weighted_value) AS weighted_value
		FROM facts AS f
		GROUP BY GROUPING SETS ((), (f.deal_status), (f.stage_id), (f.currency), (f.currency, f.deal_status),
			(f.value_period), (f.value_period, f.deal_status))
	), parts AS MATERIALIZED (
		SELECT s.kind, s.deal_status, s.stage_id, s.currency, s.value_period, s.deals_without_amount, s.deals_without_probability,
			jsonb_build_object(
				'currency', CASE
					WHEN s.kind IN (b'1101'::integer, b'0101'::integer) THEN s.currency
					WHEN s.currencies = 0 THEN p.currency
					WHEN s.currencies = 1 THEN s.amount_currency
				END,
				'value_period', CASE
					WHEN s.kind IN (b'1110'::integer, b'0110'::integer) THEN s.value_period
					WHEN s.amount_period IS NULL THEN p.value_period
					WHEN s.amount_period = s.other_period THEN s.amount_period
				END,
				'total_deals', coalesce(s.deals, 0),
				'total_value', CASE WHEN s.currencies <= 1 THEN trim_scale(coalesce(s.value, 0)) END,
				'weighted_value', CASE WHEN s.currencies <= 1 THEN trim_scale(coalesce(s.weighted_value, 0)) END) AS part
		FROM added AS s CROSS JOIN whole AS p
	), nothing AS MATERIALIZED (
		SELECT jsonb_build_object('currency', p.currency, 'value_period', p.value_period,
			'total_deals', 0, 'total_value', 0, 'weighted_value', 0) AS part
		FROM whole AS p
	)
	SELECT jsonb_build_object(
			'open', coalesce((SELECT s.part FROM parts AS s WHERE s.kind = b'0111'::integer AND s.deal_status = 'open'), n.part),
			'won', coalesce((SELECT s.part FROM parts AS s WHERE s.kind = b'0111'::integer AND s.deal_status = 'won'), n.part),
			'lost', coalesce((SELECT s.part FROM parts AS s WHERE s.kind = b'0111'::integer AND s.deal_status = 'lost'), n.part),
			'stages', coalesce((
				SELECT jsonb_agg(jsonb_build_object('stage_id', g.stage_id, 'name', g.name, 'position', g.position,
						'deal_status', g.deal_status) || coalesce(s.part, n.part) ORDER BY g.position, g.archived, g.stage_id)
				FROM stage AS g
					LEFT JOIN parts AS s ON s.kind = b'1011'::integer AND s.stage_id = g.stage_id
				WHERE NOT g.archived OR s.part IS NOT NULL), '[]'),
			'by_currency', coalesce((
				SELECT jsonb_agg(c.part || jsonb_build_object(
						'open', coalesce(c.open, n.part) - 'currency', 'won', coalesce(c.won, n.part) - 'currency',
						'lost', coalesce(c.lost, n.part) - 'currency')
					ORDER BY c.currency)
				FROM (SELECT s.currency,
							max(s.part::text) FILTER (WHERE s.kind = b'1101'::integer)::jsonb AS part,
							max(s.part::text) FILTER (WHERE s.deal_status = 'open')::jsonb AS open,
							max(s.part::text) FILTER (WHERE s.deal_status = 'won')::jsonb AS won,
							max(s.part::text) FILTER (WHERE s.deal_status = 'lost')::jsonb AS lost
						FROM parts AS s
						WHERE s.kind IN (b'1101'::integer, b'0101'::integer)
						GROUP BY s.currency) AS c), '[]'),
			'by_value_period', coalesce((
				SELECT jsonb_agg(c.part || jsonb_build_object(
						'open', coalesce(c.open, n.part) - 'value_period', 'won', coalesce(c.won, n.part) - 'value_period',
						'lost', coalesce(c.lost, n.part) - 'value_period')
					ORDER BY array_position(ARRAY['one_time', 'monthly', 'quarterly', 'annual'], c.value_period))
				FROM (SELECT s.value_period,
							max(s.part::text) FILTER (WHERE s.kind = b'1110'::integer)::jsonb AS part,
							max(s.part::text) FILTER (WHERE s.deal_status = 'open')::jsonb AS open,
							max(s.part::text) FILTER (WHERE s.deal_status = 'won')::jsonb AS won,
							max(s.part::text) FILTER (WHERE s.deal_status = 'lost')::jsonb AS lost
						FROM parts AS s
						WHERE s.kind IN (b'1110'::integer, b'0110'::integer)
						GROUP BY s.value_period) AS c), '[]'),
			'deals_without_amount', coalesce(t.deals_without_amount, 0),
			'deals_without_probability', coalesce(t.deals_without_probability, 0)) || t.part
	FROM nothing AS n
		JOIN parts AS t ON t.kind = b'1111'::integer);
END $$;
COMMENT ON FUNCTION @extschema@.crm_summary_report(text, jsonb, jsonb) IS
	'What pipeline_summary() tells of a pipeline, from sums: an array of objects with stage_id, currency, value_period, deals, deals_without_amount, deals_without_probability, value and weighted_value, each a row of crm_summary_rows(); deal_status too where it is not the stage''s. stages are objects with stage_id, name, position, deal_status and archived. currency is that of an empty pipeline. Of each part, currency and value_period are those of its amounts, null where there are several.';

CREATE FUNCTION @extschema@.crm_pipeline_summary_converted(crm regnamespace, pipeline_id uuid, in_currency text, owner_id uuid DEFAULT NULL,
	tag_id uuid DEFAULT NULL, closing_from date DEFAULT NULL, closing_to date DEFAULT NULL, max_rate_age integer DEFAULT NULL)
	RETURNS TABLE (stage_id uuid, value_currency text, value_period text, deals bigint, deals_without_amount bigint, deals_without_probability bigint,
		value numeric, weighted_value numeric, rates jsonb)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_pipeline_summary_converted(regnamespace, uuid, text, uuid, uuid, date, date, integer) IS
'What a pipeline adds up to in one currency: a row for each stage and value period that has deals

The rows that pipeline_summary makes its answer of when it is given in_currency; owner_id, tag_id, closing_from and closing_to choose deals as they do there. value = sum of the amounts, weighted_value = sum of amount times probability; those of won and lost deals converted at the rate of the day (UTC) that they were closed on, those of open ones at the latest rate; see exchange_rate. rates are those that were used.

Errors: PT404 for an unknown pipeline, 22023 for what is not a currency and where an exchange rate is missing or too old.';
