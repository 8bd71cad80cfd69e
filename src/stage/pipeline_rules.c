/*
 * stage/pipeline_rules.c
 *		The rules of pipelines: at most one default for each tenant.
 *
 * The partial unique index would refuse a second one, too, but without the hint
 * to call set_default_pipeline.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/uuid.h"
#include "stage/lookup.h"
#include "table/key_lock.h"
#include "table/kinds.h"
#include "table/row.h"
#include "table/row_name.h"
#include "table/row_rules.h"
#include "table/scan.h"
#include "table/trigger.h"

typedef struct OtherDefault
{
	const AttrNumber *columns;
	const pg_uuid_t *id;		/* of the pipeline being written */
	pg_uuid_t	other_id;		/* of the other default, if there is one */
	char	   *name;			/* its name, or NULL */
} OtherDefault;

static bool
consider_default(Relation rel, HeapTuple tuple, void *arg)
{
	OtherDefault *other = arg;

	if (!DatumGetBool(crm_required_value(rel, tuple, other->columns[PIPELINE_IS_DEFAULT])))
		return true;
	other->other_id = *DatumGetUUIDP(crm_required_value(rel, tuple, other->columns[PIPELINE_ID]));
	if (crm_uuid_equal(other->id, &other->other_id))
		return true;
	other->name = TextDatumGetCString(crm_required_value(rel, tuple,
														 other->columns[PIPELINE_NAME]));
	return false;
}

static void
check_only_default(RowEdit *row, const AttrNumber *columns)
{
	const pg_uuid_t *tenant_id = DatumGetUUIDP(crm_row_get(row, columns[PIPELINE_TENANT_ID]));
	OtherDefault other = {columns};

	crm_check_not_null(row->rel, columns[PIPELINE_ID], crm_row_is_null(row, columns[PIPELINE_ID]));
	other.id = DatumGetUUIDP(crm_row_get(row, columns[PIPELINE_ID]));
	crm_lock_key_alone(RelationGetRelid(row->rel), tenant_id);
	crm_visit_rows(row->rel, crm_index_on_column(row->rel, columns[PIPELINE_TENANT_ID]),
				   columns[PIPELINE_TENANT_ID], tenant_id, consider_default, &other);
	if (other.name != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("there is a default pipeline already"),
				 errdetail("It is %s.", crm_row_label(RelationGetRelid(row->rel),
													  &other.other_id, other.name)),
				 errhint("Call set_default_pipeline to make another one the default."),
				 errtablecol(row->rel, columns[PIPELINE_IS_DEFAULT])));
}

static void
apply_pipeline_rules(RowEdit *row, const AttrNumber *columns)
{
	AttrNumber	is_default = columns[PIPELINE_IS_DEFAULT];

	if (!row->stands && !crm_row_is_null(row, is_default) &&
		DatumGetBool(crm_row_get(row, is_default)) &&
		(row->insert || crm_row_old_is_null(row, is_default) ||
		 !DatumGetBool(crm_row_get_old(row, is_default))))
		check_only_default(row, columns);
}

/*
 * crm_pipeline_rules(version): BEFORE INSERT OR UPDATE trigger FOR EACH ROW of
 * pipelines
 *		Errors: 23514 if a fixed column changes, 23505 for a second default.
 */
PG_FUNCTION_INFO_V1(crm_pipeline_rules);
Datum
crm_pipeline_rules(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_pipeline_rules",
											 TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE,
											 CRM_ON_WRITE);
	const AttrNumber *columns = crm_columns(trigdata->tg_relation, &crm_pipeline_kind);
	RowColumns *row_columns = crm_row_columns(fcinfo->flinfo, trigdata->tg_relation, 0, NULL);
	RowEdit		row;

	crm_stages_written();
	crm_row_open(&row, trigdata, InvalidAttrNumber, &row_columns->upsert, fcinfo->flinfo->fn_mcxt);
	crm_apply_row_rules(&row, row_columns, apply_pipeline_rules, columns);
	return PointerGetDatum(crm_row_close(&row));
}
