/*
 * api/report.c
 *		The functions of the extension whose body is a query of sql/queries.
 *
 * All of them are the C function crm_report, which finds its query by the name of
 * the SQL function.  The checks that all reports share are made here, by the names
 * of the arguments.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/tstoreReceiver.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "base/argument_errors.h"
#include "base/context.h"
#include "base/currency.h"
#include "base/query.h"
#include "base/report_run.h"
#include "base/time.h"
#include "summary/summary.h"

/* A value that a query returns. */
typedef struct Value
{
	MemoryContext context;
	Oid			type;
	bool		found;
	bool		isnull;
	Datum		value;
} Value;

/* ---- arguments ---- */

static void
check_required(const CrmDeclaration *declaration, ParamListInfo params)
{
	for (int i = 0; i < params->numParams; i++)
	{
		if (declaration->args[i].required && params->params[i].isnull)
			crm_refuse_null(declaration->args[i].name, declaration->args[i].type);
	}
}

/* An argument that is null counts as not given: its default applies. */
static ParamListInfo
read_arguments(FunctionCallInfo fcinfo, const CrmDeclaration *declaration)
{
	ParamListInfo params = makeParamList(declaration->nargs);

	for (int i = 0; i < declaration->nargs; i++)
	{
		const CrmArgument *arg = &declaration->args[i];
		ParamExternData *param = &params->params[i];

		param->ptype = arg->type;
		param->pflags = PARAM_FLAG_CONST;
		param->isnull = PG_ARGISNULL(i) && arg->fallback_is_null;
		param->value = PG_ARGISNULL(i) ? arg->fallback : PG_GETARG_DATUM(i);
	}
	check_required(declaration, params);
	return params;
}

/* The argument that is the end of the range which starts with argument n; -1 if none does. */
static int
end_of_range(const CrmDeclaration *declaration, int n)
{
	static const char *const ends[][2] = {{"_from", "_before"}, {"_from", "_to"}};
	const char *name = declaration->args[n].name;
	int			length = strlen(name);

	if (strcmp(name, "from_at") == 0)
		return crm_find_argument(declaration, "to_at");
	for (int i = 0; i < lengthof(ends); i++)
	{
		int			prefix = length - (int) strlen(ends[i][0]);
		int			end;

		if (prefix <= 0 || strcmp(name + prefix, ends[i][0]) != 0)
			continue;
		end = crm_find_argument(declaration, psprintf("%.*s%s", prefix, name, ends[i][1]));
		if (end >= 0)
			return end;
	}
	return -1;
}

static void
check_ranges(const CrmDeclaration *declaration, ParamListInfo params)
{
	for (int i = 0; i < params->numParams; i++)
	{
		int			end = params->params[i].isnull ? -1 : end_of_range(declaration, i);
		TypeCacheEntry *type;

		if (end < 0 || params->params[end].isnull)
			continue;
		type = lookup_type_cache(declaration->args[i].type, TYPECACHE_CMP_PROC_FINFO);
		if (DatumGetInt32(FunctionCall2Coll(&type->cmp_proc_finfo, InvalidOid,
											params->params[i].value,
											params->params[end].value)) > 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("%s is after %s", declaration->args[i].name, declaration->args[end].name),
					 errhint("Choose %s not later than %s.", declaration->args[i].name,
							 declaration->args[end].name)));
	}
}

/* Of functions that write, the table's rules check the currency. */
static void
check_currencies(const CrmDeclaration *declaration, ParamListInfo params)
{
	static const char *const names[] = {"in_currency", "base", "quote", "currency"};

	for (int i = 0; i < lengthof(names) && declaration->read_only; i++)
	{
		int			n = crm_find_argument(declaration, names[i]);

		if (n >= 0 && !params->params[n].isnull &&
			!DatumGetBool(DirectFunctionCall1(crm_is_currency, params->params[n].value)))
			crm_refuse_value(names[i], TextDatumGetCString(params->params[n].value),
							 _("It is a currency code of ISO 4217, such as EUR."));
	}
}

static void
check_value_period(const CrmDeclaration *declaration, ParamListInfo params)
{
	int			n = crm_find_argument(declaration, "value_period");
	const char *period;

	if (n < 0 || params->params[n].isnull)
		return;
	period = TextDatumGetCString(params->params[n].value);
	for (int i = 0; i < CRM_PERIODS; i++)
	{
		SummaryKey	key = {.rest = i};

		if (strcmp(period, crm_summary_period_name(&key)) == 0)
			return;
	}
	crm_refuse_value("value_period", period, _("It is one_time, monthly, quarterly or annual."));
}

static void
check_rate_age(const CrmDeclaration *declaration, ParamListInfo params)
{
	int			n = crm_find_argument(declaration, "max_rate_age");
	int			currency = crm_find_argument(declaration, "in_currency");

	if (n < 0 || params->params[n].isnull)
		return;
	if (DatumGetInt32(params->params[n].value) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rate_age must not be %d", DatumGetInt32(params->params[n].value)),
				 errhint("It is a number of days, 0 or more; without it a rate may be of any age.")));

	/*
	 * A caller who is not told would take the values for those of rates that
	 * young.
	 */
	if (currency >= 0 && params->params[currency].isnull)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rate_age must not be given without in_currency"),
				 errhint("No rate is used then. Give the currency to convert into, or leave it out.")));
}

/*
 * Sets the time zone that the argument names, until AtEOXact_GUC(true, level) with
 * the level returned.
 */
static int
pin_time_zone(const CrmDeclaration *declaration, ParamListInfo params)
{
	int			n = crm_find_argument(declaration, "time_zone");
	int			level = NewGUCNestLevel();
	const char *name;

	if (n < 0 || params->params[n].isnull)
		return level;
	name = pg_get_timezone_name(crm_time_zone(TextDatumGetCString(params->params[n].value)));
	(void) set_config_option("timezone", name, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
							 0, false);
	return level;
}

/* ---- results ---- */

static void
receive_value(TupleTableSlot *row, void *arg)
{
	Value	   *result = arg;
	MemoryContext caller;
	int16		length;
	bool		by_value;

	if (result->found)
		return;
	result->found = true;
	result->value = slot_getattr(row, 1, &result->isnull);
	if (result->isnull)
		return;
	get_typlenbyval(result->type, &length, &by_value);
	caller = MemoryContextSwitchTo(result->context);
	result->value = datumCopy(result->value, by_value, length);
	MemoryContextSwitchTo(caller);
}

/* What the argument group_by names; NULL if it is not given. */
static char *
find_dimension(const CrmDeclaration *declaration, ParamListInfo params)
{
	int			n = crm_find_argument(declaration, CRM_GROUP_ARGUMENT);

	if (n < 0 || params->params[n].isnull)
		return NULL;
	return crm_group_dimension(TextDatumGetCString(params->params[n].value));
}

/* The first column of the first row; NULL if there is none. */
static Datum
return_value(FunctionCallInfo fcinfo, CrmReport *report, ParamListInfo params)
{
	Value		result = {
		.context = CurrentMemoryContext,
		.type = report->names.declaration.result,
		.isnull = true
	};
	DestReceiver *dest = crm_row_receiver(receive_value, &result);

	crm_report_run(report, find_dimension(&report->names.declaration, params), params, dest);
	dest->rDestroy(dest);
	fcinfo->isnull = result.isnull;
	return result.value;
}

static void
return_rows(FunctionCallInfo fcinfo, CrmReport *report, ParamListInfo params)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	DestReceiver *dest = CreateDestReceiver(DestTuplestore);

	InitMaterializedSRF(fcinfo, 0);
	SetTuplestoreDestReceiverParams(dest, rsinfo->setResult,
									rsinfo->econtext->ecxt_per_query_memory,
									false, NULL, NULL);
	crm_report_run(report, find_dimension(&report->names.declaration, params), params, dest);
	dest->rDestroy(dest);
}

/*
 * crm_NAME(crm regnamespace, ...)
 *		Runs the query NAME on the CRM in that schema, with the caller's rights.
 *		Errors: 22004 for a required argument that is null; 22023 for a range
 *		that ends before it begins, and for a currency, a value period, a time
 *		zone or a dimension that does not exist; PT404 for the id of a row that the
 *		caller does not see.
 */
PG_FUNCTION_INFO_V1(crm_report);
Datum
crm_report(PG_FUNCTION_ARGS)
{
	CrmReport  *report;
	const CrmDeclaration *declaration;
	volatile Datum result = (Datum) 0;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("crm must not be null"),
				 errhint("Give it the schema of a CRM.")));
	report = crm_report_open(fcinfo->flinfo->fn_oid, PG_GETARG_OID(0));
	declaration = &report->names.declaration;
	PG_TRY();
	{
		ParamListInfo params = read_arguments(fcinfo, declaration);
		bool		pushed = crm_report_check_ids(report, params);
		int			level;

		check_ranges(declaration, params);
		check_currencies(declaration, params);
		check_value_period(declaration, params);
		check_rate_age(declaration, params);
		level = pin_time_zone(declaration, params);
		crm_context_before_read(report->deals, get_func_namespace(fcinfo->flinfo->fn_oid));
		if (declaration->returns_set)
			return_rows(fcinfo, report, params);
		else
			result = return_value(fcinfo, report, params);
		AtEOXact_GUC(true, level);
		if (pushed)
			PopActiveSnapshot();
	}
	PG_FINALLY();
	{
		crm_report_close(report);
	}
	PG_END_TRY();
	return result;
}
