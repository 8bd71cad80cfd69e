/*
 * stage/lookup.c
 *		The facts of stages and pipelines that the rules of deals need.
 *
 * These facts are read with the latest snapshot, as a foreign key reads its
 * parent, once in a statement, and kept in the statement's memory.  Only writes
 * of this session invalidate them.  Row security does not apply here: callers
 * compare tenants.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/uuid.h"
#include "stage/lookup.h"
#include "table/key_lock.h"
#include "table/kinds.h"
#include "table/row_name.h"
#include "table/scan.h"

/* The facts that were looked up, by id.  Entries may move in memory, facts do not. */
typedef struct FactsEntry
{
	pg_uuid_t	id;
	char		status;			/* of the hash table's */
	void	   *facts;
} FactsEntry;

#define SH_PREFIX facts
#define SH_ELEMENT_TYPE FactsEntry
#define SH_KEY_TYPE pg_uuid_t
#define SH_KEY id
#define SH_HASH_KEY(table, key) crm_hash_ids((key).data, UUID_LEN)
#define SH_EQUAL(table, a, b) crm_uuid_equal(&(a), &(b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct StageLookup
{
	MemoryContext context;
	uint64		writes;			/* writes_of_stages when it began */
	Oid			stages;
	Oid			pipelines;
	facts_hash *stage_facts;
	facts_hash *pipeline_facts;

	/* The last results, as a bulk write asks for the same again and again. */
	StageFacts *last_stage;
	bool		searched;
	pg_uuid_t	searched_pipeline;
	DealStatus	searched_status;
	const StageFacts *search_result;
	int			search_count;
	pg_uuid_t	default_tenant;
	const PipelineFacts *default_pipeline;
};

/* How often a search is repeated because the stage that it found had changed. */
#define MAX_TRIES 100

/* Most statements need one stage; few of them need more than this. */
#define FEW_FACTS 4

static uint64 writes_of_stages = 0;

/* A search for the first stage of a status in a pipeline, and its result so far. */
typedef struct StageSearch
{
	const AttrNumber *columns;
	DealStatus	status;
	pg_uuid_t	id;
	pg_uuid_t	tenant_id;
	int			position;
	int			count;
} StageSearch;

/* Where the facts of a row that is visited are stored. */
typedef struct FactsReader
{
	const AttrNumber *columns;
	void	   *facts;
} FactsReader;

/*
 * The facts that the table has for that id.  If it has none, they are added: the
 * id, which facts begin with, and zeros.
 */
static void *
get_facts(facts_hash **table, const pg_uuid_t *id, Size size, MemoryContext context)
{
	FactsEntry *entry;
	bool		found;

	if (*table == NULL)
		*table = facts_create(context, FEW_FACTS, NULL);
	entry = facts_insert(*table, *id, &found);
	if (!found)
	{
		entry->facts = MemoryContextAllocZero(context, size);
		memcpy(entry->facts, id, sizeof(*id));
	}
	return entry->facts;
}

StageLookup *
crm_stage_lookup_create(Relation deals, AttrNumber pipeline_id, AttrNumber stage_id,
						MemoryContext context)
{
	StageLookup *lookup = MemoryContextAllocZero(context, sizeof(StageLookup));

	lookup->context = context;
	lookup->writes = writes_of_stages;
	lookup->stages = crm_referenced_table(deals, stage_id);
	lookup->pipelines = crm_referenced_table(deals, pipeline_id);
	return lookup;
}

void
crm_stages_written(void)
{
	writes_of_stages++;
}

void
crm_stage_lookup_refresh(StageLookup *lookup)
{
	if (lookup->writes == writes_of_stages)
		return;
	if (lookup->stage_facts != NULL)
		facts_destroy(lookup->stage_facts);
	if (lookup->pipeline_facts != NULL)
		facts_destroy(lookup->pipeline_facts);
	lookup->stage_facts = NULL;
	lookup->pipeline_facts = NULL;
	lookup->last_stage = NULL;
	lookup->searched = false;
	lookup->default_pipeline = NULL;
	lookup->writes = writes_of_stages;
}

static TimestampTz
archived_at(HeapTuple tuple, AttrNumber attno, TupleDesc desc)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attno, desc, &isnull);

	return isnull ? DT_NOEND : DatumGetTimestampTz(value);
}

static bool
read_pipeline(Relation rel, HeapTuple tuple, void *arg)
{
	FactsReader *reader = arg;
	PipelineFacts *facts = reader->facts;
	const AttrNumber *columns = reader->columns;
	TupleDesc	desc = RelationGetDescr(rel);
	Datum		currency;

	facts->exists = true;
	facts->tenant_id = *DatumGetUUIDP(crm_required_value(rel, tuple, columns[PIPELINE_TENANT_ID]));
	facts->name = TextDatumGetCString(crm_required_value(rel, tuple, columns[PIPELINE_NAME]));
	currency = crm_required_value(rel, tuple, columns[PIPELINE_CURRENCY]);
	facts->currency = PointerGetDatum(PG_DETOAST_DATUM_COPY(currency));
	facts->archived_at = archived_at(tuple, columns[PIPELINE_ARCHIVED_AT], desc);
	return false;
}

static bool
read_stage(Relation rel, HeapTuple tuple, void *arg)
{
	FactsReader *reader = arg;
	StageFacts *facts = reader->facts;
	const AttrNumber *columns = reader->columns;
	TupleDesc	desc = RelationGetDescr(rel);
	bool		isnull;
	Datum		probability;

	facts->exists = true;
	facts->pipeline_id = *DatumGetUUIDP(crm_required_value(rel, tuple, columns[STAGE_PIPELINE_ID]));
	facts->tenant_id = *DatumGetUUIDP(crm_required_value(rel, tuple, columns[STAGE_TENANT_ID]));
	facts->name = TextDatumGetCString(crm_required_value(rel, tuple, columns[STAGE_NAME]));
	if (!crm_parse_deal_status(crm_required_value(rel, tuple, columns[STAGE_DEAL_STATUS]),
							   &facts->status))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("a stage has an unknown deal_status"),
				 errdetail("It is stage %s.", crm_uuid_text(&facts->id)),
				 errhint("Its deal_status must be open, won or lost.")));
	probability = heap_getattr(tuple, columns[STAGE_PROBABILITY], desc, &isnull);
	facts->has_probability = !isnull;
	if (!isnull)
		facts->probability = PointerGetDatum(PG_DETOAST_DATUM_COPY(probability));
	facts->archived_at = archived_at(tuple, columns[STAGE_ARCHIVED_AT], desc);
	return false;
}

const PipelineFacts *
crm_find_pipeline(StageLookup *lookup, const pg_uuid_t *id)
{
	PipelineFacts *facts = get_facts(&lookup->pipeline_facts, id, sizeof(PipelineFacts),
									 lookup->context);

	if (!facts->exists)
	{
		Relation	rel = table_open(lookup->pipelines, AccessShareLock);
		FactsReader reader = {crm_columns(rel, &crm_pipeline_kind), facts};
		MemoryContext caller = MemoryContextSwitchTo(lookup->context);

		crm_visit_row(rel, crm_index_on_column(rel, reader.columns[PIPELINE_ID]),
					  reader.columns[PIPELINE_ID], id, read_pipeline, &reader);
		MemoryContextSwitchTo(caller);
		table_close(rel, NoLock);
	}
	return facts->exists ? facts : NULL;
}

const StageFacts *
crm_find_stage(StageLookup *lookup, const pg_uuid_t *id, const pg_uuid_t *tenant_id)
{
	StageFacts *facts = lookup->last_stage;

	if (facts != NULL && crm_uuid_equal(&facts->id, id) &&
		crm_uuid_equal(&facts->tenant_id, tenant_id))
		return facts;

	facts = get_facts(&lookup->stage_facts, id, sizeof(StageFacts), lookup->context);
	if (!facts->exists || !crm_uuid_equal(&facts->tenant_id, tenant_id))
	{
		Relation	rel = table_open(lookup->stages, AccessShareLock);
		FactsReader reader = {crm_columns(rel, &crm_stage_kind), facts};
		MemoryContext caller = MemoryContextSwitchTo(lookup->context);

		/*
		 * Conflicts with the exclusive lock that a change of the stage's
		 * status takes.
		 */
		crm_lock_key_shared(lookup->stages, tenant_id, id);
		facts->exists = false;
		crm_visit_row(rel, crm_index_on_column(rel, reader.columns[STAGE_ID]),
					  reader.columns[STAGE_ID], id, read_stage, &reader);
		MemoryContextSwitchTo(caller);
		table_close(rel, NoLock);
	}
	if (!facts->exists || !crm_uuid_equal(&facts->tenant_id, tenant_id))
		return NULL;
	lookup->last_stage = facts;
	return facts;
}

static bool
consider_stage(Relation rel, HeapTuple tuple, void *arg)
{
	StageSearch *search = arg;
	TupleDesc	desc = RelationGetDescr(rel);
	DealStatus	status;
	int			position;

	if (!crm_parse_deal_status(crm_required_value(rel, tuple, search->columns[STAGE_DEAL_STATUS]),
							   &status) || status != search->status ||
		!heap_attisnull(tuple, search->columns[STAGE_ARCHIVED_AT], desc))
		return true;

	position = DatumGetInt32(crm_required_value(rel, tuple, search->columns[STAGE_POSITION]));
	if (search->count++ == 0 || position < search->position)
	{
		search->position = position;
		search->id = *DatumGetUUIDP(crm_required_value(rel, tuple, search->columns[STAGE_ID]));
		search->tenant_id = *DatumGetUUIDP(crm_required_value(rel, tuple,
															  search->columns[STAGE_TENANT_ID]));
	}
	return true;
}

/* The stage is to be read again, as its status is no longer the one that was read. */
static void
forget_stage(StageLookup *lookup, const pg_uuid_t *id)
{
	FactsEntry *entry = facts_lookup(lookup->stage_facts, *id);

	if (entry != NULL)
		((StageFacts *) entry->facts)->exists = false;
	lookup->last_stage = NULL;
}

/*
 * The first of the pipeline's unarchived stages of that status, and how many
 * there are.  The search reads the status without a lock; crm_find_stage() locks
 * the stage and reads it again.
 */
static const StageFacts *
find_stage_by_status(StageLookup *lookup, const pg_uuid_t *pipeline_id,
					 DealStatus status, int *count)
{
	Relation	rel;
	Oid			index;
	StageSearch search = {.status = status};
	const StageFacts *facts;
	int			tries = 0;

	if (lookup->searched && lookup->searched_status == status &&
		crm_uuid_equal(&lookup->searched_pipeline, pipeline_id))
	{
		*count = lookup->search_count;
		return lookup->search_result;
	}

	rel = table_open(lookup->stages, AccessShareLock);
	search.columns = crm_columns(rel, &crm_stage_kind);
	index = crm_index_on_column(rel, search.columns[STAGE_PIPELINE_ID]);
	do
	{
		search.count = 0;
		crm_visit_rows(rel, index, search.columns[STAGE_PIPELINE_ID], pipeline_id,
					   consider_stage, &search);
		facts = search.count > 0 ? crm_find_stage(lookup, &search.id, &search.tenant_id) : NULL;

		/*
		 * It may have changed while we waited for the lock, or since it was
		 * read.
		 */
		if (facts != NULL && facts->status != status)
			forget_stage(lookup, &search.id);
		if (++tries > MAX_TRIES)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("the stages of pipeline %s keep changing", crm_uuid_text(pipeline_id)),
					 errhint("Try the transaction again.")));
	} while (search.count > 0 && (facts == NULL || facts->status != status));
	table_close(rel, NoLock);

	lookup->searched = true;
	lookup->searched_pipeline = *pipeline_id;
	lookup->searched_status = status;
	lookup->search_result = facts;
	lookup->search_count = search.count;
	*count = search.count;
	return facts;
}

const StageFacts *
crm_find_first_open_stage(StageLookup *lookup, const pg_uuid_t *pipeline_id)
{
	int			count;

	return find_stage_by_status(lookup, pipeline_id, DEAL_OPEN, &count);
}

const StageFacts *
crm_find_only_stage(StageLookup *lookup, const pg_uuid_t *pipeline_id,
					DealStatus status, int *count)
{
	const StageFacts *facts = find_stage_by_status(lookup, pipeline_id, status, count);

	return *count == 1 ? facts : NULL;
}

/* A search for the tenant's default pipeline. */
typedef struct DefaultSearch
{
	const AttrNumber *columns;
	pg_uuid_t	id;
	bool		found;
} DefaultSearch;

static bool
consider_default(Relation rel, HeapTuple tuple, void *arg)
{
	DefaultSearch *search = arg;

	search->found = DatumGetBool(crm_required_value(rel, tuple,
													search->columns[PIPELINE_IS_DEFAULT]));
	if (search->found)
		search->id = *DatumGetUUIDP(crm_required_value(rel, tuple, search->columns[PIPELINE_ID]));
	return !search->found;
}

const PipelineFacts *
crm_find_default_pipeline(StageLookup *lookup, const pg_uuid_t *tenant_id)
{
	Relation	rel;
	DefaultSearch search = {0};

	if (lookup->default_pipeline != NULL && crm_uuid_equal(&lookup->default_tenant, tenant_id))
		return lookup->default_pipeline;

	rel = table_open(lookup->pipelines, AccessShareLock);
	search.columns = crm_columns(rel, &crm_pipeline_kind);
	crm_visit_rows(rel, crm_index_on_column(rel, search.columns[PIPELINE_TENANT_ID]),
				   search.columns[PIPELINE_TENANT_ID], tenant_id,
				   consider_default, &search);
	table_close(rel, NoLock);
	if (!search.found)
		return NULL;
	lookup->default_tenant = *tenant_id;
	lookup->default_pipeline = crm_find_pipeline(lookup, &search.id);
	return lookup->default_pipeline;
}

char *
crm_stage_label(const StageLookup *lookup, const StageFacts *stage)
{
	return crm_row_label(lookup->stages, &stage->id, stage->name);
}

char *
crm_pipeline_label(const StageLookup *lookup, const PipelineFacts *pipeline)
{
	return crm_row_label(lookup->pipelines, &pipeline->id, pipeline->name);
}
