CREATE FUNCTION @extschema@.crm_merge_deals(crm regnamespace, keep uuid, merge uuid)
	RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'crm_merge_deals';
COMMENT ON FUNCTION @extschema@.crm_merge_deals(regnamespace, uuid, uuid) IS
'Merge a deal into another one

keep gets the contacts and tags of merge that it does not have, and the members of its metadata; where both have one, that of keep counts. merge is archived, so that it counts in no total, and its merged_into is keep; it loses nothing, and its history stays its own: deal_history of keep shows that of both. Values such as the amount stay those of keep. unmerge_deals undoes it.

Returns the deal that is kept. Errors: PT404 for an unknown deal, 22023 for a deal and itself, 23514 if one of them is archived or was merged already.

@param keep The deal that stays, by id or title
@param merge The deal that is archived, by id or title
@tool keep gets contacts, tags and metadata that it lacks; its values stay. merge is archived and points to it. deal_history shows the history of both. Returns the deal that is kept.
@mcp name=deals_merge';
