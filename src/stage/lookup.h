/*
 * stage/lookup.h
 *		The facts of stages and pipelines that the rules of deals need.
 */
#ifndef CRM_STAGE_LOOKUP_H
#define CRM_STAGE_LOOKUP_H

#include "datatype/timestamp.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

#include "stage/deal_status.h"

typedef struct PipelineFacts
{
	pg_uuid_t	id;				/* first: see get_facts() */
	pg_uuid_t	tenant_id;
	char	   *name;
	Datum		currency;		/* text */
	TimestampTz archived_at;	/* DT_NOEND if it is not archived */
	bool		exists;
} PipelineFacts;

typedef struct StageFacts
{
	pg_uuid_t	id;				/* first: see get_facts() */
	pg_uuid_t	pipeline_id;
	pg_uuid_t	tenant_id;
	char	   *name;
	DealStatus	status;
	bool		has_probability;
	Datum		probability;	/* numeric */
	TimestampTz archived_at;	/* DT_NOEND if it is not archived */
	bool		exists;
} StageFacts;

/* The facts that one statement has looked up, each of them once. */
typedef struct StageLookup StageLookup;

/*
 * A lookup for the table of deals with those foreign key columns, in the given
 * memory context (that of the statement).
 */
extern StageLookup *crm_stage_lookup_create(Relation deals, AttrNumber pipeline_id,
											AttrNumber stage_id, MemoryContext context);

/*
 * Forgets all facts if stages or pipelines were written since they were read, as
 * a function that the statement calls may do.  To be called for each row.
 */
extern void crm_stage_lookup_refresh(StageLookup *lookup);

/* Notes that this session writes a stage or a pipeline. */
extern void crm_stages_written(void);

/*
 * The stage of that id; NULL if there is none, or if it is another tenant's.  It
 * is locked: its status cannot change before the transaction ends.
 */
extern const StageFacts *crm_find_stage(StageLookup *lookup, const pg_uuid_t *id,
										const pg_uuid_t *tenant_id);

/* The pipeline of that id, of any tenant; NULL if there is none. */
extern const PipelineFacts *crm_find_pipeline(StageLookup *lookup, const pg_uuid_t *id);

/* The first stage of the pipeline, by position, that is open and not archived; NULL: none. */
extern const StageFacts *crm_find_first_open_stage(StageLookup *lookup,
												   const pg_uuid_t *pipeline_id);

/* The only unarchived stage of that status; NULL if there are none or several (see *count). */
extern const StageFacts *crm_find_only_stage(StageLookup *lookup, const pg_uuid_t *pipeline_id,
											 DealStatus status, int *count);

/* The tenant's default pipeline; NULL: none. */
extern const PipelineFacts *crm_find_default_pipeline(StageLookup *lookup,
													  const pg_uuid_t *tenant_id);

/* The stage or pipeline in a message: its name, or its id if the user may not see the name. */
extern char *crm_stage_label(const StageLookup *lookup, const StageFacts *stage);
extern char *crm_pipeline_label(const StageLookup *lookup, const PipelineFacts *pipeline);

#endif							/* CRM_STAGE_LOOKUP_H */
