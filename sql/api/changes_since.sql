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

change is created, moved, won, lost, reopened, amount, close_date, owner, archived, unarchived, deleted, restored (put back as it was) or recreated (inserted under the id of a deleted deal); summary says it in a line: of a title the first 100 characters, of a lost reason 200. old_value and new_value have what was before and after: stages, with their pipelines if these differ, an amount with its currency (null: not known), a date, an owner by name if owners are linked. changed_at is when the change took effect. title, deal_amount, deal_currency, deal_pipeline_id and deal_owner_id are of the deal as it is now; if it was deleted, as it was then, without a title, which the history does not have. Several changes by one statement are several rows. A deal that is inserted as won or lost is created only. Leaves out moves that were taken back, and a currency that changes without an amount.

pipeline_id chooses changes in, into or out of a pipeline, with what the statement that moved the deal changed as well; owner_id those of deals that are or, at the change, were that owner''s. At most max_rows are returned; for the next ones call it again with the last row''s next_cursor as after_cursor. It is a place in time: what is recorded or deleted meanwhile makes no row come twice, but what is dated anew by a correction may come again, or not at all.

Errors: PT404 for an unknown pipeline, PT410 where rows of the history since then were deleted, 22023 for max_rows out of range and for what is not a cursor.

@param at Since when
@param max_rows How many at most, 1 to 1000 (default 100)
@param after_cursor next_cursor of the last row before
@mcp report=flow';
