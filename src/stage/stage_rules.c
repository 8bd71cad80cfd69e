/*
 * stage/stage_rules.c
 *		The rules of stages.
 *
 * While deals stand in a stage, its deal_status cannot change and it cannot be
 * deleted; nor can a stage that history speaks of.  For the status, this is
 * checked with the latest snapshot under an exclusive lock of the stage's key, of
 * which every move into the stage holds a shared one.  Deletion is left to the
 * foreign key, which checks after the row is locked.  Taking the lock of the key,
 * too, could deadlock with a move, which takes both in the opposite order.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/query.h"
#include "stage/lookup.h"
#include "stage/stage_use.h"
#include "table/key_lock.h"
#include "table/kinds.h"
#include "table/owner_rights.h"
#include "table/row.h"
#include "table/row_rules.h"
#include "table/scan.h"
#include "table/trigger.h"

/* How many stages a pipeline may have, and how many it may have before it is locked. */
#define MAX_STAGES	1000
#define FEW_STAGES	100

/* The stages that a pipeline has: how many, and their last position. */
typedef struct StageCount
{
	AttrNumber	position_attno;
	int			count;
	int64		end;
} StageCount;

static bool
count_stage(Relation rel, HeapTuple tuple, void *arg)
{
	StageCount *stages = arg;
	int64		position = DatumGetInt32(crm_required_value(rel, tuple, stages->position_attno));

	stages->count++;
	stages->end = Max(stages->end, position);
	return true;
}

static void
count_stages(const RowEdit *row, const AttrNumber *columns, StageCount *stages)
{
	AttrNumber	pipeline = columns[STAGE_PIPELINE_ID];

	memset(stages, 0, sizeof(StageCount));
	stages->position_attno = columns[STAGE_POSITION];
	crm_visit_rows(row->rel, crm_index_on_column(row->rel, pipeline), pipeline,
				   DatumGetUUIDP(crm_row_get(row, pipeline)), count_stage, stages);
}

/*
 * Locks the pipeline's row, which serialises this with other stages that are
 * added, and with reorder_stages.
 */
static void
lock_pipeline(const RowEdit *row, const AttrNumber *columns)
{
	const pg_uuid_t *pipeline_id = DatumGetUUIDP(crm_row_get(row, columns[STAGE_PIPELINE_ID]));
	static const Oid argtypes[] = {UUIDOID};
	CrmStatement lock = {
		.text = psprintf("SELECT FROM %s WHERE id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
						 crm_trusted_sibling(row->rel, "pipelines")),
		.nargs = lengthof(argtypes),.argtypes = argtypes
	};
	Datum		args[] = {UUIDPGetDatum(pipeline_id)};
	SavedUser	saved;

	SPI_connect();
	crm_become_owner(row->rel, &saved);
	(void) crm_run_snapshot(&lock, args, InvalidSnapshot);
	crm_restore_user(&saved);
	SPI_finish();
}

/*
 * Refuses one stage too many: reports take memory and time for each stage of a
 * pipeline.  A pipeline of few stages is not locked for that, so that transactions
 * which run at once may add some more.
 */
static void
check_stage_count(const RowEdit *row, const AttrNumber *columns, StageCount *stages)
{
	if (stages->count >= FEW_STAGES)
	{
		lock_pipeline(row, columns);
		count_stages(row, columns, stages);
	}
	if (stages->count >= MAX_STAGES)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("a pipeline cannot have more than %d stages", MAX_STAGES),
				 errdetail("Archived stages count, too."),
				 errhint("Delete stages that are not needed, or use several pipelines."),
				 errtablecol(row->rel, columns[STAGE_PIPELINE_ID])));
}

/* Places the stage at the end. */
static void
append_stage(RowEdit *row, const AttrNumber *columns)
{
	StageCount	stages;

	count_stages(row, columns, &stages);
	if (stages.end >= PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("no position is left at the end of the pipeline"),
				 errhint("Give the stages smaller positions with reorder_stages.")));
	crm_row_set(row, columns[STAGE_POSITION], Int32GetDatum((int32) stages.end + 1));
}

/* 1 if won, 0 if lost; a CHECK refuses other values that are given. */
static void
fill_probability(RowEdit *row, const AttrNumber *columns, DealStatus status)
{
	if (status != DEAL_OPEN && crm_row_is_null(row, columns[STAGE_PROBABILITY]))
		crm_row_set(row, columns[STAGE_PROBABILITY], crm_closed_probability(status));
}

/* Clears values that were not written when a stage gets another status, as they fit the old one. */
static void
forget_unwritten(RowEdit *row, const AttrNumber *columns)
{
	AttrNumber	probability = columns[STAGE_PROBABILITY],
				category = columns[STAGE_FORECAST_CATEGORY];

	if (!crm_row_is_null(row, probability) && !crm_row_old_is_null(row, probability) &&
		DatumGetBool(DirectFunctionCall2(numeric_eq, crm_row_get(row, probability),
										 crm_row_get_old(row, probability))))
		crm_row_set_null(row, probability);
	if (!crm_row_is_null(row, category) && !crm_row_old_is_null(row, category) &&
		DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID, crm_row_get(row, category),
											 crm_row_get_old(row, category))))
		crm_row_set_null(row, category);
}

static void
add_stage(RowEdit *row, const AttrNumber *columns, DealStatus status)
{
	StageCount	stages;

	count_stages(row, columns, &stages);
	check_stage_count(row, columns, &stages);
	fill_probability(row, columns, status);
	if (crm_row_is_null(row, columns[STAGE_POSITION]))
	{
		lock_pipeline(row, columns);
		append_stage(row, columns);
	}
}

/* ERROR 23514: the deals of a stage have its status. */
pg_noreturn static void
refuse_status(RowEdit *row, const AttrNumber *columns, const pg_uuid_t *id)
{
	char	   *deals = crm_describe_stage_deals(row->rel, id);

	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("deal_status of stage \"%s\" cannot change while deals stand in it",
					TextDatumGetCString(crm_row_get(row, columns[STAGE_NAME]))),
			 errdetail_internal("%s", deals),
			 errhint("Move the deals first, or add another stage."),
			 errtablecol(row->rel, columns[STAGE_DEAL_STATUS])));
}

static void
change_status(RowEdit *row, const AttrNumber *columns, DealStatus status)
{
	const pg_uuid_t *id = DatumGetUUIDP(crm_row_get(row, columns[STAGE_ID]));

	crm_lock_key_exclusive(RelationGetRelid(row->rel),
						   DatumGetUUIDP(crm_row_get(row, columns[STAGE_TENANT_ID])), id);
	if (crm_stage_has_deals(row->rel, id))
		refuse_status(row, columns, id);

	forget_unwritten(row, columns);
	fill_probability(row, columns, status);
}

/*
 * Fills a row whose key exists already, as far as the CHECKs need it.  A position that is
 * not given becomes a free one, as that of the existing row would be another conflict.
 */
static void
fit_standing(RowEdit *row, const AttrNumber *columns)
{
	DealStatus	status,
				old_status;

	if (!crm_row_is_given(row, columns[STAGE_POSITION]))
		append_stage(row, columns);
	if (crm_row_old_is_null(row, columns[STAGE_DEAL_STATUS]) ||
		!crm_parse_deal_status(crm_row_get_old(row, columns[STAGE_DEAL_STATUS]), &old_status))
		return;					/* the UPDATE reports it */
	if (!crm_parse_deal_status(crm_row_get(row, columns[STAGE_DEAL_STATUS]), &status))
	{
		/* An invalid status is left to the UPDATE, whose error says more. */
		status = old_status;
		crm_row_set(row, columns[STAGE_DEAL_STATUS],
					CStringGetTextDatum(crm_deal_status_name(status)));
	}
	if (status != old_status)
		forget_unwritten(row, columns);
	fill_probability(row, columns, status);
}

static void
apply_stage_rules(RowEdit *row, const AttrNumber *columns)
{
	DealStatus	status,
				old_status;

	if (row->stands)
	{
		fit_standing(row, columns);
		return;
	}
	if (row->insert && crm_row_is_null(row, columns[STAGE_DEAL_STATUS]))
		crm_row_set(row, columns[STAGE_DEAL_STATUS],
					CStringGetTextDatum(crm_deal_status_name(DEAL_OPEN)));
	crm_row_keep(row, columns[STAGE_PIPELINE_ID]);
	if (crm_row_is_null(row, columns[STAGE_PIPELINE_ID]) ||
		crm_row_is_null(row, columns[STAGE_NAME]) ||
		crm_row_is_null(row, columns[STAGE_DEAL_STATUS]))
		return;					/* the constraints report it */
	if (!crm_parse_deal_status(crm_row_get(row, columns[STAGE_DEAL_STATUS]), &status))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("\"%s\" is not a status of deals",
						TextDatumGetCString(crm_row_get(row, columns[STAGE_DEAL_STATUS]))),
				 errhint("Use open, won or lost."),
				 errtablecol(row->rel, columns[STAGE_DEAL_STATUS])));

	if (row->insert)
	{
		add_stage(row, columns, status);
		return;
	}
	crm_check_not_null(row->rel, columns[STAGE_ID], crm_row_is_null(row, columns[STAGE_ID]));
	crm_check_not_null(row->rel, columns[STAGE_DEAL_STATUS],
					   crm_row_old_is_null(row, columns[STAGE_DEAL_STATUS]));
	if (!crm_parse_deal_status(crm_row_get_old(row, columns[STAGE_DEAL_STATUS]), &old_status) ||
		status != old_status)
		change_status(row, columns, status);
	else
		fill_probability(row, columns, status);
}

/* Refuses what the foreign key would refuse, with a detail and a hint, and what history needs. */
static void
check_delete(Relation rel, HeapTuple tuple, const AttrNumber *columns)
{
	pg_uuid_t	id = *DatumGetUUIDP(crm_required_value(rel, tuple, columns[STAGE_ID]));
	pg_uuid_t	tenant_id = *DatumGetUUIDP(crm_required_value(rel, tuple,
															  columns[STAGE_TENANT_ID]));
	char	   *name = TextDatumGetCString(crm_required_value(rel, tuple, columns[STAGE_NAME]));

	crm_check_stage_empty(rel, &id, name);
	if (crm_stage_in_history(rel, &id, &tenant_id))
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("stage \"%s\" cannot be deleted, as the history of deals speaks of it", name),
				 errdetail("Reports on the past would lose what happened in it."),
				 errhint("Archive it: set archived_at, or call delete_stage, which does so."),
				 errtable(rel)));
}

/*
 * crm_stage_rules(version, 'pipeline_id'): BEFORE INSERT OR UPDATE OR DELETE
 * trigger FOR EACH ROW of stages
 *		Errors: 23514 if a fixed column changes, 23503 for a pipeline that does
 *		not exist and for deleting a stage in use.
 */
PG_FUNCTION_INFO_V1(crm_stage_rules);
Datum
crm_stage_rules(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_stage_rules",
											 TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE,
											 CRM_ON_WRITE | CRM_ON(TRIGGER_EVENT_DELETE));
	Relation	rel = trigdata->tg_relation;
	Trigger    *trigger = trigdata->tg_trigger;
	const AttrNumber *columns = crm_columns(rel, &crm_stage_kind);
	RowColumns *row_columns;
	RowEdit		row;

	crm_stages_written();
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
	{
		check_delete(rel, trigdata->tg_trigtuple, columns);
		return PointerGetDatum(trigdata->tg_trigtuple);
	}

	row_columns = crm_row_columns(fcinfo->flinfo, rel, trigger->tgnargs - 1, trigger->tgargs + 1);
	crm_row_open(&row, trigdata, columns[STAGE_DEAL_STATUS], &row_columns->upsert,
				 fcinfo->flinfo->fn_mcxt);
	crm_apply_row_rules(&row, row_columns, apply_stage_rules, columns);
	return PointerGetDatum(crm_row_close(&row));
}
