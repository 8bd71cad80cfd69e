/*
 * analytics/summaries_as_of.c
 *		What a pipeline added up to at moments of the past, as rows.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/tuplestore.h"

#include "analytics/as_of.h"
#include "analytics/conversion_day.h"

typedef struct AsOfRows
{
	ReturnSetInfo *rows;
	const AsOfSums *sums;
} AsOfRows;

static void
put_run(const PointRun *run, void *arg)
{
	const AsOfRows *result = arg;
	Datum		values[4 + SUMMARY_ROW_COLUMNS];
	bool		nulls[4 + SUMMARY_ROW_COLUMNS] = {false};
	DateADT		day = run->key->rate == POINT_RATE_OF_DAY ? run->key->day :
	crm_day_of(result->sums->at[run->first]);

	values[0] = Int32GetDatum((int32) run->first + 1);
	values[1] = Int32GetDatum((int32) run->last + 1);
	values[2] = DateADTGetDatum(day);
	nulls[2] = run->key->rate == POINT_RATE_NONE;
	values[3] = CStringGetTextDatum(crm_deal_status_name(run->key->status));
	crm_summary_row(&run->sums, values + 4, nulls + 4);
	tuplestore_putvalues(result->rows->setResult, result->rows->setDesc, values, nulls);
}

static void
put_runs(const AsOfSums *sums, void *rows)
{
	AsOfRows	result = {rows, sums};

	crm_point_sums_put(sums->sums, put_run, &result);
}

/*
 * crm_summaries_as_of(crm regnamespace, tenant_id uuid, pipeline_id uuid,
 *		at timestamptz[], in_currency text)
 *	-> setof (first_point int, last_point int, rate_day date, deal_status text,
 *		and the columns of crm_summary_rows())
 *		The sums of the unarchived deals of the pipeline at those moments, which
 *		are in ascending order.  A row for each stage, currency, value period and
 *		status, with the range of moments, numbered from 1, for which it holds;
 *		with in_currency also for each day whose rate the amounts have, NULL if
 *		they need no conversion.
 */
PG_FUNCTION_INFO_V1(crm_summaries_as_of);
Datum
crm_summaries_as_of(PG_FUNCTION_ARGS)
{
	AsOfSubjects none = {0};

	InitMaterializedSRF(fcinfo, 0);
	crm_sum_as_of(fcinfo, &none, put_runs, fcinfo->resultinfo);
	return (Datum) 0;
}
