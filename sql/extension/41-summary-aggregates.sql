--
-- crm_pipeline_summary() over deals and over summaries; crm_weighted_value().
--
-- The state is a crm_summary, not internal, so that partial aggregates can
-- pass between parallel workers and between the nodes of a cluster.
--

CREATE FUNCTION crm_summary_add_row(
	state crm_summary, stage_id uuid, amount numeric, currency text, probability numeric
) RETURNS crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION crm_summary_add_row(crm_summary, uuid, numeric, text, numeric) IS
'Transition function of crm_pipeline_summary().';

CREATE FUNCTION crm_summary_add_row(
	state crm_summary, stage_id uuid, amount numeric, currency text, probability numeric,
	value_period text
) RETURNS crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION crm_summary_add_row(crm_summary, uuid, numeric, text, numeric, text) IS
'Transition function of crm_pipeline_summary().';

CREATE FUNCTION crm_summary_remove_row(
	state crm_summary, stage_id uuid, amount numeric, currency text, probability numeric
) RETURNS crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION crm_summary_remove_row(crm_summary, uuid, numeric, text, numeric) IS
'Inverse transition function of crm_pipeline_summary().';

CREATE FUNCTION crm_summary_remove_row(
	state crm_summary, stage_id uuid, amount numeric, currency text, probability numeric,
	value_period text
) RETURNS crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION crm_summary_remove_row(crm_summary, uuid, numeric, text, numeric, text) IS
'Inverse transition function of crm_pipeline_summary().';

CREATE FUNCTION crm_summary_merge(state crm_summary, summary crm_summary) RETURNS crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION crm_summary_merge(crm_summary, crm_summary) IS
'Transition function of crm_pipeline_summary() over summaries, and combine function.';

CREATE FUNCTION crm_summary_unmerge(state crm_summary, summary crm_summary) RETURNS crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION crm_summary_unmerge(crm_summary, crm_summary) IS
'Inverse transition function of crm_pipeline_summary() over summaries.';

CREATE FUNCTION crm_summary_final(state crm_summary) RETURNS crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION crm_summary_final(crm_summary) IS
'Final function of crm_pipeline_summary().';

CREATE AGGREGATE crm_pipeline_summary(
	stage_id uuid, amount numeric, currency text, probability numeric
) (
	SFUNC = crm_summary_add_row,
	STYPE = crm_summary,
	SSPACE = 128,
	FINALFUNC = crm_summary_final,
	COMBINEFUNC = crm_summary_merge,
	MSFUNC = crm_summary_add_row,
	MINVFUNC = crm_summary_remove_row,
	MSTYPE = crm_summary,
	MFINALFUNC = crm_summary_final,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE crm_pipeline_summary(uuid, numeric, text, numeric) IS
'Summarises deals, exactly. Every row is a deal: one without an amount counts and adds nothing, one without a probability adds nothing to the weighted value; stage_id and currency may be null and are then a key of their own. Over no rows the result is the empty summary. For LEFT JOINs use FILTER (WHERE deal.id IS NOT NULL).';

CREATE AGGREGATE crm_pipeline_summary(
	stage_id uuid, amount numeric, currency text, probability numeric, value_period text
) (
	SFUNC = crm_summary_add_row,
	STYPE = crm_summary,
	SSPACE = 128,
	FINALFUNC = crm_summary_final,
	COMBINEFUNC = crm_summary_merge,
	MSFUNC = crm_summary_add_row,
	MINVFUNC = crm_summary_remove_row,
	MSTYPE = crm_summary,
	MFINALFUNC = crm_summary_final,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE crm_pipeline_summary(uuid, numeric, text, numeric, text) IS
'Summarises deals, exactly, apart by value period: one_time (also for null), monthly, quarterly or annual. Every row is a deal: one without an amount counts and adds nothing, one without a probability adds nothing to the weighted value; stage_id and currency may be null and are then a key of their own. Over no rows the result is the empty summary. For LEFT JOINs use FILTER (WHERE deal.id IS NOT NULL).';

CREATE AGGREGATE crm_pipeline_summary(summary crm_summary) (
	SFUNC = crm_summary_merge,
	STYPE = crm_summary,
	SSPACE = 128,
	FINALFUNC = crm_summary_final,
	COMBINEFUNC = crm_summary_merge,
	MSFUNC = crm_summary_merge,
	MINVFUNC = crm_summary_unmerge,
	MSTYPE = crm_summary,
	MFINALFUNC = crm_summary_final,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE crm_pipeline_summary(crm_summary) IS
'Adds summaries up. A null adds nothing; over no rows the result is the empty summary.';

--
-- The weighted value alone
--

CREATE FUNCTION crm_weighted_value_add(state crm_summary, amount numeric, probability numeric)
RETURNS crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION crm_weighted_value_add(crm_summary, numeric, numeric) IS
'Transition function of crm_weighted_value().';

CREATE FUNCTION crm_weighted_value_remove(state crm_summary, amount numeric, probability numeric)
RETURNS crm_summary
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION crm_weighted_value_remove(crm_summary, numeric, numeric) IS
'Inverse transition function of crm_weighted_value().';

CREATE FUNCTION crm_weighted_value_final(state crm_summary) RETURNS numeric
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION crm_weighted_value_final(crm_summary) IS
'Final function of crm_weighted_value().';

CREATE AGGREGATE crm_weighted_value(amount numeric, probability numeric) (
	SFUNC = crm_weighted_value_add,
	STYPE = crm_summary,
	SSPACE = 128,
	FINALFUNC = crm_weighted_value_final,
	COMBINEFUNC = crm_summary_merge,
	MSFUNC = crm_weighted_value_add,
	MINVFUNC = crm_weighted_value_remove,
	MSTYPE = crm_summary,
	MFINALFUNC = crm_weighted_value_final,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE crm_weighted_value(numeric, numeric) IS
'The exact sum of amount times probability. A row in which either is null adds nothing; over no other rows the result is null, as with sum(). The amount has at most 15 digits before and 4 after the decimal point, the probability is 0 to 1 with at most 4 digits.';
