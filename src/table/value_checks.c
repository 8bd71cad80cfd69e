/*
 * table/value_checks.c
 *		What is wrong with a value that a CHECK would refuse.
 *
 * The CHECK is the rule, and would say "Failing row contains": the functions here
 * look at the value before it does, and say what is expected.  Where the user
 * has dropped the CHECK of a column, or changed its type, nothing is checked.
 *
 * Columns are found by their names, as the tables of a CRM use a name for one
 * kind of value only.  What a table has is kept for the session.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/nodes.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/formatting.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/typcache.h"

#include "base/argument_errors.h"
#include "base/currency.h"
#include "base/name_key.h"
#include "base/time.h"
#include "base/uuid.h"
#include "table/cast_domain.h"
#include "table/columns.h"
#include "table/kinds.h"
#include "table/table_cache.h"
#include "table/value_checks.h"

#define MAX_CHECKS	24

/* Of a text in an index: a row of an index takes no more than 2,704 bytes. */
#define MAX_INDEXED	2000

/*
 * Of other texts, and of JSON.  PostgreSQL makes no value of more than 1 GB, and no string
 * in JSON of more than 256 MB: what shows many rows, or what a row was, would fail for
 * everybody.
 */
#define MAX_LINE	2000
#define MAX_REMARK	10000
#define MAX_CONTENT	1000000

/* A name of so few bytes has a key within that: NFKC makes at most 11 bytes of one. */
#define MAX_PLAIN_NAME	(MAX_INDEXED / 11)

typedef struct Facts
{
	int			nchecks;
	struct
	{
		AttrNumber	attno;
		int			rule;		/* an index of rules */
		Oid			domain;		/* that states it; InvalidOid: a CHECK does */
	}			checks[MAX_CHECKS];
	int			nrequired;
	AttrNumber	required[MAX_CHECKS];
	AttrNumber	status;			/* of the deal, or of deals in the stage; 0:
								 * none */
} Facts;

/* A value to look at. */
typedef struct Value
{
	const RowEdit *row;
	const Facts *facts;
	AttrNumber	attno;
	const char *column;
	Datum		datum;
} Value;

typedef struct ValueRule
{
	const char *column;
	Oid			type;
	void		(*check) (const Value *value);
} ValueRule;

/* ---- values ---- */

static bool
is_any_of(const char *text, const char *const *words, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (strcmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

/* Whether the row's status is that word; false if the table has none. */
static bool
has_status(const Value *value, const char *status)
{
	AttrNumber	attno = value->facts->status;

	return attno != InvalidAttrNumber && !crm_row_is_null(value->row, attno) &&
		strcmp(TextDatumGetCString(crm_row_get(value->row, attno)), status) == 0;
}

static char *
number_text(Datum number)
{
	Datum		trimmed = DirectFunctionCall1(numeric_trim_scale, number);

	return DatumGetCString(DirectFunctionCall1(numeric_out, trimmed));
}

static bool
is_less(Datum a, Datum b)
{
	return DatumGetBool(DirectFunctionCall2(numeric_lt, a, b));
}

static Datum
integer(int64 number)
{
	return NumericGetDatum(int64_to_numeric(number));
}

static void
check_not_blank(const Value *value)
{
	text	   *string = DatumGetTextPP(value->datum);

	if (!crm_text_is_blank(VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("%s must not be blank", value->column),
			 errhint("Give it a character that is seen."),
			 errtablecol(value->row->rel, value->attno)));
}

static void
check_length(const Value *value, Datum what, int limit)
{
	int			length = toast_raw_datum_size(what) - VARHDRSZ;

	if (length > limit)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("%s is too long", value->column),
				 errdetail("It has %d bytes, of %d at most.", length, limit),
				 errhint("Shorten it."),
				 errtablecol(value->row->rel, value->attno)));
}

/* An index would refuse it with a message of its own, unless it compresses well. */
static void
check_indexed(const Value *value)
{
	check_length(value, value->datum, MAX_INDEXED);
}

static void
check_remark(const Value *value)
{
	check_length(value, value->datum, MAX_REMARK);
}

static void
check_content(const Value *value)
{
	check_length(value, value->datum, MAX_CONTENT);
}

static void
check_line(const Value *value)
{
	check_not_blank(value);
	check_length(value, value->datum, MAX_LINE);
}

static void
check_name(const Value *value)
{
	check_not_blank(value);
	if (toast_raw_datum_size(value->datum) - VARHDRSZ > MAX_PLAIN_NAME)
		check_length(value, DirectFunctionCall1(crm_name_key, value->datum), MAX_INDEXED);
}

static bool
is_currency(Datum code)
{
	return DatumGetBool(DirectFunctionCall1(crm_is_currency, code));
}

static void
check_currency(const Value *value)
{
	char	   *code,
			   *upper;

	if (is_currency(value->datum))
		return;
	code = TextDatumGetCString(value->datum);
	upper = asc_toupper(code, strlen(code));
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("%s must be a currency code of ISO 4217, not \"%s\"", value->column,
					crm_shown_value(code)),
			 is_currency(CStringGetTextDatum(upper)) ? errhint("Write it in capitals: %s.", upper) :
			 errhint("Use a code such as EUR."),
			 errtablecol(value->row->rel, value->attno)));
}

static void
check_quote(const Value *value)
{
	AttrNumber	base = crm_optional_column(value->row->rel, "base", TEXTOID);

	check_currency(value);
	if (base != InvalidAttrNumber && !crm_row_is_null(value->row, base) &&
		DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID, value->datum,
											 crm_row_get(value->row, base))))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("base and quote are both %s", TextDatumGetCString(value->datum)),
				 errdetail("A currency needs no rate to itself."),
				 errhint("Give two currencies, or leave the row out."),
				 errtablecol(value->row->rel, value->attno)));
}

/* Of a closed deal or stage it is what the status says. */
static void
check_closed_probability(const Value *value, const char *status, int expected)
{
	if (has_status(value, status) &&
		!DatumGetBool(DirectFunctionCall2(numeric_eq, value->datum, integer(expected))))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("probability is %d where the status is %s, not %s", expected, status,
						number_text(value->datum)),
				 errhint("Leave it out, or write the status as well."),
				 errtablecol(value->row->rel, value->attno)));
}

static void
check_probability(const Value *value)
{
	if (is_less(value->datum, integer(0)) || is_less(integer(1), value->datum))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("probability %s is not between 0 and 1", number_text(value->datum)),
				 errhint("Write 70 %% as 0.7."),
				 errtablecol(value->row->rel, value->attno)));
	check_closed_probability(value, "won", 1);
	check_closed_probability(value, "lost", 0);
}

static void
check_amount(const Value *value)
{
	int64		limit = INT64CONST(1000000000000000);

	if (!is_less(integer(-limit), value->datum) || !is_less(value->datum, integer(limit)))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("amount %s is out of range", number_text(value->datum)),
				 errdetail("An amount has at most 15 digits before the decimal point and 4 behind it."),
				 errhint("Give a smaller amount, in the currency's main unit."),
				 errtablecol(value->row->rel, value->attno)));
}

static void
check_rate(const Value *value)
{
	Numeric		rate = DatumGetNumeric(value->datum);

	if (!is_less(integer(0), value->datum) || numeric_is_nan(rate) || numeric_is_inf(rate))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("rate %s is not a positive number", number_text(value->datum)),
				 errhint("It is the price of one unit of base, in quote."),
				 errtablecol(value->row->rel, value->attno)));
}

static void
check_value_period(const Value *value)
{
	static const char *const periods[] = {"one_time", "monthly", "quarterly", "annual"};
	char	   *period = TextDatumGetCString(value->datum);

	if (!is_any_of(period, periods, lengthof(periods)))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("\"%s\" is not a value period", period),
				 errhint("Use one_time, monthly, quarterly or annual."),
				 errtablecol(value->row->rel, value->attno)));
}

static void
check_forecast_category(const Value *value)
{
	static const char *const of_open[] = {"pipeline", "best_case", "commit", "omitted"};
	static const char *const of_won[] = {"closed", "omitted"};
	static const char *const of_lost[] = {"omitted"};
	bool		stage = crm_optional_column(value->row->rel, "deal_status", TEXTOID) != InvalidAttrNumber;
	bool		won = stage && has_status(value, "won");
	bool		lost = stage && has_status(value, "lost");
	char	   *category = TextDatumGetCString(value->datum);

	if (won ? is_any_of(category, of_won, lengthof(of_won)) :
		lost ? is_any_of(category, of_lost, lengthof(of_lost)) :
		is_any_of(category, of_open, lengthof(of_open)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg(won ? "\"%s\" is not a forecast category of a stage for won deals" :
					lost ? "\"%s\" is not a forecast category of a stage for lost deals" :
					"\"%s\" is not a forecast category of open deals", category),
			 won ? errhint("Use closed or omitted.") : lost ? errhint("Use omitted.") :
			 errhint("Use pipeline, best_case, commit or omitted."),
			 errtablecol(value->row->rel, value->attno)));
}

static void
check_object(const Value *value)
{
	Jsonb	   *json = DatumGetJsonbP(value->datum);

	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s must be a JSON object, not %s", value->column,
						JB_ROOT_IS_SCALAR(json) ? "a single value" : "an array"),
				 errhint("Write it as {\"key\": value}."),
				 errtablecol(value->row->rel, value->attno)));
	check_content(value);
}

static void
check_positive(const Value *value)
{
	if (DatumGetInt32(value->datum) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s must be positive, not %d", value->column, DatumGetInt32(value->datum)),
				 errhint("Null means never."),
				 errtablecol(value->row->rel, value->attno)));
}

static void
refuse_time(const Value *value)
{
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("%s must be in the years 1900 to 9999", value->column),
			 errhint("Give a day or a moment of these years."),
			 errtablecol(value->row->rel, value->attno)));
}

static void
check_date(const Value *value)
{
	if (!crm_is_date(DatumGetDateADT(value->datum)))
		refuse_time(value);
}

static void
check_time(const Value *value)
{
	if (!crm_is_timestamp(DatumGetTimestampTz(value->datum)))
		refuse_time(value);
}

/* Only the tables of a CRM for one tenant have a CHECK of it. */
static void
check_only_tenant(const Value *value)
{
	static const pg_uuid_t nil;
	const pg_uuid_t *id = DatumGetUUIDP(value->datum);

	if (!crm_uuid_equal(id, &nil))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s cannot be %s in a CRM for one tenant", value->column, crm_uuid_text(id)),
				 errhint("Leave it out."),
				 errtablecol(value->row->rel, value->attno)));
}

static const ValueRule rules[] = {
	{"amount", NUMERICOID, check_amount},
	{"archived_at", TIMESTAMPTZOID, check_time},
	{"base", TEXTOID, check_currency},
	{"color", TEXTOID, check_remark},
	{"created_at", TIMESTAMPTZOID, check_time},
	{"currency", TEXTOID, check_currency},
	{"description", TEXTOID, check_content},
	{"expected_close_date", DATEOID, check_date},
	{"external_id", TEXTOID, check_indexed},
	{"forecast_category", TEXTOID, check_forecast_category},
	{"lost_at", TIMESTAMPTZOID, check_time},
	{"lost_reason", TEXTOID, check_remark},
	{"metadata", JSONBOID, check_object},
	{"name", TEXTOID, check_name},
	{"probability", NUMERICOID, check_probability},
	{"quote", TEXTOID, check_quote},
	{"rank", TEXTOID, check_indexed},
	{"rate", NUMERICOID, check_rate},
	{"role", TEXTOID, check_line},
	{"rotting_days", INT4OID, check_positive},
	{"stage_entered_at", TIMESTAMPTZOID, check_time},
	{"tenant_id", UUIDOID, check_only_tenant},
	{"title", TEXTOID, check_line},
	{"updated_at", TIMESTAMPTZOID, check_time},
	{"valid_from", DATEOID, check_date},
	{"value_period", TEXTOID, check_value_period},
	{"won_at", TIMESTAMPTZOID, check_time},
};

/* What a client has to give; NOT NULL requires it. */
static const char *const required[] = {
	"title", "name", "pipeline_id", "deal_id", "contact_id", "tag_id", "base", "quote", "rate"
};

/* ---- what a table has ---- */

static bool
is_time_rule(const ValueRule *rule)
{
	return rule->check == check_time || rule->check == check_date;
}

/* Whether it is the CHECK of that column, or of all times, as crm_install() names them. */
static bool
is_check_of(const char *name, const ValueRule *rule)
{
	return strstr(name, psprintf("_%s_check", is_time_rule(rule) ? "times" : rule->column)) != NULL;
}

/* Whether crm_check_deal() looks at the column. */
static bool
is_deals_rule(const ValueRule *rule)
{
	static const char *const columns[] = {
		"amount", "currency", "probability", "title"
	};

	return is_time_rule(rule) || is_any_of(rule->column, columns, lengthof(columns));
}

/* Whether it is a rule that no CHECK states. */
static bool
is_length_rule(const ValueRule *rule)
{
	return rule->check == check_indexed || rule->check == check_remark ||
		rule->check == check_content;
}

/*
 * Whether the rule needs no CHECK, or the table has a CHECK of that column, or
 * of a deal as a whole; if that casts the column to a domain, so that its CHECK is
 * the domain's, which.
 */
static bool
has_check(Relation rel, AttrNumber attno, const ValueRule *rule, Oid *domain)
{
	TupleConstr *constraints = RelationGetDescr(rel)->constr;

	*domain = InvalidOid;
	if (is_length_rule(rule))
		return true;
	for (int i = 0; constraints != NULL && i < constraints->num_check; i++)
	{
		const ConstrCheck *check = &constraints->check[i];

		if (is_check_of(check->ccname, rule))
			return true;
		if (strcmp(check->ccname, CRM_DEALS_CHECK) != 0)
			continue;
		*domain = crm_cast_domain(stringToNode(check->ccbin), attno);
		if (OidIsValid(*domain) || is_deals_rule(rule))
			return true;
	}
	return false;
}

static void
find_facts(Relation rel, const void *kind, void *data)
{
	Facts	   *facts = data;
	TupleDesc	desc = RelationGetDescr(rel);

	facts->nchecks = facts->nrequired = 0;
	facts->status = InvalidAttrNumber;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		const char *name = NameStr(att->attname);
		Oid			domain;

		if (att->attisdropped)
			continue;
		for (int rule = 0; rule < lengthof(rules); rule++)
		{
			if (strcmp(rules[rule].column, name) == 0 && rules[rule].type == att->atttypid &&
				facts->nchecks < MAX_CHECKS && has_check(rel, att->attnum, &rules[rule], &domain))
			{
				facts->checks[facts->nchecks].attno = att->attnum;
				facts->checks[facts->nchecks].domain = domain;
				facts->checks[facts->nchecks++].rule = rule;
			}
		}
		if (att->attnotnull && !att->atthasdef && facts->nrequired < MAX_CHECKS &&
			is_any_of(name, required, lengthof(required)))
			facts->required[facts->nrequired++] = att->attnum;
		if ((strcmp(name, "status") == 0 || strcmp(name, "deal_status") == 0) && att->atttypid == TEXTOID)
			facts->status = att->attnum;
	}
}

/* ---- the row ---- */

static bool
is_unchanged(const RowEdit *row, AttrNumber attno)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(row->rel), attno - 1);

	return row->old_values != NULL && !crm_row_old_is_null(row, attno) &&
		datumIsEqual(crm_row_get(row, attno), crm_row_get_old(row, attno),
					 att->attbyval, att->attlen);
}

void
crm_check_values(const RowEdit *row)
{
	const Facts *facts = crm_table_facts(row->rel, rules, sizeof(Facts), find_facts);

	for (int i = 0; i < facts->nrequired; i++)
	{
		AttrNumber	attno = facts->required[i];

		if (crm_row_is_null(row, attno))
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("%s must be given", get_attname(RelationGetRelid(row->rel), attno, false)),
					 errhint("Give it a value that is not null."),
					 errtablecol(row->rel, attno)));
	}
	for (int i = 0; i < facts->nchecks; i++)
	{
		AttrNumber	attno = facts->checks[i].attno;
		Oid			domain = facts->checks[i].domain;
		const ValueRule *rule = &rules[facts->checks[i].rule];
		Value		value = {row, facts, attno, rule->column};

		if (crm_row_is_null(row, attno) || is_unchanged(row, attno) ||
			(OidIsValid(domain) && !DomainHasConstraints(domain)))
			continue;
		value.datum = crm_row_get(row, attno);
		rule->check(&value);
	}
}

void
crm_check_remark(const char *remark, const char *what)
{
	Size		length = remark != NULL ? strlen(remark) : 0;

	if (length > MAX_REMARK)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("%s is too long", what),
				 errdetail("It has %zu bytes, of %d at most.", length, MAX_REMARK),
				 errhint("Shorten it.")));
}
