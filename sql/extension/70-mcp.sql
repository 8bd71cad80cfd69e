-- The Model Context Protocol.  Runs with the caller's rights.

CREATE FUNCTION crm_mcp(deals regclass, message json) RETURNS json
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION crm_mcp(regclass, json) IS
'Answers a message of the Model Context Protocol for the CRM of that table; what mcp of an installed CRM calls';

CREATE FUNCTION crm_mcp_no_message() RETURNS json
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION crm_mcp_no_message() IS
'Answers a request without a message of the Model Context Protocol; what mcp() of an installed CRM calls';
