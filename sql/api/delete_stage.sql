CREATE FUNCTION @extschema@.crm_delete_stage(crm regnamespace, stage_id uuid,
	move_deals_to uuid DEFAULT NULL)
	RETURNS jsonb
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'crm_delete_stage';
COMMENT ON FUNCTION @extschema@.crm_delete_stage(regnamespace, uuid, uuid) IS
'Delete or archive a stage, after moving its deals to another one

move_deals_to is the stage for the deals that stand in the one to delete, archived deals too; each is recorded as a move. It can be left out if there are none. A stage that deals were ever in is archived, so that reports on the past keep it: it takes no deals any more, and its name and position are free.

Returns an object: moved, how many deals moved; deleted and archived, which of the two happened. Errors: PT404 for an unknown stage, 23503 for an unknown move_deals_to or if deals have nowhere to go, 22023 if the two are the same.

@param move_deals_to The stage for the deals that are there; not needed if there are none
@tool A stage that deals ever were in is archived, so that reports keep it. moved, deleted and archived tell what was done.
@mcp name=stages_delete_moving_deals';
