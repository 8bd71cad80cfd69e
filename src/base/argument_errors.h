/*
 * base/argument_errors.h
 *		What is told of a wrong argument.
 */
#ifndef CRM_BASE_ARGUMENT_ERRORS_H
#define CRM_BASE_ARGUMENT_ERRORS_H

#include "base/compat.h"

/* The value as a message shows it: its beginning, if it is long. */
extern char *crm_shown_value(const char *value);

/*
 * ERROR 22023: the argument must not have the value, NULL being null.  The hint, translated,
 * says which are right.
 */
pg_noreturn extern void crm_refuse_value(const char *argument, const char *value, const char *hint);

/* ERROR 22004: the argument, of that type, is null. */
pg_noreturn extern void crm_refuse_null(const char *argument, Oid type);

#endif							/* CRM_BASE_ARGUMENT_ERRORS_H */
