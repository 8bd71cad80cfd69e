-- The Model Context Protocol: agents use the CRM through one function.

-- What PostgREST sends as text/event-stream.  It refuses to serve GET for a
-- client that asks for nothing else, unless a function returns that.
CREATE DOMAIN "text/event-stream" AS json;
REVOKE USAGE ON DOMAIN "text/event-stream" FROM PUBLIC;
COMMENT ON DOMAIN "text/event-stream" IS 'The media type that clients of the Model Context Protocol ask for by GET';

CREATE FUNCTION mcp(json)
    RETURNS json
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT crm_mcp('deals'::regclass, $1);
END;
REVOKE EXECUTE ON FUNCTION mcp(json) FROM PUBLIC;
COMMENT ON FUNCTION mcp(json) IS
'The endpoint of the Model Context Protocol

Takes a JSON-RPC message, or an array of them, and returns the reply; null, with the status 202, if the message wants none. Its tools do what the caller may do, no more.';

CREATE FUNCTION mcp()
    RETURNS "text/event-stream"
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT crm_mcp_no_message()::"text/event-stream";
END;
REVOKE EXECUTE ON FUNCTION mcp() FROM PUBLIC;
COMMENT ON FUNCTION mcp() IS
'No stream: the status 405

The endpoint of the Model Context Protocol takes messages by POST and opens no stream of its own.';
