/*
 * install/api_functions.c
 *		The functions of a CRM's schema, made from what the extension declares.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/query.h"
#include "install/api_functions.h"
#include "install/schema_function.h"

/* Makes the CRM's function for a function of the extension, without its first argument. */
static void
make_function(Oid schema, const char *name, Oid declared, const char *command)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(declared));
	Form_pg_proc form;
	CrmSchemaFunction function = {.schema = schema,.name = name};

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", declared);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	function.nargs = form->pronargs - 1;
	function.types = form->proargtypes.values + 1;
	crm_make_schema_function(&function, command, GetComment(declared, ProcedureRelationId, 0));
	ReleaseSysCache(tuple);
}

void
crm_make_api(Oid schema, Oid extension)
{
	Oid			types[] = {OIDOID, OIDOID};
	Datum		args[] = {ObjectIdGetDatum(schema), ObjectIdGetDatum(extension)};
	SPITupleTable *rows;
	uint64		count;

	count = crm_select_once(psprintf("SELECT name, declared, drops, creates FROM %s($1, $2)",
									 crm_qualified_name(extension, "crm_api_commands")),
							lengthof(types), types, args, NULL, false);
	rows = SPI_tuptable;
	for (uint64 i = 0; i < count; i++)
	{
		char	   *drop = SPI_getvalue(rows->vals[i], rows->tupdesc, 3);
		bool		isnull;

		if (drop != NULL)
			crm_run(drop);
		make_function(schema, SPI_getvalue(rows->vals[i], rows->tupdesc, 1),
					  DatumGetObjectId(SPI_getbinval(rows->vals[i], rows->tupdesc, 2, &isnull)),
					  SPI_getvalue(rows->vals[i], rows->tupdesc, 4));
	}
}
