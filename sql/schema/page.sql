-- What PostgREST sends as text/html: the pages that board_page() and pipeline_page() return.

CREATE DOMAIN "text/html" AS text;
REVOKE USAGE ON DOMAIN "text/html" FROM PUBLIC;
COMMENT ON DOMAIN "text/html" IS 'The media type of the pages that browsers ask for';
