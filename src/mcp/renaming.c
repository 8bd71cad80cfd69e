/*
 * mcp/renaming.c
 *		Names that a tool has for what its function calls otherwise.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "mcp/renaming.h"

List *
crm_mcp_add_renaming(List *renamings, const char *own, const char *here)
{
	McpRenaming *renaming = palloc(sizeof(McpRenaming));

	renaming->own = own;
	renaming->here = here;
	return lappend(renamings, renaming);
}

/* The string with another word in place of each occurrence of one, in quotes or not. */
static char *
replace_word(const char *string, const char *word, const char *other)
{
	Datum		pattern = CStringGetTextDatum(psprintf("\"?\\m%s\\M\"?", word));

	return TextDatumGetCString(DirectFunctionCall4Coll(textregexreplace, C_COLLATION_OID,
													   CStringGetTextDatum(string), pattern,
													   CStringGetTextDatum(psprintf("\"%s\"", other)),
													   CStringGetTextDatum("g")));
}

char *
crm_mcp_rename(const char *text, List *renamings)
{
	char	   *renamed = pstrdup(text);
	ListCell   *cell;

	foreach(cell, renamings)
	{
		const McpRenaming *renaming = lfirst(cell);

		renamed = replace_word(renamed, renaming->own, renaming->here);
	}
	return renamed;
}

pg_noreturn static void
rethrow(List *renamings)
{
	ErrorData  *error = CopyErrorData();

	FlushErrorState();
	error->message = crm_mcp_rename(error->message, renamings);
	if (error->detail != NULL)
		error->detail = crm_mcp_rename(error->detail, renamings);
	if (error->hint != NULL)
		error->hint = crm_mcp_rename(error->hint, renamings);
	ReThrowError(error);
}

char *
crm_mcp_call_renamed(char *(*call) (McpTool *, Jsonb *, List *), McpTool *tool,
					 Jsonb *arguments, List *properties, List *renamings)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *volatile result = NULL;

	PG_TRY();
	{
		result = call(tool, arguments, properties);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		if (renamings == NIL || geterrcode() == ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		rethrow(renamings);
	}
	PG_END_TRY();
	return result;
}
