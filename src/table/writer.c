/*
 * table/writer.c
 *		Inserts rows into a table beside deals: history and totals.
 *
 * To start the executor for an INSERT of one row costs several times what
 * storing the row does.  So rows go to ExecSimpleRelationInsert(), with which
 * logical replication applies changes: it computes generated columns, checks
 * constraints, fires row triggers and fills the indexes.  The columns that are
 * not written get their defaults from a projection, made as INSERT's is.
 *
 * What it does not do is left to SQL (table/sql_writer.c): partitions, rules,
 * statement triggers, a column that the values cannot be assigned to, another
 * owner's table.
 * Row security does not apply to the owner, whom neither way makes subject to
 * it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "port/pg_bitutils.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/snapmgr.h"

#include "base/compat.h"
#include "base/shard.h"
#include "table/owner_rights.h"
#include "table/sql_writer.h"
#include "table/table_cache.h"
#include "table/trigger.h"
#include "table/user_code.h"
#include "table/writer.h"

/*
 * Computes the columns of rows from the values of the fields, and stores them.  To make
 * one costs more than to store a row, so one is kept with the plan for the next writer.
 */
typedef struct RowStore
{
	MemoryContext context;
	MemoryContext statement;	/* what is made while rows are stored */
	ExprContext *econtext;
	TupleTableSlot *fields;
	TupleTableSlot *row;
	ProjectionInfo *columns;
	EState	   *estate;
	ResultRelInfo *result;		/* its table is open while a writer has the
								 * store, and the indexes that a row needed */
	Oid		   *indexes;
} RowStore;

/*
 * How rows of a target become rows of its table.  Writers that are open go on
 * with the plan that they began with when another one is made for the table.
 */
typedef struct RowPlan
{
	MemoryContext context;
	int			nusers;			/* the cache, and each open writer */
	TupleDesc	fields;
	TupleDesc	row;
	CachedExpression *columns;	/* of the row, over fields */
	bool		runs_user_code;
	bool		fires_triggers;
	RowStore   *idle;			/* NULL: none is kept, or it is in use */
} RowPlan;

/* The facts that are kept of a target's table. */
typedef struct TargetFacts
{
	RowPlan    *plan;			/* NULL: only SQL can write to it */
} TargetFacts;

struct TableWriter
{
	Relation	deals;
	SqlWriter  *sql;			/* NULL: by what is below */
	RowPlan    *plan;
	RowStore   *store;			/* NULL: given back to the plan */
	MemoryContextCallback ended;
};

static void
release_plan(RowPlan *plan)
{
	if (--plan->nusers > 0)
		return;
	FreeCachedExpression(plan->columns);
	MemoryContextDelete(plan->context);
}

static void
make_columns_of_rows(RowStore *store, Relation rel, RowPlan *plan)
{
	store->econtext = CreateStandaloneExprContext();
	store->fields = MakeSingleTupleTableSlot(plan->fields, &TTSOpsVirtual);
	store->row = MakeSingleTupleTableSlot(plan->row, table_slot_callbacks(rel));
	store->econtext->ecxt_scantuple = store->fields;
	store->columns = ExecBuildProjectionInfo((List *) plan->columns->expr, store->econtext,
											 store->row, NULL, plan->fields);
}

/* Whether nothing of a user's sees or changes a row between its columns and its storage. */
static bool
is_stored_as_written(const RowPlan *plan)
{
	return !plan->runs_user_code && !plan->fires_triggers;
}

static void
close_indexes(ResultRelInfo *result)
{
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		Relation	index = result->ri_IndexRelationDescs[i];

		if (index == NULL)
			continue;
		crm_index_insert_cleanup(index, result->ri_IndexRelationInfo[i]);
		index_close(index, RowExclusiveLock);
		result->ri_IndexRelationDescs[i] = NULL;
	}
}

/*
 * Indexes are opened by the rows that belong to them: few belong to a partial one.  Their
 * conditions are made ready here, unless they are asked for the row that a trigger
 * or an expression has completed.
 */
static void
make_result(RowStore *store, Relation rel, RowPlan *plan)
{
	ResultRelInfo *result = makeNode(ResultRelInfo);

	InitResultRelInfo(result, rel, 0, NULL, 0);
	if (!plan->fires_triggers)
		result->ri_TrigDesc = NULL;
	ExecOpenIndices(result, false);
	store->indexes = palloc(result->ri_NumIndices * sizeof(Oid));
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		IndexInfo  *index = result->ri_IndexRelationInfo[i];

		store->indexes[i] = RelationGetRelid(result->ri_IndexRelationDescs[i]);
		if (is_stored_as_written(plan))
			index->ii_PredicateState = ExecPrepareQual(index->ii_Predicate, store->estate);
	}
	close_indexes(result);
	/* There AFTER triggers look for it. */
	store->estate->es_opened_result_relations = list_make1(result);
	store->result = result;
}

static RowStore *
make_store(Relation rel, RowPlan *plan)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm row store",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	RowStore   *store = palloc0(sizeof(RowStore));

	store->context = context;
	store->statement = AllocSetContextCreate(context, "crm row store of a statement",
											 ALLOCSET_SMALL_SIZES);
	make_columns_of_rows(store, rel, plan);
	store->estate = CreateExecutorState();
	MemoryContextSwitchTo(store->estate->es_query_cxt);
	make_result(store, rel, plan);
	MemoryContextSwitchTo(caller);
	MemoryContextSetParent(context, plan->context);
	return store;
}

/* Opens the table; whatever an index keeps from row to row ends with the statement. */
static void
open_result(RowStore *store, Relation rel)
{
	store->result->ri_RelationDesc = rel;
	for (int i = 0; i < store->result->ri_NumIndices; i++)
	{
		store->result->ri_IndexRelationInfo[i]->ii_AmCache = NULL;
		store->result->ri_IndexRelationInfo[i]->ii_Context = store->statement;
	}
}

/* Opens the indexes that the row may belong to. */
static void
open_indexes(RowStore *store, const RowPlan *plan, TupleTableSlot *row)
{
	ResultRelInfo *result = store->result;
	ExprContext *econtext = GetPerTupleExprContext(store->estate);

	econtext->ecxt_scantuple = row;
	for (int i = 0; i < result->ri_NumIndices; i++)
	{
		if (result->ri_IndexRelationDescs[i] == NULL &&
			(!is_stored_as_written(plan) ||
			 ExecQual(result->ri_IndexRelationInfo[i]->ii_PredicateState, econtext)))
			result->ri_IndexRelationDescs[i] = index_open(store->indexes[i], RowExclusiveLock);
	}
}

static void
take_store(TableWriter *writer, Relation rel)
{
	writer->store = writer->plan->idle;
	writer->plan->idle = NULL;
	if (writer->store == NULL)
		writer->store = make_store(rel, writer->plan);
	open_result(writer->store, rel);
}

static void
delete_store(RowStore *store)
{
	ExecResetTupleTable(store->estate->es_tupleTable, false);
	FreeExecutorState(store->estate);
	MemoryContextDelete(store->context);
}

/* Keeps the store for the next writer, unless there is one. */
static void
give_back_store(TableWriter *writer)
{
	RowStore   *store = writer->store;

	writer->store = NULL;
	ExecClearTuple(store->fields);
	ExecClearTuple(store->row);
	ResetExprContext(store->econtext);
	MemoryContextReset(store->statement);
	/* What users' code and triggers keep is of this statement. */
	if (writer->plan->idle == NULL && is_stored_as_written(writer->plan))
		writer->plan->idle = store;
	else
		delete_store(store);
}

/* After an error the store is not used again: its slots may hold what is gone. */
static void
writer_ended(void *arg)
{
	TableWriter *writer = arg;

	if (writer->store != NULL)
		MemoryContextDelete(writer->store->context);
	release_plan(writer->plan);
}

/* Whether a row is stored as INSERT does it, apart from its columns. */
static bool
is_simple(Relation rel)
{
	const TriggerDesc *triggers = rel->trigdesc;

	return rel->rd_rel->relkind == RELKIND_RELATION &&
		!rel->rd_rel->relhasrules &&
		(triggers == NULL ||
		 (!triggers->trig_insert_before_statement && !triggers->trig_insert_after_statement &&
		  !triggers->trig_insert_new_table));
}

/* Whether a row that is stored fires triggers, but for the guard that lets it pass. */
static bool
fires_triggers(Relation rel, const InsertTarget *target)
{
	const TriggerDesc *triggers = crm_copy_triggers(rel);

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) &&
			!(target->guard != NULL && !crm_is_user_code(trigger->tgfoid) &&
			  strcmp(get_func_name(trigger->tgfoid), target->guard) == 0))
			return true;
	}
	return false;
}

/* The field that is written to that column; -1 if there is none. */
static int
find_field(const InsertTarget *target, const Form_pg_attribute att)
{
	for (int i = 0; i < target->nfields; i++)
	{
		if (strcmp(target->fields[i].column, NameStr(att->attname)) == 0)
			return i;
	}
	return -1;
}

/* The value of a column that is not written, as INSERT makes it. */
static Node *
make_default(Relation rel, const Form_pg_attribute att)
{
	Node	   *value = NULL;

	if (att->attisdropped)
		return (Node *) makeNullConst(INT4OID, -1, InvalidOid);
	if (att->attgenerated == '\0')
		value = build_column_default(rel, att->attnum);
	if (value == NULL)
		value = (Node *) makeNullConst(att->atttypid, -1, att->attcollation);
	if (get_typtype(att->atttypid) == TYPTYPE_DOMAIN && IsA(value, Const) &&
		att->attgenerated == '\0')
		value = coerce_to_domain(value, InvalidOid, -1, att->atttypid, COERCION_IMPLICIT,
								 COERCE_IMPLICIT_CAST, -1, false);
	return value;
}

/* The value of a column that is written; NULL if SQL has to say what is wrong. */
static Node *
make_assignment(const InsertTarget *target, int field, const Form_pg_attribute att)
{
	Oid			type = target->fields[field].type;
	Node	   *value = (Node *) makeVar(1, field + 1, type, -1, get_typcollation(type), 0);

	if (att->attgenerated != '\0' || att->attidentity == ATTRIBUTE_IDENTITY_ALWAYS)
		return NULL;
	return coerce_to_target_type(NULL, value, type, att->atttypid, att->atttypmod,
								 COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
}

/* The columns of a row as a target list; NIL if that cannot be made of the fields. */
static List *
make_columns(Relation rel, const InsertTarget *target)
{
	TupleDesc	desc = RelationGetDescr(rel);
	uint64		lacking = crm_lacking_fields(rel, target);
	int			nwritten = pg_popcount64(lacking);
	List	   *columns = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		int			field = att->attisdropped ? -1 : find_field(target, att);
		Node	   *value = field < 0 ? make_default(rel, att) :
		make_assignment(target, field, att);

		if (value == NULL)
			return NIL;
		columns = lappend(columns, makeTargetEntry((Expr *) value, i + 1, NULL, false));
		nwritten += field >= 0;
	}
	return nwritten == target->nfields ? columns : NIL;
}

static RowPlan *
make_plan(Relation rel, const InsertTarget *target)
{
	List	   *columns = is_simple(rel) ? make_columns(rel, target) : NIL;
	MemoryContext context;
	MemoryContext caller;
	RowPlan    *plan;

	/* SQL refuses such triggers where they do harm. */
	if (columns == NIL || crm_has_deferrable_trigger(rel))
		return NULL;
	context = AllocSetContextCreate(CurrentMemoryContext, "crm row plan", ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(context);
	MemoryContextCopyAndSetIdentifier(context, RelationGetRelationName(rel));
	plan = palloc0(sizeof(RowPlan));
	plan->context = context;
	plan->nusers = 1;
	plan->fields = crm_target_row(target);
	plan->row = CreateTupleDescCopy(RelationGetDescr(rel));
	plan->runs_user_code = crm_insert_runs_user_code(rel, columns);
	plan->fires_triggers = fires_triggers(rel, target);
	MemoryContextSwitchTo(caller);
	plan->columns = GetCachedExpression((Node *) columns);
	MemoryContextSetParent(context, TopMemoryContext);
	return plan;
}

/* With the owner's rights: planning evaluates immutable functions. */
static void
find_plan(Relation rel, const void *target, void *data)
{
	TargetFacts *facts = data;
	SavedUser	saved;

	if (facts->plan != NULL)
		release_plan(facts->plan);
	facts->plan = NULL;
	crm_become_owner(rel, &saved);
	facts->plan = make_plan(rel, target);
	crm_restore_user(&saved);
}

/* The plan for rows of the target; NULL if only SQL can write to its table. */
static RowPlan *
get_plan(Relation rel, const InsertTarget *target)
{
	TargetFacts *facts = crm_table_facts(rel, target, sizeof(TargetFacts), find_plan);

	/* A function that a default calls may have been replaced. */
	if (facts->plan != NULL && !facts->plan->columns->is_valid)
		find_plan(rel, target, facts);
	return facts->plan;
}

/* The table, locked, if it is the deals' owner's and that one may insert. */
static Relation
open_table(Relation deals, const char *table)
{
	Oid			owner = RelationGetForm(deals)->relowner;
	bool		is_table = strcmp(RelationGetRelationName(deals), "deals") == 0;
	Oid			relid;
	Relation	rel;

	if (!is_table && !crm_is_shard(deals))
		return NULL;
	relid = crm_sibling(deals, table);
	rel = OidIsValid(relid) ? try_table_open(relid, RowExclusiveLock) : NULL;
	if (rel == NULL)
		return NULL;
	/* It may have been renamed while we waited for the lock. */
	if (RelationGetForm(rel)->relowner == owner &&
		RelationGetNamespace(rel) == RelationGetNamespace(deals) &&
		(!is_table || strcmp(RelationGetRelationName(rel), table) == 0) &&
		pg_class_aclcheck(relid, owner, ACL_INSERT) == ACLCHECK_OK)
		return rel;
	table_close(rel, RowExclusiveLock);
	return NULL;
}

/* Begins without SQL; false if the table is one for SQL. */
static bool
begin_direct(TableWriter *writer, const InsertTarget *target)
{
	Relation	rel = open_table(writer->deals, target->table);

	if (rel == NULL)
		return false;
	writer->plan = get_plan(rel, target);
	if (writer->plan == NULL)
	{
		table_close(rel, RowExclusiveLock);
		return false;
	}
	writer->plan->nusers++;
	writer->ended.func = writer_ended;
	writer->ended.arg = writer;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &writer->ended);
	take_store(writer, rel);
	/* As each INSERT begins; what runs now does not see the rows. */
	CommandCounterIncrement();
	return true;
}

TableWriter *
crm_writer_begin(Relation deals, const InsertTarget *target)
{
	TableWriter *writer = palloc0(sizeof(TableWriter));
	SavedUser	saved;
	bool		direct;

	writer->deals = deals;
	crm_become_owner_for_own_code(deals, &saved);
	direct = begin_direct(writer, target);
	crm_restore_user(&saved);
	if (!direct)
		writer->sql = crm_sql_writer_begin(deals, target);
	return writer;
}

/* Stores the row and fires its triggers. */
static void
insert_row(TableWriter *writer, const Datum *values, const bool *nulls)
{
	RowStore   *store = writer->store;
	ResultRelInfo *result = store->result;
	bool		triggers = result->ri_TrigDesc != NULL &&
	result->ri_TrigDesc->trig_insert_after_row;
	int			nfields = writer->plan->fields->natts;
	TupleTableSlot *row;

	ExecClearTuple(store->fields);
	memcpy(store->fields->tts_values, values, nfields * sizeof(Datum));
	memcpy(store->fields->tts_isnull, nulls, nfields * sizeof(bool));
	ExecStoreVirtualTuple(store->fields);
	row = ExecProject(store->columns);
	open_indexes(store, writer->plan, row);

	/* Within a row: writers need not end in the order they began. */
	if (triggers)
		AfterTriggerBeginQuery();
	ExecSimpleRelationInsert(result, store->estate, row);
	if (triggers)
		AfterTriggerEndQuery(store->estate);
}

/* The same where that may run queries and look names up. */
static void
insert_row_with_user_code(TableWriter *writer, const Datum *values, const bool *nulls)
{
	SavedUser	saved;

	crm_become_owner(writer->deals, &saved);
	PushActiveSnapshot(GetTransactionSnapshot());
	insert_row(writer, values, nulls);
	PopActiveSnapshot();
	crm_restore_user(&saved);
}

static void
add_direct(TableWriter *writer, const Datum *values, const bool *nulls)
{
	MemoryContext caller;
	SavedUser	saved;

	CHECK_FOR_INTERRUPTS();
	ResetPerTupleExprContext(writer->store->estate);
	ResetExprContext(writer->store->econtext);
	/* As the executor: what trigger functions keep lasts for all rows. */
	caller = MemoryContextSwitchTo(writer->store->statement);
	if (writer->plan->runs_user_code)
		insert_row_with_user_code(writer, values, nulls);
	else
	{
		crm_become_owner_for_own_code(writer->deals, &saved);
		insert_row(writer, values, nulls);
		crm_restore_user(&saved);
	}
	MemoryContextSwitchTo(caller);
}

void
crm_writer_add(TableWriter *writer, const Datum *values, const bool *nulls)
{
	if (writer->sql != NULL)
		crm_sql_writer_add(writer->sql, values, nulls);
	else
		add_direct(writer, values, nulls);
}

void
crm_writer_end(TableWriter *writer)
{
	Relation	rel;

	if (writer->sql != NULL)
	{
		crm_sql_writer_end(writer->sql);
		return;
	}
	rel = writer->store->result->ri_RelationDesc;
	close_indexes(writer->store->result);
	give_back_store(writer);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}
