/*
 * table_info.c
 *		What the triggers know of the CRM's tables: columns, neighbours, locks.
 *
 * Neighbours are found through foreign keys, not by name, where rows are read
 * directly: on a sharded cluster the tables at hand bear other names than the
 * user's.  Where a query does the work, names are right, as the planner maps
 * them.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tupconvert.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "table_info.h"

#define MAX_COLUMNS 32

/* How many locks stand for all keys of a tenant in a table. */
#define KEY_LOCKS 256

typedef struct TableKey
{
	Oid			relid;
	uint32		padding;		/* the key is hashed as bytes */
	const CrmTableKind *kind;
} TableKey;

typedef struct TableEntry
{
	TableKey	key;
	bool		valid;
	AttrNumber	attnos[MAX_COLUMNS];
} TableEntry;

static HTAB *table_entries = NULL;

static void
invalidate_tables(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	TableEntry *entry;

	hash_seq_init(&status, table_entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (!OidIsValid(relid) || entry->key.relid == relid)
			entry->valid = false;
	}
}

static void
create_table_entries(void)
{
	HASHCTL		ctl = {0};

	ctl.keysize = sizeof(TableKey);
	ctl.entrysize = sizeof(TableEntry);
	table_entries = hash_create("crm tables", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(invalidate_tables, (Datum) 0);
}

AttrNumber
crm_optional_column(Relation rel, const char *name, Oid type)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || strcmp(NameStr(att->attname), name) != 0)
			continue;
		if (att->atttypid != type)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of table \"%s\" is of type %s, but the CRM needs %s",
							name, RelationGetRelationName(rel),
							format_type_be(att->atttypid), format_type_be(type))));
		return att->attnum;
	}
	return InvalidAttrNumber;
}

static AttrNumber
resolve_column(Relation rel, const CrmTableKind *kind, const CrmColumn *column)
{
	AttrNumber	attno = crm_optional_column(rel, column->name, column->type);

	if (attno == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\", which the CRM needs",
						RelationGetRelationName(rel), column->name),
				 errdetail("Its trigger treats it as a table of kind \"%s\".", kind->name)));
	return attno;
}

const AttrNumber *
crm_columns(Relation rel, const CrmTableKind *kind)
{
	TableKey	key = {.relid = RelationGetRelid(rel),.kind = kind};
	TableEntry *entry;
	bool		found;

	Assert(kind->ncolumns <= MAX_COLUMNS);

	if (table_entries == NULL)
		create_table_entries();

	entry = hash_search(table_entries, &key, HASH_ENTER, &found);
	if (!found)
		entry->valid = false;
	if (!entry->valid)
	{
		for (int i = 0; i < kind->ncolumns; i++)
			entry->attnos[i] = resolve_column(rel, kind, &kind->columns[i]);
		entry->valid = true;
	}
	return entry->attnos;
}

void
crm_check_not_null(Relation rel, AttrNumber attno, bool isnull)
{
	/* The table is the user's, who may have dropped the constraint. */
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("null value in column \"%s\" of table \"%s\"",
						get_attname(RelationGetRelid(rel), attno, false),
						RelationGetRelationName(rel)),
				 errtablecol(rel, attno)));
}

Datum
crm_required_value(Relation rel, HeapTuple tuple, AttrNumber attno)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attno, RelationGetDescr(rel), &isnull);

	crm_check_not_null(rel, attno, isnull);
	return value;
}

Oid
crm_table_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

/*
 * Rows are read past all permissions, so rel's owner must be able to read the
 * other table.  REFERENCES, with which one makes a foreign key, is less.
 */
static void
check_readable(Relation rel, Oid other)
{
	Oid			owner = RelationGetForm(rel)->relowner;

	if (has_privs_of_role(owner, crm_table_owner(other)))
		return;
	if (pg_class_aclcheck(other, owner, ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(other, owner, true) != RLS_ENABLED)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("the owner of table \"%s\" may not read all of table \"%s\"",
					RelationGetRelationName(rel), get_rel_name(other)),
			 errdetail("The rules of the CRM read there what a foreign key refers to."),
			 errhint("Give all tables of the CRM to the same owner.")));
}

Oid
crm_referenced_table(Relation rel, AttrNumber attno)
{
	ListCell   *lc;

	foreach(lc, RelationGetFKeyList(rel))
	{
		ForeignKeyCacheInfo *fk = lfirst_node(ForeignKeyCacheInfo, lc);

		if (fk->nkeys == 1 && fk->conkey[0] == attno)
		{
			check_readable(rel, fk->confrelid);
			return fk->confrelid;
		}
	}

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("column \"%s\" of table \"%s\" has no foreign key, which the CRM needs",
					get_attname(RelationGetRelid(rel), attno, false),
					RelationGetRelationName(rel))));
}

char *
crm_sibling_name(Relation rel, const char *table)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  table);
}

Oid
crm_index_on_column(Relation rel, AttrNumber attno)
{
	Oid			result = InvalidOid;
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);
		Form_pg_index form = index->rd_index;

		if (form->indisvalid && index->rd_rel->relam == BTREE_AM_OID &&
			form->indkey.values[0] == attno &&
			heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
			result = RelationGetRelid(index);
		index_close(index, AccessShareLock);
		if (OidIsValid(result))
			break;
	}
	list_free(indexes);
	return result;
}

Snapshot
crm_latest_snapshot(void)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	/*
	 * As a foreign key does, see also what the running command itself has
	 * done: it may create the parent and the child.
	 */
	snapshot->curcid = GetCurrentCommandId(false) + 1;
	return snapshot;
}

/* Visits the rows of one table, not of a partitioned one; false if told to stop. */
static bool
visit_table(Relation rel, Oid index, AttrNumber attno, const pg_uuid_t *key,
			TupleConversionMap *map, Relation shown, CrmRowVisitor visit, void *arg)
{
	Snapshot	snapshot = crm_latest_snapshot();
	ScanKeyData scankey;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		more = true;

	ScanKeyInit(&scankey, attno, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(key));
	scan = systable_beginscan(rel, index, OidIsValid(index), snapshot, 1, &scankey);
	while (more && (tuple = systable_getnext(scan)) != NULL)
	{
		if (map == NULL)
			more = visit(shown, tuple, arg);
		else
		{
			tuple = execute_attr_map_tuple(tuple, map);
			more = visit(shown, tuple, arg);
			heap_freetuple(tuple);
		}
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	return more;
}

static void
visit_partitions(Relation rel, AttrNumber attno, const pg_uuid_t *key,
				 CrmRowVisitor visit, void *arg)
{
	const char *column = NameStr(TupleDescAttr(RelationGetDescr(rel), attno - 1)->attname);
	List	   *partitions = find_all_inheritors(RelationGetRelid(rel), AccessShareLock, NULL);
	bool		more = true;
	ListCell   *lc;

	foreach(lc, partitions)
	{
		Relation	partition = table_open(lfirst_oid(lc), NoLock);

		if (more && partition->rd_rel->relkind == RELKIND_RELATION)
		{
			AttrNumber	key_attno = crm_optional_column(partition, column, UUIDOID);
			TupleConversionMap *map = convert_tuples_by_name(RelationGetDescr(partition),
															 RelationGetDescr(rel));

			more = visit_table(partition, crm_index_on_column(partition, key_attno), key_attno,
							   key, map, rel, visit, arg);
			if (map != NULL)
				free_conversion_map(map);
		}
		table_close(partition, NoLock);
	}
	list_free(partitions);
}

void
crm_visit_rows(Relation rel, Oid index, AttrNumber attno, const pg_uuid_t *key,
			   CrmRowVisitor visit, void *arg)
{
	switch (rel->rd_rel->relkind)
	{
		case RELKIND_RELATION:
			(void) visit_table(rel, index, attno, key, NULL, rel, visit, arg);
			break;
		case RELKIND_PARTITIONED_TABLE:
			visit_partitions(rel, attno, key, visit, arg);
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" is not a table whose rows the CRM can read",
							RelationGetRelationName(rel)),
					 errhint("Make it an ordinary or a partitioned table.")));
	}
}

/*
 * A lock of the lock manager's, not of the row: it is shared without writing
 * anything, and renaming a stage need not wait for those who move deals.
 */
static void
lock_hash(Oid relid, uint64 hash, LOCKMODE mode)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, relid, (uint32) hash, (uint16) (hash >> 32));
	(void) LockAcquire(&tag, mode, false, false);
}

/* Each tenant has its own locks, so that tenants do not wait for each other. */
static uint64
key_lock(const pg_uuid_t *tenant_id, const pg_uuid_t *key)
{
	uint64		lock = hash_bytes(key->data, UUID_LEN) % KEY_LOCKS;

	return lock << 32 | hash_bytes(tenant_id->data, UUID_LEN);
}

void
crm_lock_key(Oid relid, const pg_uuid_t *tenant_id, const pg_uuid_t *key, LOCKMODE mode)
{
	lock_hash(relid, key_lock(tenant_id, key), mode);
}

void
crm_lock_key_alone(Oid relid, const pg_uuid_t *key)
{
	lock_hash(relid, hash_bytes_extended(key->data, UUID_LEN, 0), AccessExclusiveLock);
}
