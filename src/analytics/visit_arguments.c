/*
 * analytics/visit_arguments.c
 *		The arguments of the functions that count visits: stages, a period and
 *		cohorts of deals.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/timestamp.h"

#include "analytics/deal_visits.h"

void
crm_refuse_stages(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("stages must be distinct and not null"),
			 errhint("Name each stage once.")));
}

void
crm_visits_asked(FunctionCallInfo fcinfo, int stages_arg, int from_arg, int before_arg,
				 bool times, VisitsAsked *asked)
{
	asked->nstages = 0;
	asked->stages = NULL;
	asked->times = times;
	asked->next = false;
	asked->amounts = false;
	asked->period_from = PG_ARGISNULL(from_arg) ? DT_NOBEGIN : PG_GETARG_TIMESTAMPTZ(from_arg);
	asked->period_before = PG_ARGISNULL(before_arg) ? DT_NOEND : PG_GETARG_TIMESTAMPTZ(before_arg);
	if (PG_ARGISNULL(stages_arg))
		return;
	if (array_contains_nulls(PG_GETARG_ARRAYTYPE_P(stages_arg)))
		crm_refuse_stages();
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(stages_arg), UUIDOID, UUID_LEN, false, TYPALIGN_CHAR,
					  &asked->stages, NULL, &asked->nstages);
	if (asked->nstages > MAX_STAGES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("pipeline has too many stages: %d", asked->nstages),
				 errdetail("The history of at most %d stages can be analyzed.", MAX_STAGES),
				 errhint("Move deals to fewer stages, and delete those that are not needed.")));
}

Datum *
crm_get_cohorts(FunctionCallInfo fcinfo, int arg, int *ncohorts)
{
	Datum	   *cohorts = palloc(sizeof(Datum));

	*ncohorts = 1;
	cohorts[0] = PG_GETARG_DATUM(arg);
	if (get_fn_expr_argtype(fcinfo->flinfo, arg) == BYTEAARRAYOID)
	{
		if (array_contains_nulls(PG_GETARG_ARRAYTYPE_P(arg)))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("cohorts must not be null"),
					 errhint("Leave out those that are.")));
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(arg), BYTEAOID, -1, false, TYPALIGN_INT,
						  &cohorts, NULL, ncohorts);
	}
	return cohorts;
}
