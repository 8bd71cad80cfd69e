/*
 * mcp/arguments.c
 *		The arguments of a call: checked, and put into the form that SQL reads.
 *
 * Most checks of values are left to SQL, which casts them and applies the constraints.
 * Models write whole numbers as 2.0 or "2", and a single value where several are
 * possible, so these forms are accepted.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "base/argument_errors.h"
#include "mcp/arguments.h"
#include "mcp/message.h"
#include "mcp/resolve.h"
#include "mcp/values.h"

static char *
names_of(List *properties)
{
	StringInfoData names;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, properties)
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
						 ((McpProperty *) lfirst(cell))->name);
	return names.data;
}

/* The property of that name; ERROR 22023 if the tool has no such argument. */
static McpProperty *
known_property(const McpCallee *callee, List *properties, const char *name)
{
	McpProperty *property = crm_mcp_find_property(properties, name);

	if (property == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 callee->is_report ?
				 errmsg("report %s has no argument \"%s\"", callee->name, crm_shown_value(name)) :
				 errmsg("tool %s has no argument \"%s\"", callee->name, crm_shown_value(name)),
				 properties == NIL ? errhint("It has no arguments.") :
				 errhint("Its arguments are %s.", names_of(properties))));
	return property;
}

static void
check_required(const McpCallee *callee, Jsonb *arguments, List *properties)
{
	ListCell   *cell;

	foreach(cell, properties)
	{
		McpProperty *property = lfirst(cell);
		JsonbValue	value;

		if (property->required &&
			(!crm_mcp_member(&arguments->root, property->name, &value) || value.type == jbvNull))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 callee->is_report ?
					 errmsg("report %s needs the argument \"%s\"", callee->name, property->name) :
					 errmsg("tool %s needs the argument \"%s\"", callee->name, property->name),
					 property->refers == NULL ? errhint("%s", crm_mcp_values_hint(property)) :
					 errhint("It is the id or the name of a row of %s; the tool %s finds them.",
							 property->refers->relation, property->refers->tool)));
	}
}

/* The value as a number without a fraction, if it is one; else as it is. */
static JsonbValue
whole_number(McpProperty *property, JsonbValue *value)
{
	JsonbValue	result = *value;
	char	   *text;
	Datum		number;
	Datum		whole;

	if (value->type != jbvString && value->type != jbvNumeric)
		return result;
	text = crm_mcp_value_text(value);

	if (text[0] == '\0' || strspn(text, "+-.0123456789") != strlen(text))
		return result;
	number = DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
								 Int32GetDatum(-1));
	whole = DirectFunctionCall2(numeric_trunc, number, Int32GetDatum(0));
	result.type = jbvNumeric;
	result.val.numeric = DatumGetNumeric(whole);
	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, number, whole)))
		crm_refuse_value(property->name, text, crm_mcp_values_hint(property));
	return result;
}

/*
 * The value as a string, if the property is a text or refers to a row by its name:
 * models send the text 5 as the number.
 */
static JsonbValue
as_string(McpProperty *property, JsonbValue *value)
{
	JsonbValue	result = *value;
	Oid			type = getBaseType(property->type);
	Oid			element = get_element_type(type);
	char		category;
	bool		preferred;

	get_type_category_preferred(OidIsValid(element) ? element : type, &category, &preferred);
	if ((category != TYPCATEGORY_STRING && property->refers == NULL) ||
		(value->type != jbvNumeric && value->type != jbvBool))
		return result;
	result.val.string.val = crm_mcp_value_text(value);
	result.val.string.len = strlen(result.val.string.val);
	result.type = jbvString;
	return result;
}

/*
 * ERROR 22023 unless the value is one that the property can have.  Only for filters,
 * which would find no row by another value; written values are checked by constraints.
 */
static void
check_choice(McpProperty *property, JsonbValue *value)
{
	ListCell   *cell;

	if (property->filter == NULL || property->choices == NIL || value->type != jbvString)
		return;
	foreach(cell, property->choices)
	{
		const char *choice = lfirst(cell);

		if (strlen(choice) == value->val.string.len &&
			memcmp(choice, value->val.string.val, value->val.string.len) == 0)
			return;
	}
	crm_refuse_value(property->name, crm_mcp_value_text(value), crm_mcp_values_hint(property));
}

/*
 * ERROR of class 22 unless the value is of the type.  Texts and names, which are looked
 * up later, may be anything.
 */
static void
check_type(McpProperty *property, Oid type, const JsonbValue *value)
{
	char		category;
	bool		preferred;

	get_type_category_preferred(getBaseType(type), &category, &preferred);
	if (category != TYPCATEGORY_STRING && property->refers == NULL)
		crm_mcp_check_value(property, type, value);
}

/*
 * The value as SQL is to read it.  ERROR 22023 for an object or array that SQL would
 * accept as the text of a scalar.
 */
static JsonbValue
convert(McpProperty *property, JsonbValue *given)
{
	JsonbValue	converted = as_string(property, given);
	JsonbValue *value = &converted;
	Oid			base = getBaseType(property->type);
	bool		is_array = OidIsValid(get_element_type(base));
	bool		is_list = value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data);
	JsonbParseState *state = NULL;

	for (uint32 i = 0; is_list && i < JsonContainerSize(value->val.binary.data); i++)
		check_choice(property, getIthJsonbValueFromContainer(value->val.binary.data, i));
	check_choice(property, value);
	if (base == JSONOID || base == JSONBOID || get_typtype(base) == TYPTYPE_COMPOSITE ||
		value->type == jbvNull || (is_array && is_list))
		return *value;
	if (value->type == jbvBinary)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 is_array ? errmsg("%s must be an array", property->name) :
				 errmsg("%s must be neither an object nor an array", property->name),
				 errhint("%s", crm_mcp_values_hint(property))));
	if (is_array)
	{
		(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
		(void) pushJsonbValue(&state, WJB_ELEM, value);
		return *pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	}
	if (base == INT2OID || base == INT4OID || base == INT8OID)
		return whole_number(property, value);
	return *value;
}

static JsonbValue
read_value(const McpCallee *callee, McpProperty *property, JsonbValue *given)
{
	JsonbValue	value = convert(property, given);
	Oid			base = getBaseType(property->type);
	Oid			element = get_element_type(base);

	if (callee->of_reports || base == JSONOID || base == JSONBOID ||
		get_typtype(base) == TYPTYPE_COMPOSITE)
		return value;
	if (!OidIsValid(element))
		check_type(property, base, &value);
	else if (value.type == jbvArray)
	{
		for (int i = 0; i < value.val.array.nElems; i++)
			check_type(property, element, &value.val.array.elems[i]);
	}
	else if (value.type == jbvBinary)
	{
		JsonbContainer *array = value.val.binary.data;

		for (uint32 i = 0; i < JsonContainerSize(array); i++)
			check_type(property, element, getIthJsonbValueFromContainer(array, i));
	}
	return value;
}

Jsonb *
crm_mcp_check_arguments(const McpCallee *callee, Jsonb *arguments, List *properties)
{
	JsonbParseState *state = NULL;
	JsonbIterator *iterator = JsonbIteratorInit(&arguments->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	McpProperty *property = NULL;
	JsonbValue *object = NULL;

	check_required(callee, arguments, properties);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			property = known_property(callee, properties,
									  pnstrdup(value.val.string.val, value.val.string.len));
		else if (token == WJB_VALUE && property != NULL)
			value = read_value(callee, property, &value);
		object = pushJsonbValue(&state, token,
								token == WJB_KEY || token == WJB_VALUE ? &value : NULL);
	}
	return crm_mcp_resolve(callee->schema, JsonbValueToJsonb(object), properties,
						   callee->writes);
}

List *
crm_mcp_page_properties(List *properties)
{
	McpProperty *limit = crm_mcp_make_property("limit", INT4OID, "1 to " CppAsString2(MCP_MAX_LIMIT));

	limit->fallback = CppAsString2(MCP_DEFAULT_LIMIT);
	properties = lappend(properties, limit);
	return lappend(properties,
				   crm_mcp_make_property("cursor", TEXTOID, "next of the page before"));
}

int
crm_mcp_limit(Jsonb *arguments)
{
	JsonbValue	value;
	Datum		one;
	Datum		most;

	if (!crm_mcp_member(&arguments->root, "limit", &value) || value.type == jbvNull)
		return MCP_DEFAULT_LIMIT;
	one = NumericGetDatum(int64_to_numeric(1));
	most = NumericGetDatum(int64_to_numeric(MCP_MAX_LIMIT));
	if (value.type != jbvNumeric ||
		DatumGetBool(DirectFunctionCall2(numeric_lt, NumericGetDatum(value.val.numeric), one)) ||
		DatumGetBool(DirectFunctionCall2(numeric_gt, NumericGetDatum(value.val.numeric), most)))
		crm_refuse_value("limit", crm_mcp_value_text(&value),
						 psprintf(_("It is a whole number from 1 to %d."), MCP_MAX_LIMIT));
	return DatumGetInt32(DirectFunctionCall1(numeric_int4, NumericGetDatum(value.val.numeric)));
}

bool
crm_mcp_is_true(Jsonb *arguments, const char *name)
{
	JsonbValue	value;

	if (!crm_mcp_member(&arguments->root, name, &value) || value.type == jbvNull)
		return false;
	if (value.type == jbvString)
	{
		char	   *text = pnstrdup(value.val.string.val, value.val.string.len);

		if (strcmp(text, "true") == 0)
			return true;
		if (strcmp(text, "false") == 0)
			return false;
	}
	if (value.type != jbvBool)
		crm_refuse_value(name, crm_mcp_value_text(&value), _("It is true or false."));
	return value.val.boolean;
}

void
crm_mcp_invalid_cursor(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid cursor"),
			 errhint("Pass next of the page before, with the same other arguments, or no cursor for the first page.")));
}
