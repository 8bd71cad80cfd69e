/*
 * table/comments.h
 *		The comments of a CRM's tables, domains and views.
 */
#ifndef CRM_TABLE_COMMENTS_H
#define CRM_TABLE_COMMENTS_H

#include "nodes/parsenodes.h"

/*
 * Does what COMMENT does, unless there is a comment and it is not to be replaced.  Returns
 * false, and does nothing, if that is no table, view, column or domain that the schema has,
 * named without it, and the current user owns.
 */
extern bool crm_describe(const CommentStmt *comment, Oid schema, bool replaces);

/*
 * Gives what crm_install() comments in the schema those comments, where there is none and
 * the current user is the owner.
 */
extern void crm_describe_tables(Oid schema, Oid extension);

#endif							/* CRM_TABLE_COMMENTS_H */
