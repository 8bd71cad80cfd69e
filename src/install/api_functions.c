/*
 * install/api_functions.c
 *		The functions of a CRM's schema, made from what the extension declares.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "install/api_functions.h"

void
crm_make_api(Oid schema, Oid extension)
{
	Oid			types[] = {OIDOID, OIDOID};
	Datum		args[] = {ObjectIdGetDatum(schema), ObjectIdGetDatum(extension)};
	SPITupleTable *commands;
	uint64		count;

	/* not read-only: with a snapshot that sees what this command has done */
	if (SPI_execute_with_args(psprintf("SELECT command FROM %s.crm_api_commands($1, $2)",
									   quote_identifier(get_namespace_name(extension))),
							  lengthof(types), types, args, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not query the functions of a CRM");
	commands = SPI_tuptable;
	count = SPI_processed;
	for (uint64 i = 0; i < count; i++)
	{
		char	   *command = SPI_getvalue(commands->vals[i], commands->tupdesc, 1);

		if (SPI_execute(command, false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "could not run: %s", command);
		pfree(command);
	}
}
