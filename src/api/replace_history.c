/*
 * api/replace_history.c
 *		Gives a deal another history: called by replace_history of a CRM.
 *
 * The elements of the argument are read and checked here, with the caller's rights;
 * history/replacement.c writes them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/errors.h"
#include "base/query.h"
#include "base/row_messages.h"
#include "base/subtransaction.h"
#include "base/time.h"
#include "base/uuid.h"
#include "deal/deal.h"
#include "history/replacement.h"
#include "table/caller_query.h"
#include "table/owner_rights.h"
#include "table/value_checks.h"

#define ELEMENT_HINT \
	"Each element has stage_id and at, and may have actor, probability and lost_reason."

/* The deal, locked; returns its version. */
static int32
lock_deal(NewHistory *history, pg_uuid_t *stage_id)
{
	crm_api_require(psprintf("SELECT d.tenant_id, d.stage_id, d.version FROM %s d "
							 "WHERE d.id OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
							 crm_relation_name(RelationGetRelid(history->deals))),
					"deal", &history->deal_id);
	history->tenant_id = *DatumGetUUIDP(crm_api_value(1, UUIDOID, NULL));
	*stage_id = *DatumGetUUIDP(crm_api_value(2, UUIDOID, NULL));
	return DatumGetInt32(crm_api_value(3, INT4OID, NULL));
}

/* ---- reading the argument ---- */

static void
check_shape(const Jsonb *history)
{
	if (!JB_ROOT_IS_ARRAY(history) || JB_ROOT_IS_SCALAR(history) || JB_ROOT_COUNT(history) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("history must be an array, and not empty"),
				 errhint("Its elements are objects such as {\"stage_id\": \"...\", \"at\": \"2024-01-31\"}.")));
}

static bool
has_value(const Jsonb *object, const char *field)
{
	JsonbValue	value;

	return getKeyJsonValueFromContainer(unconstify(JsonbContainer *, &object->root), field,
										strlen(field), &value) != NULL &&
		value.type != jbvNull;
}

/* NULL if the field is null or is not there. */
static char *
get_text(const Jsonb *object, const char *field)
{
	return has_value(object, field) ?
		TextDatumGetCString(DirectFunctionCall2(jsonb_object_field_text, JsonbPGetDatum(object),
												CStringGetTextDatum(field))) :
		NULL;
}

/* The object that is element n of the argument. */
static Jsonb *
get_element(Jsonb *argument, int n)
{
	Jsonb	   *element = JsonbValueToJsonb(getIthJsonbValueFromContainer(&argument->root, n - 1));

	if (!JB_ROOT_IS_OBJECT(element))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("element %d of history is not an object", n),
				 errhint(ELEMENT_HINT)));
	return element;
}

static void
check_key(const char *key, int n)
{
	static const char *const keys[] = {"stage_id", "at", "actor", "probability", "lost_reason"};

	for (int i = 0; i < lengthof(keys); i++)
	{
		if (strcmp(key, keys[i]) == 0)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("element %d of history has the unknown key \"%s\"", n, key),
			 errhint(ELEMENT_HINT)));
}

static void
check_keys(Jsonb *element, int n)
{
	JsonbIterator *iterator = JsonbIteratorInit(&element->root);
	JsonbValue	value;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			check_key(pnstrdup(value.val.string.val, value.val.string.len), n);
	}
}

/* The elements, and which field of them is being read. */
typedef struct Reading
{
	Jsonb	  **elements;
	NewHistory *history;
	int			n;
	const char *field;
} Reading;

/* The text of that field of the element. */
static char *
begin_field(Reading *reading, const char *field)
{
	reading->field = field;
	return get_text(reading->elements[reading->n - 1], field);
}

static void
read_visit(Reading *reading, NewVisit *visit)
{
	char	   *text;

	if ((text = begin_field(reading, "stage_id")) !=NULL)
		visit->stage_id = *DatumGetUUIDP(DirectFunctionCall1(uuid_in, CStringGetDatum(text)));
	if ((text = begin_field(reading, "at")) !=NULL)
		visit->entered_at =
			DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(text),
													ObjectIdGetDatum(InvalidOid),
													Int32GetDatum(-1)));
	if ((text = begin_field(reading, "probability")) !=NULL)
		visit->probability =
			DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
												ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	visit->actor = begin_field(reading, "actor");
	visit->lost_reason = begin_field(reading, "lost_reason");
}

static void
read_visits(void *arg)
{
	Reading    *reading = arg;
	NewHistory *history = reading->history;

	for (reading->n = 1; reading->n <= history->nvisits; reading->n++)
	{
		CHECK_FOR_INTERRUPTS();
		read_visit(reading, &history->visits[reading->n - 1]);
	}
}

static bool
is_probability(Numeric value)
{
	Datum		zero = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
	Datum		one = DirectFunctionCall1(int4_numeric, Int32GetDatum(1));

	return DatumGetBool(DirectFunctionCall2(numeric_ge, NumericGetDatum(value), zero)) &&
		DatumGetBool(DirectFunctionCall2(numeric_le, NumericGetDatum(value), one));
}

static void
check_values(const Jsonb *element, const NewVisit *visit, int n)
{
	if (!has_value(element, "stage_id"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("element %d of history has no stage_id", n),
				 errhint(ELEMENT_HINT)));
	if (!has_value(element, "at"))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("element %d of history has no time", n),
				 errhint(ELEMENT_HINT)));
	crm_check_remark(visit->actor, psprintf("actor of element %d of history", n));
	crm_check_remark(visit->lost_reason, psprintf("lost_reason of element %d of history", n));
	if (visit->probability != NULL && !is_probability(visit->probability))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("element %d of history has a probability that is not between 0 and 1", n),
				 errhint(ELEMENT_HINT)));
}

/* The input functions of types raise errors, which do not know of what they read a part. */
static void
read_argument(NewHistory *history, Jsonb *argument)
{
	Reading		reading = {.history = history};
	ErrorData  *error;

	history->nvisits = JB_ROOT_COUNT(argument);
	history->visits = palloc0_array(NewVisit, history->nvisits);
	reading.elements = palloc_array(Jsonb *, history->nvisits);
	for (int i = 0; i < history->nvisits; i++)
	{
		CHECK_FOR_INTERRUPTS();
		reading.elements[i] = get_element(argument, i + 1);
		check_keys(reading.elements[i], i + 1);
	}
	error = crm_try(read_visits, &reading, true);
	if (error != NULL && ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
		ReThrowError(error);
	if (error != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("element %d of history has an invalid %s: %s", reading.n, reading.field,
						error->message),
				 errhint(ELEMENT_HINT)));
	for (int i = 0; i < history->nvisits; i++)
		check_values(reading.elements[i], &history->visits[i], i + 1);
}

/* ---- checking the visits ---- */

/* Checks when visit n began, and replaces that by the moment which it means (deal/moment.c). */
static void
check_time(NewHistory *history, int n, TimestampTz archived_at, TimestampTz clock)
{
	NewVisit   *visit = &history->visits[n - 1];
	TimestampTz before = n > 1 ? visit[-1].entered_at : DT_NOBEGIN;
	TimestampTz at = crm_moment(visit->entered_at, before, clock);

	if (at < before)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("element %d of history cannot be at %s", n, crm_time_text(at)),
				 errdetail("The one before is at %s.", crm_time_text(before)),
				 errhint("Give the elements in the order of their times.")));
	if (TIMESTAMP_NOT_FINITE(at) || at > clock)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("element %d of history cannot be at %s, which is in the future", n,
						crm_time_text(at)),
				 errdetail("The clock says %s.", crm_time_text(clock)),
				 errhint("Give a moment of the past.")));
	if (at >= archived_at)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("deal %s cannot have entered stage %s at %s",
						crm_uuid_text(&history->deal_id), crm_uuid_text(&visit->stage_id),
						crm_time_text(at)),
				 errdetail("The stage was archived at %s.", crm_time_text(archived_at)),
				 errhint("Give an earlier time, or another stage.")));
	visit->entered_at = at;
}

static void
check_stage(const NewHistory *history, int n, bool exists)
{
	const NewVisit *visit = &history->visits[n - 1];

	if (!exists)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("stage %s does not exist", crm_uuid_text(&visit->stage_id)),
				 errdetail("Element %d of history names it.", n),
				 crm_errhint_missing("stage")));
	if (n > 1 && crm_uuid_equal(&visit->stage_id, &visit[-1].stage_id))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("element %d of history enters the stage in which the deal stands", n),
				 errhint("Leave it out: an element is a move to another stage.")));
}

/* Reads the stages of the visits, as far as the caller may see them. */
static void
read_stages(const NewHistory *history)
{
	static const Oid types[] = {UUIDARRAYOID, UUIDOID};
	ArrayBuildState *stages = initArrayResult(UUIDOID, CurrentMemoryContext, false);
	Datum		args[2];

	for (int i = 0; i < history->nvisits; i++)
		stages = accumArrayResult(stages, UUIDPGetDatum(&history->visits[i].stage_id), false,
								  UUIDOID, CurrentMemoryContext);
	args[0] = makeArrayResult(stages, CurrentMemoryContext);
	args[1] = UUIDPGetDatum(&history->tenant_id);
	(void) crm_api_run_typed(psprintf("SELECT s.id IS NOT NULL, s.archived_at::pg_catalog.timestamptz "
									  "FROM pg_catalog.unnest($1) WITH ORDINALITY AS e (id, n) "
									  "LEFT JOIN %s s ON s.id OPERATOR(pg_catalog.=) e.id "
									  "AND s.tenant_id OPERATOR(pg_catalog.=) $2 ORDER BY e.n",
									  crm_sibling_name(history->deals, "stages")),
							 lengthof(types), types, args);
}

static void
check_visits(NewHistory *history, const pg_uuid_t *present)
{
	TimestampTz clock = GetCurrentTimestamp();
	const NewVisit *last = &history->visits[history->nvisits - 1];

	read_stages(history);
	for (int i = 0; i < history->nvisits; i++)
	{
		bool		is_standing;
		Datum		exists = crm_result_value(i, 1, BOOLOID, NULL);
		Datum		archived_at = crm_result_value(i, 2, TIMESTAMPTZOID, &is_standing);

		check_stage(history, i + 1, DatumGetBool(exists));
		check_time(history, i + 1,
				   is_standing ? DT_NOEND : DatumGetTimestampTz(archived_at), clock);
	}
	if (!crm_uuid_equal(&last->stage_id, present))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("the history of deal %s must end in stage %s",
						crm_uuid_text(&history->deal_id), crm_uuid_text(present)),
				 errdetail("The deal stands there, but the last element names stage %s.",
						   crm_uuid_text(&last->stage_id)),
				 errhint("Move the deal first, or leave out what it has not reached.")));
}

/* ---- the function ---- */

static void
refuse_earlier_life(const NewHistory *history)
{
	Datum		args[] = {UUIDPGetDatum(&history->deal_id), UUIDPGetDatum(&history->tenant_id)};
	SavedUser	saved;
	uint64		found;

	crm_become_owner(history->deals, &saved);
	found = crm_api_run(psprintf("SELECT FROM %s c WHERE c.deal_id OPERATOR(pg_catalog.=) $1 "
								 "AND c.tenant_id OPERATOR(pg_catalog.=) $2 "
								 "AND c.change OPERATOR(pg_catalog.=) 'deleted' LIMIT 1",
								 crm_trusted_sibling(history->deals, "deal_changes")),
						lengthof(args), args);
	crm_restore_user(&saved);
	if (found > 0)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_STALE),
				 errmsg("the history of deal %s cannot be replaced",
						crm_uuid_text(&history->deal_id)),
				 errdetail("It was deleted and put back: its history is of several lives."),
				 errhint("Correct moves of its present life with correct_move.")));
}

/* Sets the deal's times to those of its history, with the caller's rights. */
static void
update_deal(const NewHistory *history)
{
	static const Oid types[] = {UUIDOID, TIMESTAMPTZOID};
	Datum		args[] = {
		UUIDPGetDatum(&history->deal_id), TimestampTzGetDatum(history->visits[0].entered_at)
	};
	char	   *deals = crm_relation_name(RelationGetRelid(history->deals));

	if (crm_api_run_typed(psprintf("UPDATE %s d SET move_no = %d, created_at = $2 "
								   "WHERE d.id OPERATOR(pg_catalog.=) $1",
								   deals, CRM_FOLLOW_HISTORY),
						  lengthof(types), types, args) == 0)
		crm_api_unchanged(psprintf("SELECT FROM %s d WHERE d.id OPERATOR(pg_catalog.=) $1", deals),
						  "deal", &history->deal_id);
}

/*
 * crm_replace_history(crm regnamespace, deal_id uuid, history jsonb, reason text) -> uuid
 *		Returns deal_id.  Writes nothing if that is its history already.
 *		Errors: PT404 for a deal that the caller does not see, 22023, 23503 or 23514 for
 *		a history that is not possible.
 */
PG_FUNCTION_INFO_V1(crm_replace_history);
Datum
crm_replace_history(PG_FUNCTION_ARGS)
{
	NewHistory	history = {.deal_id = *crm_api_uuid(fcinfo, 1, "deal_id")};
	char	   *reason = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	pg_uuid_t	stage_id;
	int32		version;

	crm_api_require_argument(fcinfo, 2, "history");
	check_shape(PG_GETARG_JSONB_P(2));
	history.deals = crm_api_begin_write(fcinfo, "deals", &crm_deal_kind);
	version = lock_deal(&history, &stage_id);
	refuse_earlier_life(&history);
	read_argument(&history, PG_GETARG_JSONB_P(2));
	check_visits(&history, &stage_id);
	if (!crm_history_stands(&history))
	{
		crm_replace_moves(&history, Min(version, PG_INT32_MAX - 1) + 1, reason);
		update_deal(&history);
	}
	crm_api_end(history.deals);
	PG_RETURN_DATUM(PG_GETARG_DATUM(1));
}
