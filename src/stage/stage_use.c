/*
 * stage/stage_use.c
 *		What uses a stage: the deals that stand in it, and the history.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/query.h"
#include "base/shard.h"
#include "stage/stage_use.h"
#include "table/columns.h"
#include "table/owner_rights.h"

/*
 * Runs a query whose parameters are uuids; returns whether it found a row.  The
 * latest snapshot also shows what the running statement has done, which may have
 * put deals into the stage.  The caller is connected to SPI.
 */
static bool
finds_row(const char *query, int nargs, const Datum *args)
{
	static const Oid argtypes[] = {UUIDOID, UUIDOID};
	CrmStatement statement = {.text = query,.nargs = nargs,.argtypes = argtypes};

	(void) crm_run_snapshot(&statement, args, GetLatestSnapshot());
	return SPI_processed > 0;
}

/* The same with the rights of the owner of stages. */
static bool
owner_finds_row(Relation stages, const char *query, int nargs, const Datum *args)
{
	SavedUser	saved;
	bool		result;

	SPI_connect();
	crm_become_owner(stages, &saved);
	result = finds_row(query, nargs, args);
	crm_restore_user(&saved);
	SPI_finish();
	return result;
}

bool
crm_stage_has_deals(Relation stages, const pg_uuid_t *stage_id)
{
	char	   *query = psprintf("SELECT FROM %s WHERE stage_id OPERATOR(pg_catalog.=) $1 LIMIT 1",
								 crm_trusted_sibling(stages, "deals"));
	Datum		args[] = {UUIDPGetDatum(stage_id)};

	return owner_finds_row(stages, query, lengthof(args), args);
}

/*
 * No index leads to the rows of a stage: each move would pay for it, while stages
 * are seldom deleted.  One that history speaks of is soon found; for one that was
 * never used, the history is read once.
 */
bool
crm_stage_in_history(Relation stages, const pg_uuid_t *stage_id, const pg_uuid_t *tenant_id)
{
	char	   *query = psprintf("SELECT FROM (SELECT) AS nothing "
								 "WHERE EXISTS (SELECT FROM %s h WHERE h.tenant_id OPERATOR(pg_catalog.=) $2 "
								 "AND (h.from_stage_id OPERATOR(pg_catalog.=) $1 OR h.to_stage_id OPERATOR(pg_catalog.=) $1)) "
								 "OR EXISTS (SELECT FROM %s c WHERE c.tenant_id OPERATOR(pg_catalog.=) $2 "
								 "AND c.stage_id OPERATOR(pg_catalog.=) $1)",
								 crm_trusted_sibling(stages, "stage_changes"),
								 crm_trusted_sibling(stages, "deal_changes"));
	Datum		args[] = {UUIDPGetDatum(stage_id), UUIDPGetDatum(tenant_id)};

	return owner_finds_row(stages, query, lengthof(args), args);
}

/*
 * For a message: how many deals stand in the stage, and some of their titles,
 * as far as the user may see them.
 */
char *
crm_describe_stage_deals(Relation stages, const pg_uuid_t *stage_id)
{
	char	   *query = psprintf("SELECT pg_catalog.format('Deals in it: %%s (%%s in all).', "
								 "pg_catalog.string_agg(pg_catalog.quote_literal(pg_catalog.left(title, 40)), ', ' ORDER BY n) "
								 "FILTER (WHERE n OPERATOR(pg_catalog.<=) 3), pg_catalog.count(*)) "
								 "FROM (SELECT title, pg_catalog.row_number() OVER (ORDER BY id) AS n FROM %s "
								 "WHERE stage_id OPERATOR(pg_catalog.=) $1) d "
								 "HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 0",
								 crm_sibling_name(stages, "deals"));
	Oid			deals = crm_sibling(stages, "deals");
	Datum		args[] = {UUIDPGetDatum(stage_id)};
	MemoryContext caller = CurrentMemoryContext;
	char	   *result = NULL;

	/*
	 * In a cascade the current user is the owner, but the message goes to the
	 * caller.
	 */
	if (InLocalUserIdChange() ||
		pg_class_aclcheck(deals, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		return pstrdup("There are deals in it.");

	SPI_connect();
	if (finds_row(query, 1, args))
		result = MemoryContextStrdup(caller,
									 SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	SPI_finish();
	return result != NULL ? result : pstrdup("There are deals in it.");
}

void
crm_check_stage_empty(Relation stages, const pg_uuid_t *stage_id, const char *name)
{
	if (crm_stage_has_deals(stages, stage_id))
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("stage \"%s\" cannot be deleted while deals stand in it", name),
				 errdetail_internal("%s", crm_describe_stage_deals(stages, stage_id)),
				 errhint("Use delete_stage(stage_id, move_deals_to), or move the deals first."),
				 errtable(stages)));
}
