/*
 * table/caller_query.c
 *		Code shared by the functions behind a CRM's API.
 *
 * Their queries run with the caller's rights and search path, so they name
 * every table, type, function and operator with its schema.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/argument_errors.h"
#include "base/errors.h"
#include "base/query.h"
#include "base/row_messages.h"
#include "base/shard.h"
#include "base/uuid.h"
#include "table/caller_query.h"

static Relation
begin(FunctionCallInfo fcinfo, const char *table, const CrmTableKind *kind, LOCKMODE mode)
{
	Oid			schema = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);
	Oid			relid = get_relname_relid(table, schema);
	Relation	rel;

	if (mode == AccessShareLock)
		relid = crm_table_to_read(relid);
	if (get_rel_relkind(relid) != RELKIND_RELATION &&
		get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_NOT_FOUND),
				 errmsg("there is no CRM in the schema given to \"%s\"", get_func_name(fcinfo->flinfo->fn_oid)),
				 errdetail("It has no table \"%s\".", table),
				 errhint("Give the schema of a CRM.")));
	rel = table_open(relid, mode);
	if (kind != NULL)
		(void) crm_columns(rel, kind);
	SPI_connect();
	return rel;
}

Relation
crm_api_begin(FunctionCallInfo fcinfo, const char *table, const CrmTableKind *kind)
{
	return begin(fcinfo, table, kind, AccessShareLock);
}

Relation
crm_api_begin_write(FunctionCallInfo fcinfo, const char *table, const CrmTableKind *kind)
{
	return begin(fcinfo, table, kind, RowExclusiveLock);
}

void
crm_api_end(Relation rel)
{
	SPI_finish();
	table_close(rel, NoLock);
}

void
crm_api_require_argument(FunctionCallInfo fcinfo, int n, const char *name)
{
	Oid		   *types;
	int			count;

	if (!PG_ARGISNULL(n))
		return;
	(void) get_func_signature(fcinfo->flinfo->fn_oid, &types, &count);
	crm_refuse_null(name, types[n]);
}

const pg_uuid_t *
crm_api_uuid(FunctionCallInfo fcinfo, int n, const char *name)
{
	crm_api_require_argument(fcinfo, n, name);
	return PG_GETARG_UUID_P(n);
}

uint64
crm_api_run_typed(const char *query, int nargs, const Oid *types, const Datum *args)
{
	(void) crm_run_once(query, nargs, types, args, NULL);
	return SPI_processed;
}

uint64
crm_api_run(const char *query, int nargs, const Datum *args)
{
	static const Oid types[] = {UUIDOID, UUIDOID, UUIDOID};

	Assert(nargs <= lengthof(types));
	return crm_api_run_typed(query, nargs, types, args);
}

Datum
crm_api_value(int column, Oid type, bool *isnull)
{
	return crm_result_value(0, column, type, isnull);
}

char *
crm_api_text(int column)
{
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column);
}

void
crm_api_require(const char *query, const char *what, const pg_uuid_t *id)
{
	Datum		args[] = {UUIDPGetDatum(id)};

	if (crm_api_run(query, 1, args) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_NOT_FOUND),
				 crm_errmsg_missing(what, crm_uuid_text(id)),
				 crm_errhint_missing(what)));
}

void
crm_api_unchanged(const char *query, const char *what, const pg_uuid_t *id)
{
	crm_api_require(query, what, id);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 crm_errmsg_unchanged(what, crm_uuid_text(id)),
			 crm_errdetail_suppressed()));
}

void
crm_api_check_update(Relation rel, const char *column)
{
	Oid			relid = RelationGetRelid(rel);
	AttrNumber	attno = get_attnum(relid, column);

	if (pg_class_aclcheck(relid, GetUserId(), ACL_UPDATE) != ACLCHECK_OK &&
		pg_attribute_aclcheck(relid, attno, GetUserId(), ACL_UPDATE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(rel->rd_rel->relkind),
					   RelationGetRelationName(rel));
}

bool
crm_current_row(Oid type, const pg_uuid_t *id, Datum *row)
{
	Oid			relid = get_typ_typrelid(type);
	Datum		args[] = {UUIDPGetDatum(id)};
	char	   *table = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)),
												   get_rel_name(relid));
	bool		found;

	SPI_connect();
	/* r.*, as r alone would be a column of that name */
	found = crm_api_run(psprintf("SELECT (r.*)::%1$s FROM %1$s AS r WHERE r.id OPERATOR(pg_catalog.=) $1", table),
						1, args) > 0;
	if (found)
		*row = SPI_datumTransfer(crm_api_value(1, type, NULL), false, -1);
	SPI_finish();
	return found;
}
