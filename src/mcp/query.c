/*
 * mcp/query.c
 *		Statements that the tools run, and the rows that they return.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/guc.h"

#include "base/query.h"
#include "mcp/query.h"

void
crm_mcp_catalog_query(const char *query, int nargs, Oid *types, Datum *args)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) crm_select_once(query, nargs, types, args, NULL, false);
	AtEOXact_GUC(true, level);
}

char *
crm_mcp_field(uint64 row, int column)
{
	return SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);
}

bool
crm_mcp_flag(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
									  column, &isnull);

	return !isnull && DatumGetBool(value);
}

Oid
crm_mcp_oid(uint64 row, int column)
{
	bool		isnull;

	return DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc,
										  column, &isnull));
}

char *
crm_mcp_run(const char *statement, Jsonb *arguments)
{
	Oid			types[] = {JSONBOID};
	Datum		args[] = {JsonbPGetDatum(arguments)};

	(void) crm_run_once(statement, lengthof(types), types, args, NULL);
	if (SPI_processed == 0 || SPI_tuptable == NULL)
		return NULL;
	return crm_mcp_field(0, 1);
}
