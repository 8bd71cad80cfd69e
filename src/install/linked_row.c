/*
 * install/linked_row.c
 *		Reading rows of the linked tables, for contexts and reports.
 *
 * These tables are not the CRM's, so a role that may read the CRM cannot always read
 * them.  Then the result is NULL, not an error, so that the role gets the rest of the
 * context or report.  A report reads many rows, so the plan is kept until the end of
 * the calling statement.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/resowner.h"

#include "base/query.h"
#include "base/shard_query.h"
#include "install/links.h"

typedef enum RowState
{
	ROW_UNREADABLE,				/* no such view, or no right to read it */
	ROW_MISSING,
	ROW_FOUND
} RowState;

/* What a caller reads, of which view; lives in fn_extra. */
typedef struct LinkedReader
{
	Oid			schema;
	const char *view;
	SPIPlanPtr	plan;			/* NULL: the caller can read nothing */
	MemoryContextCallback callback;
} LinkedReader;

static void
free_plan(void *arg)
{
	LinkedReader *reader = arg;

	if (reader->plan != NULL)
		(void) SPI_freeplan(reader->plan);
}

/* The name of the view in crm_links; ERROR if there is no such view. */
static const char *
view_name(const char *name)
{
	for (int i = 0; i < CRM_NLINKS; i++)
	{
		if (strcmp(crm_links[i].view, name) == 0)
			return crm_links[i].view;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("no column of a CRM is linked by a view \"%s\"", name)));
	return NULL;				/* keep compiler quiet */
}

/* Whether the caller may read the view: without that right, planning raises an error. */
static bool
may_read_view(Oid view)
{
	return pg_class_aclcheck(view, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		pg_attribute_aclcheck_all(view, GetUserId(), ACL_SELECT, ACLMASK_ALL) == ACLCHECK_OK;
}

/*
 * Prepares the query that reads the expression from the view's row of an id; NULL if
 * the caller may not read it, or there is no such view.  Sets no search_path, as
 * functions that the user's view calls may need the caller's.
 */
static SPIPlanPtr
prepare(Oid schema, const char *view_name, const char *column, const char *expression)
{
	Oid			view = get_relname_relid(view_name, schema);
	Oid			argtypes[] = {UUIDOID};
	SPIPlanPtr	plan;

	if (!OidIsValid(view) || get_rel_relkind(view) != RELKIND_VIEW || !may_read_view(view) ||
		(column != NULL && get_attnum(view, column) == InvalidAttrNumber))
		return NULL;
	plan = SPI_prepare_cursor(psprintf("SELECT %s FROM %s AS c WHERE c.id OPERATOR(pg_catalog.=) $1",
									   expression, crm_relation_name(view)),
							  lengthof(argtypes), argtypes, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "could not prepare to read a linked row: %s", SPI_result_code_string(SPI_result));
	if (!crm_may_run(plan))
		return NULL;
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep the plan that reads a linked row");
	return plan;
}

/*
 * The reader for the view that the second argument names, in the schema that the first
 * one is; made again if a call names another view or schema.
 */
static LinkedReader *
get_reader(FunctionCallInfo fcinfo, const char *column, const char *expression)
{
	LinkedReader *reader = fcinfo->flinfo->fn_extra;
	Oid			schema = PG_GETARG_OID(0);
	const char *view = view_name(text_to_cstring(PG_GETARG_TEXT_PP(1)));

	if (reader != NULL && reader->schema == schema && reader->view == view)
		return reader;
	if (reader == NULL)
	{
		reader = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(LinkedReader));
		reader->callback.func = free_plan;
		reader->callback.arg = reader;
		MemoryContextRegisterResetCallback(fcinfo->flinfo->fn_mcxt, &reader->callback);
		fcinfo->flinfo->fn_extra = reader;
	}
	free_plan(reader);
	reader->plan = NULL;
	reader->schema = schema;
	reader->view = view;
	reader->plan = prepare(schema, view, column, expression);
	return reader;
}

/*
 * Runs the plan, for at most one row.  A context or report that Citus runs on a shard
 * needs it planned on shards; it is generic, so SPI then takes the same.
 */
static void
run_plan(SPIPlanPtr plan, Datum id)
{
	CachedPlanSource *source = linitial(SPI_plan_get_plan_sources(plan));

	ReleaseCachedPlan(crm_plan_on_shards(source, NULL), CurrentResourceOwner);
	if (SPI_execute_plan(plan, &id, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read a linked row: %s", SPI_result_code_string(SPI_result));
}

/*
 * Reads the expression from the row whose id is the third argument.  column, if not
 * NULL, is the column that the expression needs in the view.  Sets *value, a palloc'd
 * varlena, and *isnull.
 */
static RowState
read_row(FunctionCallInfo fcinfo, const char *column, const char *expression,
		 Datum *value, bool *isnull)
{
	RowState	state = ROW_UNREADABLE;
	LinkedReader *reader;

	*isnull = true;
	SPI_connect();
	reader = get_reader(fcinfo, column, expression);
	if (reader->plan != NULL)
	{
		run_plan(reader->plan, PG_GETARG_DATUM(2));
		state = SPI_processed > 0 ? ROW_FOUND : ROW_MISSING;
	}
	if (state == ROW_FOUND)
	{
		*value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
		if (!*isnull)
			*value = SPI_datumTransfer(*value, false, -1);
	}
	SPI_finish();
	return state;
}

/* The whole row; c.*, as c alone would be a column of that name. */
#define WHOLE_ROW	"pg_catalog.to_jsonb(c.*)"

/*
 * crm_linked_row(crm regnamespace, view_name text, id uuid) -> jsonb
 *		A row of a linked table as the caller may read it; NULL if there is none,
 *		the view is not in the schema, or there is no right to read it.
 */
PG_FUNCTION_INFO_V1(crm_linked_row);
Datum
crm_linked_row(PG_FUNCTION_ARGS)
{
	Datum		row;
	bool		isnull;

	if (read_row(fcinfo, NULL, WHOLE_ROW, &row, &isnull) != ROW_FOUND || isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(row);
}

/*
 * crm_linked_name(crm regnamespace, view_name text, id uuid) -> text
 *		The column "name" of that row; NULL, too, if the view has no such column.
 */
PG_FUNCTION_INFO_V1(crm_linked_name);
Datum
crm_linked_name(PG_FUNCTION_ARGS)
{
	Datum		name;
	bool		isnull;

	if (read_row(fcinfo, "name", "c.name::pg_catalog.text", &name, &isnull) != ROW_FOUND || isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(name);
}

/*
 * crm_linked_row_is_missing(crm regnamespace, view_name text, id uuid) -> boolean
 *		Whether the caller may read the linked table, and it has no row of that id.
 */
PG_FUNCTION_INFO_V1(crm_linked_row_is_missing);
Datum
crm_linked_row_is_missing(PG_FUNCTION_ARGS)
{
	Datum		row;
	bool		isnull;

	PG_RETURN_BOOL(read_row(fcinfo, NULL, WHOLE_ROW, &row, &isnull) == ROW_MISSING);
}
