/*
 * totals/writer.h
 *		Writes the sums of deals to stage_totals.
 *
 * The caller is connected to SPI.  All of it is done with the rights of the
 * table's owner.
 */
#ifndef CRM_TOTALS_WRITER_H
#define CRM_TOTALS_WRITER_H

#include "totals/sums.h"

/* Inserts the totals as rows: those that are not zero. */
extern void crm_totals_insert(Relation deals, const DealTotals *totals);

/*
 * The same, and now and then puts sums in place of the rows of a pipeline, so
 * that they do not become too many.
 */
extern void crm_totals_insert_and_compact(Relation deals, const DealTotals *totals);

/*
 * Puts sums in place of the rows of a pipeline, and returns how many they are.
 * If somebody else is at it, does nothing and returns -1.
 */
extern int64 crm_totals_compact(Relation deals, const pg_uuid_t *pipeline_id);

/*
 * Inserts the row which tells that all deals are counted, with the rights that the
 * caller has taken.
 */
extern void crm_totals_mark_complete(Relation deals);

/* After TRUNCATE of deals. */
extern void crm_totals_truncate(Relation deals);

#endif							/* CRM_TOTALS_WRITER_H */
