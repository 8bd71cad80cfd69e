CREATE FUNCTION @extschema@.crm_replace_history(crm regnamespace, deal_id uuid, history jsonb,
	reason text)
	RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'crm_replace_history';
COMMENT ON FUNCTION @extschema@.crm_replace_history(regnamespace, uuid, jsonb, text) IS
'Give a deal the history it should have had

history is an array with an object for each stage that the deal entered, in their order, the first one as it came into being: stage_id and at (when), and, if known, actor, probability and, of a stage for lost deals, lost_reason. It ends in the stage in which the deal stands. The times of the deal follow, and so do all reports. What was there before is kept in deal_changes, with the reason, as a change ''corrected''. The history that is there already changes nothing, and writes nothing; what an element leaves out is not compared.

Returns the deal. Errors: PT404 for an unknown deal, PT409 for one that was deleted and put back, 22023 for a history that is no such array, 23503 for an unknown stage, 23514 for times that run backwards or are in the future, and for a history that ends elsewhere.';
