/*
 * base/plan_cache.h
 *		A cache of plans for the session, bounded in number.
 */
#ifndef CRM_BASE_PLAN_CACHE_H
#define CRM_BASE_PLAN_CACHE_H

#include "executor/spi.h"
#include "lib/ilist.h"

/* ---- what is kept ---- */

typedef struct CrmKeptPlans CrmKeptPlans;

/* Whether the plans were made for that; a function for each kind of what is kept. */
typedef bool (*CrmPlansMatch) (const CrmKeptPlans *kept, const void *key);

/*
 * The plans of one statement, or of several that are run together.  What keeps
 * some embeds it as its first member, allocated in a context of its own.
 */
struct CrmKeptPlans
{
	dlist_node	node;			/* in the list of all */
	MemoryContext context;		/* of this and what it is embedded in */
	CrmPlansMatch match;		/* tells the kind */
	uint32		hash;			/* of what the plans were made for */
	List	   *plans;			/* SPIPlanPtr, in the context */
	int			nusers;			/* how often they are in use now */
	bool		forgotten;		/* what they were made for has changed */
};

/* The plans made for that, which become the most recently used; NULL if there are none. */
extern CrmKeptPlans *crm_find_plans(uint32 hash, CrmPlansMatch match, const void *key);

/*
 * Keeps the plans from now on; all members are set but node and nusers.  The
 * least recently used ones are freed if there are too many.  The caller is
 * connected to SPI.
 */
extern void crm_keep_plans(CrmKeptPlans *kept);

/*
 * The plans stay while they are in use, even if they are forgotten.  Each use is to be
 * released, after an error too.
 */
extern void crm_use_plans(CrmKeptPlans *kept);
extern void crm_release_plans(CrmKeptPlans *kept);

/* Makes the plans for that invalid.  Frees nothing, so it may be called at any time. */
extern void crm_forget_plans(CrmPlansMatch match, const void *key);

/* ---- statements ---- */

/*
 * A statement.  Two are the same if all members are equal.  The text is compared,
 * so that the caller may free it; after a schema was renamed, the statement is
 * another one.
 */
typedef struct CrmStatement
{
	const char *text;
	int			nargs;
	const Oid  *argtypes;
	int			cursor_options; /* as for SPI_prepare_cursor() */

	/*
	 * The schema in which unqualified names are found by the search path;
	 * InvalidOid if there are none.  The server plans a statement again when
	 * the search path has changed, so each schema has its own plan.
	 */
	Oid			schema;
} CrmStatement;

/* Executes a plan; returns SPI's result. */
typedef int (*CrmPlanUser) (SPIPlanPtr plan, void *arg);

/*
 * Calls use with the plan of the statement, which is prepared if it was not kept,
 * and returns its result.  The plan is valid until use returns; use may call this
 * function again, even with the same statement, as triggers do.  The caller is
 * connected to SPI, and has set the search path and the user for the statement.
 */
extern int	crm_use_plan(const CrmStatement *statement, CrmPlanUser use, void *arg);

/* Forgets the plan: the statement is prepared again when it is used next. */
extern void crm_forget_plan(const CrmStatement *statement);

#endif							/* CRM_BASE_PLAN_CACHE_H */
