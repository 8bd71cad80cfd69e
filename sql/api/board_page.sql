CREATE FUNCTION @extschema@.crm_board_page(crm regnamespace)
	RETURNS text
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_board_page(regnamespace) IS
'The boards of all pipelines as a page of HTML

A page for a browser that contains all it needs and loads nothing: for each pipeline that is not archived a board of its stages with their deals, their number and the sum of their amounts, by currency and value period. Shows what the caller may see. Each open stage has its first 2,000 deals, each closed one 100, in the order of their rank, then the newest in the stage first; sums are those of all.

Opened from PostgREST as /rpc/board_page, deals can be moved there, by move_deal.';
