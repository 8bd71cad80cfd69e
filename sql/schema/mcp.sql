-- What PostgREST sends as text/event-stream.  Without a function that returns this
-- type, it refuses a GET by a client that accepts nothing else.

CREATE DOMAIN "text/event-stream" AS json;
REVOKE USAGE ON DOMAIN "text/event-stream" FROM PUBLIC;
COMMENT ON DOMAIN "text/event-stream" IS 'The media type that clients of the Model Context Protocol ask for by GET';

CREATE FUNCTION mcp()
    RETURNS "text/event-stream"
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT @extension@.crm_mcp_no_message()::"text/event-stream";
END;
REVOKE EXECUTE ON FUNCTION mcp() FROM PUBLIC;
COMMENT ON FUNCTION mcp() IS
'No stream: the status 405

The endpoint of the Model Context Protocol takes messages by POST and opens no stream of its own.';
