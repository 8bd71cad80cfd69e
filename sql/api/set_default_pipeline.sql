CREATE FUNCTION @extschema@.crm_set_default_pipeline(crm regnamespace, pipeline_id uuid)
	RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'crm_set_default_pipeline';
COMMENT ON FUNCTION @extschema@.crm_set_default_pipeline(regnamespace, uuid) IS
'Make a pipeline the default

Deals created without a pipeline go to the default one. The pipeline that was the default before no longer is.

Returns the pipeline. Errors: PT404 for an unknown pipeline, 23514 for an archived one.

@tool Deals that are created without a pipeline go there.
@mcp name=pipelines_set_default idempotent';
