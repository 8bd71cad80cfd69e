/*
 * api/set_primary_contact.c
 *		Makes a contact the primary one of its deal: called by
 *		set_primary_contact of a CRM.
 *
 * Under a lock, is_primary is set to false in the old row, then to true in the
 * new one.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/errors.h"
#include "base/query.h"
#include "base/uuid.h"
#include "table/caller_query.h"
#include "table/key_lock.h"

/*
 * crm_set_primary_contact(crm regnamespace, deal_id uuid, contact_id uuid) -> uuid
 *		Returns the id of the row that links the two.  Errors: PT404 for a deal
 *		that the caller does not see, or a contact that is not linked to it.
 */
PG_FUNCTION_INFO_V1(crm_set_primary_contact);
Datum
crm_set_primary_contact(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *deal_id = crm_api_uuid(fcinfo, 1, "deal_id");
	const pg_uuid_t *contact_id = crm_api_uuid(fcinfo, 2, "contact_id");
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));
	Relation	rel = crm_api_begin_write(fcinfo, "deal_contacts", NULL);
	char	   *links = crm_relation_name(RelationGetRelid(rel));
	Datum		args[] = {UUIDPGetDatum(deal_id), UUIDPGetDatum(contact_id)};

	crm_api_check_update(rel, "is_primary");
	crm_api_require(psprintf("SELECT FROM %s d WHERE d.id OPERATOR(pg_catalog.=) $1",
							 crm_sibling_name(rel, "deals")), "deal", deal_id);
	/* Not the deal's row, as the caller needs no right to write deals. */
	crm_lock_key_alone(RelationGetRelid(rel), deal_id);
	if (crm_api_run(psprintf("SELECT c.id FROM %s c WHERE c.deal_id OPERATOR(pg_catalog.=) $1 "
							 "AND c.contact_id OPERATOR(pg_catalog.=) $2 FOR NO KEY UPDATE", links), 2, args) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_NOT_FOUND),
				 errmsg("contact %s is not linked to deal %s", crm_uuid_text(contact_id), crm_uuid_text(deal_id)),
				 errhint("Insert the contact into deal_contacts first.")));
	*result = *DatumGetUUIDP(crm_api_value(1, UUIDOID, NULL));

	(void) crm_api_run(psprintf("UPDATE %s c SET is_primary = false WHERE c.deal_id OPERATOR(pg_catalog.=) $1 "
								"AND c.is_primary AND c.contact_id OPERATOR(pg_catalog.<>) $2", links), 2, args);
	(void) crm_api_run(psprintf("UPDATE %s c SET is_primary = true WHERE c.deal_id OPERATOR(pg_catalog.=) $1 "
								"AND c.contact_id OPERATOR(pg_catalog.=) $2 AND NOT c.is_primary", links), 2, args);
	args[0] = UUIDPGetDatum(result);
	if (crm_api_run(psprintf("SELECT FROM %s c WHERE c.id OPERATOR(pg_catalog.=) $1 AND c.is_primary", links),
					1, args) == 0)
		crm_api_unchanged(psprintf("SELECT FROM %s c WHERE c.id OPERATOR(pg_catalog.=) $1", links), "link", result);
	crm_api_end(rel);
	PG_RETURN_UUID_P(result);
}
