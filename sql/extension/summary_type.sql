--
-- crm_summary: a map (stage, currency, value_period) -> deals, deals without
-- an amount, deals without a probability, value, weighted value, all exact.
--

CREATE TYPE @extschema@.crm_summary;

CREATE FUNCTION @extschema@.crm_summary_in(cstring) RETURNS @extschema@.crm_summary
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_in(cstring) IS
'Reads a summary from its text form, JSON.';

CREATE FUNCTION @extschema@.crm_summary_out(@extschema@.crm_summary) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_out(@extschema@.crm_summary) IS
'The text form of a summary, JSON.';

CREATE FUNCTION @extschema@.crm_summary_recv(internal) RETURNS @extschema@.crm_summary
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_recv(internal) IS
'Reads a summary from its binary form.';

CREATE FUNCTION @extschema@.crm_summary_send(@extschema@.crm_summary) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_send(@extschema@.crm_summary) IS
'The binary form of a summary.';

CREATE TYPE @extschema@.crm_summary (
	INPUT = @extschema@.crm_summary_in,
	OUTPUT = @extschema@.crm_summary_out,
	RECEIVE = @extschema@.crm_summary_recv,
	SEND = @extschema@.crm_summary_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = double,
	STORAGE = extended
);

COMMENT ON TYPE @extschema@.crm_summary IS
'What deals add up to: per stage, currency and value period the number of deals, how many of them have no amount and how many no probability, their value and their weighted value (amount times probability). All sums are exact. Summaries can be stored, added, subtracted, compared and aggregated; the text form is JSON.';

--
-- JSON
--

CREATE FUNCTION @extschema@.crm_summary_to_json(@extschema@.crm_summary) RETURNS json
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_to_json(@extschema@.crm_summary) IS
'The summary as JSON: an array of objects with the columns of crm_summary_rows() as fields.';

CREATE FUNCTION @extschema@.crm_summary_to_jsonb(@extschema@.crm_summary) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_to_jsonb(@extschema@.crm_summary) IS
'The summary as JSON: an array of objects with the columns of crm_summary_rows() as fields.';

CREATE CAST (@extschema@.crm_summary AS json)
WITH FUNCTION @extschema@.crm_summary_to_json(@extschema@.crm_summary) AS ASSIGNMENT;

CREATE CAST (@extschema@.crm_summary AS jsonb)
WITH FUNCTION @extschema@.crm_summary_to_jsonb(@extschema@.crm_summary) AS ASSIGNMENT;

--
-- Rows
--

CREATE FUNCTION @extschema@.crm_summary_rows(
	summary @extschema@.crm_summary,
	OUT stage_id uuid,
	OUT currency text,
	OUT value_period text,
	OUT deals bigint,
	OUT deals_without_amount bigint,
	OUT deals_without_probability bigint,
	OUT value numeric,
	OUT weighted_value numeric
) RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 20
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_rows(@extschema@.crm_summary) IS
'The summary as rows, ordered by stage_id, currency (nulls last) and value_period (one_time, monthly, quarterly, annual).';

--
-- Arithmetic: summaries are a group under +, so a - a is the empty summary.
--

CREATE FUNCTION @extschema@.crm_summary_plus(@extschema@.crm_summary, @extschema@.crm_summary) RETURNS @extschema@.crm_summary
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_plus(@extschema@.crm_summary, @extschema@.crm_summary) IS
'The summary of the deals of both; the operator +.';

CREATE FUNCTION @extschema@.crm_summary_minus(@extschema@.crm_summary, @extschema@.crm_summary) RETURNS @extschema@.crm_summary
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_minus(@extschema@.crm_summary, @extschema@.crm_summary) IS
'What the first summary has more than the second, which may be negative; the operator -.';

CREATE OPERATOR @extschema@.+ (
	LEFTARG = @extschema@.crm_summary,
	RIGHTARG = @extschema@.crm_summary,
	FUNCTION = @extschema@.crm_summary_plus,
	COMMUTATOR = OPERATOR(@extschema@.+)
);

COMMENT ON OPERATOR @extschema@.+ (@extschema@.crm_summary, @extschema@.crm_summary) IS
'the summary of the deals of both';

CREATE OPERATOR @extschema@.- (
	LEFTARG = @extschema@.crm_summary,
	RIGHTARG = @extschema@.crm_summary,
	FUNCTION = @extschema@.crm_summary_minus
);

COMMENT ON OPERATOR @extschema@.- (@extschema@.crm_summary, @extschema@.crm_summary) IS
'what the first summary has more than the second';

--
-- Equality, with hashing, so that =, GROUP BY, DISTINCT and hash joins work.
--

CREATE FUNCTION @extschema@.crm_summary_eq(@extschema@.crm_summary, @extschema@.crm_summary) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_eq(@extschema@.crm_summary, @extschema@.crm_summary) IS
'Are the two summaries the same? The operator =.';

CREATE FUNCTION @extschema@.crm_summary_ne(@extschema@.crm_summary, @extschema@.crm_summary) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_ne(@extschema@.crm_summary, @extschema@.crm_summary) IS
'Do the two summaries differ? The operator <>.';

CREATE FUNCTION @extschema@.crm_summary_hash(@extschema@.crm_summary) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_hash(@extschema@.crm_summary) IS
'Hash of a summary.';

CREATE FUNCTION @extschema@.crm_summary_hash_extended(@extschema@.crm_summary, bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_hash_extended(@extschema@.crm_summary, bigint) IS
'Hash of a summary, with a seed.';

CREATE OPERATOR @extschema@.= (
	LEFTARG = @extschema@.crm_summary,
	RIGHTARG = @extschema@.crm_summary,
	FUNCTION = @extschema@.crm_summary_eq,
	COMMUTATOR = OPERATOR(@extschema@.=),
	NEGATOR = OPERATOR(@extschema@.<>),
	RESTRICT = eqsel,
	JOIN = eqjoinsel,
	HASHES
);

COMMENT ON OPERATOR @extschema@.= (@extschema@.crm_summary, @extschema@.crm_summary) IS
'equal';

CREATE OPERATOR @extschema@.<> (
	LEFTARG = @extschema@.crm_summary,
	RIGHTARG = @extschema@.crm_summary,
	FUNCTION = @extschema@.crm_summary_ne,
	COMMUTATOR = OPERATOR(@extschema@.<>),
	NEGATOR = OPERATOR(@extschema@.=),
	RESTRICT = neqsel,
	JOIN = neqjoinsel
);

COMMENT ON OPERATOR @extschema@.<> (@extschema@.crm_summary, @extschema@.crm_summary) IS
'not equal';

CREATE OPERATOR CLASS @extschema@.crm_summary_hash_ops
DEFAULT FOR TYPE @extschema@.crm_summary USING hash AS
	OPERATOR 1 @extschema@.=,
	FUNCTION 1 @extschema@.crm_summary_hash(@extschema@.crm_summary),
	FUNCTION 2 @extschema@.crm_summary_hash_extended(@extschema@.crm_summary, bigint);
