-- Linking columns of a CRM to the user's tables of contacts, owners and organizations.

CREATE FUNCTION @extschema@.crm_link(schema_name text, linked_column text, linked_table regclass,
	id_column name DEFAULT NULL, name_column name DEFAULT NULL, on_delete text DEFAULT 'restrict',
	columns name[] DEFAULT NULL)
	RETURNS regclass
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_link';
COMMENT ON FUNCTION @extschema@.crm_link(text, text, regclass, name, name, text, name[]) IS
	'Links a column of a CRM to a table of yours: makes linked_column, which is ''deal_contacts.contact_id'', ''deals.owner_id'' or ''deals.organization_id'', a foreign key to the id_column of that table (default: its primary key), a unique uuid, and creates over the table the view contacts, owners or organizations, which is read with the reader''s rights and is returned. name_column is what a row is called by, which the view calls "name" (default: the column of that name, if there is one): reports and contexts show it. on_delete is ''restrict'' (a row that deals refer to cannot be deleted), or ''cascade'' for contacts (it is removed from its deals), ''set null'' for the others. The view shows the columns listed (default: all there are now), the key first and named "id"; another column named "id" is shown as "external_id". A row that row security hides from a writer is refused to them. For the CRM''s owner, with REFERENCES on the table; reads all deals once and blocks writes to them meanwhile. Roles need crm_grant_access() once more for the view, and SELECT on the table; without, functions show them no row and no name.';

CREATE FUNCTION @extschema@.crm_unlink(schema_name text, linked_column text)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_unlink';
COMMENT ON FUNCTION @extschema@.crm_unlink(text, text) IS
	'Undoes crm_link() of that column: drops the foreign key, the view and what came with them, and no row. Refused while something depends on the view. For the CRM''s owner.';

CREATE FUNCTION @extschema@.crm_linked_row(crm regnamespace, view_name text, id uuid)
	RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_linked_row';
COMMENT ON FUNCTION @extschema@.crm_linked_row(regnamespace, text, uuid) IS
	'The row of that view of crm_link(), contacts, owners or organizations, in that schema that has this id, read with the caller''s rights; null if there is none, no such view, or no right to read it.';

CREATE FUNCTION @extschema@.crm_linked_name(crm regnamespace, view_name text, id uuid)
	RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_linked_name';
COMMENT ON FUNCTION @extschema@.crm_linked_name(regnamespace, text, uuid) IS
	'What that row is called: the column "name" of the view; null where crm_linked_row() is, and if the view has no such column.';

CREATE FUNCTION @extschema@.crm_linked_row_is_missing(crm regnamespace, view_name text, id uuid)
	RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_linked_row_is_missing';
COMMENT ON FUNCTION @extschema@.crm_linked_row_is_missing(regnamespace, text, uuid) IS
	'Whether the caller may read that view of crm_link(), and it has no row of this id.';
