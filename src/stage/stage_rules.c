/*
 * stage/stage_rules.c
 *		The rules of stages.
 *
 * While deals stand in a stage, its deal_status cannot change and it cannot be
 * deleted.  For the status, this is checked with the latest snapshot under an
 * exclusive lock of the stage's key, of which every move into the stage holds a
 * shared one.  Deletion is left to the foreign key, which checks after the row is
 * locked.  Taking the lock of the key, too, could deadlock with a move, which
 * takes both in the opposite order.
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
#include "table/key_lock.h"
#include "table/kinds.h"
#include "table/owner_rights.h"
#include "table/row.h"
#include "table/row_rules.h"
#include "table/scan.h"
#include "table/trigger.h"

/*
 * Runs a query whose parameter is a uuid; returns whether it found a row.  The
 * latest snapshot also shows what the running statement has done, which may have
 * put deals into the stage; a query that locks rows uses the transaction's
 * snapshot instead.  The caller is connected to SPI.
 */
static bool
query_by_uuid(const char *query, const pg_uuid_t *id, bool newest)
{
	static const Oid argtypes[] = {UUIDOID};
	CrmStatement statement = {.text = query,.nargs = lengthof(argtypes),.argtypes = argtypes};
	Datum		args[] = {UUIDPGetDatum(id)};

	(void) crm_run_snapshot(&statement, args, newest ? GetLatestSnapshot() : InvalidSnapshot);
	return SPI_processed > 0;
}

static bool
stage_has_deals(Relation stages, const pg_uuid_t *stage_id)
{
	char	   *query = psprintf("SELECT FROM %s WHERE stage_id OPERATOR(pg_catalog.=) $1 LIMIT 1",
								 crm_trusted_sibling(stages, "deals"));
	SavedUser	saved;
	bool		result;

	SPI_connect();
	crm_become_owner(stages, &saved);
	result = query_by_uuid(query, stage_id, true);
	crm_restore_user(&saved);
	SPI_finish();
	return result;
}

/*
 * For a message: how many deals stand in the stage, and some of their titles,
 * as far as the user may see them.
 */
static char *
describe_deals(Relation stages, const pg_uuid_t *stage_id)
{
	char	   *query = psprintf("SELECT pg_catalog.format('Deals in it: %%s (%%s in all).', "
								 "pg_catalog.string_agg(pg_catalog.quote_literal(pg_catalog.left(title, 40)), ', ' ORDER BY n) "
								 "FILTER (WHERE n OPERATOR(pg_catalog.<=) 3), pg_catalog.count(*)) "
								 "FROM (SELECT title, pg_catalog.row_number() OVER (ORDER BY id) AS n FROM %s "
								 "WHERE stage_id OPERATOR(pg_catalog.=) $1) d "
								 "HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 0",
								 crm_sibling_name(stages, "deals"));
	Oid			deals = get_relname_relid("deals", RelationGetNamespace(stages));
	MemoryContext caller = CurrentMemoryContext;
	char	   *result = NULL;

	/*
	 * In a cascade the current user is the owner, but the message goes to the
	 * caller.
	 */
	if (InLocalUserIdChange() ||
		pg_class_aclcheck(deals, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		return pstrdup("There are deals in it.");

	SPI_connect();
	if (query_by_uuid(query, stage_id, true))
		result = MemoryContextStrdup(caller,
									 SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	SPI_finish();
	return result != NULL ? result : pstrdup("There are deals in it.");
}

/* The next free position at the end of the pipeline. */
typedef struct EndSearch
{
	AttrNumber	position_attno;
	int64		end;
} EndSearch;

static bool
consider_position(Relation rel, HeapTuple tuple, void *arg)
{
	EndSearch  *search = arg;
	int64		position = DatumGetInt32(crm_required_value(rel, tuple, search->position_attno));

	search->end = Max(search->end, position);
	return true;
}

/* Locks the pipeline's row, as others do that add stages, and reorder_stages. */
static void
lock_pipeline(RowEdit *row, const AttrNumber *columns)
{
	const pg_uuid_t *pipeline_id = DatumGetUUIDP(crm_row_get(row, columns[STAGE_PIPELINE_ID]));
	SavedUser	saved;

	SPI_connect();
	crm_become_owner(row->rel, &saved);
	query_by_uuid(psprintf("SELECT FROM %s WHERE id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
						   crm_trusted_sibling(row->rel, "pipelines")), pipeline_id, false);
	crm_restore_user(&saved);
	SPI_finish();
}

/* Places the stage at the end. */
static void
append_stage(RowEdit *row, const AttrNumber *columns)
{
	const pg_uuid_t *pipeline_id = DatumGetUUIDP(crm_row_get(row, columns[STAGE_PIPELINE_ID]));
	EndSearch	search = {columns[STAGE_POSITION], 0};

	crm_visit_rows(row->rel, crm_index_on_column(row->rel, columns[STAGE_PIPELINE_ID]),
				   columns[STAGE_PIPELINE_ID], pipeline_id, consider_position, &search);
	if (search.end >= PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("no position is left at the end of the pipeline"),
				 errhint("Give the stages smaller positions with reorder_stages.")));
	crm_row_set(row, columns[STAGE_POSITION], Int32GetDatum((int32) search.end + 1));
}

/* 1 if won, 0 if lost; a CHECK refuses other values that are given. */
static void
fill_probability(RowEdit *row, const AttrNumber *columns, DealStatus status)
{
	if (status != DEAL_OPEN && crm_row_is_null(row, columns[STAGE_PROBABILITY]))
		crm_row_set(row, columns[STAGE_PROBABILITY], crm_closed_probability(status));
}

/* Of a stage that gets another status: values that were not written belong to the old one. */
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
change_status(RowEdit *row, const AttrNumber *columns, DealStatus status)
{
	const pg_uuid_t *id = DatumGetUUIDP(crm_row_get(row, columns[STAGE_ID]));

	crm_lock_key(RelationGetRelid(row->rel),
				 DatumGetUUIDP(crm_row_get(row, columns[STAGE_TENANT_ID])),
				 id, AccessExclusiveLock);
	if (stage_has_deals(row->rel, id))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("deal_status of stage \"%s\" cannot change while deals stand in it",
						TextDatumGetCString(crm_row_get(row, columns[STAGE_NAME]))),
				 errdetail_internal("%s", describe_deals(row->rel, id)),
				 errhint("Move the deals first, or add another stage."),
				 errtablecol(row->rel, columns[STAGE_DEAL_STATUS])));

	forget_unwritten(row, columns);
	fill_probability(row, columns, status);
}

/*
 * What the CHECKs need of a row whose key stands.  A position that is not given
 * is a free one, as the one that stands would be another conflict.
 */
static void
fit_standing(RowEdit *row, const AttrNumber *columns)
{
	DealStatus	status,
				old_status;

	if (!crm_row_is_given(row, columns[STAGE_POSITION]))
		append_stage(row, columns);
	if (!crm_parse_deal_status(crm_row_get(row, columns[STAGE_DEAL_STATUS]), &status))
		return;					/* the CHECK reports it */
	if (!crm_parse_deal_status(crm_row_get_old(row, columns[STAGE_DEAL_STATUS]), &old_status) ||
		status != old_status)
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
		fill_probability(row, columns, status);
		if (crm_row_is_null(row, columns[STAGE_POSITION]))
		{
			lock_pipeline(row, columns);
			append_stage(row, columns);
		}
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

/* Refuses what the foreign key would refuse, but with a detail and a hint. */
static void
check_delete(Relation rel, HeapTuple tuple, const AttrNumber *columns)
{
	pg_uuid_t	id = *DatumGetUUIDP(crm_required_value(rel, tuple, columns[STAGE_ID]));
	char	   *name = TextDatumGetCString(crm_required_value(rel, tuple, columns[STAGE_NAME]));

	if (stage_has_deals(rel, &id))
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("stage \"%s\" cannot be deleted while deals stand in it", name),
				 errdetail_internal("%s", describe_deals(rel, &id)),
				 errhint("Use delete_stage(stage_id, move_deals_to), or move the deals first."),
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
	crm_row_open(&row, trigdata, &row_columns->upsert, fcinfo->flinfo->fn_mcxt);
	crm_apply_row_rules(&row, row_columns, apply_stage_rules, columns);
	return PointerGetDatum(crm_row_close(&row));
}
