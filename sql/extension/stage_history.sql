--
-- crm_stage_history() and crm_deal_cohort() gather moves and deals, in whatever
-- order, into values; crm_stage_times() and crm_stage_steps() count what they
-- tell.
--
-- The states are flat values, not internal, so that partial aggregates can pass
-- between parallel workers and between the nodes of a cluster.
--

CREATE FUNCTION @extschema@.crm_stage_history_add(
	state bytea, deal_id uuid, move_no integer, reverts_no integer,
	stage_id uuid, next_stage_id uuid, entered_at timestamptz, exited_at timestamptz
) RETURNS bytea
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_stage_history_add(bytea, uuid, integer, integer, uuid, uuid, timestamptz, timestamptz) IS
'Transition function of crm_stage_history().';

CREATE FUNCTION @extschema@.crm_stage_history_combine(state bytea, other bytea) RETURNS bytea
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_stage_history_combine(bytea, bytea) IS
'Combine function of crm_stage_history().';

CREATE FUNCTION @extschema@.crm_stage_history_final(state bytea) RETURNS bytea
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_stage_history_final(bytea) IS
'Final function of crm_stage_history().';

CREATE AGGREGATE @extschema@.crm_stage_history(
	deal_id uuid, move_no integer, reverts_no integer,
	stage_id uuid, next_stage_id uuid, entered_at timestamptz, exited_at timestamptz
) (
	SFUNC = @extschema@.crm_stage_history_add,
	STYPE = bytea,
	SSPACE = 512,
	FINALFUNC = @extschema@.crm_stage_history_final,
	COMBINEFUNC = @extschema@.crm_stage_history_combine,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE @extschema@.crm_stage_history(uuid, integer, integer, uuid, uuid, timestamptz, timestamptz) IS
'Gathers moves of deals, in whatever order, for crm_stage_times() and crm_stage_steps(). A row is a move, as in stage_changes: deal_id, move_no, reverts_no (the move that this one takes back: neither counts), from_stage_id, to_stage_id, entered_at, changed_at. next_stage_id is needed for steps by the rule direct only, exited_at for times only, entered_at for times and periods: null saves memory. Moves of a deal follow each other by move_no, of which none is taken for granted: gaps are nothing, and moves of the same number follow each other by entered_at (for times by their duration). A row without deal_id, move_no or stage_id does not count. The value is at most 1 GB, some 30 million moves.';

CREATE FUNCTION @extschema@.crm_deal_cohort_add(
	state bytea, deal_id uuid, status text, stage_id uuid, entered_at timestamptz
) RETURNS bytea
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_deal_cohort_add(bytea, uuid, text, uuid, timestamptz) IS
'Transition function of crm_deal_cohort().';

CREATE FUNCTION @extschema@.crm_deal_cohort_add(
	state bytea, deal_id uuid, status text, stage_id uuid, entered_at timestamptz, amount numeric
) RETURNS bytea
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_deal_cohort_add(bytea, uuid, text, uuid, timestamptz, numeric) IS
'Transition function of crm_deal_cohort().';

CREATE FUNCTION @extschema@.crm_deal_cohort_combine(state bytea, other bytea) RETURNS bytea
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_deal_cohort_combine(bytea, bytea) IS
'Combine function of crm_deal_cohort().';

CREATE FUNCTION @extschema@.crm_deal_cohort_final(state bytea) RETURNS bytea
LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_deal_cohort_final(bytea) IS
'Final function of crm_deal_cohort().';

CREATE AGGREGATE @extschema@.crm_deal_cohort(deal_id uuid, status text, stage_id uuid, entered_at timestamptz) (
	SFUNC = @extschema@.crm_deal_cohort_add,
	STYPE = bytea,
	SSPACE = 512,
	FINALFUNC = @extschema@.crm_deal_cohort_final,
	COMBINEFUNC = @extschema@.crm_deal_cohort_combine,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE @extschema@.crm_deal_cohort(uuid, text, uuid, timestamptz) IS
'Gathers the deals that count for crm_stage_times() and crm_stage_steps(). A row is a deal: id, status, and the stage where it stands since entered_at; its present visit does not count if either is null. The value is at most 1 GB, some 40 million deals.';

CREATE AGGREGATE @extschema@.crm_deal_cohort(deal_id uuid, status text, stage_id uuid, entered_at timestamptz, amount numeric) (
	SFUNC = @extschema@.crm_deal_cohort_add,
	STYPE = bytea,
	SSPACE = 512,
	FINALFUNC = @extschema@.crm_deal_cohort_final,
	COMBINEFUNC = @extschema@.crm_deal_cohort_combine,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE @extschema@.crm_deal_cohort(uuid, text, uuid, timestamptz, numeric) IS
'The same with the amounts of the deals, which crm_stage_steps() adds up; null: the deal adds nothing.';

CREATE FUNCTION @extschema@.crm_stage_times(
	history bytea, cohort bytea, stages uuid[], measure text DEFAULT 'visit',
	period_from timestamptz DEFAULT NULL, period_before timestamptz DEFAULT NULL, percentiles boolean DEFAULT true
) RETURNS TABLE (
	stage_id uuid, deals bigint, visits bigint, total_seconds numeric, longest_seconds numeric,
	median_seconds numeric, p90_seconds numeric, open_deals bigint, won_deals bigint, lost_deals bigint
)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_stage_times(bytea, bytea, uuid[], text, timestamptz, timestamptz, boolean) IS
'How long deals of a cohort stood in stages, exactly: a row for each stage where some did. history is of crm_stage_history(), cohort of crm_deal_cohort(); null is none. measure says what one duration is of: visit (each visit), or of a deal first (its first visit), latest or cumulative (all visits together). Present visits last until now(). Visits that began before period_from, or at or after period_before, do not count. Percentiles are interpolated, as percentile_cont() does. open_deals, won_deals and lost_deals tell what the deals are now. At most 1,000 stages.';

CREATE FUNCTION @extschema@.crm_stage_steps(
	history bytea, cohort bytea, stages uuid[], stage_statuses text[], rule text DEFAULT 'reached',
	period_from timestamptz DEFAULT NULL, period_before timestamptz DEFAULT NULL
) RETURNS TABLE (
	from_stage_id uuid, to_stage_id uuid, deals bigint,
	open_deals bigint, won_deals bigint, lost_deals bigint, to_won bigint,
	value numeric, open_value numeric, won_value numeric, lost_value numeric, to_won_value numeric
)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_stage_steps(bytea, bytea, uuid[], text[], text, timestamptz, timestamptz) IS
'How many deals of a cohort came from stage to stage, each counted once. history is of crm_stage_history(), cohort of crm_deal_cohort(); null is none. stages are in their order, stage_statuses is the status of each. A row with to_stage_id tells how many deals stood in the first stage and came from it to the second: by the rule direct straight, by the rule reached at any time later, there or beyond (in an open stage further on or, if it is open, in a won one). A row without to_stage_id tells how many stood in the stage, what they are now, and how many came from it to any won stage. Visits that began before period_from, or at or after period_before, are no start of a step. value, open_value, won_value, lost_value and to_won_value are the sums of the amounts of those deals. At most 1,000 stages.';

-- The same for the moves of a CRM, which are read row by row, without a value
-- that holds them all: for the reports.

CREATE FUNCTION @extschema@.crm_pipeline_stage_times(
	crm regnamespace, pipeline_id uuid, cohorts bytea[], stages uuid[], measure text DEFAULT 'visit',
	period_from timestamptz DEFAULT NULL, period_before timestamptz DEFAULT NULL, percentiles boolean DEFAULT true,
	groups integer[] DEFAULT NULL, group_cohorts integer[] DEFAULT NULL
) RETURNS TABLE (
	group_no integer, stage_id uuid, deals bigint, visits bigint, total_seconds numeric, longest_seconds numeric,
	median_seconds numeric, p90_seconds numeric, open_deals bigint, won_deals bigint, lost_deals bigint
)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 50
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_pipeline_stage_times(regnamespace, uuid, bytea[], uuid[], text, timestamptz, timestamptz, boolean, integer[], integer[]) IS
'crm_stage_times() of all moves out of the stages of a pipeline, which are read from stage_changes once, with the rights of the caller: of groups of cohorts. groups has the number of a group for each of its cohorts, those of one group together, and group_cohorts the places of these in cohorts, from 0; null: all deals are group 0.';

CREATE FUNCTION @extschema@.crm_pipeline_stage_steps(
	crm regnamespace, pipeline_id uuid, cohorts bytea[], stages uuid[], stage_statuses text[], rule text DEFAULT 'reached',
	period_from timestamptz DEFAULT NULL, period_before timestamptz DEFAULT NULL
) RETURNS TABLE (
	cohort_no integer, from_stage_id uuid, to_stage_id uuid, deals bigint,
	open_deals bigint, won_deals bigint, lost_deals bigint, to_won bigint,
	value numeric, open_value numeric, won_value numeric, lost_value numeric, to_won_value numeric
)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 50
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_pipeline_stage_steps(regnamespace, uuid, bytea[], uuid[], text[], text, timestamptz, timestamptz) IS
'crm_stage_steps() of all moves out of the stages of a pipeline, which are read from stage_changes once, with the rights of the caller: of each cohort by itself, whose place, from 0, is cohort_no.';

CREATE FUNCTION @extschema@.crm_pipeline_stage_flow(
	crm regnamespace, pipeline_id uuid, cohorts bytea[], cohort_currencies text[], stages uuid[], positions integer[],
	period text, period_from date, period_before date, currency text, in_currency text
) RETURNS TABLE (
	cohort_no integer, stage_id uuid, flow text, period_start date, currency_code text, rate_day date,
	deals bigint, amounts bigint, value numeric
)
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 200
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_pipeline_stage_flow(regnamespace, uuid, bytea[], text[], uuid[], integer[], text, date, date, text, text) IS
'How many deals of cohorts entered and left the stages of a pipeline in each period, by days of the session''s time zone: flow is entered, forward, backward, lost or moved_out, as in stage_flow(). A deal counts once for each stage, flow and period, with the amount of the last time. cohorts are of crm_deal_cohort(), with the present visits in this pipeline (null: elsewhere) and amounts of one currency each; stages have their positions beside them; currency is that of amounts without one. cohort_no counts from 1; rate_day is the day (UTC) whose exchange rate the amounts have, null where none is needed. Reads stage_changes and deal_changes once each, with the rights of the caller';
