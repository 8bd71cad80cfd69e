-- Notifications of what happens to deals, off unless asked for.

CREATE FUNCTION @extschema@.crm_notify_events() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_notify_events() IS
'AFTER INSERT trigger for each statement on deals and stage_changes, with a transition table: notifies of each row on the channel crm_events';

CREATE FUNCTION @extschema@.crm_enable_events(schema_name text DEFAULT 'crm')
	RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_enable_events';
COMMENT ON FUNCTION @extschema@.crm_enable_events(text) IS
	'Makes a CRM notify of its deals on the channel crm_events: {"schema", "table": "deals", "id", "kind": created, moved, won or lost, "tenant"}. It adds triggers to deals and stage_changes; false if they were there. For the CRM''s owner.';

CREATE FUNCTION @extschema@.crm_disable_events(schema_name text DEFAULT 'crm')
	RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'crm_disable_events';
COMMENT ON FUNCTION @extschema@.crm_disable_events(text) IS
	'Stops the notifications of a CRM; false if there were none. For the CRM''s owner.';
