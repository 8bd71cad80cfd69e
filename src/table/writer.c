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

#include "access/table.h"
#include "access/xact.h"
#include "base/shard.h"
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
#include "utils/snapmgr.h"

#include "table/owner_rights.h"
#include "table/sql_writer.h"
#include "table/table_cache.h"
#include "table/user_code.h"
#include "table/writer.h"

/*
 * Computes the columns of rows from the values of the fields.  To make one costs
 * as much as to store a row, so one is kept with the plan for the next writer.
 */
typedef struct RowMaker
{
	MemoryContext context;
	ExprContext *econtext;
	TupleTableSlot *fields;
	TupleTableSlot *row;
	ProjectionInfo *columns;
} RowMaker;

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
	RowMaker   *idle;			/* NULL: none is kept, or it is in use */
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
	Relation	rel;
	RowPlan    *plan;
	RowMaker   *maker;			/* NULL: given back to the plan */
	EState	   *estate;
	ResultRelInfo *result;
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

static RowMaker *
make_maker(Relation rel, RowPlan *plan)
{
	MemoryContext context = AllocSetContextCreate(plan->context, "crm row maker",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	RowMaker   *maker = palloc0(sizeof(RowMaker));

	maker->context = context;
	maker->econtext = CreateStandaloneExprContext();
	maker->fields = MakeSingleTupleTableSlot(plan->fields, &TTSOpsVirtual);
	maker->row = MakeSingleTupleTableSlot(plan->row, table_slot_callbacks(rel));
	maker->econtext->ecxt_scantuple = maker->fields;
	maker->columns = ExecBuildProjectionInfo((List *) plan->columns->expr, maker->econtext,
											 maker->row, NULL, plan->fields);
	MemoryContextSwitchTo(caller);
	return maker;
}

static RowMaker *
take_maker(Relation rel, RowPlan *plan)
{
	RowMaker   *maker = plan->idle;

	plan->idle = NULL;
	return maker != NULL ? maker : make_maker(rel, plan);
}

/* Keeps the maker for the next writer, unless there is one. */
static void
give_back_maker(TableWriter *writer)
{
	RowMaker   *maker = writer->maker;

	writer->maker = NULL;
	ExecClearTuple(maker->fields);
	ExecClearTuple(maker->row);
	ResetExprContext(maker->econtext);
	if (writer->plan->idle == NULL)
		writer->plan->idle = maker;
	else
		MemoryContextDelete(maker->context);
}

/* After an error the maker is not used again: its slots may hold what is gone. */
static void
writer_ended(void *arg)
{
	TableWriter *writer = arg;

	if (writer->maker != NULL)
		MemoryContextDelete(writer->maker->context);
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

	/* SQL refuses such triggers. */
	if (columns == NIL || crm_deferred_triggers_keep_owner(rel))
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
	MemoryContext caller;

	if (rel == NULL)
		return false;
	writer->plan = get_plan(rel, target);
	if (writer->plan == NULL)
	{
		table_close(rel, RowExclusiveLock);
		return false;
	}
	writer->rel = rel;
	writer->estate = CreateExecutorState();
	caller = MemoryContextSwitchTo(writer->estate->es_query_cxt);
	writer->ended.func = writer_ended;
	writer->ended.arg = writer;
	MemoryContextRegisterResetCallback(writer->estate->es_query_cxt, &writer->ended);
	writer->plan->nusers++;
	writer->maker = take_maker(rel, writer->plan);

	writer->result = makeNode(ResultRelInfo);
	InitResultRelInfo(writer->result, rel, 0, NULL, 0);
	ExecOpenIndices(writer->result, false);
	/* There AFTER triggers look for it. */
	writer->estate->es_opened_result_relations = list_make1(writer->result);
	MemoryContextSwitchTo(caller);
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
	bool		triggers = writer->result->ri_TrigDesc != NULL &&
	writer->result->ri_TrigDesc->trig_insert_after_row;
	RowMaker   *maker = writer->maker;
	int			nfields = writer->plan->fields->natts;

	ExecClearTuple(maker->fields);
	memcpy(maker->fields->tts_values, values, nfields * sizeof(Datum));
	memcpy(maker->fields->tts_isnull, nulls, nfields * sizeof(bool));
	ExecStoreVirtualTuple(maker->fields);

	/* Within a row: writers need not end in the order they began. */
	if (triggers)
		AfterTriggerBeginQuery();
	ExecSimpleRelationInsert(writer->result, writer->estate, ExecProject(maker->columns));
	if (triggers)
		AfterTriggerEndQuery(writer->estate);
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
	ResetPerTupleExprContext(writer->estate);
	ResetExprContext(writer->maker->econtext);
	/* As the executor: what trigger functions keep lasts for all rows. */
	caller = MemoryContextSwitchTo(writer->estate->es_query_cxt);
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
	if (writer->sql != NULL)
	{
		crm_sql_writer_end(writer->sql);
		return;
	}
	give_back_maker(writer);
	ExecCloseResultRelations(writer->estate);
	ExecResetTupleTable(writer->estate->es_tupleTable, false);
	FreeExecutorState(writer->estate);
	table_close(writer->rel, NoLock);
	CommandCounterIncrement();
}
