-- Contacts live in a table of the user's: tying a CRM to it.

CREATE FUNCTION @extschema@.crm_link_contacts(schema_name text, contacts_table regclass,
	id_column name DEFAULT NULL, on_delete text DEFAULT 'restrict',
	columns name[] DEFAULT NULL)
	RETURNS regclass
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_link_contacts';
COMMENT ON FUNCTION @extschema@.crm_link_contacts(text, regclass, name, text, name[]) IS
	'Ties a CRM to the table that holds the contacts: makes deal_contacts.contact_id a foreign key to its id_column (default: its primary key), a unique uuid, and creates over it the view "contacts", which is read with the reader''s rights and is returned. on_delete is ''restrict'' (a contact of a deal cannot be deleted) or ''cascade'' (it is removed from its deals). The view shows the columns listed (default: all there are now), the key first and named "id"; another column named "id" is shown as "external_id". For the CRM''s owner, with REFERENCES on the table. Roles need crm_grant_access() once more for the view, and SELECT on the table; without, functions give them no contact.';

CREATE FUNCTION @extschema@.crm_unlink_contacts(schema_name text)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_unlink_contacts';
COMMENT ON FUNCTION @extschema@.crm_unlink_contacts(text) IS
	'Undoes crm_link_contacts(): drops the foreign key and the view "contacts", and no row. Refused while something depends on the view. For the CRM''s owner.';

CREATE FUNCTION @extschema@.crm_contact(crm regnamespace, contact_id uuid)
	RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_contact';
COMMENT ON FUNCTION @extschema@.crm_contact(regnamespace, uuid) IS
	'The row of the view "contacts" in that schema that has this id, read with the caller''s rights; null if there is none, no such view, or no right to read it.';

CREATE FUNCTION @extschema@.crm_contact_is_missing(crm regnamespace, contact_id uuid)
	RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_contact_is_missing';
COMMENT ON FUNCTION @extschema@.crm_contact_is_missing(regnamespace, uuid) IS
	'Whether the caller may read the view "contacts" in that schema, and it has no row of this id.';
