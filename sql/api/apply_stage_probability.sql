CREATE FUNCTION @extschema@.crm_apply_stage_probability(crm regnamespace, stage_id uuid)
	RETURNS integer
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_apply_stage_probability(regnamespace, uuid) IS
'Give the deals of a stage the probability of the stage

A changed probability of a stage counts for deals that enter from then on; this applies it to those that stand there now, archived ones too, whatever theirs is.

Returns how many deals changed. Errors: PT404 for an unknown stage, 22023 for a stage without a probability.

@tool Of all deals that are in the stage now, archived ones too, whatever their probability is. result tells how many changed.
@mcp name=stages_apply_probability idempotent';
