/*
 * totals/table.h
 *		The table stage_totals: its columns and the statements on it.
 */
#ifndef CRM_TOTALS_TABLE_H
#define CRM_TOTALS_TABLE_H

#include "base/query.h"
#include "table/writer.h"

typedef enum TotalsStatement
{
	TOTALS_COMPACT,				/* $1: pipeline_id */
	TOTALS_READ,				/* $1: pipeline_id, $2: tenant_id or null */
	TOTALS_MARK,				/* no parameters */
} TotalsStatement;

/* The columns of stage_totals; TOTALS_READ returns those from STAGE_ID on. */
typedef enum TotalsField
{
	TOTALS_TENANT_ID,
	TOTALS_PIPELINE_ID,
	TOTALS_STAGE_ID,
	TOTALS_CURRENCY,
	TOTALS_VALUE_PERIOD,
	TOTALS_DEALS,
	TOTALS_DEALS_WITHOUT_AMOUNT,
	TOTALS_DEALS_WITHOUT_PROBABILITY,
	TOTALS_VALUE,
	TOTALS_WEIGHTED_VALUE,
	TOTALS_NFIELDS
} TotalsField;

#define CRM_TOTALS_TABLE	"stage_totals"

/*
 * The value_period of the row which tells that all deals are counted: no deal has
 * it.  TOTALS_READ returns that row, too; TOTALS_MARK inserts it.
 */
#define CRM_TOTALS_COMPLETE	"complete"

/* Rows of it, whose values are those of TotalsField. */
extern const InsertTarget crm_totals_target;

/* The names of the columns of the key, separated by commas. */
extern const char *const crm_totals_key;

/*
 * The stage_totals beside that table of deals, as queries name it; palloc'd.
 * ERROR 42501 if it is not of the same owner.
 */
extern char *crm_totals_table(Relation deals);

/*
 * A statement on the stage_totals beside that table of deals, to be run as the
 * owner of both.  ERROR 42501 if it is not of the same owner.
 */
extern CrmStatement crm_totals_statement(Relation deals, TotalsStatement which);

/*
 * Makes the statements that look for a pipeline use the index until
 * AtEOXact_GUC() of the level returned.  Rows are deleted all the time, and an index
 * scan marks dead entries (kill_prior_tuple), so that later scans skip them.  For a
 * table that looks small the planner would choose a sequential scan.
 */
extern int	crm_totals_prefer_index(void);

#endif							/* CRM_TOTALS_TABLE_H */
