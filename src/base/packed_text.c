/*
 * base/packed_text.c
 *		Texts of SQL that are packed into the extension by sql/build.sh.
 *
 * They name tables as @crm@.deals and functions of ours as @extension@.crm_raise,
 * so that both schemas may be renamed.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_proc.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/packed_text.h"

/* What is around the text in the body of its function. */
#define OPENING		" SELECT $packed$"
#define CLOSING		"$packed$ "

/* The body of the function; palloc'd.  The catalog cache would keep it. */
static char *
read_body(Oid extension, const char *function)
{
	Relation	functions = table_open(ProcedureRelationId, AccessShareLock);
	char	   *body = NULL;
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		isnull;

	ScanKeyInit(&keys[0], Anum_pg_proc_proname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum(function));
	ScanKeyInit(&keys[1], Anum_pg_proc_proargtypes, BTEqualStrategyNumber, F_OIDVECTOREQ,
				PointerGetDatum(buildoidvector(NULL, 0)));
	ScanKeyInit(&keys[2], Anum_pg_proc_pronamespace, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(extension));
	scan = systable_beginscan(functions, ProcedureNameArgsNspIndexId, true, NULL,
							  lengthof(keys), keys);
	if (HeapTupleIsValid(tuple = systable_getnext(scan)))
		body = TextDatumGetCString(heap_getattr(tuple, Anum_pg_proc_prosrc,
												RelationGetDescr(functions), &isnull));
	systable_endscan(scan);
	table_close(functions, AccessShareLock);
	if (body == NULL)
		elog(ERROR, "extension crm has no function %s()", function);
	return body;
}

/* The text is cut out of the body: a call would parse and plan this first. */
char *
crm_packed_text(Oid extension, const char *function)
{
	char	   *body = read_body(extension, function);
	char	   *end = body + strlen(body) - strlen(CLOSING);

	if (strncmp(body, OPENING, strlen(OPENING)) != 0 || strcmp(end, CLOSING) != 0)
		elog(ERROR, "function %s() holds no packed text", function);
	*end = '\0';
	return body + strlen(OPENING);
}

static const char *
schema_name(Oid schema)
{
	char	   *name = get_namespace_name(schema);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("schema with OID %u does not exist", schema)));
	return quote_identifier(name);
}

char *
crm_fill_in_schemas(const char *sql, Oid crm, Oid extension)
{
	static const char *const placeholders[] = {"@crm@", "@extension@"};
	const char *const names[] = {schema_name(crm), schema_name(extension)};
	StringInfoData filled;
	const char *next;

	initStringInfo(&filled);
	while ((next = strchr(sql, '@')) != NULL)
	{
		int			i = 0;

		while (i < lengthof(placeholders) &&
			   strncmp(next, placeholders[i], strlen(placeholders[i])) != 0)
			i++;
		if (i == lengthof(placeholders))
			next++;
		appendBinaryStringInfo(&filled, sql, next - sql);
		sql = next;
		if (i == lengthof(placeholders))
			continue;
		appendStringInfoString(&filled, names[i]);
		sql += strlen(placeholders[i]);
	}
	appendStringInfoString(&filled, sql);
	return filled.data;
}
