CREATE FUNCTION @extschema@.crm_reorder_stages(crm regnamespace, pipeline_id uuid, stage_ids uuid[])
	RETURNS uuid[]
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'crm_reorder_stages';
COMMENT ON FUNCTION @extschema@.crm_reorder_stages(regnamespace, uuid, uuid[]) IS
'Put the stages of a pipeline in another order

stage_ids names all stages of the pipeline, each once, in their new order; archived ones may be left out. Their positions become 1, 2, ...

Returns the stages in their new order. Errors: PT404 for an unknown pipeline, 22023 if a stage is missing, repeated or not of the pipeline.

@param stage_ids All its stages, each once, in the new order
@tool Archived stages may be left out.
@mcp name=stages_reorder idempotent';
