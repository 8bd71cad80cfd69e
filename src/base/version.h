/*
 * base/version.h
 *		Versions of the library, of the extension's SQL and of a CRM's tables.
 *
 * A version is numbers with dots between them, as in "2.10.1".
 */
#ifndef CRM_BASE_VERSION_H
#define CRM_BASE_VERSION_H

/* Whether the text is a version. */
extern bool crm_is_version(const char *text);

/*
 * Less than, equal to or greater than 0, as version a is older than, the same
 * as or newer than b.  Numbers that are missing count as 0: 0.2 is 0.2.0.
 */
extern int	crm_compare_versions(const char *a, const char *b);

/* ERROR PT503 if SQL of that version is newer than the loaded library. */
extern void crm_check_library(const char *version);

#endif							/* CRM_BASE_VERSION_H */
