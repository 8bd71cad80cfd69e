/*
 * base/declaration.c
 *		The declaration of a function of the extension, from the catalog.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "funcapi.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/declaration.h"

static void
read_default(CrmArgument *arg, Node *expr)
{
	Const	   *value = (Const *) eval_const_expressions(NULL, expr);

	if (!IsA(value, Const))
		elog(ERROR, "the default of argument \"%s\" is no constant", arg->name);
	arg->required = false;
	arg->fallback_is_null = value->constisnull;
	if (!value->constisnull)
		arg->fallback = datumCopy(value->constvalue, value->constbyval, value->constlen);
}

/* The defaults are those of the last arguments. */
static void
read_defaults(HeapTuple tuple, CrmDeclaration *declaration)
{
	bool		isnull;
	Datum		stored = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proargdefaults, &isnull);
	List	   *defaults;
	int			first;

	if (isnull)
		return;
	defaults = castNode(List, stringToNode(TextDatumGetCString(stored)));
	first = declaration->nargs - list_length(defaults);
	for (int i = first; i < declaration->nargs; i++)
		read_default(&declaration->args[i], list_nth(defaults, i - first));
}

static void
read_arguments(HeapTuple tuple, CrmDeclaration *declaration)
{
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			count = get_func_arg_info(tuple, &types, &names, &modes);

	declaration->nargs = ((Form_pg_proc) GETSTRUCT(tuple))->pronargs;
	declaration->args = palloc0(sizeof(CrmArgument) * declaration->nargs);

	/* The columns of the result come after them. */
	for (int i = 0; i < Min(count, declaration->nargs); i++)
	{
		declaration->args[i].name = pstrdup(names != NULL ? names[i] : "");
		declaration->args[i].type = types[i];
		declaration->args[i].required = true;
		declaration->args[i].fallback_is_null = true;
	}
	read_defaults(tuple, declaration);
}

void
crm_read_declaration(Oid function, CrmDeclaration *declaration)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	name = NameStr(form->proname);
	if (strncmp(name, CRM_PREFIX, strlen(CRM_PREFIX)) != 0)
		elog(ERROR, "function \"%s\" is none of the extension's", name);

	declaration->function = function;
	declaration->name = pstrdup(name + strlen(CRM_PREFIX));
	declaration->owner = form->proowner;
	declaration->result = form->prorettype;
	declaration->returns_set = form->proretset;
	declaration->read_only = form->provolatile != PROVOLATILE_VOLATILE;
	declaration->row = build_function_result_tupdesc_t(tuple);
	read_arguments(tuple, declaration);
	ReleaseSysCache(tuple);
}

int
crm_find_argument(const CrmDeclaration *declaration, const char *name)
{
	for (int i = 0; i < declaration->nargs; i++)
	{
		if (strcmp(declaration->args[i].name, name) == 0)
			return i;
	}
	return -1;
}

Oid
crm_find_function(Oid extension, const char *name)
{
	Oid			function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
										   CStringGetDatum(name),
										   PointerGetDatum(buildoidvector(NULL, 0)),
										   ObjectIdGetDatum(extension));

	if (!OidIsValid(function))
		elog(ERROR, "extension crm has no function %s()", name);
	return function;
}
