CREATE FUNCTION @extschema@.crm_context_for_deal(crm regnamespace, deal_id uuid)
	RETURNS jsonb
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_context_for_deal(regnamespace, uuid) IS
'All about a deal in one call: its stage, pipeline, contacts, tags and last changes

owner and organization have an id and a name, which is null unless they are linked and the caller may read their tables. contacts are the people linked to it, the primary one first, twenty at most (contacts_total tells how many there are), each with its row of the linked contacts, or null if contacts are not linked or the caller may not read their table. description is cut after 2,000 characters, and metadata of more than 4,000 bytes is left out: metadata_bytes tells its size. last_changes are its last ten moves, newest first. overdue says by how many days it has missed its expected_close_date (closing_days), and for how many days it has been in its stage beyond the stage''s rotting_days (rotting_days); null: it is not overdue.

Errors: PT404 for an unknown deal.

@tool Its values, stage, pipeline, contacts, tags, last ten moves, and by how many days it is overdue. deal_history of report_flow has the rest of its history.
@mcp';
