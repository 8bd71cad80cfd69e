/*
 * install/script.c
 *		Running the SQL that makes or changes the tables of a CRM.
 *
 * What a script was parsed into also serves crm_check(), which looks for what it makes.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/scansup.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/packed_text.h"
#include "base/query.h"
#include "install/script.h"
#include "table/comments.h"

int
crm_pin_settings(Oid schema)
{
	int			level = NewGUCNestLevel();
	char	   *path = psprintf("%s, pg_temp", quote_identifier(get_namespace_name(schema)));
	const char *settings[][2] = {
		{"search_path", path},
		{"check_function_bodies", "on"},
		{"standard_conforming_strings", "on"},
		{"transform_null_equals", "off"},
		/* last, and only to say less */
		{"client_min_messages", "warning"}
	};
	int			count = lengthof(settings);

	if (client_min_messages >= WARNING)
		count--;
	for (int i = 0; i < count; i++)
		(void) set_config_option(settings[i][0], settings[i][1],
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
	return level;
}

CrmScript *
crm_read_script(const char *text, Oid schema, Oid extension)
{
	CrmScript  *script = palloc(sizeof(CrmScript));

	script->schema = schema;
	script->sql = crm_fill_in_schemas(text, schema, extension);
	script->statements = pg_parse_query(script->sql);
	return script;
}

/* The text of a statement; palloc'd. */
static char *
statement_text(const CrmScript *script, const RawStmt *statement)
{
	const char *start = script->sql + statement->stmt_location;
	int			length = statement->stmt_len;

	if (length == 0)			/* the last one, without semicolon */
		length = strlen(start);
	for (; length > 0 && scanner_isspace(*start); length--)
		start++;
	return pnstrdup(start, length);
}

/*
 * Comments are made directly.  All else is run as a text of its own, parsed once more: as
 * Citus sends it to other nodes, and an error shows it.
 */
static void
run_statement(const CrmScript *script, const RawStmt *statement)
{
	if (IsA(statement->stmt, CommentStmt) &&
		crm_describe((CommentStmt *) statement->stmt, script->schema, true))
		CommandCounterIncrement();
	else
		crm_run(statement_text(script, statement));
}

void
crm_run_script(const CrmScript *script)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm script", ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(context);
	ListCell   *cell;

	foreach(cell, script->statements)
	{
		CHECK_FOR_INTERRUPTS();
		run_statement(script, lfirst_node(RawStmt, cell));
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(context);
}
