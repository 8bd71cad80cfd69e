/*
 * mcp/report_tools.c
 *		Tools that run reports: functions that are marked as reports of a group.
 *
 * A tool has the arguments of all its reports; a report refuses a given argument that
 * it does not have.  The arguments for the range of time have the same two names in
 * all reports.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "base/argument_errors.h"
#include "mcp/arguments.h"
#include "mcp/columns.h"
#include "mcp/function_tools.h"
#include "mcp/message.h"
#include "mcp/renaming.h"
#include "mcp/report_tools.h"

/* The groups whose tools have a title of their own. */
static const struct
{
	const char *name;
	const char *title;
}			groups[] = {
	{"value", "Report what deals are worth: now, then and in time to come"},
	{"flow", "Report how deals move: conversion, time, slippage, history"},
};

/* The common name of an argument that bounds a range of time; else its own. */
static const char *
common_name(McpProperty *property)
{
	const char *end = strrchr(property->name, '_');

	if (property->type != DATEOID && property->type != TIMESTAMPTZOID)
		return property->name;
	if ((end != NULL && strcmp(end, "_from") == 0 && strcmp(property->name, "closing_from") != 0) ||
		strcmp(property->name, "from_at") == 0)
		return "from";
	if ((end != NULL && strcmp(end, "_before") == 0) || strcmp(property->name, "to_at") == 0)
		return "before";
	return property->name;
}

/* A copy for the tool of all reports. */
static McpProperty *
share(McpProperty *property)
{
	McpProperty *shared = palloc(sizeof(McpProperty));

	*shared = *property;
	shared->name = common_name(property);
	shared->required = false;
	if (strcmp(shared->name, "limit") != 0)
		shared->fallback = NULL;
	if (shared->description == NULL)
		shared->description = "See explain";
	if (strcmp(shared->name, property->name) != 0)
	{
		shared->type = TEXTOID;
		shared->description = strcmp(shared->name, "from") == 0 ? "First day or moment" :
			"Where it ends: the first day or moment no longer in it, or its last moment (see explain)";
	}
	return shared;
}

static List *
report_properties(McpTool *tool)
{
	McpProperty *report = crm_mcp_make_property("report", TEXTOID, "Which one");
	List	   *properties = list_make1(report);
	ListCell   *cell;
	ListCell   *inner;

	report->required = true;
	foreach(cell, tool->reports)
	{
		McpTool    *function = lfirst(cell);

		report->choices = lappend(report->choices, pstrdup(function->name));
		foreach(inner, function->kind->properties(function))
		{
			McpProperty *property = share(lfirst(inner));

			if (crm_mcp_find_property(properties, property->name) == NULL)
				properties = lappend(properties, property);
		}
	}
	return lappend(properties,
				   crm_mcp_make_property("explain", BOOLOID, "Only tell what it counts and its arguments"));
}

/* The report of that name; NULL if the tool has none. */
static McpTool *
report_of(McpTool *tool, const char *name)
{
	ListCell   *cell;

	foreach(cell, tool->reports)
	{
		if (strcmp(((McpTool *) lfirst(cell))->name, name) == 0)
			return lfirst(cell);
	}
	return NULL;
}

/* Of a name that is not one of the tool's reports: where it is one. */
static int
hint_at_other(McpTool *tool, const char *name)
{
	ListCell   *cell;

	foreach(cell, tool->others)
	{
		McpTool    *other = lfirst(cell);

		if (report_of(other, name) != NULL)
			return errhint("It is a report of the tool %s.", other->name);
		if (strcmp(other->name, name) == 0)
			return errhint("It is a tool itself.");
	}
	return errhint("Choose one of those that are here.");
}

static McpTool *
find_report(McpTool *tool, const char *name)
{
	McpTool    *report = name ? report_of(tool, name) : NULL;

	if (report == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no report \"%s\" here", name ? crm_shown_value(name) : ""),
				 errdetail_internal("%s", tool->description),
				 hint_at_other(tool, name ? name : "")));
	return report;
}

/* The arguments of a report, "*" after those that are required. */
static char *
argument_names(McpTool *report)
{
	StringInfoData names;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, report->kind->properties(report))
	{
		McpProperty *property = lfirst(cell);

		appendStringInfo(&names, "%s%s%s", names.len > 0 ? ", " : "", common_name(property),
						 property->required ? "*" : "");
	}
	return names.data;
}

/* The names that the arguments of a report have here. */
static List *
renamings_of(List *properties)
{
	List	   *renamings = NIL;
	ListCell   *cell;

	foreach(cell, properties)
	{
		McpProperty *property = lfirst(cell);

		if (strcmp(common_name(property), property->name) != 0)
			renamings = crm_mcp_add_renaming(renamings, property->name, common_name(property));
	}
	return renamings;
}

/* What a report counts, with the names that its arguments have here. */
static char *
definition(McpTool *report)
{
	return crm_mcp_rename(report->comment,
						  list_concat(renamings_of(report->kind->properties(report)),
									  crm_mcp_page_renamings(report)));
}

/* The definition of a report, and its arguments. */
static char *
explain(McpTool *report)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoString(&out, "{\"report\":");
	escape_json(&out, report->name);
	appendStringInfoString(&out, ",\"arguments\":");
	escape_json(&out, argument_names(report));
	appendStringInfoString(&out, ",\"definition\":");
	escape_json(&out, definition(report));
	appendStringInfoChar(&out, '}');
	return out.data;
}

/* The arguments of a report by their common names. */
static List *
common_properties(List *properties)
{
	List	   *common = NIL;
	ListCell   *cell;

	foreach(cell, properties)
	{
		McpProperty *property = palloc(sizeof(McpProperty));

		*property = *(McpProperty *) lfirst(cell);
		property->name = common_name(lfirst(cell));
		common = lappend(common, property);
	}
	return common;
}

/* ERROR 22023 unless the argument, which is not the report's, is the tool's. */
static void
check_own(McpTool *report, const char *name)
{
	/* limit is ignored by reports without pages, which are small. */
	if (strcmp(name, "report") != 0 && strcmp(name, "limit") != 0 && strcmp(name, "explain") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("report %s has no argument \"%s\"", report->name, crm_shown_value(name)),
				 errhint("Its arguments are %s; those with * are required.", argument_names(report))));
}

/*
 * The arguments of the report, which have the names of properties in "from", by those in
 * "to", an equally long list.  Without the tool's own; null is not given.
 */
static Jsonb *
rename_arguments(McpTool *report, Jsonb *arguments, List *from, List *to)
{
	JsonbParseState *state = NULL;
	JsonbIterator *iterator = JsonbIteratorInit(&arguments->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	JsonbValue	key;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		char	   *name;
		ListCell   *old;
		ListCell   *new;

		if (token == WJB_KEY)
			key = value;
		if (token != WJB_VALUE || value.type == jbvNull)
			continue;
		name = pnstrdup(key.val.string.val, key.val.string.len);
		forboth(old, from, new, to)
		{
			if (strcmp(((McpProperty *) lfirst(old))->name, name) == 0)
				break;
		}
		if (old == NULL || new == NULL)
		{
			check_own(report, name);
			continue;
		}
		key.val.string.val = pstrdup(((McpProperty *) lfirst(new))->name);
		key.val.string.len = strlen(key.val.string.val);
		(void) pushJsonbValue(&state, WJB_KEY, &key);
		(void) pushJsonbValue(&state, WJB_VALUE, &value);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

static char *
call_report(McpTool *tool, Jsonb *arguments, List *properties)
{
	McpTool    *report = find_report(tool, crm_mcp_string(&arguments->root, "report"));
	McpCallee	callee = {report->name, true, false, !report->read_only, report->schema};
	List	   *own = report->kind->properties(report);
	List	   *common = common_properties(own);

	if (crm_mcp_is_true(arguments, "explain"))
		return explain(report);
	arguments = rename_arguments(report, arguments, common, common);
	arguments = crm_mcp_check_arguments(&callee, arguments, common);
	arguments = rename_arguments(report, arguments, common, own);
	return crm_mcp_call_renamed(report->kind->call, report, arguments, own, renamings_of(own));
}

/* An item of a list, or a whole report. */
static char *
report_output(McpTool *tool)
{
	return MCP_LIST_OUTPUT;
}

static const McpToolKind report_kind = {report_properties, call_report, report_output};

/* A line "name: title" for each report. */
static char *
describe_reports(List *reports)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, reports)
	{
		McpTool    *report = lfirst(cell);

		appendStringInfo(&text, "%s%s: %s", text.len > 0 ? "\n" : "", report->name,
						 pnstrdup(report->title, strcspn(report->title, ":")));
	}
	return text.data;
}

static McpTool *
make_group(McpTool *first)
{
	McpTool    *tool = palloc0(sizeof(McpTool));

	tool->name = psprintf("report_%s", first->report);
	tool->title = psprintf("Reports: %s", first->report);
	for (int i = 0; i < lengthof(groups); i++)
	{
		if (strcmp(groups[i].name, first->report) == 0)
			tool->title = groups[i].title;
	}
	tool->kind = &report_kind;
	tool->schema = first->schema;
	tool->report = first->report;
	tool->read_only = true;
	return tool;
}

static McpTool *
find_group(List *tools, const char *report)
{
	ListCell   *cell;

	foreach(cell, tools)
	{
		McpTool    *tool = lfirst(cell);

		if (tool->kind == &report_kind && strcmp(tool->report, report) == 0)
			return tool;
	}
	return NULL;
}

List *
crm_mcp_group_reports(List *functions)
{
	List	   *tools = NIL;
	ListCell   *cell;

	foreach(cell, functions)
	{
		McpTool    *function = lfirst(cell);
		McpTool    *group;

		/* A function that writes is a tool of its own. */
		if (function->report == NULL || !function->read_only)
		{
			tools = lappend(tools, function);
			continue;
		}
		group = find_group(tools, function->report);
		if (group == NULL)
		{
			group = make_group(function);
			tools = lappend(tools, group);
		}
		group->reports = lappend(group->reports, function);
		group->description = describe_reports(group->reports);
	}
	foreach(cell, tools)
	{
		McpTool    *tool = lfirst(cell);

		if (tool->kind == &report_kind)
			tool->others = tools;
	}
	return tools;
}
