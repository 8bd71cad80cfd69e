CREATE FUNCTION @extschema@.crm_context_for_person(crm regnamespace, person_id uuid)
	RETURNS jsonb
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_context_for_person(regnamespace, uuid) IS
'All about a person in one call: their deals, with stages, tags and last changes

person is the row of the linked contacts, or null if contacts are not linked or the caller may not read their table. deals lists their unarchived deals, the open ones first, each with its pipeline, stage, owner, organization, tags, the person''s role and the last five changes, newest first. totals adds them up by status and currency; value_period is the one of the amounts added, null where there are several or none.

Errors: PT404 if contacts are linked and there is no such person.

@mcp';
