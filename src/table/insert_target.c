/*
 * table/insert_target.c
 *		The columns and values that are inserted into a table beside deals.
 */
#include "postgres.h"

#include "access/relation.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/shard.h"
#include "table/columns.h"
#include "table/insert_target.h"

TupleDesc
crm_target_row(const InsertTarget *target)
{
	TupleDesc	desc = CreateTemplateTupleDesc(target->nfields);

	for (int i = 0; i < desc->natts; i++)
		TupleDescInitEntry(desc, i + 1, target->fields[i].column, target->fields[i].type, -1, 0);
	return desc;
}

uint64
crm_lacking_fields(Relation rel, const InsertTarget *target)
{
	uint64		lacking = 0;

	Assert(target->nfields <= 64);
	for (int i = 0; i < target->nfields; i++)
	{
		const InsertField *field = &target->fields[i];

		if (field->since != NULL && crm_lacks_column(rel, field->column, field->since))
			lacking |= CRM_FIELD_BIT(i);
	}
	return lacking;
}

uint64
crm_lacking_fields_beside(Relation deals, const InsertTarget *target)
{
	Oid			relid = crm_sibling(deals, target->table);
	Relation	rel = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;
	uint64		lacking;

	if (rel == NULL)
		return 0;				/* the INSERT will say it */
	lacking = crm_lacking_fields(rel, target);
	relation_close(rel, NoLock);
	return lacking;
}
