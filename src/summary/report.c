/*
 * summary/report.c
 *		The sums of a pipeline as JSON: the result of pipeline_summary().
 *
 * A fact is a row of crm_summary_rows(), as an object: so many deals of a stage, a
 * currency and a value period.  It is added to the parts of the answer that it
 * belongs to: to the whole, its status, its stage, its currency and its value period.
 * Amounts are numeric, as converted ones have any number of digits; those that are still to
 * be divided are added up before, so that each part is rounded once.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "base/compat.h"
#include "base/quotients.h"

/* A text of the arguments, in place; its start is NULL if there is none. */
typedef struct Word
{
	const char *start;
	int			len;
} Word;

static const Word no_word = {NULL, 0};

/* What several facts have in common: a word, none, or different ones. */
typedef struct CommonWord
{
	Word		word;
	bool		differs;
} CommonWord;

typedef struct Part
{
	bool		is_there;		/* it has facts */
	int64		deals;
	CrmQuotients value;
	CrmQuotients weighted_value;
	CommonWord	currency;		/* of amounts only */
	CommonWord	period;
} Part;

typedef struct Fact
{
	int64		deals;
	Numeric		value;			/* before it is divided; NULL: nothing */
	Numeric		weighted_value;
	Numeric		divisor;		/* NULL: 1 */
	Word		currency;		/* of amounts only, else none */
	Word		period;
} Fact;

/* A currency, or a value period: all of it, and by status. */
typedef struct Group
{
	Word		word;
	Part		all;
	Part		statuses[3];
} Group;

typedef struct Groups
{
	Group	   *items;
	int			count;
} Groups;

typedef struct ReportStage
{
	Word		id;
	Word		name;
	Word		status;
	JsonbValue	position;
	int32		rank;			/* its position; the largest if it has none */
	bool		is_archived;
	Part		part;
} ReportStage;

typedef struct Report
{
	ReportStage *stages;
	int			nstages;
	Part		all;
	Part		statuses[3];
	Groups		currencies;
	Groups		periods;
	int64		without_amount;
	int64		without_probability;
	Word		currency;		/* where there is none, or there is no amount */
	Word		period;
	Numeric		zero;
} Report;

static const char *const statuses[] = {"open", "won", "lost"};
static const char *const periods[] = {"one_time", "monthly", "quarterly", "annual"};

/* What a part leaves out, as the object that it is in has it. */
#define WITHOUT_CURRENCY	1
#define WITHOUT_PERIOD		2

/* ---- words ---- */

static inline bool
words_equal(Word a, Word b)
{
	if (a.start == NULL || b.start == NULL)
		return a.start == b.start;
	return a.len == b.len && memcmp(a.start, b.start, a.len) == 0;
}

static Word
make_word(const char *start, int len)
{
	Word		word = {start, len};

	return word;
}

/* Which of the words it is; -1: none. */
static int
find_word(Word word, const char *const *words, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (word.start != NULL && words_equal(word, make_word(words[i], strlen(words[i]))))
			return i;
	}
	return -1;
}

static void
note_word(CommonWord *common, Word word)
{
	if (common->word.start == NULL)
		common->word = word;
	else if (!words_equal(common->word, word))
		common->differs = true;
}

/* ---- reading ---- */

static bool
get_field(JsonbContainer *object, const char *name, enum jbvType type, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(object, name, strlen(name), value) != NULL &&
		value->type == type;
}

static Word
get_word(JsonbContainer *object, const char *name)
{
	JsonbValue	value;

	if (!get_field(object, name, jbvString, &value))
		return no_word;
	return make_word(value.val.string.val, value.val.string.len);
}

static Numeric
get_numeric(JsonbContainer *object, const char *name)
{
	JsonbValue	value;

	return get_field(object, name, jbvNumeric, &value) ? value.val.numeric : NULL;
}

static int64
to_int64(Numeric number)
{
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(number)));
}

static int64
get_count(JsonbContainer *object, const char *name)
{
	Numeric		number = get_numeric(object, name);

	return number == NULL ? 0 : to_int64(number);
}

/* Calls read for each object of an array; the array may be NULL. */
static void
read_objects(Jsonb *array, void (*read) (JsonbContainer *object, Report *report), Report *report)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (array == NULL)
		return;
	iterator = JsonbIteratorInit(&array->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		if (token == WJB_ELEM && value.type == jbvBinary)
			read(value.val.binary.data, report);
	}
}

static void
read_stage(JsonbContainer *object, Report *report)
{
	ReportStage *stage = &report->stages[report->nstages++];
	JsonbValue	archived;

	stage->id = get_word(object, "stage_id");
	stage->name = get_word(object, "name");
	stage->status = get_word(object, "deal_status");
	stage->rank = PG_INT32_MAX;
	stage->position.type = jbvNull;
	if (get_field(object, "position", jbvNumeric, &stage->position))
		stage->rank = (int32) to_int64(stage->position.val.numeric);
	else
		stage->position.type = jbvNull;
	stage->is_archived = get_field(object, "archived", jbvBool, &archived) && archived.val.boolean;
}

/* ---- adding up ---- */

static void
add_fact(Part *to, const Fact *fact)
{
	to->is_there = true;
	to->deals += fact->deals;
	if (fact->value != NULL)
		crm_quotients_add(&to->value, fact->value, fact->divisor);
	if (fact->weighted_value != NULL)
		crm_quotients_add(&to->weighted_value, fact->weighted_value, fact->divisor);
	if (fact->currency.start != NULL)
		note_word(&to->currency, fact->currency);
	if (fact->period.start != NULL)
		note_word(&to->period, fact->period);
}

static ReportStage *
find_stage(Report *report, Word id)
{
	for (int i = 0; i < report->nstages; i++)
	{
		if (id.start != NULL && words_equal(report->stages[i].id, id))
			return &report->stages[i];
	}
	return NULL;
}

/* The group of that word, which is added if it is not there. */
static Group *
get_group(Groups *groups, Word word)
{
	Group	   *group;

	for (int i = 0; i < groups->count; i++)
	{
		if (words_equal(groups->items[i].word, word))
			return &groups->items[i];
	}
	groups->items = groups->items == NULL ? palloc(sizeof(Group)) :
		repalloc(groups->items, (groups->count + 1) * sizeof(Group));
	group = &groups->items[groups->count++];
	memset(group, 0, sizeof(Group));
	group->word = word;
	return group;
}

static void
add_to_group(Groups *groups, Word word, int status, const Fact *fact)
{
	Group	   *group = get_group(groups, word);

	add_fact(&group->all, fact);
	if (status >= 0)
		add_fact(&group->statuses[status], fact);
}

static void
read_fact(JsonbContainer *object, Report *report)
{
	ReportStage *stage = find_stage(report, get_word(object, "stage_id"));
	Word		currency = get_word(object, "currency");
	Word		period = get_word(object, "value_period");
	Word		own_status = get_word(object, "deal_status");
	int64		without_amount = get_count(object, "deals_without_amount");
	Fact		fact = {.deals = get_count(object, "deals")};
	int			status;

	if (own_status.start == NULL && stage != NULL)
		own_status = stage->status;
	status = find_word(own_status, statuses, lengthof(statuses));
	fact.value = get_numeric(object, "value");
	fact.weighted_value = get_numeric(object, "weighted_value");
	fact.divisor = get_numeric(object, "divide_by");
	/* Only amounts have a currency and a period that matter. */
	if (fact.deals > without_amount)
	{
		fact.currency = currency;
		fact.period = period;
	}
	report->without_amount += without_amount;
	report->without_probability += get_count(object, "deals_without_probability");
	add_fact(&report->all, &fact);
	if (status >= 0)
		add_fact(&report->statuses[status], &fact);
	if (stage != NULL)
		add_fact(&stage->part, &fact);
	add_to_group(&report->currencies, currency, status, &fact);
	add_to_group(&report->periods, period, status, &fact);
}

/* ---- writing ---- */

static void
put_key(JsonbParseState **state, const char *key)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = unconstify(char *, key);
	value.val.string.len = strlen(key);
	pushJsonbValue(state, WJB_KEY, &value);
}

static void
put_word(JsonbParseState **state, const char *key, Word word)
{
	JsonbValue	value = {.type = word.start == NULL ? jbvNull : jbvString};

	if (word.start != NULL)
	{
		value.val.string.val = unconstify(char *, word.start);
		value.val.string.len = word.len;
	}
	put_key(state, key);
	pushJsonbValue(state, WJB_VALUE, &value);
}

/* A number, without zeros at its end; NULL: null. */
static void
put_numeric(JsonbParseState **state, const char *key, Numeric number)
{
	JsonbValue	value = {.type = number == NULL ? jbvNull : jbvNumeric};

	if (number != NULL)
		value.val.numeric = DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale,
																NumericGetDatum(number)));
	put_key(state, key);
	pushJsonbValue(state, WJB_VALUE, &value);
}

static void
put_count(JsonbParseState **state, const char *key, int64 count)
{
	put_numeric(state, key, int64_to_numeric(count));
}

static Word
common_or(const CommonWord *common, Word otherwise)
{
	if (common->differs)
		return no_word;
	return common->word.start == NULL ? otherwise : common->word;
}

static void
put_sum(JsonbParseState **state, const Report *report, const char *key, const CrmQuotients *sum)
{
	put_numeric(state, key, sum->total == NULL ? report->zero :
				crm_quotients_told(sum->total, sum->count > 0));
}

/* The fields of a part; amounts of several currencies are not added. */
static void
put_part(JsonbParseState **state, const Report *report, const Part *part, int without)
{
	if (!(without & WITHOUT_CURRENCY))
		put_word(state, "currency", common_or(&part->currency, report->currency));
	if (!(without & WITHOUT_PERIOD))
		put_word(state, "value_period", common_or(&part->period, report->period));
	put_count(state, "total_deals", part->deals);
	if (part->currency.differs)
	{
		put_numeric(state, "total_value", NULL);
		put_numeric(state, "weighted_value", NULL);
		return;
	}
	put_sum(state, report, "total_value", &part->value);
	put_sum(state, report, "weighted_value", &part->weighted_value);
}

static void
put_statuses(JsonbParseState **state, const Report *report, const Part *parts, int without)
{
	for (int i = 0; i < lengthof(statuses); i++)
	{
		put_key(state, statuses[i]);
		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		put_part(state, report, &parts[i], without);
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
}

static void
put_groups(JsonbParseState **state, const Report *report, const Groups *groups, const char *key,
		   const char *word, int without)
{
	put_key(state, key);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < groups->count; i++)
	{
		const Group *group = &groups->items[i];

		CHECK_FOR_INTERRUPTS();
		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		put_word(state, word, group->word);
		put_part(state, report, &group->all, without);
		put_statuses(state, report, group->statuses, without);
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
put_stages(JsonbParseState **state, const Report *report)
{
	put_key(state, "stages");
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < report->nstages; i++)
	{
		ReportStage *stage = &report->stages[i];

		CHECK_FOR_INTERRUPTS();
		if (stage->is_archived && !stage->part.is_there)
			continue;
		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		put_word(state, "stage_id", stage->id);
		put_word(state, "name", stage->name);
		put_word(state, "deal_status", stage->status);
		put_key(state, "position");
		pushJsonbValue(state, WJB_VALUE, &stage->position);
		put_part(state, report, &stage->part, 0);
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* ---- order ---- */

/* NULL comes last. */
static int
compare_words(Word a, Word b)
{
	int			result;

	if (a.start == NULL || b.start == NULL)
		return (a.start == NULL) - (b.start == NULL);
	result = memcmp(a.start, b.start, Min(a.len, b.len));
	return result != 0 ? result : a.len - b.len;
}

static int
compare_stages(const void *a, const void *b)
{
	const ReportStage *x = a;
	const ReportStage *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	if (x->is_archived != y->is_archived)
		return x->is_archived ? 1 : -1;
	return compare_words(x->id, y->id);
}

static int
compare_currencies(const void *a, const void *b)
{
	return compare_words(((const Group *) a)->word, ((const Group *) b)->word);
}

static int
compare_periods(const void *a, const void *b)
{
	return find_word(((const Group *) a)->word, periods, lengthof(periods)) -
		find_word(((const Group *) b)->word, periods, lengthof(periods));
}

/* ---- the function ---- */

static void
arrange(Report *report)
{
	qsort(report->stages, report->nstages, sizeof(ReportStage), compare_stages);
	if (report->currencies.count > 1)
		qsort(report->currencies.items, report->currencies.count, sizeof(Group),
			  compare_currencies);
	if (report->periods.count > 1)
		qsort(report->periods.items, report->periods.count, sizeof(Group), compare_periods);
	report->currency = common_or(&report->all.currency, report->currency);
	report->period = common_or(&report->all.period, make_word(periods[0], strlen(periods[0])));
}

static Jsonb *
write_report(const Report *report)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	put_part(&state, report, &report->all, 0);
	put_statuses(&state, report, report->statuses, 0);
	put_stages(&state, report);
	put_groups(&state, report, &report->currencies, "by_currency", "currency", WITHOUT_CURRENCY);
	put_groups(&state, report, &report->periods, "by_value_period", "value_period", WITHOUT_PERIOD);
	put_count(&state, "deals_without_amount", report->without_amount);
	put_count(&state, "deals_without_probability", report->without_probability);
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

/*
 * crm_summary_report(currency text, stages jsonb, sums jsonb) -> jsonb
 *		What pipeline_summary() tells of a pipeline of those stages, from facts;
 *		each of the two an array of objects, or NULL.  currency is that of an
 *		empty pipeline.
 */
PG_FUNCTION_INFO_V1(crm_summary_report);
Datum
crm_summary_report(PG_FUNCTION_ARGS)
{
	Report		report = {.zero = int64_to_numeric(0)};
	Jsonb	   *stages = PG_ARGISNULL(1) ? NULL : PG_GETARG_JSONB_P(1);

	if (!PG_ARGISNULL(0))
	{
		const text *currency = PG_GETARG_TEXT_PP(0);

		report.currency = make_word(VARDATA_ANY(currency), VARSIZE_ANY_EXHDR(currency));
	}
	report.stages = palloc0((stages == NULL ? 1 : JB_ROOT_COUNT(stages) + 1) * sizeof(ReportStage));
	read_objects(stages, read_stage, &report);
	read_objects(PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2), read_fact, &report);
	arrange(&report);
	PG_RETURN_JSONB_P(write_report(&report));
}
