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

#endif							/* CRM_BASE_ERRORS_H */
