CREATE FUNCTION @extschema@.crm_changes_since(crm regnamespace, at timestamptz,
	pipeline_id uuid DEFAULT NULL, owner_id uuid DEFAULT NULL,
	max_rows integer DEFAULT 100, after_cursor text DEFAULT NULL)
	RETURNS TABLE (changed_at timestamptz, change text, deal_id uuid, title text, summary text,
		old_value text, new_value text, deal_amount numeric, deal_currency text,
		deal_pipeline_id uuid, deal_owner_id uuid, changed_by text, next_cursor text)
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_changes_since(regnamespace, timestamptz, uuid, uuid, integer,
	text) IS
'What changed since a moment: a readable row for each change of a deal, the newest first

change is created, moved, won, lost, reopened, amount, close_date, owner, archived, unarchived, deleted or restored; summary says it in a sentence, old_value and new_value have what was before and after: stages, with their pipelines if these differ, an amount with its currency, a date, an owner by name if owners are linked. changed_at is when the change took effect. title, deal_amount, deal_currency, deal_pipeline_id and deal_owner_id are of the deal as it is now, null if it was deleted. Several changes by one statement are several rows. Leaves out moves that were taken back.

pipeline_id chooses changes in, into or out of a pipeline, owner_id those of deals that are or, at the change, were that owner''s. At most max_rows are returned; for the next ones call it again with the last row''s next_cursor as after_cursor.

Errors: PT404 for an unknown pipeline, 22023 for max_rows out of range and for what is not a cursor.

@param at Since when
@param max_rows How many at most, 1 to 1000 (default 100)
@param after_cursor next_cursor of the last row before
@mcp report=flow';
