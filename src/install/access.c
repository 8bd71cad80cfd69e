/*
 * install/access.c
 *		Giving roles access to a CRM, and taking it back.
 *
 * The rights of the levels stand in crm_access_rules().  All is done by GRANT
 * and REVOKE with the caller's rights.  If the caller may not grant something,
 * PostgreSQL only warns, so this is checked before.
 *
 * The functions rely on their declared search_path (pg_catalog, pg_temp).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/query.h"
#include "table/installation.h"

static void
check_level(const char *level)
{
	static const char *const levels[] = {"read", "write", "admin", "agent"};

	for (int i = 0; i < lengthof(levels); i++)
	{
		if (strcmp(level, levels[i]) == 0)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized level \"%s\"", level),
			 errhint("The levels are read, write, admin and agent.")));
}

/* Reads the commands to run for these arguments; returns their number. */
static uint64
query_commands(FunctionCallInfo fcinfo, const CrmInstallation *installation,
			   Oid role, const char *level)
{
	Oid			types[] = {OIDOID, OIDOID, OIDOID, TEXTOID};
	Datum		args[] = {
		ObjectIdGetDatum(installation->schema),
		ObjectIdGetDatum(installation->owner),
		ObjectIdGetDatum(role),
		level == NULL ? (Datum) 0 : CStringGetTextDatum(level)
	};
	const char *function = crm_qualified_name(get_func_namespace(fcinfo->flinfo->fn_oid),
											  "crm_access_commands");
	const char *query = psprintf("SELECT command, permitted, what FROM %s($1, $2, $3, $4)", function);

	return crm_select_once(query, lengthof(types), types, args, level == NULL ? "   n" : NULL, false);
}

/* Runs the commands, all of which the caller must be permitted. */
static void
run_commands(const CrmInstallation *installation, uint64 count)
{
	SPITupleTable *commands = SPI_tuptable;

	for (uint64 i = 0; i < count; i++)
	{
		if (strcmp(SPI_getvalue(commands->vals[i], commands->tupdesc, 2), "t") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied to grant or revoke access to the CRM in schema \"%s\"",
							get_namespace_name(installation->schema)),
					 errdetail("It takes its owner, %s, or the grant option for %s.",
							   GetUserNameFromId(installation->owner, false),
							   SPI_getvalue(commands->vals[i], commands->tupdesc, 3)),
					 errhint("Ask one who has it.")));
	}
	for (uint64 i = 0; i < count; i++)
	{
		char	   *command = SPI_getvalue(commands->vals[i], commands->tupdesc, 1);

		crm_run(command);
	}
}

/* Gives the role that level, or none if it is NULL. */
static void
set_access(FunctionCallInfo fcinfo, const char *what, const char *level)
{
	char	   *schema_name = crm_required_text(fcinfo, 0, "schema name");
	char	   *role_name = crm_required_text(fcinfo, 1, "role name");
	CrmInstallation installation;
	Oid			role;

	PreventCommandIfReadOnly(what);
	crm_get_installation(fcinfo, schema_name, &installation);
	role = get_role_oid(role_name, false);
	if (role == installation.owner)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("role \"%s\" owns the CRM in schema \"%s\"", role_name, schema_name),
				 errdetail("Its owner has all rights, and keeps them."),
				 errhint("Give another role.")));

	SPI_connect();
	run_commands(&installation, query_commands(fcinfo, &installation, role, level));
	if (level == NULL && query_commands(fcinfo, &installation, role, NULL) > 0)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING_PRIVILEGE_NOT_REVOKED),
				 errmsg("role \"%s\" still has rights on the CRM in schema \"%s\"", role_name, schema_name),
				 errdetail("Somebody else granted them, and only that role can revoke them.")));
	SPI_finish();
}

/*
 * crm_grant_access(schema_name text, role_name text, level text) -> void
 *		Gives a role the rights of a level, in place of those it has.
 */
PG_FUNCTION_INFO_V1(crm_grant_access);
Datum
crm_grant_access(PG_FUNCTION_ARGS)
{
	char	   *level = crm_required_text(fcinfo, 2, "level");

	check_level(level);
	set_access(fcinfo, "crm_grant_access()", level);
	PG_RETURN_VOID();
}

/*
 * crm_revoke_access(schema_name text, role_name text) -> void
 *		Takes all rights on a CRM from a role.
 */
PG_FUNCTION_INFO_V1(crm_revoke_access);
Datum
crm_revoke_access(PG_FUNCTION_ARGS)
{
	set_access(fcinfo, "crm_revoke_access()", NULL);
	PG_RETURN_VOID();
}
