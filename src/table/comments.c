/*
 * table/comments.c
 *		The comments of a CRM's tables, domains and views.
 *
 * crm_install() makes them.  Citus does not take them to other nodes, where they
 * are made anew from the same scripts.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "commands/comment.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/packed_text.h"
#include "table/comments.h"

/* The object's name with the schema before it. */
static void
qualify(CommentStmt *comment, const char *schema)
{
	Node	   *name = (Node *) makeString(pstrdup(schema));

	if (comment->objtype == OBJECT_DOMAIN)
	{
		TypeName   *domain = castNode(TypeName, comment->object);

		domain->names = list_make2(name, llast(domain->names));
	}
	else
		comment->object = (Node *) lcons(name, castNode(List, comment->object));
}

static bool
is_of_table(const CommentStmt *comment)
{
	return comment->objtype == OBJECT_TABLE || comment->objtype == OBJECT_COLUMN ||
		comment->objtype == OBJECT_VIEW || comment->objtype == OBJECT_DOMAIN;
}

/* As COMMENT does it, unless there is a comment. */
static void
describe(CommentStmt *comment, const char *schema)
{
	Relation	rel = NULL;
	ObjectAddress address;

	qualify(comment, schema);
	address = get_object_address(comment->objtype, comment->object, &rel, AccessShareLock, true);
	if (OidIsValid(address.objectId) &&
		has_privs_of_role(GetUserId(), crm_owner_of(address.classId, address.objectId)) &&
		GetComment(address.objectId, address.classId, address.objectSubId) == NULL)
		CreateComments(address.objectId, address.classId, address.objectSubId, comment->comment);
	if (rel != NULL)
		relation_close(rel, NoLock);
}

void
crm_describe_tables(Oid schema, Oid extension)
{
	const char *name = get_namespace_name(schema);
	char	   *packed = crm_packed_text(extension, CRM_SCHEMA_SQL);
	char	   *script = crm_fill_in_schemas(packed, schema, extension);
	ListCell   *cell;

	foreach(cell, pg_parse_query(script))
	{
		Node	   *statement = lfirst_node(RawStmt, cell)->stmt;

		if (IsA(statement, CommentStmt) && is_of_table((CommentStmt *) statement))
			describe((CommentStmt *) statement, name);
	}
}
