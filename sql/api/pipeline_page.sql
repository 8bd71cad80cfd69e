CREATE FUNCTION @extschema@.crm_pipeline_page(crm regnamespace, pipeline_id uuid)
	RETURNS text
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_pipeline_page(regnamespace, uuid) IS
'A pipeline as a page of HTML: its board and its reports

A page as board_page returns it, of one pipeline. Below the board it shows the funnel, the value by stage, the forecast by month and category (half a year back, a year ahead), the open value of 52 weeks (pipeline_trend), the waterfall of the last 90 days, the time in each stage, what was won and lost and why (the 50 most frequent reasons), rotting deals (the first 100) and the last 50 changes of 90 days. The figures are those of the functions of these names, each currency by itself.

Errors: PT404 for an unknown pipeline.';
