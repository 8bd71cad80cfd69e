/*
 * api/merge_deals.c
 *		Merges a deal into another one, and undoes that: called by merge_deals and
 *		unmerge_deals of a CRM.
 *
 * The links of the merged deal are copied, not moved, so that the merge can be
 * undone.  A copied link was created at the moment at which the merged deal was archived;
 * this tells it from other links later.  That moment is a parameter, as now() differs
 * between the nodes of a Citus cluster.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "base/query.h"
#include "base/uuid.h"
#include "table/caller_query.h"
#include "table/kinds.h"

/* Locks both deals, in the order of their ids, as a bulk update of them would. */
static void
lock_deals(const char *deals, Datum *args)
{
	(void) crm_api_run(psprintf("SELECT FROM %s d WHERE d.id OPERATOR(pg_catalog.=) $1 OR d.id OPERATOR(pg_catalog.=) $2 "
								"ORDER BY d.id FOR NO KEY UPDATE", deals), 2, args);
}

/* ERROR PT404 or 23514 unless the deal is there, and neither archived nor merged. */
static void
check_deal(const char *deals, const pg_uuid_t *deal_id)
{
	crm_api_require(psprintf("SELECT d.archived_at, d.merged_into FROM %s d WHERE d.id OPERATOR(pg_catalog.=) $1", deals),
					"deal", deal_id);
	if (crm_api_text(2) != NULL && crm_api_text(1) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("deal %s has been merged already", crm_uuid_text(deal_id)),
				 errdetail("It was merged into deal %s.", crm_api_text(2)),
				 errhint("Name that one, or undo the merging by unmerge_deals first.")));
	if (crm_api_text(1) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("deal %s is archived and cannot be merged", crm_uuid_text(deal_id)),
				 errdetail("It was archived at %s.", crm_api_text(1)),
				 errhint("Set its archived_at to null first.")));
}

static const Oid merge_types[] = {UUIDOID, UUIDOID, TIMESTAMPTZOID};

/* Gives $1 the contacts and tags of $2 that it lacks, created at $3. */
static void
copy_links(Relation rel, const Datum *args)
{
	char	   *contacts = crm_sibling_name(rel, "deal_contacts");
	char	   *tags = crm_sibling_name(rel, "deal_tags");

	(void) crm_api_run_typed(psprintf("INSERT INTO %1$s (deal_id, contact_id, role, is_primary, metadata, created_at) "
									  "SELECT $1, c.contact_id, c.role, c.is_primary AND NOT EXISTS "
									  "(SELECT FROM %1$s p WHERE p.deal_id OPERATOR(pg_catalog.=) $1 AND p.is_primary), c.metadata, $3 "
									  "FROM %1$s c WHERE c.deal_id OPERATOR(pg_catalog.=) $2 ORDER BY c.id "
									  "ON CONFLICT (deal_id, contact_id) DO NOTHING", contacts),
							 lengthof(merge_types), merge_types, args);
	(void) crm_api_run_typed(psprintf("INSERT INTO %1$s (deal_id, tag_id, created_at) SELECT $1, t.tag_id, $3 FROM %1$s t "
									  "WHERE t.deal_id OPERATOR(pg_catalog.=) $2 ORDER BY t.tag_id "
									  "ON CONFLICT (deal_id, tag_id) DO NOTHING", tags),
							 lengthof(merge_types), merge_types, args);
}

/*
 * crm_merge_deals(crm regnamespace, keep uuid, merge uuid) -> uuid
 *		Returns keep.  Errors: PT404 for a deal that the caller does not see, 22023
 *		for a deal and itself, 23514 for one that is archived or merged.
 */
PG_FUNCTION_INFO_V1(crm_merge_deals);
Datum
crm_merge_deals(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *keep = crm_api_uuid(fcinfo, 1, "keep");
	const pg_uuid_t *merge = crm_api_uuid(fcinfo, 2, "merge");
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));
	Relation	rel = crm_api_begin_write(fcinfo, "deals", &crm_deal_kind);
	char	   *deals = crm_relation_name(RelationGetRelid(rel));
	Datum		args[] = {
		UUIDPGetDatum(keep), UUIDPGetDatum(merge),
		TimestampTzGetDatum(GetCurrentTransactionStartTimestamp())
	};

	if (crm_uuid_equal(keep, merge))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("deal %s cannot be merged into itself", crm_uuid_text(keep)),
				 errhint("Name two deals: the one to keep, and the one to merge into it.")));
	*result = *keep;
	lock_deals(deals, args);
	check_deal(deals, keep);
	check_deal(deals, merge);

	copy_links(rel, args);
	(void) crm_api_run(psprintf("UPDATE %1$s d SET metadata = m.metadata OPERATOR(pg_catalog.||) d.metadata FROM %1$s m "
								"WHERE d.id OPERATOR(pg_catalog.=) $1 AND m.id OPERATOR(pg_catalog.=) $2 "
								"AND NOT d.metadata OPERATOR(pg_catalog.@>) (m.metadata OPERATOR(pg_catalog.||) d.metadata)",
								deals), 2, args);
	if (crm_api_run_typed(psprintf("UPDATE %s d SET archived_at = $3, merged_into = $1 "
								   "WHERE d.id OPERATOR(pg_catalog.=) $2", deals),
						  lengthof(merge_types), merge_types, args) == 0)
		crm_api_unchanged(psprintf("SELECT FROM %s d WHERE d.id OPERATOR(pg_catalog.=) $1", deals), "deal", merge);
	crm_api_end(rel);
	PG_RETURN_UUID_P(result);
}

/* The deal that this one is merged into; ERROR PT404 or PT409 if there is none. */
static pg_uuid_t
merged_into(const char *deals, const pg_uuid_t *merged)
{
	crm_api_require(psprintf("SELECT d.merged_into, d.archived_at FROM %s d WHERE d.id OPERATOR(pg_catalog.=) $1", deals),
					"deal", merged);
	if (crm_api_text(1) == NULL || crm_api_text(2) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_STALE),
				 errmsg("deal %s is not merged into another one", crm_uuid_text(merged)),
				 crm_api_text(1) ? errdetail("It was merged into deal %s, and unarchived since.", crm_api_text(1)) : 0,
				 errhint("Name a deal that is archived and has merged_into.")));
	return *DatumGetUUIDP(crm_api_value(1, UUIDOID, NULL));
}

/* Deletes the links that $1 got when $2 was merged into it. */
static void
take_links(Relation rel, const char *deals, Datum *args)
{
	static const char *const tables[][2] = {{"deal_contacts", "contact_id"}, {"deal_tags", "tag_id"}};

	for (int i = 0; i < lengthof(tables); i++)
	{
		char	   *table = crm_sibling_name(rel, tables[i][0]);

		(void) crm_api_run(psprintf("DELETE FROM %1$s l USING %2$s d, %1$s o WHERE d.id OPERATOR(pg_catalog.=) $2 "
									"AND l.deal_id OPERATOR(pg_catalog.=) $1 AND l.created_at OPERATOR(pg_catalog.=) d.archived_at "
									"AND o.deal_id OPERATOR(pg_catalog.=) $2 AND o.%3$s OPERATOR(pg_catalog.=) l.%3$s",
									table, deals, tables[i][1]), 2, args);
	}
}

/*
 * crm_unmerge_deals(crm regnamespace, merged uuid) -> uuid
 *		Returns merged.  Errors: PT404 for a deal that the caller does not see,
 *		PT409 for one that is not merged, or was unarchived since.
 */
PG_FUNCTION_INFO_V1(crm_unmerge_deals);
Datum
crm_unmerge_deals(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *merged = crm_api_uuid(fcinfo, 1, "merged");
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));
	Relation	rel = crm_api_begin_write(fcinfo, "deals", &crm_deal_kind);
	char	   *deals = crm_relation_name(RelationGetRelid(rel));
	pg_uuid_t	kept = merged_into(deals, merged);
	Datum		args[] = {UUIDPGetDatum(&kept), UUIDPGetDatum(merged)};

	*result = *merged;
	lock_deals(deals, args);
	(void) merged_into(deals, merged);
	take_links(rel, deals, args);
	if (crm_api_run(psprintf("UPDATE %s d SET archived_at = NULL, merged_into = NULL "
							 "WHERE d.id OPERATOR(pg_catalog.=) $2", deals), 2, args) == 0)
		crm_api_unchanged(psprintf("SELECT FROM %s d WHERE d.id OPERATOR(pg_catalog.=) $1", deals), "deal", merged);
	crm_api_end(rel);
	PG_RETURN_UUID_P(result);
}
