-- Reading the values in files of other systems, by declared formats.

CREATE FUNCTION @extschema@.crm_import_amount(value text, format text) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_import_amount';
COMMENT ON FUNCTION @extschema@.crm_import_amount(text, text) IS
	'The amount that a text is by a format: 1234.56, 1234,56, 1,234.56, 1.234,56, 1 234.56, 1 234,56, 1''234.56, cents or micros. A currency may stand beside it; -5, 5- and (5) are negative. Null if the text is no amount of that format. Errors: 22023 for another format.';

CREATE FUNCTION @extschema@.crm_import_currency(value text, format text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_import_currency';
COMMENT ON FUNCTION @extschema@.crm_import_currency(text, text) IS
	'What stands beside the number in an amount of that format, such as EUR or a sign; null if nothing does.';

CREATE FUNCTION @extschema@.crm_import_time(value text, format text, zone text) RETURNS timestamptz
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_import_time';
COMMENT ON FUNCTION @extschema@.crm_import_time(text, text, text) IS
	'The time that a text is by a format: iso (2024-01-31, with or without 14:30, seconds, an offset), dmy (31.01.2024 or 31/1/2024), mdy (1/31/2024 2:30 PM), epoch (seconds since 1970) or epoch_ms. Without an offset it is in that time zone. Null if the text is no such time, or not in the years 1900 to 9999. Errors: 22023 for another format or an unknown zone.';

CREATE FUNCTION @extschema@.crm_import_fields(record text, delimiter text) RETURNS text[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_import_fields';
COMMENT ON FUNCTION @extschema@.crm_import_fields(text, text) IS
	'The fields of a record of a CSV file, which may have newlines in quotes; empty ones without quotes are null. Null if the record cannot be taken apart. Errors: 22023 for a delimiter that is not one ASCII character.';
