/*
 * install/install.c
 *		Making a CRM of plain tables in a schema, and recognizing a CRM.
 *
 * A CRM is not a member of the extension, and there is no catalog of CRMs: a
 * schema holds one if its table "deals" has a trigger that calls this
 * extension's crm_deal_rules(), whose first argument is the CRM's version.
 *
 * Everything here runs with the caller's rights.  The scripts find names in
 * pg_catalog and in the target schema, and name the functions of the extension with
 * their schema.  So neither schema may hold an object of an untrusted user: the
 * target has to be empty, and only trusted roles may create objects in the two.
 *
 * The functions below rely on their declared search_path (pg_catalog,
 * pg_temp), and find the extension through the function that was called,
 * never by name.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "commands/comment.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/errors.h"
#include "base/namesakes.h"
#include "base/packed_text.h"
#include "base/query.h"
#include "install/api_functions.h"
#include "install/check.h"
#include "install/computed_relationships.h"
#include "install/distribute.h"
#include "install/schema_function.h"
#include "install/script.h"
#include "table/installation.h"

/* The most objects that the error about a schema that is not empty names. */
#define MAX_NAMED		3

/* Refuses names that CREATE SCHEMA or search_path would misunderstand. */
static void
check_schema_name(const char *name)
{
	if (name[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("schema name must not be empty"),
				 errhint("Give the name of a schema, such as crm.")));
	if (strlen(name) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("schema name \"%s\" is too long", name),
				 errdetail("A name has at most %d bytes.", NAMEDATALEN - 1),
				 errhint("Choose a shorter name.")));
	if (IsReservedName(name))
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME),
				 errmsg("unacceptable schema name \"%s\"", name),
				 errdetail("The prefix \"pg_\" is reserved for system schemas."),
				 errhint("Choose another name, such as crm.")));
	if (strcmp(name, "$user") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_RESERVED_NAME),
				 errmsg("unacceptable schema name \"%s\"", name),
				 errdetail("In search_path it stands for the schema named like the user."),
				 errhint("Choose another name, such as crm.")));
}

/* Creates the schema as the caller. */
static Oid
create_schema(const char *name)
{
	const char *quoted = quote_identifier(name);
	char	   *create = psprintf("CREATE SCHEMA %s", quoted);

	if (!DatumGetBool(DirectFunctionCall2(has_database_privilege_id,
										  ObjectIdGetDatum(MyDatabaseId),
										  CStringGetTextDatum("CREATE"))))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for database %s",
						get_database_name(MyDatabaseId)),
				 errhint("Have a role with that privilege run %s AUTHORIZATION %s.",
						 create, quote_identifier(GetUserNameFromId(GetUserId(), false)))));
	crm_run(create);
	return get_namespace_oid(name, false);
}

/* Refuses a schema that the caller does not own. */
static void
check_owner(Oid schema)
{
	if (!has_privs_of_role(GetUserId(), crm_schema_owner(schema)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of schema %s", get_namespace_name(schema)),
				 errdetail("Its owner could put in there what the CRM would run."),
				 errhint("Name a schema of your own, or one that does not exist yet.")));
}

static pg_noinline void
report_creator(Oid schema, Oid role)
{
	char	   *name = get_namespace_name(schema);
	const char *from = role == ACL_ID_PUBLIC ? "PUBLIC" :
	quote_identifier(GetUserNameFromId(role, false));

	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 role == ACL_ID_PUBLIC ? errmsg("everybody may create objects in schema \"%s\"", name) :
			 errmsg("role %s may create objects in schema \"%s\"", from, name),
			 errdetail("Anyone could put in there what the CRM would run."),
			 errhint("Use REVOKE CREATE ON SCHEMA %s FROM %s.", quote_identifier(name), from)));
}

void
crm_check_creators(Oid schema)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	bool		isnull;
	Datum		stored;
	Acl		   *acl;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for namespace %u", schema);
	stored = SysCacheGetAttr(NAMESPACEOID, tuple, Anum_pg_namespace_nspacl, &isnull);
	acl = isnull ? NULL : DatumGetAclPCopy(stored);
	ReleaseSysCache(tuple);

	for (int i = 0; acl != NULL && i < ACL_NUM(acl); i++)
	{
		AclItem    *item = &ACL_DAT(acl)[i];

		if ((ACLITEM_GET_PRIVS(*item) & ACL_CREATE) != 0 &&
			(item->ai_grantee == ACL_ID_PUBLIC || !crm_is_trusted(item->ai_grantee, schema)))
			report_creator(schema, item->ai_grantee);
	}
}

/* The objects of a schema except the extension and its members. */
typedef struct Contents
{
	Oid			extension;
	int			count;
	StringInfoData names;		/* of the first ones */
} Contents;

static void
add_object(const ObjectAddress *object, void *arg)
{
	Contents   *contents = arg;

	if ((object->classId == ExtensionRelationId && object->objectId == contents->extension) ||
		getExtensionOfObject(object->classId, object->objectId) == contents->extension)
		return;
	if (contents->count++ >= MAX_NAMED)
		return;
	appendStringInfo(&contents->names, "%s%s", contents->count > 1 ? ", " : "",
					 getObjectDescription(object, false));
}

/* Refuses a schema that holds anything but the extension and its members. */
static void
check_empty(Oid schema, Oid extension)
{
	Contents	contents = {.extension = extension};

	initStringInfo(&contents.names);
	crm_receive_objects(schema, add_object, &contents);
	if (contents.count > MAX_NAMED)
		appendStringInfo(&contents.names, ", and %d more", contents.count - MAX_NAMED);
	if (contents.count > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("schema \"%s\" is not empty", get_namespace_name(schema)),
				 errdetail("It holds %s.", contents.names.data),
				 errhint("Name an empty schema, or one that does not exist yet.")));
}

/*
 * The schema to install in: created, or the caller's own and empty.  Locks out other
 * installations there, and DROP EXTENSION, until the transaction ends.  As the schema
 * may not exist yet, the lock is on the extension, with a hash of the schema's name
 * as the sub-object.
 */
static Oid
prepare_schema(FunctionCallInfo fcinfo, const char *name)
{
	Oid			extension = crm_lock_extension(fcinfo);
	CrmInstallation present;
	Oid			schema;

	(void) crm_extension_version(extension);	/* the library knows the SQL */
	LockDatabaseObject(ExtensionRelationId, extension,
					   1 + hash_bytes((const unsigned char *) name, strlen(name)) % PG_UINT16_MAX,
					   ExclusiveLock);

	schema = get_namespace_oid(name, true);
	if (!OidIsValid(schema))
		schema = create_schema(name);
	check_owner(schema);
	if (crm_find_installation(fcinfo, schema, &present))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("schema \"%s\" already holds a CRM", name),
				 errdetail("Its version is %s.", present.version),
				 errhint("Call crm_upgrade(%s) to bring it up to date, or install the new CRM in another schema.",
						 quote_literal_cstr(name))));
	crm_check_planted(crm_extension_schema(fcinfo));
	crm_check_creators(crm_extension_schema(fcinfo));
	crm_check_creators(schema);
	check_empty(schema, extension);
	return schema;
}

/*
 * For the catalog's rows of views and functions: a tenth of the time of pglz, and a quarter
 * less room.  What users store is compressed as they have set it.
 */
static void
compress_by_lz4(void)
{
	/* A server that was built without it says so at that level. */
	(void) set_config_option("default_toast_compression", "lz4", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, DEBUG5, false);
}

/*
 * The schema's comment, which PostgREST shows as the title and the description of the
 * API.  A comment that exists is the user's, and stays.
 */
static void
describe_schema(Oid schema)
{
	static const char comment[] =
	"CRM\n\n"
	"Deals move through the stages of pipelines. Every move is recorded in stage_changes, every change of a deal's "
	"values in deal_changes. pipeline_summary tells what a pipeline adds up to, and the other functions analyse it. "
	"move_deal moves a deal; create_pipeline makes a pipeline with its stages.";

	if (GetComment(schema, NamespaceRelationId, 0) == NULL)
		crm_run(psprintf("COMMENT ON SCHEMA %s IS %s", quote_identifier(get_namespace_name(schema)),
						 quote_literal_cstr(comment)));
}

/*
 * mcp() without arguments, which PostgREST calls by GET.  It is not in sql/schema, as REVOKE
 * and COMMENT would look its name up in the schemas of all CRMs.
 */
static void
make_mcp_by_get(Oid schema, Oid extension)
{
	static const char comment[] =
	"No stream: the status 405\n\n"
	"The endpoint of the Model Context Protocol takes messages by POST and opens no stream of its own.";
	CrmSchemaFunction function = {.schema = schema,.name = "mcp"};
	const char *type = crm_qualified_name(schema, "text/event-stream");

	crm_make_schema_function(&function,
							 psprintf("CREATE FUNCTION %s() RETURNS %s LANGUAGE sql VOLATILE PARALLEL UNSAFE "
									  "BEGIN ATOMIC SELECT %s()::%s; END",
									  crm_qualified_name(schema, function.name), type,
									  crm_qualified_name(extension, "crm_mcp_no_message"), type),
							 comment);
}

/*
 * crm_install(schema_name text, tenancy text) -> text
 *		Makes a CRM, owned by the caller; returns the name of its schema.
 */
PG_FUNCTION_INFO_V1(crm_install);
Datum
crm_install(PG_FUNCTION_ARGS)
{
	char	   *name = crm_required_text(fcinfo, 0, "schema name");
	char	   *tenancy = crm_required_text(fcinfo, 1, "tenancy");
	bool		shared = strcmp(tenancy, "shared") == 0;
	CrmInstallation installation;
	CrmScript  *tables;
	Oid			extension = crm_extension_schema(fcinfo);
	Oid			schema;
	bool		distribute;
	int			local_level;
	int			level;

	if (!shared && strcmp(tenancy, "single") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized tenancy \"%s\"", tenancy),
				 errhint("It is \"single\", or \"shared\" for rows of several tenants in the same tables.")));
	check_schema_name(name);
	PreventCommandIfReadOnly("crm_install()");

	SPI_connect();
	distribute = crm_is_to_be_distributed(name);
	if (distribute && shared)
		crm_refuse_shared_tenancy();
	local_level = crm_make_locally();
	compress_by_lz4();
	schema = prepare_schema(fcinfo, name);
	level = crm_pin_settings(schema);
	tables = crm_read_script(crm_packed_text(extension, shared ? "crm_schema_shared_sql" : CRM_SCHEMA_SQL),
							 schema, extension);
	crm_run_script(tables);
	AtEOXact_GUC(true, level);
	make_mcp_by_get(schema, extension);
	crm_make_api(schema, extension);
	crm_embed_all(schema);
	describe_schema(schema);
	CommandCounterIncrement();
	if (!crm_find_installation(fcinfo, schema, &installation))
		elog(ERROR, "schema \"%s\" holds no CRM after all", name);
	crm_require_no_problem(fcinfo, &installation, tables);
	if (distribute)
		crm_distribute_schema(fcinfo, schema, false);
	AtEOXact_GUC(true, local_level);
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/*
 * crm_installed_version(schema_name text) -> text
 *		The version of the CRM in a schema.
 */
PG_FUNCTION_INFO_V1(crm_installed_version);
Datum
crm_installed_version(PG_FUNCTION_ARGS)
{
	CrmInstallation installation;

	crm_get_installation(fcinfo, text_to_cstring(PG_GETARG_TEXT_PP(0)),
						 &installation);
	PG_RETURN_TEXT_P(cstring_to_text(installation.version));
}
