/*
 * base/shard.c
 *		The tables of a CRM that Citus has distributed.
 *
 * What Citus knows of them is in its tables pg_dist_partition, pg_dist_shard and
 * pg_dist_placement, which every node has.  They are read by the names of their columns.
 *
 * A shard stays on a node for a while after it was moved to another one, so a shard
 * is taken for the table only if its placement is on this node.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace_d.h"
#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/shard.h"

#define TABLES			"pg_dist_partition"
#define SHARDS			"pg_dist_shard"
#define PLACEMENTS		"pg_dist_placement"
#define LOCAL_GROUP		"pg_dist_local_group"

/* pg_dist_partition.repmodel of a table of which each node has all rows. */
#define REFERENCE_TABLE	't'

/* How Citus refuses to run a distributed query in a function that runs on a shard. */
#define REFUSAL			"cannot execute a distributed query from a query on a shard"

/* What Citus names the sessions that it opens on other nodes. */
#define CITUS_SESSION	"citus_internal gpid="

/* A row that is looked up in a table of Citus, and what is read of it. */
typedef struct CitusRow
{
	const char *table;
	const char *index;			/* NULL: the table has one row */
	const char *key;
	Oid			key_equals;
	const char *column;
} CitusRow;

static const CitusRow shard_of_table = {SHARDS, "pg_dist_shard_logical_relid_index", "logicalrelid", F_OIDEQ, "shardid"};
static const CitusRow table_of_shard = {SHARDS, "pg_dist_shard_shardid_index", "shardid", F_INT8EQ, "logicalrelid"};
static const CitusRow group_of_shard = {PLACEMENTS, "pg_dist_placement_shardid_index", "shardid", F_INT8EQ, "groupid"};
static const CitusRow model_of_table = {TABLES, "pg_dist_partition_logical_relid_index", "logicalrelid", F_OIDEQ, "repmodel"};
static const CitusRow local_group = {LOCAL_GROUP, NULL, NULL, InvalidOid, "groupid"};

static Oid
citus_table(const char *name)
{
	return get_relname_relid(name, PG_CATALOG_NAMESPACE);
}

bool
crm_has_citus(void)
{
	return OidIsValid(citus_table(SHARDS));
}

static int64
integer_of(Datum value, Oid type)
{
	return type == INT8OID ? DatumGetInt64(value) :
		type == CHAROID ? DatumGetChar(value) : DatumGetUInt32(value);
}

/*
 * Reads a column, an integer, a char or an oid, of the row with that key; false if there is
 * none.  If wanted is not NULL, of one that has this value.
 */
static bool
read_row_with(const CitusRow *row, Datum key, const int64 *wanted, int64 *value)
{
	Oid			relid = citus_table(row->table);
	Oid			index = row->index == NULL ? InvalidOid : citus_table(row->index);
	Relation	rel = OidIsValid(relid) ? try_table_open(relid, AccessShareLock) : NULL;
	AttrNumber	attno;
	ScanKeyData scan_key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	if (rel == NULL)
		return false;
	if (row->key != NULL)
		ScanKeyInit(&scan_key, get_attnum(relid, row->key), BTEqualStrategyNumber,
					row->key_equals, key);
	attno = get_attnum(relid, row->column);
	scan = systable_beginscan(rel, index, OidIsValid(index), NULL, row->key != NULL, &scan_key);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		datum = heap_getattr(tuple, attno, RelationGetDescr(rel), &isnull);

		if (isnull)
			continue;
		*value = integer_of(datum, get_atttype(relid, attno));
		found = wanted == NULL || *value == *wanted;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

static bool
read_row(const CitusRow *row, Datum key, int64 *value)
{
	return read_row_with(row, key, NULL, value);
}

/* The shard of a table; InvalidOid if this node has none. */
static Oid
find_shard(Oid relid, int64 *shard_id)
{
	if (!read_row(&shard_of_table, ObjectIdGetDatum(relid), shard_id))
		return InvalidOid;
	return get_relname_relid(psprintf("%s_" INT64_FORMAT, get_rel_name(relid), *shard_id),
							 get_rel_namespace(relid));
}

bool
crm_is_distributed(Oid relid)
{
	int64		shard_id;

	return crm_has_citus() && read_row(&shard_of_table, ObjectIdGetDatum(relid), &shard_id);
}

bool
crm_is_reference_table(Oid relid)
{
	int64		model;

	return crm_has_citus() && read_row(&model_of_table, ObjectIdGetDatum(relid), &model) &&
		model == REFERENCE_TABLE;
}

int
crm_generic_plan(Relation rel)
{
	return crm_is_distributed(RelationGetRelid(rel)) ? 0 : CURSOR_OPT_GENERIC_PLAN;
}

bool
crm_is_shard(Relation rel)
{
	const char *name = RelationGetRelationName(rel);
	const char *number = strrchr(name, '_');
	char	   *end;
	int64		shard_id,
				table;
	char	   *table_name;

	if (number == NULL || !isdigit((unsigned char) number[1]))
		return false;
	shard_id = strtoll(number + 1, &end, 10);
	if (*end != '\0' || !read_row(&table_of_shard, Int64GetDatum(shard_id), &table))
		return false;
	table_name = get_rel_name((Oid) table);
	return table_name != NULL && get_rel_namespace((Oid) table) == RelationGetNamespace(rel) &&
		strlen(table_name) == number - name && strncmp(table_name, name, number - name) == 0;
}

Oid
crm_sibling(Relation rel, const char *table)
{
	Oid			relid;
	int64		shard_id;

	if (strcmp(RelationGetRelationName(rel), table) == 0)
		return RelationGetRelid(rel);
	relid = get_relname_relid(table, RelationGetNamespace(rel));
	if (!OidIsValid(relid) || !crm_is_shard(rel))
		return relid;
	return find_shard(relid, &shard_id);
}

Oid
crm_table_to_read(Oid relid)
{
	int64		shard_id,
				group,
				here;
	Oid			shard;

	if (!crm_has_citus())
		return relid;
	shard = find_shard(relid, &shard_id);
	if (OidIsValid(shard) && read_row(&local_group, (Datum) 0, &here) &&
		read_row_with(&group_of_shard, Int64GetDatum(shard_id), &here, &group))
		return shard;
	return relid;
}

bool
crm_session_is_of_citus(void)
{
	return application_name != NULL &&
		strncmp(application_name, CITUS_SESSION, strlen(CITUS_SESSION)) == 0 && crm_has_citus();
}

void
crm_explain_refusal(MemoryContext context, const char *function)
{
	MemoryContext outer = MemoryContextSwitchTo(context);
	ErrorData  *error = CopyErrorData();

	if (strcmp(error->message, REFUSAL) == 0)
	{
		FlushErrorState();
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s() cannot be called for the rows of a query on distributed tables", function),
				 errdetail("Citus runs the query on the shards, where the function may not write."),
				 errhint("Call it with constants or parameters, such as in a loop of DO or of the client.")));
	}
	FreeErrorData(error);
	MemoryContextSwitchTo(outer);
}
