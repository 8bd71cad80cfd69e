/*
 * install/contact.c
 *		Reading one of the linked contacts, for the contexts of deals and people.
 *
 * The table of contacts is not the CRM's, so a role that may read the CRM
 * cannot always read that.  Then there is no contact to show, and no error, as
 * the rest of a context is for them.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/plannodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"

#include "base/compat.h"
#include "base/query.h"

#define VIEW	"contacts"

typedef enum ContactState
{
	CONTACT_UNREADABLE,			/* no view of contacts, or no right to read it */
	CONTACT_MISSING,
	CONTACT_FOUND
} ContactState;

/* Without that, not even a plan can be made. */
static bool
may_read_view(Oid view)
{
	return pg_class_aclcheck(view, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		pg_attribute_aclcheck_all(view, GetUserId(), ACL_SELECT, ACLMASK_ALL) == ACLCHECK_OK;
}

/* Whether the caller may read all that the statement reads. */
static bool
may_read(SPIPlanPtr plan)
{
	CachedPlan *cached = SPI_plan_get_cached_plan(plan);
	bool		result;

	if (cached == NULL)
		elog(ERROR, "could not plan how to read a contact");
	result = crm_may_execute(linitial_node(PlannedStmt, cached->stmt_list));
	/* Of a plan that is not kept, no resource owner takes note. */
	ReleaseCachedPlan(cached, NULL);
	return result;
}

/*
 * The contact as a jsonb, palloc'd, as the caller may read it.  Sets no
 * search_path, as the functions that the user's view calls may need the caller's.
 */
static ContactState
read_contact(Oid schema, Datum id, Datum *contact)
{
	Oid			view = get_relname_relid(VIEW, schema);
	Oid			argtypes[] = {UUIDOID};
	ContactState state = CONTACT_UNREADABLE;
	SPIPlanPtr	plan;
	bool		isnull;

	if (!OidIsValid(view) || get_rel_relkind(view) != RELKIND_VIEW || !may_read_view(view))
		return CONTACT_UNREADABLE;
	SPI_connect();
	/* c.*, as c alone would be a column of that name */
	plan = SPI_prepare_cursor(psprintf("SELECT pg_catalog.to_jsonb(c.*) FROM %s AS c"
									   " WHERE c.id OPERATOR(pg_catalog.=) $1", crm_relation_name(view)),
							  lengthof(argtypes), argtypes, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "could not prepare to read a contact: %s", SPI_result_code_string(SPI_result));
	if (may_read(plan))
	{
		if (SPI_execute_plan(plan, &id, NULL, true, 1) != SPI_OK_SELECT)
			elog(ERROR, "could not read a contact: %s", SPI_result_code_string(SPI_result));
		state = SPI_processed > 0 ? CONTACT_FOUND : CONTACT_MISSING;
	}
	if (state == CONTACT_FOUND)
	{
		*contact = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		*contact = SPI_datumTransfer(*contact, false, -1);
	}
	SPI_finish();
	return state;
}

/*
 * crm_contact(crm regnamespace, contact_id uuid) -> jsonb
 *		A contact as the caller may read it; NULL if there is none, no view of
 *		the contacts in the schema, or no right to read it.
 */
PG_FUNCTION_INFO_V1(crm_contact);
Datum
crm_contact(PG_FUNCTION_ARGS)
{
	Datum		contact;

	if (read_contact(PG_GETARG_OID(0), PG_GETARG_DATUM(1), &contact) != CONTACT_FOUND)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(contact);
}

/*
 * crm_contact_is_missing(crm regnamespace, contact_id uuid) -> boolean
 *		Whether the caller may read the contacts, and there is none of that id.
 */
PG_FUNCTION_INFO_V1(crm_contact_is_missing);
Datum
crm_contact_is_missing(PG_FUNCTION_ARGS)
{
	Datum		contact;

	PG_RETURN_BOOL(read_contact(PG_GETARG_OID(0), PG_GETARG_DATUM(1), &contact) == CONTACT_MISSING);
}
