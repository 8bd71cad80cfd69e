/*
 * base/errors.h
 *		The CRM's own SQLSTATEs.
 *
 * PostgREST turns a SQLSTATE of the form PTnnn into the HTTP status nnn.
 */
#ifndef CRM_BASE_ERRORS_H
#define CRM_BASE_ERRORS_H

#include "utils/elog.h"

#define ERRCODE_CRM_NOT_FOUND	MAKE_SQLSTATE('P', 'T', '4', '0', '4')
#define ERRCODE_CRM_STALE		MAKE_SQLSTATE('P', 'T', '4', '0', '9')
#define ERRCODE_CRM_GONE		MAKE_SQLSTATE('P', 'T', '4', '1', '0')
#define ERRCODE_CRM_OLD_LIBRARY	MAKE_SQLSTATE('P', 'T', '5', '0', '3')

/*
 * For SQL or a CRM that is newer than the library: a session keeps the library that it
 * has loaded, even if a newer one has been installed since.
 */
#define CRM_HINT_NEWER_LIBRARY(version) \
	errhint("Install crm %s or later on this server, whose library is of version %s. " \
			"If that was done already, reconnect.", version, CRM_VERSION)

/* For ereport(): why a write of the caller's has changed nothing. */
#define crm_errdetail_suppressed() \
	errdetail("A policy or a trigger suppressed the write."), \
	errhint("Ask the owner of the table which one, and what it lets pass.")

#endif							/* CRM_BASE_ERRORS_H */
