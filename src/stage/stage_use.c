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

/* So many deals are named in a message. */
#define MAX_NAMED 3

/*
 * A sentence with titles of deals in the stage; NULL if the user sees none.  It reads no
 * more rows than that, in the order of the index, and one to know whether there are others.
 */
static char *
name_deals(Relation stages, const pg_uuid_t *stage_id)
{
	char	   *query = psprintf("SELECT pg_catalog.quote_literal(pg_catalog.left(d.title, 40)) FROM %s d "
								 "WHERE d.stage_id OPERATOR(pg_catalog.=) $1 ORDER BY d.rank LIMIT %d",
								 crm_sibling_name(stages, "deals"), MAX_NAMED + 1);
	Datum		args[] = {UUIDPGetDatum(stage_id)};
	StringInfoData names;
	bool		more;

	initStringInfo(&names);
	SPI_connect();
	(void) finds_row(query, lengthof(args), args);
	for (int i = 0; i < Min(SPI_processed, MAX_NAMED); i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "",
						 SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
	more = SPI_processed > MAX_NAMED;
	SPI_finish();
	if (names.len == 0)
		return NULL;
	return psprintf(more ? _("Deals in it: %s and others.") : _("Deals in it: %s."), names.data);
}

char *
crm_describe_stage_deals(Relation stages, const pg_uuid_t *stage_id)
{
	char	   *detail = NULL;

	/*
	 * In a cascade the current user is the owner, but the message goes to the
	 * caller.
	 */
	if (!InLocalUserIdChange() &&
		pg_class_aclcheck(crm_sibling(stages, "deals"), GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		detail = name_deals(stages, stage_id);
	return detail != NULL ? detail : pstrdup(_("There are deals in it."));
}

void
crm_check_stage_empty(Relation stages, const pg_uuid_t *stage_id, const char *name)
{
	char	   *deals;

	if (!crm_stage_has_deals(stages, stage_id))
		return;
	deals = crm_describe_stage_deals(stages, stage_id);
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("stage \"%s\" cannot be deleted while deals stand in it", name),
			 errdetail_internal("%s", deals),
			 errhint("Use delete_stage(stage_id, move_deals_to), or move the deals first."),
			 errtable(stages)));
}
