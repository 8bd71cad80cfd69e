-- Parts of the pages that crm_board_page() and crm_pipeline_page() return.  Their style
-- and scripts (sql/page) are stored once in the extension, not in each CRM.

CREATE FUNCTION @extschema@.crm_page_board(crm regnamespace, pipeline_id uuid)
	RETURNS jsonb
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_page_board(regnamespace, uuid) IS
'The board of a pipeline: its stages with their sums and the first deals of each; what the pages show';

CREATE FUNCTION @extschema@.crm_page(crm regnamespace, title text, content jsonb)
	RETURNS text
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_page(regnamespace, text, jsonb) IS
'A page of HTML that shows that content; what crm_board_page() and crm_pipeline_page() return';
