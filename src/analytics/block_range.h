/*
 * analytics/block_range.h
 *		Where in a table the rows of a period are, if they stand together.
 *
 * PostgreSQL reads what a BRIN index finds by a bitmap of blocks, and checks visibility and
 * conditions of each row there, which takes more than twice as long as to read the same
 * blocks one after another.  A table that rows are only added to mostly has the rows of a period
 * in blocks that follow each other: these can be asked for by a range of ctid.
 */
#ifndef CRM_ANALYTICS_BLOCK_RANGE_H
#define CRM_ANALYTICS_BLOCK_RANGE_H

#include "datatype/timestamp.h"
#include "storage/block.h"

typedef struct BlockRange
{
	BlockNumber first;
	BlockNumber end;			/* the one after the last */
} BlockRange;

/*
 * The blocks outside which the table has no row with a time later than after, and a start not
 * later than by, as of the active snapshot; both are columns of type timestamptz.  False if no
 * BRIN index of both tells, or if fewer than half of the blocks may have such a row.
 */
extern bool crm_block_range(Oid relid, const char *time, TimestampTz after, const char *start,
							TimestampTz by, BlockRange *range);

#endif							/* CRM_ANALYTICS_BLOCK_RANGE_H */
