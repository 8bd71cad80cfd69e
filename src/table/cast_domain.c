/*
 * table/cast_domain.c
 *		Domains that the CHECK of a table casts a column to.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"

#include "table/cast_domain.h"

typedef struct CastSearch
{
	AttrNumber	attno;
	Oid			domain;
} CastSearch;

static bool
find_cast(Node *node, void *arg)
{
	CastSearch *search = arg;

	if (node == NULL)
		return false;
	if (IsA(node, CoerceToDomain))
	{
		CoerceToDomain *cast = (CoerceToDomain *) node;

		if (IsA(cast->arg, Var) && ((Var *) cast->arg)->varattno == search->attno)
		{
			search->domain = cast->resulttype;
			return true;
		}
	}
	return expression_tree_walker(node, find_cast, arg);
}

Oid
crm_cast_domain(Node *expression, AttrNumber attno)
{
	CastSearch	search = {attno, InvalidOid};

	(void) find_cast(expression, &search);
	return search.domain;
}
