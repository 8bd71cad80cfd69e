/*
 * base/argument_errors.c
 *		What is told of a wrong argument.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "base/argument_errors.h"

/* The most bytes of a value that a message shows. */
#define MAX_SHOWN	40

char *
crm_shown_value(const char *value)
{
	return pnstrdup(value, pg_mbcliplen(value, strlen(value), MAX_SHOWN));
}

void
crm_refuse_value(const char *argument, const char *value, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 value == NULL ? errmsg("%s must not be null", argument) :
			 errmsg("%s must not be \"%s\"", argument, crm_shown_value(value)),
			 errhint("%s", hint)));
}

void
crm_refuse_null(const char *argument, Oid type)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s must not be null", argument),
			 errhint("Give it a value of type %s.", format_type_be(type))));
}
