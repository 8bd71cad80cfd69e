CREATE FUNCTION @extschema@.crm_context_for_person(crm regnamespace, person_id uuid,
	max_deals integer DEFAULT 10, skip_deals integer DEFAULT 0)
	RETURNS jsonb
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_context_for_person(regnamespace, uuid, integer, integer) IS
'All about a person in one call: their deals, with stages, tags and last changes

person is the row of the linked contacts, or null if contacts are not linked or the caller may not read their table. deals lists their unarchived deals, the open ones first, max_deals of them (at most 100) after the first skip_deals, each with its pipeline, stage, owner, organization, tags, the person''s role and the last three changes, newest first. deals_total is how many there are; next_deals, if there are more, the skip_deals to go on with. totals adds all of them up by status and currency; value_period is the one of the amounts added, null where there are several or none.

Errors: PT404 if contacts are linked and there is no such person, 22023 for max_deals or skip_deals that is out of bounds.

@param max_deals How many deals at most (default 10, 1 to 100)
@param skip_deals How many to leave out; next_deals of the call before
@tool Who it is, what their deals add up to by status and currency, and their deals, open ones first, a page at a time.
@mcp';
