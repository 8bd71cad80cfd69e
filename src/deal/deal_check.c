/*
 * deal/deal_check.c
 *		crm_check_deal(): the constraints of a deal's columns, in one CHECK.
 *
 * PostgreSQL parses the expression of each CHECK again for every statement, where
 * table/kept_checks.c does not give it the one that is ready: in COPY, in the first statement
 * of a session, beside a CHECK that calls a user's function.  Thirteen CHECKs then cost
 * a one-row move more than all triggers together.  The triggers already
 * ensure most of this; the CHECK also holds where they do not fire, as in logical
 * replication.  The values of status, value_period, forecast_category and metadata
 * are constrained by domains, which tools read in the catalog: the CHECK casts its
 * arguments to them.  The last three of these arguments are of type "any" and not
 * read here, as a cast back to the domain's base type would have to be parsed, too.
 *
 * Each rule has the name of a constraint, which the error reports.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/currency.h"
#include "base/name_key.h"
#include "base/time.h"
#include "stage/deal_status.h"

enum
{
	ARG_TITLE,
	ARG_AMOUNT,
	ARG_CURRENCY,
	ARG_PROBABILITY,
	ARG_STATUS,
	ARG_VALUE_PERIOD,
	ARG_FORECAST_CATEGORY,
	ARG_METADATA,
	ARG_WON_AT,
	ARG_LOST_AT,
	ARG_LOST_REASON,
	ARG_ARCHIVED_AT,
	ARG_STAGE_ENTERED_AT,
	ARG_EXPECTED_CLOSE_DATE,
	ARG_CREATED_AT,
	ARG_UPDATED_AT
};

/*
 * The error of PostgreSQL's own CHECKs, with the rule in place of the whole row.  It
 * says "deals" also for a partition: an argument for the table's name would have to
 * be parsed, too.
 */
static void
refuse(const char *rule, const char *column, const char *detail)
{
	char	   *constraint = psprintf("deals_%s_check", rule);

	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("new row for relation \"%s\" violates check constraint \"%s\"",
					"deals", constraint),
			 errdetail_internal("%s", detail),
			 err_generic_string(PG_DIAG_TABLE_NAME, "deals"),
			 err_generic_string(PG_DIAG_COLUMN_NAME, column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, constraint)));
}

/* Compares a numeric with a number by compare, such as numeric_lt. */
static bool
compares(PGFunction compare, Datum value, int64 number)
{
	return DatumGetBool(DirectFunctionCall2(compare, value,
											NumericGetDatum(int64_to_numeric(number))));
}

/* An amount is below this, and above the negative of it: as in numeric(19,4). */
#define AMOUNT_LIMIT	INT64CONST(1000000000000000)

static bool
is_amount(Numeric amount)
{
	Datum		value = NumericGetDatum(amount);

	return !numeric_is_nan(amount) &&
		compares(numeric_lt, value, AMOUNT_LIMIT) && compares(numeric_gt, value, -AMOUNT_LIMIT);
}

static void
check_amount(FunctionCallInfo fcinfo)
{
	if (!PG_ARGISNULL(ARG_AMOUNT))
	{
		if (!is_amount(PG_GETARG_NUMERIC(ARG_AMOUNT)))
			refuse("amount", "amount",
				   "An amount is a number with at most 15 digits before the decimal point.");
		if (PG_ARGISNULL(ARG_CURRENCY))
			refuse("amount_currency", "currency", "An amount needs a currency.");
	}
	if (!PG_ARGISNULL(ARG_CURRENCY) &&
		!DatumGetBool(DirectFunctionCall1(crm_is_currency, PG_GETARG_DATUM(ARG_CURRENCY))))
		refuse("currency", "currency",
			   psprintf("\"%s\" is not a currency code of ISO 4217.",
						TextDatumGetCString(PG_GETARG_DATUM(ARG_CURRENCY))));
}

/* A won deal has probability 1, a lost one 0, an open one from 0 to 1 or null. */
static void
check_probability(FunctionCallInfo fcinfo, DealStatus status)
{
	Datum		value = PG_GETARG_DATUM(ARG_PROBABILITY);
	bool		holds;

	if (status != DEAL_OPEN)
		holds = !PG_ARGISNULL(ARG_PROBABILITY) && compares(numeric_eq, value, status == DEAL_WON);
	else if (PG_ARGISNULL(ARG_PROBABILITY))
		holds = true;
	else
		holds = compares(numeric_ge, value, 0) && compares(numeric_le, value, 1);
	if (!holds)
		refuse("probability", "probability",
			   "The probability is between 0 and 1: 1 if the deal is won, 0 if it is lost.");
}

static void
check_closing(FunctionCallInfo fcinfo, DealStatus status)
{
	if ((status == DEAL_LOST) == PG_ARGISNULL(ARG_LOST_AT))
		refuse("lost_at", "lost_at", "lost_at is set if and only if the status is lost.");
	if (status != DEAL_LOST && !PG_ARGISNULL(ARG_LOST_REASON))
		refuse("lost_reason", "lost_reason", "Only a lost deal has a lost_reason.");
	if ((status == DEAL_WON) == PG_ARGISNULL(ARG_WON_AT))
		refuse("won_at", "won_at", "won_at is set if and only if the status is won.");
}

static void
check_title(FunctionCallInfo fcinfo)
{
	text	   *title;

	if (PG_ARGISNULL(ARG_TITLE))
		return;
	title = PG_GETARG_TEXT_PP(ARG_TITLE);
	if (crm_text_is_blank(VARDATA_ANY(title), VARSIZE_ANY_EXHDR(title)))
		refuse("title", "title", "Nothing of the title shows.");
}

static void
check_times(FunctionCallInfo fcinfo)
{
	static const struct
	{
		int			arg;
		const char *column;
	}			times[] = {
		{ARG_ARCHIVED_AT, "archived_at"},
		{ARG_STAGE_ENTERED_AT, "stage_entered_at"},
		{ARG_EXPECTED_CLOSE_DATE, "expected_close_date"},
		{ARG_WON_AT, "won_at"},
		{ARG_LOST_AT, "lost_at"},
		{ARG_CREATED_AT, "created_at"},
		{ARG_UPDATED_AT, "updated_at"},
	};

	for (int i = 0; i < lengthof(times); i++)
	{
		int			arg = times[i].arg;

		if (!PG_ARGISNULL(arg) &&
			!(arg == ARG_EXPECTED_CLOSE_DATE ? crm_is_date(PG_GETARG_DATEADT(arg)) :
			  crm_is_timestamp(PG_GETARG_TIMESTAMPTZ(arg))))
			refuse("times", times[i].column,
				   psprintf("%s is in the years 1900 to 9999.", times[i].column));
	}
}

/*
 * crm_check_deal(title text, amount numeric, currency text,
 *				  probability numeric, status text, value_period "any",
 *				  forecast_category "any", metadata "any",
 *				  won_at timestamptz, lost_at timestamptz, lost_reason text,
 *				  archived_at timestamptz,
 *				  stage_entered_at timestamptz, expected_close_date date,
 *				  created_at timestamptz, updated_at timestamptz) -> boolean
 *		True, or ERROR 23514 with the name of the constraint deals_..._check that
 *		would refuse the deal.  Nulls are left to the NOT NULL constraints.
 */
PG_FUNCTION_INFO_V1(crm_check_deal);
Datum
crm_check_deal(PG_FUNCTION_ARGS)
{
	DealStatus	status;

	if (PG_ARGISNULL(ARG_STATUS) ||
		!crm_parse_deal_status(PG_GETARG_DATUM(ARG_STATUS), &status))
		status = DEAL_OPEN;
	check_amount(fcinfo);
	check_closing(fcinfo, status);
	check_probability(fcinfo, status);
	check_times(fcinfo);
	check_title(fcinfo);
	PG_RETURN_BOOL(true);
}
