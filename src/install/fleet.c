/*
 * install/fleet.c
 *		Going through all CRMs of a database, one at a time.
 *
 * Anybody may make a schema that looks like a CRM, and the caller may be a superuser.
 * Reading a table runs its policies, and planning a query runs functions in the
 * predicates of its indexes.  So each task runs as the owner of the CRM, in a
 * subtransaction.  Unless the task's writes are to be kept, the subtransaction is
 * rolled back, which also releases its locks: hundreds of CRMs have more tables and
 * indexes than one transaction can lock.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/query.h"
#include "base/subtransaction.h"
#include "install/fleet.h"
#include "table/owner_rights.h"

/* After so many CRMs their cache entries, some 10 MB, are freed. */
#define FORGET_AFTER	16

static bool
is_owner(const CrmInstallation *installation)
{
	return has_privs_of_role(GetUserId(), installation->owner);
}

/*
 * A restricted operation cannot leave a prepared statement, cursor or temporary table
 * behind, and what it sets ends with it, such as a search_path for the caller.
 */
static void
run_as_owner(FunctionCallInfo fcinfo, const CrmInstallation *installation, const CrmFleetTask *task)
{
	Relation	deals = try_relation_open(installation->deals, AccessShareLock);
	int			settings;
	SavedUser	saved;
	Oid			userid;
	int			sec_context;

	if (deals == NULL)
		return;					/* dropped meanwhile */
	settings = NewGUCNestLevel();
	crm_become_owner(deals, &saved);
	relation_close(deals, AccessShareLock); /* the task may wait to alter it */
	GetUserIdAndSecContext(&userid, &sec_context);
	SetUserIdAndSecContext(userid, sec_context | SECURITY_RESTRICTED_OPERATION);
	task->run(fcinfo, installation, task->arg);
	crm_restore_user(&saved);
	AtEOXact_GUC(false, settings);
}

/* A task, and where it is done. */
typedef struct Call
{
	FunctionCallInfo fcinfo;
	Oid			schema;
	const CrmFleetTask *task;
} Call;

static void
run_if_permitted(void *arg)
{
	const Call *call = arg;
	const CrmFleetTask *task = call->task;
	CrmInstallation installation;

	if (crm_find_installation(call->fcinfo, call->schema, &installation) &&
		(task->permitted != NULL ? task->permitted(&installation) : is_owner(&installation)))
		run_as_owner(call->fcinfo, &installation, task);
}

/* A cancel, a shutdown and lack of memory end the whole call, not one task only. */
static bool
ends_all(int sqlerrcode)
{
	int			category = ERRCODE_TO_CATEGORY(sqlerrcode);

	return category == ERRCODE_OPERATOR_INTERVENTION || category == ERRCODE_INSUFFICIENT_RESOURCES;
}

bool
crm_fleet_run(FunctionCallInfo fcinfo, Oid schema, const CrmFleetTask *task)
{
	Call		call = {fcinfo, schema, task};
	char	   *name = get_namespace_name(schema);
	ErrorData  *error;

	CHECK_FOR_INTERRUPTS();
	if (name == NULL)
		return true;			/* dropped meanwhile */
	error = crm_try(run_if_permitted, &call, task->keep);
	if (error == NULL)
		return true;
	if (ends_all(error->sqlerrcode))
		ReThrowError(error);
	task->failed(name, error->message, task->arg);
	return false;
}

void
crm_fleet_forget(int n)
{
	if (n % FORGET_AFTER == 0)
		InvalidateSystemCaches();
}

List *
crm_fleet_schemas(FunctionCallInfo fcinfo, const char *condition)
{
	char	   *query = psprintf("SELECT i.schema_name FROM %s() AS i WHERE %s",
								 crm_qualified_name(crm_extension_schema(fcinfo), "crm_installations"), condition);
	List	   *schemas = NIL;

	(void) crm_select_once(query, 0, NULL, NULL, NULL, true);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *name = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		Oid			schema = get_namespace_oid(name, true);

		if (OidIsValid(schema))
			schemas = lappend_oid(schemas, schema);
	}
	return schemas;
}

void
crm_fleet_run_all(FunctionCallInfo fcinfo, const CrmFleetTask *task)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm fleet",
												  ALLOCSET_DEFAULT_SIZES);
	ListCell   *cell;

	foreach(cell, crm_fleet_schemas(fcinfo, "true"))
	{
		MemoryContext outer = MemoryContextSwitchTo(context);

		(void) crm_fleet_run(fcinfo, lfirst_oid(cell), task);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(context);
		crm_fleet_forget(foreach_current_index(cell) + 1);
	}
	MemoryContextDelete(context);
}
