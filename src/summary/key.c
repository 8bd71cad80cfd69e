/*
 * summary/key.c
 *		The key of a crm_summary's entry: stage, currency and value period.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "summary/summary.h"
#include "table/trigger.h"

static const char *const period_names[CRM_PERIODS] = {
	[CRM_ONE_TIME] = "one_time",
	[CRM_MONTHLY] = "monthly",
	[CRM_QUARTERLY] = "quarterly",
	[CRM_ANNUAL] = "annual"
};

/*
 * ERROR 22023 for text that is not a currency code.  Only its form is checked
 * here; the tables check that ISO 4217 knows the code.
 */
void
crm_summary_refuse_currency(const char *currency, int len)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("currency \"%.*s\" is not a currency code",
					pg_mbcliplen(currency, len, 40), currency),
			 errhint("A currency code is three upper-case letters, such as USD.")));
}

/* ERROR 22023 for text that is not a value period. */
void
crm_summary_refuse_period(const char *period, int len)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("value period \"%.*s\" is not known",
					pg_mbcliplen(period, len, 40), period),
			 errhint("A value period is one of one_time, monthly, quarterly and annual.")));
}

/* The name of a key's value period. */
const char *
crm_summary_period_name(const SummaryKey *key)
{
	return period_names[SUMMARY_PERIOD(key->rest)];
}

/* The canonical order of keys, as qsort wants it; see SummaryKey. */
int
crm_summary_compare_keys(const SummaryKey *a, const SummaryKey *b)
{
	bool		a_no_stage = (a->rest & SUMMARY_NO_STAGE) != 0;
	bool		b_no_stage = (b->rest & SUMMARY_NO_STAGE) != 0;
	int			order = (int) a_no_stage - (int) b_no_stage;

	if (order == 0)
		order = memcmp(a->stage, b->stage, sizeof(a->stage));
	if (order == 0)
		order = a->rest < b->rest ? -1 : a->rest > b->rest;
	return order;
}

/* Whether some stage, currency and period have this key. */
bool
crm_summary_key_valid(const SummaryKey *key)
{
	uint64		letters = key->rest & UINT64CONST(0xFFFFFF00);

	if (key->rest >= 2 * SUMMARY_NO_STAGE ||
		(key->rest & UINT64CONST(0xFE00000000)) != 0 ||
		SUMMARY_PERIOD(key->rest) >= CRM_PERIODS)
		return false;
	if ((key->rest & SUMMARY_NO_STAGE) && (key->stage[0] != 0 || key->stage[1] != 0))
		return false;
	if (key->rest & SUMMARY_NO_CURRENCY)
		return letters == 0;
	for (int i = 0; i < 3; i++)
	{
		if (!SUMMARY_IS_LETTER(SUMMARY_LETTER(key->rest, i)))
			return false;
	}
	return true;
}
