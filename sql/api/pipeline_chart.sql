CREATE FUNCTION @extschema@.crm_pipeline_chart(crm regnamespace, pipeline_id uuid)
	RETURNS TABLE (stage text, deals bigint, currency text, value_period text, value text,
		weighted_value text, bar text)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_pipeline_chart(regnamespace, uuid) IS
'The stages of a pipeline with a bar each, to be read in psql

A row for each stage, currency and value period, in the order of the stages: value and weighted_value are those of pipeline_stage_summary, written with separators; bar is as long as there are deals, 40 characters for the most.

Errors: PT404 for an unknown pipeline.';
