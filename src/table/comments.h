/*
 * table/comments.h
 *		The comments of a CRM's tables, domains and views.
 */
#ifndef CRM_TABLE_COMMENTS_H
#define CRM_TABLE_COMMENTS_H

#include "postgres_ext.h"

/*
 * Gives what crm_install() comments in the schema those comments, where there is none and
 * the current user is the owner.
 */
extern void crm_describe_tables(Oid schema, Oid extension);

#endif							/* CRM_TABLE_COMMENTS_H */
