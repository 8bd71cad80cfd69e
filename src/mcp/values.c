/*
 * mcp/values.c
 *		Values of arguments: whether they are of the argument's type, and what is
 *		told if they are not.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "base/argument_errors.h"
#include "mcp/values.h"

char *
crm_mcp_value_text(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			return NULL;
	}
}

static char *
list_choices(List *choices)
{
	StringInfoData list;
	ListCell   *cell;

	initStringInfo(&list);
	foreach(cell, choices)
		appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", (char *) lfirst(cell));
	return list.data;
}

char *
crm_mcp_values_hint(McpProperty *property)
{
	Oid			type = getBaseType(property->type);

	if (property->choices != NIL)
		return psprintf(_("It is one of %s."), list_choices(property->choices));
	switch (type)
	{
		case BOOLOID:
			return _("It is true or false.");
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return _("It is a whole number.");
		case NUMERICOID:
		case FLOAT4OID:
		case FLOAT8OID:
			return _("It is a number.");
		case DATEOID:
			return _("It is a day, such as 2026-01-31.");
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return _("It is a moment, such as 2026-01-31T15:00:00Z, or a day, such as 2026-01-31.");
		case UUIDOID:
			return _("It is an id, which is a uuid.");
		case TEXTOID:
			return _("It is a text.");
		default:
			return psprintf(OidIsValid(get_element_type(type)) ? _("It is an array, %s.") :
							_("It is of type %s."), format_type_be(type));
	}
}

/* Names the argument in an error about its value. */
pg_noreturn static void
refuse(McpProperty *property, const char *text, ErrorData *error)
{
	if (error->sqlerrcode == ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE)
		error->message = psprintf(_("%s is out of range: %s"), property->name, crm_shown_value(text));
	else
		error->message = psprintf(_("%s must not be \"%s\""), property->name, crm_shown_value(text));
	error->detail = NULL;
	error->hint = crm_mcp_values_hint(property);
	ReThrowError(error);
}

void
crm_mcp_check_value(McpProperty *property, Oid type, const JsonbValue *value)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *text = crm_mcp_value_text(value);
	Oid			base = getBaseType(type);
	Oid			input;
	Oid			parameter;

	if (text == NULL)
		return;
	getTypeInputInfo(base, &input, &parameter);
	PG_TRY();
	{
		(void) OidInputFunctionCall(input, text, parameter, -1);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		FlushErrorState();
		refuse(property, text, error);
	}
	PG_END_TRY();
}
