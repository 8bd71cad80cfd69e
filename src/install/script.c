/*
 * install/script.c
 *		Running the SQL that makes or changes the tables of a CRM.
 *
 * A script is parsed once, also for crm_check(), which looks for what it makes.
 */
#include "postgres.h"

#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/analyze.h"
#include "parser/scansup.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

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

/* DDL that is parsed already; what SPI does for it otherwise. */
static void
run_utility(const CrmScript *script, const RawStmt *statement)
{
	PlannedStmt *utility = makeNode(PlannedStmt);

	utility->commandType = CMD_UTILITY;
	utility->canSetTag = true;
	utility->utilityStmt = statement->stmt;
	utility->stmt_location = statement->stmt_location;
	utility->stmt_len = statement->stmt_len;

	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	ProcessUtility(utility, script->sql, true, PROCESS_UTILITY_QUERY, NULL, NULL,
				   None_Receiver, NULL);
	PopActiveSnapshot();
	CommandCounterIncrement();
}

/* A statement that is running. */
typedef struct Running
{
	const CrmScript *script;
	const RawStmt *statement;
} Running;

/* The number of characters before that place in the script. */
static int
characters_before(const CrmScript *script, const char *place)
{
	return pg_mbstrlen_with_len(script->sql, place - script->sql);
}

/* The context of an error is the statement, not the script. */
static void
add_context(void *arg)
{
	const Running *running = arg;
	const CrmScript *script = running->script;
	char	   *statement = statement_text(script, running->statement);
	int			position = geterrposition();

	if (position > 0)
	{
		const char *start;

		errposition(0);
		start = strstr(script->sql + running->statement->stmt_location, statement);
		internalerrposition(position - characters_before(script, start));
		internalerrquery(statement);
	}
	else
		errcontext("SQL statement \"%s\"", statement);
}

static void
run_statement(const CrmScript *script, const RawStmt *statement)
{
	Running		running = {script, statement};
	ErrorContextCallback callback;

	if (IsA(statement->stmt, CommentStmt) &&
		crm_describe((CommentStmt *) statement->stmt, script->schema, true))
		return;

	callback.previous = error_context_stack;
	callback.callback = add_context;
	callback.arg = &running;
	error_context_stack = &callback;
	run_utility(script, statement);
	error_context_stack = callback.previous;
}

void
crm_run_script(const CrmScript *script)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm script", ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(context);
	ListCell   *cell;

	foreach(cell, script->statements)
	{
		const RawStmt *statement = lfirst_node(RawStmt, cell);

		CHECK_FOR_INTERRUPTS();
		if (analyze_requires_snapshot(unconstify(RawStmt *, statement)))
			crm_run(statement_text(script, statement));
		else
			run_statement(script, statement);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(context);
}
