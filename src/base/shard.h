/*
 * base/shard.h
 *		The tables of a CRM that Citus has distributed.
 *
 * Citus keeps the rows of a table in shards, which are tables named like it with
 * the number of the shard.  A schema that it has distributed has one shard of each
 * table, all on one node.  Triggers fire on the shards, and reach those of
 * the other tables by what is declared here: no query of theirs has to be distributed.
 */
#ifndef CRM_BASE_SHARD_H
#define CRM_BASE_SHARD_H

#include "utils/relcache.h"

/* Whether Citus is installed in this database. */
extern bool crm_has_citus(void);

/* Whether rel is a shard; only a name that ends with a number is looked up. */
extern bool crm_is_shard(Relation rel);

/*
 * The table of that name beside rel, and if rel is a shard, the shard of that table;
 * InvalidOid if there is none.
 */
extern Oid	crm_sibling(Relation rel, const char *table);

/* The shard of a distributed table if this node has it, else the table itself. */
extern Oid	crm_table_to_read(Oid relid);

/* Whether Citus has distributed the table. */
extern bool crm_is_distributed(Oid relid);

/* Whether Citus keeps all its rows on each node, so that any table may refer to it. */
extern bool crm_is_reference_table(Oid relid);

/*
 * The cursor options of statements on tables beside rel in whose parameters there is
 * nothing that a plan could make use of: a generic plan, but not for Citus, which has
 * to know the parameters to find the shard.
 */
extern int	crm_generic_plan(Relation rel);

/* Whether another node of the cluster, by Citus, opened this session. */
extern bool crm_session_is_of_citus(void);

/*
 * In PG_CATCH: ERROR 0A000 in place of the one, without a SQLSTATE, by which Citus refuses a
 * distributed query in a query on a shard; returns if the error is another one.  The context
 * is the one before PG_TRY, function the name of what was called.
 */
extern void crm_explain_refusal(MemoryContext context, const char *function);

#endif							/* CRM_BASE_SHARD_H */
