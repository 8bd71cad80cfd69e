/*
 * table/row_rules.c
 *		The rules that all tables share: fixed columns, and one tenant.
 *
 * crm_row_rules is the BEFORE ROW trigger of the tables that need no more.  Its
 * arguments after the version name the columns that refer to parents, whose
 * tenant the row must share; a foreign key cannot check that.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/uuid.h"
#include "table/columns.h"
#include "table/row.h"
#include "table/row_rules.h"
#include "table/scan.h"
#include "table/tenant_guard.h"
#include "table/trigger.h"
#include "table/value_checks.h"

typedef struct TenantCheck
{
	AttrNumber	parent_tenant_id;
	const pg_uuid_t *tenant_id;
	bool		found;
} TenantCheck;

static bool
check_tenant(Relation parent, HeapTuple tuple, void *arg)
{
	TenantCheck *check = arg;
	Datum		tenant_id = crm_required_value(parent, tuple, check->parent_tenant_id);

	check->found = crm_uuid_equal(check->tenant_id, DatumGetUUIDP(tenant_id));
	return false;
}

static void
check_parent(RowEdit *row, const RowColumns *columns, const ParentReference *reference)
{
	Relation	parent;
	TenantCheck check = {reference->parent_tenant_id};
	const pg_uuid_t *id;

	if (crm_row_is_null(row, reference->attno))
		return;					/* NOT NULL says it */
	id = DatumGetUUIDP(crm_row_get(row, reference->attno));
	check.tenant_id = DatumGetUUIDP(crm_row_get(row, columns->tenant_id));
	if (!row->insert && !crm_row_old_is_null(row, reference->attno) &&
		crm_uuid_equal(id, DatumGetUUIDP(crm_row_get_old(row, reference->attno))))
		return;

	parent = table_open(reference->parent, AccessShareLock);
	crm_visit_rows(parent, reference->index, reference->parent_id, id, check_tenant, &check);
	if (!check.found)
		/* Like a foreign key's error: another tenant's row counts as missing. */
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("%s \"%s\" does not exist",
						get_attname(RelationGetRelid(row->rel), reference->attno, false),
						crm_uuid_text(id)),
				 errdetail("Key is not present in table \"%s\".", RelationGetRelationName(parent)),
				 errhint("Give the id of a row that is there."),
				 errtablecol(row->rel, reference->attno)));
	table_close(parent, NoLock);
}

static void
resolve_parent(Relation rel, const char *name, ParentReference *reference)
{
	Relation	parent;

	reference->attno = crm_optional_column(rel, name, UUIDOID);
	if (reference->attno == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\", which its trigger names",
						RelationGetRelationName(rel), name)));
	reference->parent = crm_referenced_table(rel, reference->attno);
	parent = table_open(reference->parent, AccessShareLock);
	reference->parent_id = crm_optional_column(parent, "id", UUIDOID);
	reference->parent_tenant_id = crm_optional_column(parent, "tenant_id", UUIDOID);
	if (reference->parent_id == InvalidAttrNumber ||
		reference->parent_tenant_id == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" needs the columns id and tenant_id", RelationGetRelationName(parent))));
	reference->index = crm_index_on_column(parent, reference->parent_id);
	table_close(parent, NoLock);
}

RowColumns *
crm_row_columns(FmgrInfo *flinfo, Relation rel, int nparents, char **parents)
{
	RowColumns *columns = flinfo->fn_extra;

	if (columns != NULL)
		return columns;

	columns = MemoryContextAllocZero(flinfo->fn_mcxt, offsetof(RowColumns, parents) +
									 nparents * sizeof(ParentReference));
	columns->id = crm_optional_column(rel, "id", UUIDOID);
	columns->tenant_id = crm_optional_column(rel, "tenant_id", UUIDOID);
	columns->updated_at = crm_optional_column(rel, "updated_at", TIMESTAMPTZOID);
	if (columns->tenant_id == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"tenant_id\", which the CRM needs",
						RelationGetRelationName(rel))));
	columns->nparents = nparents;
	for (int i = 0; i < nparents; i++)
		resolve_parent(rel, parents[i], &columns->parents[i]);
	flinfo->fn_extra = columns;
	return columns;
}

/* What apply_rules() is given, when it is guarded. */
typedef struct Application
{
	RowEdit    *row;
	const RowColumns *columns;
	TableRules	table_rules;
	const AttrNumber *table_columns;
} Application;

static void
apply_rules(void *arg)
{
	const Application *application = arg;
	RowEdit    *row = application->row;
	const RowColumns *columns = application->columns;

	for (int i = 0; i < columns->nparents; i++)
		check_parent(row, columns, &columns->parents[i]);
	if (application->table_rules != NULL)
		application->table_rules(row, application->table_columns);
}

void
crm_apply_row_rules(RowEdit *row, const RowColumns *columns,
					TableRules table_rules, const AttrNumber *table_columns)
{
	Application application = {row, columns, table_rules, table_columns};

	if (row->restored)
		return;
	if (row->stands)
	{
		if (table_rules != NULL)
			table_rules(row, table_columns);
		crm_check_values(row);
		return;
	}
	if (columns->id != InvalidAttrNumber)
		crm_row_keep_id(row, columns->id);
	crm_row_keep(row, columns->tenant_id);
	crm_check_not_null(row->rel, columns->tenant_id, crm_row_is_null(row, columns->tenant_id));
	if (row->insert &&
		crm_is_foreign_tenant(row->rel, DatumGetUUIDP(crm_row_get(row, columns->tenant_id))))
		crm_run_guarded(row->rel, apply_rules, &application);
	else
		apply_rules(&application);
	if (!row->insert && columns->updated_at != InvalidAttrNumber)
		crm_row_set(row, columns->updated_at, TimestampTzGetDatum(GetCurrentTimestamp()));
	crm_check_values(row);
}

/*
 * crm_row_rules(version, parent columns...): BEFORE INSERT OR UPDATE trigger
 * FOR EACH ROW of deal_contacts, tags and deal_tags
 *		Errors: 23514 when id or tenant_id changes, 23503 for a parent that
 *		is not there or another tenant's.
 */
PG_FUNCTION_INFO_V1(crm_row_rules);
Datum
crm_row_rules(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = crm_trigger_data(fcinfo, "crm_row_rules",
											 TRIGGER_EVENT_ROW | TRIGGER_EVENT_BEFORE,
											 CRM_ON_WRITE);
	Trigger    *trigger = trigdata->tg_trigger;
	RowColumns *columns = crm_row_columns(fcinfo->flinfo, trigdata->tg_relation,
										  trigger->tgnargs - 1, trigger->tgargs + 1);
	RowEdit		row;

	crm_row_open(&row, trigdata, InvalidAttrNumber, &columns->upsert, fcinfo->flinfo->fn_mcxt);
	crm_apply_row_rules(&row, columns, NULL, NULL);
	return PointerGetDatum(crm_row_close(&row));
}
