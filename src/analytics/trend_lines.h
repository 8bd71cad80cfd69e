/*
 * analytics/trend_lines.h
 *		The lines of a trend, and which sums each of them adds up.
 */
#ifndef CRM_ANALYTICS_TREND_LINES_H
#define CRM_ANALYTICS_TREND_LINES_H

#include "fmgr.h"

/* A line, with one of its sums. */
typedef struct TrendMember
{
	const text *group_key;		/* NULL: none */
	bool		is_total;
	const text *currency;
	const char *stage;			/* a uuid; NULL: all stages */
	int			sum;			/* from 0; NOTHING: the line is there without
								 * any */
} TrendMember;

/*
 * Arguments first and the following ones are arrays: group keys, whether it is the total,
 * currencies, stages and the numbers, from 1 to nsums, of the sums.  Sorted, those of a
 * line together.  ERROR 22023 if they do not fit.
 */
extern TrendMember *crm_trend_members(FunctionCallInfo fcinfo, int first, int nsums, int *count);

/* The number of the first member, after that one, that is of another line. */
extern int	crm_trend_line_end(const TrendMember *members, int count, int first);

#endif							/* CRM_ANALYTICS_TREND_LINES_H */
