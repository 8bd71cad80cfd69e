--
-- crm_cohort() and crm_stage_history(): times, funnels and conversions in one
-- pass over the history, in any order.
--

CREATE FUNCTION @extschema@.crm_cohort_add(
	state internal, deal_id uuid, move_no integer, stage_id uuid, status text, entered_at timestamptz,
	stages uuid[], stage_statuses text[], undone_deals uuid[], undone_moves integer[], figures text,
	period_from timestamptz, period_before timestamptz
) RETURNS internal
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_cohort_add(internal, uuid, integer, uuid, text, timestamptz, uuid[], text[], uuid[], integer[], text, timestamptz, timestamptz) IS
'Transition function of crm_cohort().';

CREATE FUNCTION @extschema@.crm_cohort_final(state internal) RETURNS bytea
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_cohort_final(internal) IS
'Final function of crm_cohort().';

CREATE AGGREGATE @extschema@.crm_cohort(
	deal_id uuid, move_no integer, stage_id uuid, status text, entered_at timestamptz,
	stages uuid[], stage_statuses text[], undone_deals uuid[], undone_moves integer[], figures text,
	period_from timestamptz, period_before timestamptz
) (
	SFUNC = @extschema@.crm_cohort_add,
	STYPE = internal,
	FINALFUNC = @extschema@.crm_cohort_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE @extschema@.crm_cohort(uuid, integer, uuid, text, timestamptz, uuid[], text[], uuid[], integer[], text, timestamptz, timestamptz) IS
'Gathers the deals that count, and what is to be counted, for crm_stage_history(). A row is a deal: its id, move_no (how many moves it has made), the stage where it stands since entered_at (null: its present stay does not count) and its status. The other arguments are the same for all rows: the stages asked for in their order, the status of each, the deals and the numbers of the moves that were taken back or took one back, and figures: visit, first, latest or cumulative for times, direct or reached for steps from stage to stage. Stays that began before period_from, or at or after period_before, are not counted. Over no rows the result is null.';

CREATE FUNCTION @extschema@.crm_stage_history_add(
	state internal, cohort bytea, deal_id uuid, visit_no integer,
	stage_id uuid, next_stage_id uuid, entered_at timestamptz, exited_at timestamptz
) RETURNS internal
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_stage_history_add(internal, bytea, uuid, integer, uuid, uuid, timestamptz, timestamptz) IS
'Transition function of crm_stage_history().';

CREATE FUNCTION @extschema@.crm_stage_history_final(state internal) RETURNS jsonb
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_stage_history_final(internal) IS
'Final function of crm_stage_history().';

CREATE FUNCTION @extschema@.crm_stage_history_combine(state internal, other internal) RETURNS internal
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_stage_history_combine(internal, internal) IS
'Combine function of crm_stage_history().';

CREATE FUNCTION @extschema@.crm_stage_history_serialize(state internal) RETURNS bytea
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_stage_history_serialize(internal) IS
'Serialization function of crm_stage_history().';

CREATE FUNCTION @extschema@.crm_stage_history_deserialize(state bytea, unused internal) RETURNS internal
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME';

COMMENT ON FUNCTION @extschema@.crm_stage_history_deserialize(bytea, internal) IS
'Deserialization function of crm_stage_history().';

CREATE AGGREGATE @extschema@.crm_stage_history(
	cohort bytea, deal_id uuid, visit_no integer,
	stage_id uuid, next_stage_id uuid, entered_at timestamptz, exited_at timestamptz
) (
	SFUNC = @extschema@.crm_stage_history_add,
	STYPE = internal,
	FINALFUNC = @extschema@.crm_stage_history_final,
	COMBINEFUNC = @extschema@.crm_stage_history_combine,
	SERIALFUNC = @extschema@.crm_stage_history_serialize,
	DESERIALFUNC = @extschema@.crm_stage_history_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE @extschema@.crm_stage_history(bytea, uuid, integer, uuid, uuid, timestamptz, timestamptz) IS
'Counts what the deals of a cohort did, exactly, in one pass over stage_changes, in whatever order: (SELECT crm_cohort(...) FROM deals), deal_id, move_no, from_stage_id, to_stage_id, entered_at, changed_at. The result has stages: by stage the distinct deals, how many of them are open, won and lost now, and for times the visits, the total and the longest in microseconds (one for each visit, or one for each deal; total / visits or total / deals is the average). For steps it has steps: deals that came from one stage to another; to null is to any won stage. Without a cohort the result is null.';
