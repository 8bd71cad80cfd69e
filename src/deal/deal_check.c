/*
 * deal/deal_check.c
 *		crm_check_deal(): what holds for the columns of a deal, in one CHECK.
 *
 * PostgreSQL parses the expression of each CHECK anew for every statement: thirteen
 * of them cost a one-row move more than all triggers together.  The triggers see
 * to most of this; the CHECK holds where they do not fire, as in logical
 * replication.  The words that a column takes are arguments, behind the column,
 * so that tools read them in the catalog (src/mcp/schema.c does).
 *
 * Each rule has the name of a constraint, which the error reports.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "base/compat.h"
#include "base/currency.h"
#include "base/name_key.h"
#include "stage/deal_status.h"

enum
{
	ARG_RELATION,
	ARG_TITLE,
	ARG_AMOUNT,
	ARG_CURRENCY,
	ARG_PROBABILITY,
	ARG_WON_AT,
	ARG_LOST_AT,
	ARG_LOST_REASON,
	ARG_MOVE_NO,
	ARG_METADATA,
	ARG_STATUS,
	ARG_STATUS_WORDS,
	ARG_VALUE_PERIOD,
	ARG_VALUE_PERIOD_WORDS,
	ARG_FORECAST_CATEGORY,
	ARG_FORECAST_CATEGORY_WORDS
};

/* The error of PostgreSQL's own CHECKs, with the rule in place of the whole row. */
static void
refuse(FunctionCallInfo fcinfo, const char *rule, const char *column, const char *detail)
{
	Oid			relid = PG_ARGISNULL(ARG_RELATION) ? InvalidOid : PG_GETARG_OID(ARG_RELATION);
	char	   *relation = get_rel_name(relid);
	char	   *constraint = psprintf("deals_%s_check", rule);

	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("new row for relation \"%s\" violates check constraint \"%s\"",
					relation != NULL ? relation : "deals", constraint),
			 errdetail_internal("%s", detail),
			 relation == NULL ? 0 :
			 err_generic_string(PG_DIAG_SCHEMA_NAME, get_namespace_name(get_rel_namespace(relid))),
			 relation == NULL ? 0 : err_generic_string(PG_DIAG_TABLE_NAME, relation),
			 err_generic_string(PG_DIAG_COLUMN_NAME, column),
			 err_generic_string(PG_DIAG_CONSTRAINT_NAME, constraint)));
}

/* Whether the text is one of the words, which spaces separate. */
static bool
is_word_of(const text *value, const text *words)
{
	const char *p = VARDATA_ANY(words);
	const char *end = p + VARSIZE_ANY_EXHDR(words);
	int			len = VARSIZE_ANY_EXHDR(value);

	while (p < end)
	{
		const char *space = memchr(p, ' ', end - p);
		const char *word_end = space != NULL ? space : end;

		if (word_end - p == len && memcmp(p, VARDATA_ANY(value), len) == 0)
			return true;
		p = word_end + 1;
	}
	return false;
}

static void
check_words(FunctionCallInfo fcinfo, int arg, const char *column)
{
	if (!PG_ARGISNULL(arg) && !PG_ARGISNULL(arg + 1) &&
		!is_word_of(PG_GETARG_TEXT_PP(arg), PG_GETARG_TEXT_PP(arg + 1)))
		refuse(fcinfo, column, column,
			   psprintf("\"%s\" is none of: %s.", TextDatumGetCString(PG_GETARG_DATUM(arg)),
						TextDatumGetCString(PG_GETARG_DATUM(arg + 1))));
}

static void
check_amount(FunctionCallInfo fcinfo)
{
	if (!PG_ARGISNULL(ARG_AMOUNT))
	{
		if (numeric_is_nan(PG_GETARG_NUMERIC(ARG_AMOUNT)))
			refuse(fcinfo, "amount", "amount", "NaN is no amount.");
		if (PG_ARGISNULL(ARG_CURRENCY))
			refuse(fcinfo, "amount_currency", "currency", "An amount needs a currency.");
	}
	if (!PG_ARGISNULL(ARG_CURRENCY) &&
		!DatumGetBool(DirectFunctionCall1(crm_is_currency, PG_GETARG_DATUM(ARG_CURRENCY))))
		refuse(fcinfo, "currency", "currency",
			   psprintf("\"%s\" is not a currency code of ISO 4217.",
						TextDatumGetCString(PG_GETARG_DATUM(ARG_CURRENCY))));
}

static bool
is_number(Datum value, int number)
{
	return DatumGetBool(DirectFunctionCall2(numeric_eq, value,
											NumericGetDatum(int64_to_numeric(number))));
}

/* 1 if won, 0 if lost, else between them, or not known. */
static void
check_probability(FunctionCallInfo fcinfo, DealStatus status)
{
	Datum		value = PG_GETARG_DATUM(ARG_PROBABILITY);
	bool		holds;

	if (status != DEAL_OPEN)
		holds = !PG_ARGISNULL(ARG_PROBABILITY) && is_number(value, status == DEAL_WON);
	else if (PG_ARGISNULL(ARG_PROBABILITY))
		holds = true;
	else
		holds = DatumGetBool(DirectFunctionCall2(numeric_ge, value, NumericGetDatum(int64_to_numeric(0)))) &&
			DatumGetBool(DirectFunctionCall2(numeric_le, value, NumericGetDatum(int64_to_numeric(1))));
	if (!holds)
		refuse(fcinfo, "probability", "probability",
			   "The probability is between 0 and 1: 1 if the deal is won, 0 if it is lost.");
}

static void
check_closing(FunctionCallInfo fcinfo, DealStatus status)
{
	if ((status == DEAL_LOST) == PG_ARGISNULL(ARG_LOST_AT))
		refuse(fcinfo, "lost_at", "lost_at", "lost_at is set if and only if the status is lost.");
	if (status != DEAL_LOST && !PG_ARGISNULL(ARG_LOST_REASON))
		refuse(fcinfo, "lost_reason", "lost_reason", "Only a lost deal has a lost_reason.");
	if ((status == DEAL_WON) == PG_ARGISNULL(ARG_WON_AT))
		refuse(fcinfo, "won_at", "won_at", "won_at is set if and only if the status is won.");
}

/* The jsonb is looked at where it lies, and fetched only if it is toasted. */
static void
check_metadata(FunctionCallInfo fcinfo)
{
	if (!PG_ARGISNULL(ARG_METADATA) && !JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(ARG_METADATA)))
		refuse(fcinfo, "metadata", "metadata", "The metadata is no JSON object.");
}

static void
check_title(FunctionCallInfo fcinfo)
{
	text	   *title;

	if (PG_ARGISNULL(ARG_TITLE))
		return;
	title = PG_GETARG_TEXT_PP(ARG_TITLE);
	if (crm_text_is_blank(VARDATA_ANY(title), VARSIZE_ANY_EXHDR(title)))
		refuse(fcinfo, "title", "title", "Nothing of the title shows.");
}

/*
 * crm_check_deal(relation oid, title text, amount numeric, currency text,
 *				  probability numeric, won_at timestamptz, lost_at timestamptz,
 *				  lost_reason text, move_no integer, metadata jsonb, status text, words text,
 *				  value_period text, words text, forecast_category text, words text)
 *				  -> boolean
 *		True, or ERROR 23514 with the name of the constraint deals_..._check that
 *		would refuse the deal.  What is null is left to NOT NULL.
 */
PG_FUNCTION_INFO_V1(crm_check_deal);
Datum
crm_check_deal(PG_FUNCTION_ARGS)
{
	DealStatus	status;

	check_words(fcinfo, ARG_STATUS, "status");
	if (PG_ARGISNULL(ARG_STATUS) ||
		!crm_parse_deal_status(PG_GETARG_DATUM(ARG_STATUS), &status))
		status = DEAL_OPEN;
	check_amount(fcinfo);
	check_words(fcinfo, ARG_FORECAST_CATEGORY, "forecast_category");
	check_closing(fcinfo, status);
	check_metadata(fcinfo);
	if (!PG_ARGISNULL(ARG_MOVE_NO) && PG_GETARG_INT32(ARG_MOVE_NO) < 0)
		refuse(fcinfo, "move_no", "move_no", "The number of moves is not negative.");
	check_probability(fcinfo, status);
	check_title(fcinfo);
	check_words(fcinfo, ARG_VALUE_PERIOD, "value_period");
	PG_RETURN_BOOL(true);
}
