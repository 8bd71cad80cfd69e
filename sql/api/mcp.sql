CREATE FUNCTION @extschema@.crm_mcp(crm regnamespace, json)
	RETURNS json
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'crm_mcp';
COMMENT ON FUNCTION @extschema@.crm_mcp(regnamespace, json) IS
'The endpoint of the Model Context Protocol

Takes a JSON-RPC message, or an array of them, and returns the reply; null, with the status 202, if the message wants none. Its tools do what the caller may do, no more.';
