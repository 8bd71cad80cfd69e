/*
 * base/errors.c
 *		Errors raised from SQL.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/errors.h"

/* Whether SQL may raise it: a user's mistake, never an internal error. */
static bool
may_raise(const char *sqlstate)
{
	if (strlen(sqlstate) != 5 ||
		strspn(sqlstate, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5)
		return false;
	if (strncmp(sqlstate, "PT4", 3) == 0)
		return strspn(sqlstate + 3, "0123456789") == 2;
	return strncmp(sqlstate, "22", 2) == 0 ||
		strncmp(sqlstate, "23", 2) == 0 ||
		strcmp(sqlstate, "42501") == 0;
}

/*
 * crm_raise(condition text, message text, detail text, hint text) -> boolean
 *		Raises an error; never returns.  Detail and hint may be NULL.  A condition
 *		that SQL may not raise is itself an error (22023), and so is a NULL
 *		message (22004): the statement fails, whatever the arguments are.
 */
PG_FUNCTION_INFO_V1(crm_raise);
Datum
crm_raise(PG_FUNCTION_ARGS)
{
	char	   *args[4];

	for (int i = 0; i < 4; i++)
		args[i] = PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));

	if (args[0] == NULL || !may_raise(args[0]))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("crm_raise cannot raise condition \"%s\"",
						args[0] ? args[0] : "NULL"),
				 args[1] ? errdetail("The message was: %s", args[1]) : 0,
				 errhint("Use a SQLSTATE of class 22 or 23, 42501, or PT400 to PT499.")));
	if (args[1] == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("message of crm_raise must not be null"),
				 errdetail("The condition was %s.", args[0])));

	ereport(ERROR,
			(errcode(MAKE_SQLSTATE(args[0][0], args[0][1], args[0][2],
								   args[0][3], args[0][4])),
			 errmsg_internal("%s", args[1]),
			 args[2] ? errdetail_internal("%s", args[2]) : 0,
			 args[3] ? errhint("%s", args[3]) : 0));
	PG_RETURN_NULL();			/* keep the compiler quiet */
}
