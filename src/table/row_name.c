/*
 * table/row_name.c
 *		The name in messages of a row that was read without checks of permissions.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "base/query.h"
#include "base/uuid.h"
#include "table/row_name.h"

static bool
may_see(Oid table, const pg_uuid_t *id)
{
	Oid			argtypes[] = {UUIDOID};
	Datum		args[] = {UUIDPGetDatum(id)};
	char	   *query;
	bool		result;

	if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		return false;
	if (check_enable_rls(table, InvalidOid, true) != RLS_ENABLED)
		return true;

	query = psprintf("SELECT FROM %s WHERE id OPERATOR(pg_catalog.=) $1",
					 crm_relation_name(table));
	SPI_connect();
	result = crm_select_once(query, 1, argtypes, args, NULL, true) > 0;
	SPI_finish();
	return result;
}

char *
crm_row_label(Oid table, const pg_uuid_t *id, const char *name)
{
	return may_see(table, id) ? psprintf("\"%s\"", name) : crm_uuid_text(id);
}
