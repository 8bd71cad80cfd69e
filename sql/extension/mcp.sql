-- The Model Context Protocol.  Runs with the caller's rights.

CREATE FUNCTION @extschema@.crm_mcp_no_message() RETURNS json
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_mcp_no_message() IS
'Answers a request without a message of the Model Context Protocol; what mcp() of an installed CRM calls';
