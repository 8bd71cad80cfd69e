CREATE FUNCTION @extschema@.crm_unmerge_deals(crm regnamespace, merged uuid)
	RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'crm_unmerge_deals';
COMMENT ON FUNCTION @extschema@.crm_unmerge_deals(regnamespace, uuid) IS
'Undo the merging of a deal into another one

The merged deal is unarchived, and its merged_into is null again. The contacts and tags that the other deal got from it are taken from that; what was changed there since stays, and so does metadata that it got, as nothing tells it from its own.

Returns the deal that had been merged. Errors: PT404 for an unknown deal, PT409 for one that is not merged, or that was unarchived since.

@param merged The deal that was archived
@tool The deal is unarchived; the other one loses the contacts and tags that it got from it, but keeps metadata. Returns the deal that had been merged.
@mcp name=deals_unmerge';
