/*
 * analytics/as_of.h
 *		What a pipeline added up to at moments of the past.
 */
#ifndef CRM_ANALYTICS_AS_OF_H
#define CRM_ANALYTICS_AS_OF_H

#include "fmgr.h"

#include "analytics/point_sums.h"
#include "analytics/replay.h"

/* What deals are told apart by: PointKey.subject.  All 0: nothing. */
typedef struct AsOfSubjects
{
	ReplaySubject column;		/* a value of this, as it was at the point */
	const DealIndex *deals;		/* or what the deal is in: these deals, and by */
	const uint32 *of_deals;		/* their numbers a subject; that of others is
								 * 0 */
} AsOfSubjects;

/* The sums, and the moments, of which a sum has the places from 0. */
typedef struct AsOfSums
{
	PointSums  *sums;
	const TimestampTz *at;
	uint32		npoints;
	const DealIndex *values;	/* of the column, by subject - 1; a date is
								 * the first word */
} AsOfSums;

/*
 * Adds up the unarchived deals of a pipeline, and passes the sums to put.  The first
 * arguments of the function that is called are crm regnamespace, tenant_id uuid,
 * pipeline_id uuid, at timestamptz[] (at least one, in ascending order), in_currency
 * text (may be NULL); its errors are those of these arguments, and PT410 where rows of
 * the history were deleted.  All that is read is read with the caller's rights.
 */
extern void crm_sum_as_of(FunctionCallInfo fcinfo, const AsOfSubjects *subjects,
						  void (*put) (const AsOfSums *sums, void *arg), void *arg);

#endif							/* CRM_ANALYTICS_AS_OF_H */
