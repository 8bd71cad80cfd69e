-- What a pipeline adds up to, as JSON: for pipeline_summary() of every CRM.
CREATE FUNCTION @extschema@.crm_summary_report(currency text, stages jsonb, sums jsonb)
	RETURNS jsonb
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_summary_report';
COMMENT ON FUNCTION @extschema@.crm_summary_report(text, jsonb, jsonb) IS
	'What pipeline_summary() tells of a pipeline, from sums: an array of objects with stage_id, currency, value_period, deals, deals_without_amount, deals_without_probability, value and weighted_value, each a row of crm_summary_rows(); divide_by too where both are still to be divided by it; deal_status too where it is not the stage''s. stages are objects with stage_id, name, position, deal_status and archived. currency is that of an empty pipeline. Of each part, currency and value_period are those of its amounts, null where there are several.';

CREATE FUNCTION @extschema@.crm_pipeline_summary_converted(crm regnamespace, pipeline_id uuid, in_currency text, owner_id uuid DEFAULT NULL,
	tag_id uuid DEFAULT NULL, closing_from date DEFAULT NULL, closing_to date DEFAULT NULL, max_rate_age integer DEFAULT NULL)
	RETURNS TABLE (stage_id uuid, value_currency text, value_period text, deals bigint, deals_without_amount bigint, deals_without_probability bigint,
		value numeric, weighted_value numeric, divide_by numeric, rates jsonb)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_pipeline_summary_converted(regnamespace, uuid, text, uuid, uuid, date, date, integer) IS
'What a pipeline adds up to in one currency: a row for each stage, value period and divisor that has deals

The rows that pipeline_summary makes its answer of when it is given in_currency; owner_id, tag_id, closing_from and closing_to choose deals as they do there. value = sum of the amounts, weighted_value = sum of amount times probability, both before they are divided by divide_by, so that a sum of several rows can be rounded once; those of won and lost deals converted at the rate of the day (UTC) that they were closed on, those of open ones at the latest rate; see exchange_rate. rates are those that were used.

Errors: PT404 for an unknown pipeline, 22023 for what is not a currency and where an exchange rate is missing or too old.';
