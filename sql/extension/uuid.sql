-- Generators of uuids.

CREATE FUNCTION @extschema@.crm_uuid_v7() RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_uuid_v7';
COMMENT ON FUNCTION @extschema@.crm_uuid_v7() IS
	'A new time-ordered uuid (version 7 of RFC 9562), greater than any that this session made before.';

CREATE FUNCTION @extschema@.crm_external_uuid(source text, external_id text) RETURNS uuid
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_external_uuid';
COMMENT ON FUNCTION @extschema@.crm_external_uuid(text, text) IS
	'The uuid that stands for the id external_id of another system, source: the same one at every call and in every database. It is uuid5(uuid5(''bc38c7f0-3f6a-4c33-a7c4-2b8c4a9d6e15'', source), external_id) over UTF-8.';
