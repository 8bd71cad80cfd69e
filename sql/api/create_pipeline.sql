CREATE FUNCTION @extschema@.crm_create_pipeline(crm regnamespace, name text,
	stages jsonb DEFAULT '[]', is_default boolean DEFAULT false,
	currency text DEFAULT NULL, description text DEFAULT NULL, external_id text DEFAULT NULL,
	metadata jsonb DEFAULT NULL)
	RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_create_pipeline(regnamespace, text, jsonb, boolean, text, text,
	text, jsonb) IS
'Create a pipeline with its stages

Only name is required. stages is an array, in the order of the pipeline, of names or of objects with the keys name, deal_status (open, won or lost; default open), probability (0 to 1), rotting_days, forecast_category (pipeline, best_case, commit or omitted), external_id and metadata. With is_default true it becomes the default pipeline instead of the one that was. currency is given to amounts of its deals that come without one.

Returns the pipeline. Errors: 22023 for stages that are not as described, 23505 for a name that is taken.

@param name Its name
@param stages In order: objects with name and, if you like, deal_status (open, won, lost), probability (0 to 1), rotting_days, forecast_category, external_id, metadata
@param is_default Whether deals without a pipeline go there
@param currency ISO 4217 code for amounts without one
@param description What it is for
@param external_id Its id in another system
@param metadata Further data of your own
@tool Give it at least an open stage, one for won and one for lost deals. Returns the pipeline.
@mcp name=pipelines_create_with_stages additive';
