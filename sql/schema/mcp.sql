-- What PostgREST sends as text/event-stream.  Without a function that returns this
-- type, it refuses a GET by a client that accepts nothing else.

CREATE DOMAIN "text/event-stream" AS json;
REVOKE USAGE ON DOMAIN "text/event-stream" FROM PUBLIC;
COMMENT ON DOMAIN "text/event-stream" IS 'The media type that clients of the Model Context Protocol ask for by GET';
