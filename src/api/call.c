/*
 * api/call.c
 *		The language "crm", which the functions of a CRM's schema are written in.
 *
 * Such a function has no body.  The function NAME of a schema calls the extension's
 * function crm_NAME(regnamespace, ...), with its own schema as the first argument
 * and its own arguments after that.  As it names neither schema, both may be
 * renamed.
 *
 * Anybody may write functions in this language, so the target has to be a C
 * function of the extension, declared with the same argument types.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "commands/proclang.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#include "base/declaration.h"
#include "base/errors.h"
#include "base/shard.h"
#include "table/caller_query.h"
#include "table/comments.h"

/* The function with which the comments of tables are made on another node. */
#define DESCRIBES_TABLES "mcp"

typedef struct Call
{
	Oid			schema;			/* of the function called */
	Oid			result;			/* its type */
	bool		returns_set;
	FmgrInfo	target;			/* the extension's function */
	Oid			target_result;
	bool		result_is_domain;	/* over target_result */
	void	   *domain;			/* what domain_check() keeps */
	bool		may_be_refused; /* by Citus, as it writes */
} Call;

/* The schema of the extension: that of the language's handler. */
static Oid
extension_schema(Oid language)
{
	HeapTuple	tuple = SearchSysCache1(LANGOID, ObjectIdGetDatum(language));
	Oid			handler;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for language %u", language);
	handler = ((Form_pg_language) GETSTRUCT(tuple))->lanplcallfoid;
	ReleaseSysCache(tuple);
	return get_func_namespace(handler);
}

/* crm_NAME with a schema before the same arguments; InvalidOid if there is none. */
static Oid
find_target(Form_pg_proc function)
{
	Oid			types[FUNC_MAX_ARGS] = {REGNAMESPACEOID};
	int			count = function->pronargs;

	if (count >= FUNC_MAX_ARGS)
		return InvalidOid;
	memcpy(types + 1, function->proargtypes.values, sizeof(Oid) * count);
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
						   CStringGetDatum(psprintf(CRM_PREFIX "%s", NameStr(function->proname))),
						   PointerGetDatum(buildoidvector(types, count + 1)),
						   ObjectIdGetDatum(extension_schema(function->prolang)));
}

/*
 * Whether the target's result can be returned as the function's result.  It may be
 * of the same type; of the base type of the domain that the function returns; the
 * id of a row where the function returns the row; or a record where the function
 * returns rows of a view, in which case the executor compares the columns.
 */
static bool
fits(Form_pg_proc function, Form_pg_proc target)
{
	bool		returns_row = OidIsValid(get_typ_typrelid(function->prorettype));

	if (target->prolang != ClanguageId)
		return false;
	if (function->prorettype == target->prorettype)
		return function->proretset == target->proretset;
	if (!target->proretset && getBaseType(function->prorettype) == target->prorettype)
		return !function->proretset;
	if (function->proretset && target->proretset)
		return returns_row && target->prorettype == RECORDOID;
	return returns_row && !target->proretset &&
		target->prorettype == (function->proretset ? UUIDARRAYOID : UUIDOID);
}

/* Finds what the function calls.  ERROR 42883 if the extension has no such function. */
static void
read_call(Oid oid, Call *call, MemoryContext context)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	HeapTuple	target_tuple;
	Form_pg_proc function;
	Oid			target;
	bool		found = false;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", oid);
	function = (Form_pg_proc) GETSTRUCT(tuple);
	call->schema = function->pronamespace;
	call->result = function->prorettype;
	call->returns_set = function->proretset;
	call->may_be_refused = function->provolatile == PROVOLATILE_VOLATILE && crm_has_citus();
	target = find_target(function);
	target_tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(target));
	if (HeapTupleIsValid(target_tuple))
	{
		found = fits(function, (Form_pg_proc) GETSTRUCT(target_tuple));
		call->target_result = ((Form_pg_proc) GETSTRUCT(target_tuple))->prorettype;
		call->result_is_domain = call->result != call->target_result &&
			getBaseType(call->result) == call->target_result;
		ReleaseSysCache(target_tuple);
	}
	ReleaseSysCache(tuple);
	if (!found)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("extension crm has nothing that function %s stands for", format_procedure(oid)),
				 errdetail("Its name, its arguments and its result have to be those of a function that crm_install() makes."),
				 errhint("If it is of a CRM, SELECT crm_upgrade(%s) brings that to the extension's version.",
						 quote_literal_cstr(get_namespace_name(call->schema)))));
	fmgr_info_cxt(target, &call->target, context);
}

/* Calls the target; its result is NULL if it is strict and an argument is. */
static Datum
call_target(FunctionCallInfo fcinfo, Call *call, bool *isnull)
{
	LOCAL_FCINFO(inner, FUNC_MAX_ARGS);
	Datum		result;

	InitFunctionCallInfoData(*inner, &call->target, fcinfo->nargs + 1, fcinfo->fncollation,
							 fcinfo->context, fcinfo->resultinfo);
	inner->args[0].value = ObjectIdGetDatum(call->schema);
	inner->args[0].isnull = false;
	for (int i = 0; i < fcinfo->nargs; i++)
	{
		inner->args[i + 1] = fcinfo->args[i];
		if (fcinfo->args[i].isnull && call->target.fn_strict)
		{
			*isnull = true;
			return (Datum) 0;
		}
	}
	result = FunctionCallInvoke(inner);
	*isnull = inner->isnull;
	return result;
}

static Datum
call_writer(FunctionCallInfo fcinfo, Call *call, bool *isnull)
{
	MemoryContext context = CurrentMemoryContext;
	Datum		result = (Datum) 0;

	PG_TRY();
	{
		result = call_target(fcinfo, call, isnull);
	}
	PG_CATCH();
	{
		crm_explain_refusal(context, get_func_name(fcinfo->flinfo->fn_oid));
		PG_RE_THROW();
	}
	PG_END_TRY();
	return result;
}

/* The rows that have those ids, as they are now, in the order of the ids. */
static void
return_rows(FunctionCallInfo fcinfo, Oid type, ArrayType *ids)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum	   *values;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	deconstruct_array(ids, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &values, NULL, &count);
	for (int i = 0; i < count; i++)
	{
		HeapTupleData tuple;
		Datum		row;

		if (!crm_current_row(type, DatumGetUUIDP(values[i]), &row))
			continue;
		tuple.t_data = DatumGetHeapTupleHeader(row);
		tuple.t_len = HeapTupleHeaderGetDatumLength(tuple.t_data);
		ItemPointerSetInvalid(&tuple.t_self);
		tuple.t_tableOid = InvalidOid;
		tuplestore_puttuple(rsinfo->setResult, &tuple);
	}
}

/*
 * crm_call() -> language_handler
 *		Calls the extension's function, with the caller's rights.
 */
PG_FUNCTION_INFO_V1(crm_call);
Datum
crm_call(PG_FUNCTION_ARGS)
{
	Call	   *call = fcinfo->flinfo->fn_extra;
	Datum		result;
	bool		isnull;

	if (call == NULL)
	{
		call = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Call));
		read_call(fcinfo->flinfo->fn_oid, call, fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = call;
	}
	result = call->may_be_refused ? call_writer(fcinfo, call, &isnull) :
		call_target(fcinfo, call, &isnull);
	if (call->result != call->target_result && !isnull)
	{
		if (call->target_result == UUIDARRAYOID)
			return_rows(fcinfo, call->result, DatumGetArrayTypeP(result));
		else if (call->target_result == UUIDOID)
			isnull = !crm_current_row(call->result, DatumGetUUIDP(result), &result);
	}
	if (call->result_is_domain)
		domain_check(result, isnull, call->result, &call->domain, fcinfo->flinfo->fn_mcxt);
	fcinfo->isnull = isnull;
	return result;
}

/*
 * What Citus does not take to another node with the function: its comment, and those of
 * the tables, which are there before the functions.
 */
static void
describe(Oid oid, const Call *call)
{
	const char *comment = GetComment(call->target.fn_oid, ProcedureRelationId, 0);

	if (comment != NULL && GetComment(oid, ProcedureRelationId, 0) == NULL)
		CreateComments(oid, ProcedureRelationId, 0, comment);
	if (strcmp(get_func_name(oid), DESCRIBES_TABLES) == 0)
		crm_describe_tables(call->schema, get_func_namespace(call->target.fn_oid));
}

/*
 * crm_validate(function oid) -> void
 *		Refuses a function for which the extension has no target.  On a node to which
 *		Citus takes the function, also makes the comments.
 */
PG_FUNCTION_INFO_V1(crm_validate);
Datum
crm_validate(PG_FUNCTION_ARGS)
{
	Call		call;

	if (!CheckFunctionValidatorAccess(fcinfo->flinfo->fn_oid, PG_GETARG_OID(0)))
		PG_RETURN_VOID();
	if (check_function_bodies || crm_session_is_of_citus())
		read_call(PG_GETARG_OID(0), &call, CurrentMemoryContext);
	if (crm_session_is_of_citus())
		describe(PG_GETARG_OID(0), &call);
	PG_RETURN_VOID();
}
