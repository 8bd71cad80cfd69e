/*
 * mcp/schema.c
 *		JSON Schema (2020-12) of SQL types, CHECK constraints and defaults.
 *
 * Each property has one type, or one type and null, as some models do not support
 * other unions.  A SQL type without a counterpart in JSON becomes a string, and json
 * an object: PostgreSQL checks the value when the tool runs.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/primnodes.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "mcp/query.h"
#include "mcp/reference.h"
#include "mcp/schema.h"
#include "mcp/text.h"

McpProperty *
crm_mcp_make_property(const char *name, Oid type, const char *description)
{
	McpProperty *property = palloc0(sizeof(McpProperty));

	property->name = name;
	property->type = type;
	property->typmod = -1;
	property->description = description;
	property->refers = crm_mcp_reference_of(name, type);
	return property;
}

McpProperty *
crm_mcp_find_property(List *properties, const char *name)
{
	ListCell   *cell;

	foreach(cell, properties)
	{
		McpProperty *property = lfirst(cell);

		if (strcmp(property->name, name) == 0)
			return property;
	}
	return NULL;
}

/* The name of a type for use in SQL, whatever the search_path. */
const char *
crm_mcp_type_name(Oid type, int32 typmod)
{
	return format_type_extended(type, typmod,
								FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
}

/* The expression without casts that do not change a text. */
static Node *
strip(Node *node)
{
	while (node != NULL)
	{
		if (IsA(node, RelabelType))
			node = (Node *) ((RelabelType *) node)->arg;
		else if (IsA(node, ArrayCoerceExpr))
			node = (Node *) ((ArrayCoerceExpr *) node)->arg;
		else if (IsA(node, CoerceToDomain))
			node = (Node *) ((CoerceToDomain *) node)->arg;
		else
			break;
	}
	return node;
}

static bool
is_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID;
}

/* A constant text; NULL if it is not a constant, not a text, or null. */
static char *
text_of_constant(Node *node)
{
	Const	   *constant = (Const *) strip(node);

	if (constant == NULL || !IsA(constant, Const) || constant->constisnull ||
		!is_text(constant->consttype))
		return NULL;
	return TextDatumGetCString(constant->constvalue);
}

/* column = ANY (ARRAY['a', 'b']), which is how IN is stored. */
List *
crm_mcp_choices_of_check(Node *expression)
{
	ScalarArrayOpExpr *any = (ScalarArrayOpExpr *) expression;
	ArrayExpr  *array;
	List	   *choices = NIL;
	ListCell   *cell;

	if (!IsA(any, ScalarArrayOpExpr) || !any->useOr ||
		strcmp(get_opname(any->opno), "=") != 0)
		return NIL;
	array = (ArrayExpr *) strip(lsecond(any->args));
	if (!IsA(array, ArrayExpr))
		return NIL;
	foreach(cell, array->elements)
	{
		char	   *choice = text_of_constant(lfirst(cell));

		if (choice == NULL)
			return NIL;
		choices = lappend(choices, choice);
	}
	return choices;
}

/* jsonb_typeof(column) = 'object' */
bool
crm_mcp_check_wants_object(Node *expression)
{
	OpExpr	   *equal = (OpExpr *) expression;
	FuncExpr   *typeof_call;
	char	   *wanted;

	if (!IsA(equal, OpExpr) || list_length(equal->args) != 2)
		return false;
	typeof_call = (FuncExpr *) strip(linitial(equal->args));
	wanted = text_of_constant(lsecond(equal->args));
	return IsA(typeof_call, FuncExpr) &&
		(typeof_call->funcid == F_JSONB_TYPEOF || typeof_call->funcid == F_JSON_TYPEOF) &&
		wanted != NULL && strcmp(wanted, "object") == 0;
}

/* The CHECKs of a domain: rows of one column, the expression. */
static void
query_domain_checks(Oid domain)
{
	Oid			types[] = {OIDOID};
	Datum		args[] = {ObjectIdGetDatum(domain)};

	crm_mcp_catalog_query("SELECT conbin FROM pg_constraint WHERE contypid = $1 AND contype = 'c' ORDER BY oid",
						  1, types, args);
}

/* The labels of an enum; what the CHECKs of a domain allow. */
List *
crm_mcp_choices_of_type(Oid type)
{
	Oid			types[] = {OIDOID};
	Datum		args[] = {ObjectIdGetDatum(type)};
	List	   *choices = NIL;

	if (get_typtype(type) == TYPTYPE_ENUM)
	{
		crm_mcp_catalog_query("SELECT enumlabel FROM pg_enum WHERE enumtypid = $1 ORDER BY enumsortorder",
							  1, types, args);
		for (uint64 row = 0; row < SPI_processed; row++)
			choices = lappend(choices, crm_mcp_field(row, 1));
	}
	else if (get_typtype(type) == TYPTYPE_DOMAIN)
	{
		query_domain_checks(type);
		for (uint64 row = 0; row < SPI_processed && choices == NIL; row++)
			choices = crm_mcp_choices_of_check(stringToNode(crm_mcp_field(row, 1)));
	}
	return choices;
}

bool
crm_mcp_type_wants_object(Oid type)
{
	bool		wants = false;

	if (get_typtype(type) != TYPTYPE_DOMAIN)
		return false;
	query_domain_checks(type);
	for (uint64 row = 0; row < SPI_processed; row++)
		wants |= crm_mcp_check_wants_object(stringToNode(crm_mcp_field(row, 1)));
	return wants;
}

char *
crm_mcp_constant(Node *node)
{
	Const	   *constant = (Const *) strip(node);
	StringInfoData json;
	Oid			output;
	bool		is_varlena;
	char	   *text;

	if (constant == NULL || !IsA(constant, Const) || constant->constisnull)
		return NULL;
	getTypeOutputInfo(constant->consttype, &output, &is_varlena);
	text = OidOutputFunctionCall(output, constant->constvalue);

	switch (constant->consttype)
	{
		case BOOLOID:
			return DatumGetBool(constant->constvalue) ? "true" : "false";
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case JSONOID:
		case JSONBOID:
			return text;

		case NUMERICOID:
			return strspn(text, "-.0123456789") == strlen(text) ? text : NULL;

		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case UUIDOID:
			initStringInfo(&json);
			escape_json(&json, text);
			return json.data;
		default:
			return NULL;
	}
}

/* The JSON type of a SQL type, and its format, which may be NULL. */
static const char *
json_type(Oid type, const char **format)
{
	*format = NULL;
	switch (type)
	{
		case BOOLOID:
			return "boolean";
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return "integer";
		case NUMERICOID:
		case FLOAT4OID:
		case FLOAT8OID:
			return "number";
		case UUIDOID:
			*format = "uuid";
			return "string";
		case DATEOID:
			*format = "date";
			return "string";
		case TIMESTAMPTZOID:
			*format = "date-time";
			return "string";
		case JSONOID:
		case JSONBOID:
			return "object";
		default:
			break;
	}
	if (OidIsValid(get_element_type(type)))
		return "array";
	return get_typtype(type) == TYPTYPE_COMPOSITE ? "object" : "string";
}

/* A name or a date serves where an id or a moment is asked for. */
static bool
is_free(McpProperty *property)
{
	return property->refers != NULL || property->filter != NULL;
}

static void
append_choices(StringInfo out, List *choices, bool nullable)
{
	ListCell   *cell;

	appendStringInfoString(out, "\"enum\":[");
	foreach(cell, choices)
	{
		escape_json(out, lfirst(cell));
		appendStringInfoChar(out, ',');
	}
	if (nullable)
		appendStringInfoString(out, "null");
	else
		out->data[--out->len] = '\0';
	appendStringInfoString(out, "],");
}

static void
remove_comma(StringInfo out)
{
	if (out->data[out->len - 1] == ',')
		out->data[--out->len] = '\0';
}

/* Appends the members that describe a value's type. */
static void
append_type(StringInfo out, McpProperty *property, Oid type, bool nullable)
{
	Oid			base = getBaseType(type);
	const char *format;
	const char *name = json_type(base, &format);
	bool		is_array;

	if (property->is_object)
		name = "object";
	else if (name[0] == 'o' && property->fallback != NULL && property->fallback[0] == '[')
		name = "array";
	is_array = strcmp(name, "array") == 0;
	appendStringInfo(out, nullable ? "\"type\":[\"%s\",\"null\"]," : "\"type\":\"%s\",", name);
	if (is_array)
	{
		Oid			element = get_element_type(base);

		appendStringInfoString(out, "\"items\":{");
		append_type(out, property, OidIsValid(element) ? element : TEXTOID, false);
		remove_comma(out);
		appendStringInfoString(out, "},");
		return;
	}
	if (format != NULL && !is_free(property))
		appendStringInfo(out, "\"format\":\"%s\",", format);
	if (property->choices != NIL)
		append_choices(out, property->choices, nullable);
}

/* Appends the schema of a property: a JSON object. */
void
crm_mcp_append_schema(StringInfo out, McpProperty *property)
{
	appendStringInfoChar(out, '{');
	append_type(out, property, property->type, property->nullable);
	if (property->fallback != NULL)
		appendStringInfo(out, "\"default\":%s,", property->fallback);
	if (property->description != NULL)
	{
		appendStringInfoString(out, "\"description\":");
		escape_json(out, crm_mcp_clip(property->description, MCP_MAX_DESCRIPTION));
	}
	remove_comma(out);
	appendStringInfoChar(out, '}');
}
