/*
 * table/comments.c
 *		The comments of a CRM's tables, domains and views.
 *
 * The statements COMMENT of a script are not run as SQL: the look-ups in them take longer
 * than the comments.
 *
 * Citus does not take comments to other nodes, where they are made anew from the same
 * scripts.
 */
#include "postgres.h"

#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "miscadmin.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/packed_text.h"
#include "table/comments.h"

/* What is described; false if it is neither a relation, a column nor a domain of the schema. */
static bool
find_object(const CommentStmt *comment, Oid schema, ObjectAddress *address)
{
	bool		is_column = comment->objtype == OBJECT_COLUMN;
	List	   *names;
	Oid			oid;

	if (comment->objtype == OBJECT_DOMAIN)
	{
		names = castNode(TypeName, comment->object)->names;
		oid = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
							  CStringGetDatum(strVal(llast(names))), ObjectIdGetDatum(schema));
		ObjectAddressSet(*address, TypeRelationId, oid);
		return list_length(names) == 1 && OidIsValid(address->objectId);
	}
	if (!is_column && comment->objtype != OBJECT_TABLE && comment->objtype != OBJECT_VIEW)
		return false;
	names = castNode(List, comment->object);
	if (list_length(names) != (is_column ? 2 : 1))
		return false;
	oid = get_relname_relid(strVal(linitial(names)), schema);
	ObjectAddressSubSet(*address, RelationRelationId, oid,
						is_column ? get_attnum(oid, strVal(llast(names))) : 0);
	return OidIsValid(oid) && (!is_column || address->objectSubId != InvalidAttrNumber);
}

bool
crm_describe(const CommentStmt *comment, Oid schema, bool replaces)
{
	ObjectAddress address;

	if (!find_object(comment, schema, &address) ||
		!has_privs_of_role(GetUserId(), crm_owner_of(address.classId, address.objectId)))
		return false;
	if (replaces || GetComment(address.objectId, address.classId, address.objectSubId) == NULL)
		CreateComments(address.objectId, address.classId, address.objectSubId, comment->comment);
	return true;
}

void
crm_describe_tables(Oid schema, Oid extension)
{
	char	   *packed = crm_packed_text(extension, CRM_SCHEMA_SQL);
	char	   *script = crm_fill_in_schemas(packed, schema, extension);
	ListCell   *cell;

	foreach(cell, pg_parse_query(script))
	{
		Node	   *statement = lfirst_node(RawStmt, cell)->stmt;

		if (IsA(statement, CommentStmt))
			(void) crm_describe((CommentStmt *) statement, schema, false);
	}
}
