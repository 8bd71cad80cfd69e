CREATE FUNCTION @extschema@.crm_set_primary_contact(crm regnamespace, deal_id uuid, contact_id uuid)
	RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'crm_set_primary_contact';
COMMENT ON FUNCTION @extschema@.crm_set_primary_contact(regnamespace, uuid, uuid) IS
'Make a contact the primary one of a deal

The contact must be linked to the deal, as a row of deal_contacts. The contact that was primary before no longer is.

Returns the row of deal_contacts. Errors: PT404 for an unknown deal or a contact that is not linked to it.

@tool The contact must be linked to the deal; the one that was primary no longer is.
@mcp name=deals_set_primary_contact idempotent';
