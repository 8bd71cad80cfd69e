/*
 * analytics/point_sums.h
 *		Sums of deals at several points in time.
 *
 * A value that holds for a range of points is added at its first point, and subtracted
 * after its last one; the running total at a point is the sum there.  So the cost of a
 * deal depends on the number of its changes, not on the number of points.
 *
 * Sums are told apart by subjects, too: numbers that the user gives to what a deal
 * belongs to at a point.
 *
 * The cells of a sum, a point each, are allocated in blocks, as most sums of one
 * day's exchange rate change at a few points only.
 */
#ifndef CRM_ANALYTICS_POINT_SUMS_H
#define CRM_ANALYTICS_POINT_SUMS_H

#include "stage/deal_status.h"
#include "summary/summary.h"
#include "utils/date.h"

/* Which exchange rate amounts have. */
typedef enum PointRate
{
	POINT_RATE_NONE,
	POINT_RATE_OF_DAY,
	POINT_RATE_OF_POINT			/* of the day of each point */
} PointRate;

typedef struct PointKey
{
	SummaryKey	summary;
	DateADT		day;			/* 0 unless POINT_RATE_OF_DAY */
	uint16		rate;			/* PointRate */
	uint16		status;			/* DealStatus */
	uint32		subject;
} PointKey;

typedef struct PointSums PointSums;

/* What a sum has more at a point, counted from 0, than at the one before. */
typedef struct PointChange
{
	uint32		point;
	uint32		unused;			/* 0 */
	int64		deals;
	int64		deals_without_amount;
	int64		deals_without_probability;
	int128		value;			/* of CRM_AMOUNT_SCALE */
	int128		weighted_value; /* of CRM_WEIGHTED_SCALE */
} PointChange;

StaticAssertDecl(sizeof(PointChange) == 64, "PointChange has padding");

/* A sum that holds at the points first, ..., last, counted from 0. */
typedef struct PointRun
{
	const PointKey *key;
	uint32		first;
	uint32		last;
	SummaryEntry sums;
} PointRun;

/* In the current memory context, for that many points. */
extern PointSums *crm_point_sums_create(uint32 npoints);

/* Adds what entry has, whose key is not used, at the points from first to before end. */
extern void crm_point_sums_add(PointSums *sums, const PointKey *key, const SummaryEntry *entry,
							   uint32 first, uint32 end);

/*
 * Calls put for each run of points that have the same sums, but for sums of 0; with
 * POINT_RATE_OF_POINT for each point.
 */
extern void crm_point_sums_put(PointSums *sums, void (*put) (const PointRun *run, void *arg),
							   void *arg);

/*
 * Calls put for each sum that is not 0 at every point, with its changes in the order
 * of the points.
 */
extern void crm_point_sums_put_changes(PointSums *sums,
									   void (*put) (const PointKey *key, const PointChange *changes,
													uint32 nchanges, void *arg),
									   void *arg);

#endif							/* CRM_ANALYTICS_POINT_SUMS_H */
