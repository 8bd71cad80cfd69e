/*
 * install/schema_function.c
 *		Making a function of a CRM's schema.
 *
 * A function is found by its schema, name and argument types, and once it is made by
 * OID.  COMMENT and REVOKE are not run as SQL, as PostgreSQL would look the function's
 * name up in all schemas: with 600 CRMs, that takes some milliseconds each.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "commands/comment.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "base/query.h"
#include "install/schema_function.h"

Oid
crm_find_schema_function(const CrmSchemaFunction *function)
{
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
						   CStringGetDatum(function->name),
						   PointerGetDatum(buildoidvector(function->types, function->nargs)),
						   ObjectIdGetDatum(function->schema));
}

static bool
has_comment(Oid function, const char *comment)
{
	char	   *present = GetComment(function, ProcedureRelationId, 0);

	return present != NULL && strcmp(present, comment) == 0;
}

void
crm_make_schema_function(const CrmSchemaFunction *function, const char *command,
						 const char *comment)
{
	bool		is_new = !OidIsValid(crm_find_schema_function(function));
	Oid			oid;

	if (command != NULL)
		crm_run(command);
	oid = crm_find_schema_function(function);
	if (!OidIsValid(oid))
		elog(ERROR, "function \"%s\" is not there after all", function->name);
	if (is_new)
		RemoveRoleFromObjectACL(ACL_ID_PUBLIC, ProcedureRelationId, oid);
	if (is_new || !has_comment(oid, comment))
		CreateComments(oid, ProcedureRelationId, 0, comment);
}
