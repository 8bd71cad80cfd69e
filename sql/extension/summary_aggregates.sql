--
-- crm_pipeline_summary() over deals and over summaries; crm_weighted_value().
--
-- The state is a crm_summary, not internal, so that partial aggregates can
-- pass between parallel workers and between the nodes of a cluster.
--

CREATE FUNCTION @extschema@.crm_summary_add_row(
	state @extschema@.crm_summary, stage_id uuid, amount numeric, currency text, probability numeric
) RETURNS @extschema@.crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_add_row(@extschema@.crm_summary, uuid, numeric, text, numeric) IS
'Transition function of crm_pipeline_summary().';

CREATE FUNCTION @extschema@.crm_summary_add_row(
	state @extschema@.crm_summary, stage_id uuid, amount numeric, currency text, probability numeric,
	value_period text
) RETURNS @extschema@.crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_add_row(@extschema@.crm_summary, uuid, numeric, text, numeric, text) IS
'Transition function of crm_pipeline_summary().';

CREATE FUNCTION @extschema@.crm_summary_remove_row(
	state @extschema@.crm_summary, stage_id uuid, amount numeric, currency text, probability numeric
) RETURNS @extschema@.crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_remove_row(@extschema@.crm_summary, uuid, numeric, text, numeric) IS
'Inverse transition function of crm_pipeline_summary().';

CREATE FUNCTION @extschema@.crm_summary_remove_row(
	state @extschema@.crm_summary, stage_id uuid, amount numeric, currency text, probability numeric,
	value_period text
) RETURNS @extschema@.crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_remove_row(@extschema@.crm_summary, uuid, numeric, text, numeric, text) IS
'Inverse transition function of crm_pipeline_summary().';

CREATE FUNCTION @extschema@.crm_summary_merge(state @extschema@.crm_summary, summary @extschema@.crm_summary) RETURNS @extschema@.crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_merge(@extschema@.crm_summary, @extschema@.crm_summary) IS
'Transition function of crm_pipeline_summary() over summaries, and combine function.';

CREATE FUNCTION @extschema@.crm_summary_unmerge(state @extschema@.crm_summary, summary @extschema@.crm_summary) RETURNS @extschema@.crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_unmerge(@extschema@.crm_summary, @extschema@.crm_summary) IS
'Inverse transition function of crm_pipeline_summary() over summaries.';

CREATE FUNCTION @extschema@.crm_summary_final(state @extschema@.crm_summary) RETURNS @extschema@.crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_summary_final(@extschema@.crm_summary) IS
'Final function of crm_pipeline_summary().';

CREATE AGGREGATE @extschema@.crm_pipeline_summary(
	stage_id uuid, amount numeric, currency text, probability numeric
) (
	SFUNC = @extschema@.crm_summary_add_row,
	STYPE = @extschema@.crm_summary,
	SSPACE = 128,
	FINALFUNC = @extschema@.crm_summary_final,
	COMBINEFUNC = @extschema@.crm_summary_merge,
	MSFUNC = @extschema@.crm_summary_add_row,
	MINVFUNC = @extschema@.crm_summary_remove_row,
	MSTYPE = @extschema@.crm_summary,
	MFINALFUNC = @extschema@.crm_summary_final,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE @extschema@.crm_pipeline_summary(uuid, numeric, text, numeric) IS
'Summarises deals, exactly. Every row is a deal: one without an amount counts and adds nothing, one without a probability adds nothing to the weighted value; stage_id and currency may be null and are then a key of their own. Over no rows the result is the empty summary. For LEFT JOINs use FILTER (WHERE deal.id IS NOT NULL).';

CREATE AGGREGATE @extschema@.crm_pipeline_summary(
	stage_id uuid, amount numeric, currency text, probability numeric, value_period text
) (
	SFUNC = @extschema@.crm_summary_add_row,
	STYPE = @extschema@.crm_summary,
	SSPACE = 128,
	FINALFUNC = @extschema@.crm_summary_final,
	COMBINEFUNC = @extschema@.crm_summary_merge,
	MSFUNC = @extschema@.crm_summary_add_row,
	MINVFUNC = @extschema@.crm_summary_remove_row,
	MSTYPE = @extschema@.crm_summary,
	MFINALFUNC = @extschema@.crm_summary_final,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE @extschema@.crm_pipeline_summary(uuid, numeric, text, numeric, text) IS
'Summarises deals, exactly, apart by value period: one_time (also for null), monthly, quarterly or annual. Every row is a deal: one without an amount counts and adds nothing, one without a probability adds nothing to the weighted value; stage_id and currency may be null and are then a key of their own. Over no rows the result is the empty summary. For LEFT JOINs use FILTER (WHERE deal.id IS NOT NULL).';

CREATE AGGREGATE @extschema@.crm_pipeline_summary(summary @extschema@.crm_summary) (
	SFUNC = @extschema@.crm_summary_merge,
	STYPE = @extschema@.crm_summary,
	SSPACE = 128,
	FINALFUNC = @extschema@.crm_summary_final,
	COMBINEFUNC = @extschema@.crm_summary_merge,
	MSFUNC = @extschema@.crm_summary_merge,
	MINVFUNC = @extschema@.crm_summary_unmerge,
	MSTYPE = @extschema@.crm_summary,
	MFINALFUNC = @extschema@.crm_summary_final,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE @extschema@.crm_pipeline_summary(@extschema@.crm_summary) IS
'Adds summaries up. A null adds nothing; over no rows the result is the empty summary.';

--
-- The weighted value alone
--

CREATE FUNCTION @extschema@.crm_weighted_value_add(state @extschema@.crm_summary, amount numeric, probability numeric)
RETURNS @extschema@.crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_weighted_value_add(@extschema@.crm_summary, numeric, numeric) IS
'Transition function of crm_weighted_value().';

CREATE FUNCTION @extschema@.crm_weighted_value_remove(state @extschema@.crm_summary, amount numeric, probability numeric)
RETURNS @extschema@.crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_weighted_value_remove(@extschema@.crm_summary, numeric, numeric) IS
'Inverse transition function of crm_weighted_value().';

CREATE FUNCTION @extschema@.crm_weighted_value_final(state @extschema@.crm_summary) RETURNS numeric
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_weighted_value_final(@extschema@.crm_summary) IS
'Final function of crm_weighted_value().';

CREATE AGGREGATE @extschema@.crm_weighted_value(amount numeric, probability numeric) (
	SFUNC = @extschema@.crm_weighted_value_add,
	STYPE = @extschema@.crm_summary,
	SSPACE = 128,
	FINALFUNC = @extschema@.crm_weighted_value_final,
	COMBINEFUNC = @extschema@.crm_summary_merge,
	MSFUNC = @extschema@.crm_weighted_value_add,
	MINVFUNC = @extschema@.crm_weighted_value_remove,
	MSTYPE = @extschema@.crm_summary,
	MFINALFUNC = @extschema@.crm_weighted_value_final,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE @extschema@.crm_weighted_value(numeric, numeric) IS
'The exact sum of amount times probability. A row in which either is null adds nothing; over no other rows the result is null, as with sum(). The amount has at most 15 digits before and 4 after the decimal point, the probability is 0 to 1 with at most 4 digits.';
