/*
 * base/packed_text.c
 *		Texts of SQL that are packed into the extension by sql/build.sh.
 *
 * They name tables as @crm@.deals and functions of ours as @extension@.crm_raise,
 * so that both schemas may be renamed.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/declaration.h"
#include "base/packed_text.h"

char *
crm_packed_text(Oid extension, const char *function)
{
	return TextDatumGetCString(OidFunctionCall0(crm_find_function(extension, function)));
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

	initStringInfo(&filled);
	while (*sql != '\0')
	{
		int			i = 0;

		while (i < lengthof(placeholders) &&
			   strncmp(sql, placeholders[i], strlen(placeholders[i])) != 0)
			i++;
		if (i == lengthof(placeholders))
			appendStringInfoChar(&filled, *sql++);
		else
		{
			appendStringInfoString(&filled, names[i]);
			sql += strlen(placeholders[i]);
		}
	}
	return filled.data;
}
