/*
 * analytics/trend_changes.c
 *		How the sums of a pipeline change from one moment to the next.
 *
 * A row has all changes of one sum, as a bytea of PointChange.  trend_rows.c adds up
 * the sums of several rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"

#include "analytics/as_of.h"
#include "analytics/conversion_day.h"
#include "analytics/deal_visits.h"
#include "base/argument_errors.h"

/* Arguments after those of crm_sum_as_of(). */
#define ARG_COLUMN		5
#define ARG_COHORTS		6

enum
{
	ROW_RATE_DAY, ROW_RATE_POINTS, ROW_STATUS, ROW_STAGE, ROW_CURRENCY, ROW_PERIOD,
	ROW_SUBJECT_NO, ROW_SUBJECT, ROW_CHANGES, ROW_COLUMNS
};

typedef struct ChangeRows
{
	ReturnSetInfo *rows;
	const AsOfSubjects *subjects;
	const AsOfSums *sums;
} ChangeRows;

/* The points, from 1, at which the sum has amounts; NULL: there are none. */
static ArrayType *
points_with_amounts(const PointChange *changes, uint32 nchanges, uint32 npoints)
{
	Datum	   *points = palloc(npoints * sizeof(Datum));
	int			count = 0;
	int64		amounts = 0;

	for (uint32 i = 0; i < nchanges; i++)
	{
		uint32		end = i + 1 < nchanges ? changes[i + 1].point : npoints;

		amounts += changes[i].deals - changes[i].deals_without_amount;
		for (uint32 point = changes[i].point; amounts > 0 && point < end; point++)
			points[count++] = Int32GetDatum((int32) point + 1);
	}
	return count == 0 ? NULL :
		construct_array(points, count, INT4OID, sizeof(int32), true, TYPALIGN_INT);
}

/* The value of the column that a subject stands for, as to_jsonb() has it. */
static Datum
subject_text(const ChangeRows *result, uint32 subject)
{
	const UuidKey *value = &result->sums->values->ids[subject - 1];
	char		day[MAXDATELEN + 1];

	if (result->subjects->column == REPLAY_OWNER)
		return CStringGetTextDatum(DatumGetCString(DirectFunctionCall1(uuid_out,
																	   PointerGetDatum(value))));
	JsonEncodeDateTime(day, DateADTGetDatum((DateADT) (uint32) value->word[0]), DATEOID, NULL);
	return CStringGetTextDatum(day);
}

static void
put_sum(const PointKey *key, const PointChange *changes, uint32 nchanges, void *arg)
{
	const ChangeRows *result = arg;
	SummaryEntry entry = {.key = key->summary};
	Datum		summary[SUMMARY_ROW_COLUMNS];
	bool		summary_nulls[SUMMARY_ROW_COLUMNS] = {false};
	Datum		values[ROW_COLUMNS] = {0};
	bool		nulls[ROW_COLUMNS] = {false};
	ArrayType  *points = key->rate == POINT_RATE_NONE ? NULL :
	points_with_amounts(changes, nchanges, result->sums->npoints);
	Size		size = nchanges * sizeof(PointChange);
	bytea	   *bytes = palloc(VARHDRSZ + size);

	crm_summary_row(&entry, summary, summary_nulls);
	nulls[ROW_RATE_DAY] = points == NULL || key->rate != POINT_RATE_OF_DAY;
	values[ROW_RATE_DAY] = DateADTGetDatum(key->day);
	nulls[ROW_RATE_POINTS] = points == NULL || key->rate != POINT_RATE_OF_POINT;
	values[ROW_RATE_POINTS] = PointerGetDatum(points);
	values[ROW_STATUS] = CStringGetTextDatum(crm_deal_status_name(key->status));
	memcpy(values + ROW_STAGE, summary, 3 * sizeof(Datum));
	memcpy(nulls + ROW_STAGE, summary_nulls, 3 * sizeof(bool));
	values[ROW_SUBJECT_NO] = Int32GetDatum((int32) key->subject);
	nulls[ROW_SUBJECT] = key->subject == 0 || result->subjects->column == REPLAY_NO_SUBJECT;
	if (!nulls[ROW_SUBJECT])
		values[ROW_SUBJECT] = subject_text(result, key->subject);
	SET_VARSIZE(bytes, VARHDRSZ + size);
	memcpy(VARDATA(bytes), changes, size);
	values[ROW_CHANGES] = PointerGetDatum(bytes);
	tuplestore_putvalues(result->rows->setResult, result->rows->setDesc, values, nulls);
}

static void
put_sums(const AsOfSums *sums, void *arg)
{
	((ChangeRows *) arg)->sums = sums;
	crm_point_sums_put_changes(sums->sums, put_sum, arg);
}

static ReplaySubject
get_column(const text *name)
{
	char	   *column = text_to_cstring(name);

	if (strcmp(column, "owner_id") == 0)
		return REPLAY_OWNER;
	if (strcmp(column, "expected_close_date") == 0)
		return REPLAY_CLOSE_DATE;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the history of \"%s\" cannot be told apart", crm_shown_value(column)),
			 errhint("Give owner_id or expected_close_date.")));
}

/* Deals are told apart by the cohort that they are in, from 1. */
static void
read_cohorts(FunctionCallInfo fcinfo, AsOfSubjects *subjects)
{
	int			ncohorts;
	Datum	   *cohorts = crm_get_cohorts(fcinfo, ARG_COHORTS, &ncohorts);
	DealIndex  *deals = crm_deal_index_create(0);
	uint32		room = 1024;
	uint32	   *of_deals = palloc(room * sizeof(uint32));

	for (int i = 0; i < ncohorts; i++)
	{
		VisitLogReader reader;
		VisitRecord record;
		bool		found;

		crm_visit_log_read(&reader, cohorts[i], VISIT_LOG_DEALS);
		while (crm_visit_log_next(&reader, &record))
		{
			uint32		number = crm_deal_number(deals, record.deal,
												 crm_deal_hash(deals, record.deal), &found);

			if (number == room)
			{
				room *= 2;
				of_deals = repalloc_huge(of_deals, room * sizeof(uint32));
			}
			of_deals[number] = i + 1;
		}
	}
	subjects->deals = deals;
	subjects->of_deals = of_deals;
}

/*
 * crm_summary_changes(crm regnamespace, tenant_id uuid, pipeline_id uuid,
 *		at timestamptz[], in_currency text, subject_column text, cohorts bytea[])
 *	-> setof (rate_day date, rate_points int[], deal_status text, stage_id uuid,
 *		currency text, value_period text, subject_no int, subject text, changes bytea)
 *		The sums of crm_summaries_as_of(), each with its changes at those moments.
 *		rate_day is the day whose exchange rate the amounts have; with
 *		rate_points it is that of the moment, and they are needed at these.
 *		subject is the value that deals had in that column, subject_no the
 *		cohort, counted from 1, that they are in now.
 */
PG_FUNCTION_INFO_V1(crm_summary_changes);
Datum
crm_summary_changes(PG_FUNCTION_ARGS)
{
	AsOfSubjects subjects = {0};
	ChangeRows	result = {(ReturnSetInfo *) fcinfo->resultinfo, &subjects};

	InitMaterializedSRF(fcinfo, 0);
	if (!PG_ARGISNULL(ARG_COLUMN))
		subjects.column = get_column(PG_GETARG_TEXT_PP(ARG_COLUMN));
	else if (!PG_ARGISNULL(ARG_COHORTS))
		read_cohorts(fcinfo, &subjects);
	crm_sum_as_of(fcinfo, &subjects, put_sums, &result);
	return (Datum) 0;
}
