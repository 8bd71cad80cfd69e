/*
 * base/version.c
 *		Versions of the library, of the extension's SQL and of a CRM's tables.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/errors.h"
#include "base/version.h"

bool
crm_is_version(const char *text)
{
	for (const char *c = text;; c++)
	{
		if (*c < '0' || *c > '9')
			return false;
		while (*c >= '0' && *c <= '9')
			c++;
		if (*c == '\0')
			return true;
		if (*c != '.')
			return false;
	}
}

/* Takes the next number off a version: its digits without leading zeros. */
static int
next_number(const char **version, const char **digits)
{
	const char *c = *version;
	int			length;

	while (*c == '0')
		c++;
	*digits = c;
	while (*c >= '0' && *c <= '9')
		c++;
	length = c - *digits;
	*version = *c == '\0' ? c : c + 1;
	return length;
}

int
crm_compare_versions(const char *a, const char *b)
{
	while (*a != '\0' || *b != '\0')
	{
		const char *a_digits;
		const char *b_digits;
		int			a_length = next_number(&a, &a_digits);
		int			b_length = next_number(&b, &b_digits);
		int			result = a_length - b_length;

		/* As text: a number of any length compares without overflow. */
		if (result == 0)
			result = strncmp(a_digits, b_digits, a_length);
		if (result != 0)
			return result;
	}
	return 0;
}

/*
 * crm_version() -> text
 *		The version of the loaded library, as crm.control has it.
 */
PG_FUNCTION_INFO_V1(crm_version);
Datum
crm_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(CRM_VERSION));
}

void
crm_check_library(const char *version)
{
	if (crm_is_version(version) && crm_compare_versions(version, CRM_VERSION) <= 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CRM_OLD_LIBRARY),
			 errmsg("the SQL of extension crm is newer than the library"),
			 errdetail("The SQL is of version %s; this session has loaded version %s of the library.",
					   version, CRM_VERSION),
			 CRM_HINT_NEWER_LIBRARY(version)));
}

/*
 * crm_require_library(version text) -> void
 *		ERROR PT503 if SQL of that version is newer than the loaded library.
 *		What the scripts of the extension ask before anything else.
 */
PG_FUNCTION_INFO_V1(crm_require_library);
Datum
crm_require_library(PG_FUNCTION_ARGS)
{
	crm_check_library(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}
