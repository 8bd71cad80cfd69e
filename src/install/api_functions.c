/*
 * install/api_functions.c
 *		The functions of a CRM's schema, made from what the extension declares.
 *
 * NAME of the schema has the arguments, defaults and attributes of crm_NAME(crm
 * regnamespace, ...), without that argument.  It is looked up by its schema, name and types:
 * by its name alone, PostgreSQL finds those of all CRMs.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "commands/proclang.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/declaration.h"
#include "base/query.h"
#include "install/api_functions.h"

#define LANGUAGE		"crm"

/* The first argument of a declaration, as PostgreSQL prints it. */
#define FIRST_ARGUMENT	"crm regnamespace"

/* A function that a CRM is to have. */
typedef struct ApiFunction
{
	CrmSchemaFunction function;
	Oid			declared;		/* crm_NAME */
	const char *returns;		/* of crm_api_functions(); may be NULL */
} ApiFunction;

/* How a function is created. */
typedef struct Definition
{
	const char *arguments;		/* with their defaults */
	const char *result;
	const char *attributes;
	Oid			language;
} Definition;

static HeapTuple
function_tuple(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	return tuple;
}

/* What a function of PostgreSQL's prints of that function. */
static char *
print(PGFunction printer, Oid function)
{
	return TextDatumGetCString(DirectFunctionCall1(printer, ObjectIdGetDatum(function)));
}

/* Arguments without the first one of a declaration. */
static const char *
without_first(const char *arguments)
{
	if (strncmp(arguments, FIRST_ARGUMENT, strlen(FIRST_ARGUMENT)) == 0)
		arguments += strlen(FIRST_ARGUMENT);
	return strncmp(arguments, ", ", 2) == 0 ? arguments + 2 : arguments;
}

/* ---- what is to be there ---- */

/* crm_NAME of the extension; InvalidOid if there is none, as in another version. */
static Oid
find_declared(Oid extension, const char *name)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP,
										   CStringGetDatum(psprintf(CRM_PREFIX "%s", name)));
	Oid			declared = InvalidOid;

	for (int i = 0; i < list->n_members; i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);

		if (form->pronamespace == extension && form->pronargs > 0 &&
			form->proargtypes.values[0] == REGNAMESPACEOID)
			declared = form->oid;
	}
	ReleaseSysCacheList(list);
	return declared;
}

static ApiFunction *
make_api_function(Oid schema, Oid declared, const char *name, const char *returns)
{
	ApiFunction *api = palloc(sizeof(ApiFunction));
	HeapTuple	tuple = function_tuple(declared);
	oidvector  *types = &((Form_pg_proc) GETSTRUCT(tuple))->proargtypes;
	Oid		   *own = palloc(sizeof(Oid) * types->dim1);

	memcpy(own, types->values + 1, sizeof(Oid) * (types->dim1 - 1));
	*api = (ApiFunction)
	{
		{
			schema, name, types->dim1 - 1, own
		},
			declared, returns
	};
	ReleaseSysCache(tuple);
	return api;
}

/* Those of crm_api_functions(). */
static List *
read_api(Oid schema, Oid extension)
{
	uint64		count = crm_select_once(psprintf("SELECT name, returns FROM %s() ORDER BY name",
												 crm_qualified_name(extension, "crm_api_functions")),
										0, NULL, NULL, NULL, false);
	SPITupleTable *rows = SPI_tuptable;
	List	   *functions = NIL;

	for (uint64 i = 0; i < count; i++)
	{
		char	   *name = SPI_getvalue(rows->vals[i], rows->tupdesc, 1);
		Oid			declared = find_declared(extension, name);

		if (OidIsValid(declared))
			functions = lappend(functions,
								make_api_function(schema, declared, name,
												  SPI_getvalue(rows->vals[i], rows->tupdesc, 2)));
	}
	return functions;
}

/* ---- definitions ---- */

static const char *
attributes(const FormData_pg_proc *form)
{
	return psprintf("%s PARALLEL %s%s",
					form->provolatile == PROVOLATILE_IMMUTABLE ? "IMMUTABLE" :
					form->provolatile == PROVOLATILE_STABLE ? "STABLE" : "VOLATILE",
					form->proparallel == PROPARALLEL_SAFE ? "SAFE" :
					form->proparallel == PROPARALLEL_RESTRICTED ? "RESTRICTED" : "UNSAFE",
					form->proisstrict ? " STRICT" : "");
}

static Definition
definition_of(Oid function)
{
	HeapTuple	tuple = function_tuple(function);
	Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);
	Definition	definition = {
		print(pg_get_function_arguments, function), print(pg_get_function_result, function),
		attributes(form), form->prolang
	};

	ReleaseSysCache(tuple);
	return definition;
}

/* What the CRM's function is to be. */
static Definition
wanted(const ApiFunction *api)
{
	Definition	definition = definition_of(api->declared);
	bool		is_set = get_func_retset(api->declared) ||
	get_func_rettype(api->declared) == UUIDARRAYOID;

	definition.arguments = without_first(definition.arguments);
	if (api->returns != NULL)
		definition.result = psprintf("%s%s", is_set ? "SETOF " : "",
									 crm_qualified_name(api->function.schema, api->returns));
	definition.language = get_language_oid(LANGUAGE, false);
	return definition;
}

/* Whether CREATE OR REPLACE can make one of the other. */
static bool
is_same_signature(const Definition *a, const Definition *b)
{
	return strcmp(a->arguments, b->arguments) == 0 && strcmp(a->result, b->result) == 0;
}

static bool
is_same(const Definition *a, const Definition *b)
{
	return is_same_signature(a, b) && strcmp(a->attributes, b->attributes) == 0 &&
		a->language == b->language;
}

/* ---- making and checking ---- */

static char *
creation(const ApiFunction *api, const Definition *definition, bool replaces)
{
	return psprintf("CREATE %sFUNCTION %s(%s) RETURNS %s LANGUAGE " LANGUAGE " %s AS ''",
					replaces ? "OR REPLACE " : "",
					crm_qualified_name(api->function.schema, api->function.name),
					definition->arguments, definition->result, definition->attributes);
}

/* An existing function is replaced if possible, so that rights on it stay. */
static void
make_function(const ApiFunction *api)
{
	Oid			present = crm_find_schema_function(&api->function);
	Definition	definition = wanted(api);
	Definition	old = {.arguments = NULL};
	char	   *command = NULL;

	if (OidIsValid(present))
	{
		old = definition_of(present);
		if (!is_same_signature(&old, &definition))
		{
			crm_run(psprintf("DROP FUNCTION %s(%s)",
							 crm_qualified_name(api->function.schema, api->function.name),
							 print(pg_get_function_identity_arguments, present)));
			old.arguments = NULL;
		}
	}
	if (old.arguments == NULL || !is_same(&old, &definition))
		command = creation(api, &definition, old.arguments != NULL);
	crm_make_schema_function(&api->function, command,
							 GetComment(api->declared, ProcedureRelationId, 0));
}

void
crm_make_api(Oid schema, Oid extension)
{
	ListCell   *cell;

	foreach(cell, read_api(schema, extension))
		make_function(lfirst(cell));
}

/* What is wrong with the CRM's function; NULL if it is right. */
static const char *
problem_of(const ApiFunction *api)
{
	Oid			present = crm_find_schema_function(&api->function);
	Definition	definition = wanted(api);
	Definition	old;

	if (!OidIsValid(present))
		return "is missing";
	old = definition_of(present);
	return is_same_signature(&old, &definition) ? NULL :
		"has other arguments, defaults or another result than the extension declares";
}

void
crm_check_api(Oid schema, Oid extension, CrmProblemReport report, void *arg)
{
	ListCell   *cell;

	foreach(cell, read_api(schema, extension))
	{
		const ApiFunction *api = lfirst(cell);
		const char *problem = problem_of(api);
		const char *identity;

		if (problem == NULL)
			continue;
		identity = without_first(print(pg_get_function_identity_arguments, api->declared));
		report(arg, psprintf("function %s(%s)", quote_identifier(api->function.name), identity), problem);
	}
}
