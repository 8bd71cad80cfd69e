/*
 * base/session.c
 *		The session's context, read from settings: the actor, the tenant, and
 *		the time as of which it writes.
 *
 * Invariants: an empty setting counts as unset; where the tenant is in doubt
 * (malformed claims, a claim of another type, the nil uuid), there is none.
 * Row defaults and triggers ask once for every row, so the result is cached for
 * as long as the settings that it was read from stay the same.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "base/request.h"
#include "base/session.h"
#include "base/uuid.h"

#define DEFAULT_TENANT_CLAIM "tenant_id"
#define MS_PER_S 1000

/* Bytes of an actor that are recorded. */
#define MAX_ACTOR 2000

static char *actor_setting;
static char *effective_at_setting;
static char *tenant_claim_setting;
static char *tenant_id_setting;
static char *reason_setting;
static bool restoring_setting;
static int	clock_tolerance_setting;
static char *transaction_start_setting;

typedef enum
{
	TENANT_OK,
	TENANT_UNSET,				/* neither claims nor crm.tenant_id */
	TENANT_IS_NIL,
	CLAIMS_MALFORMED,			/* not a JSON object */
	CLAIM_MISSING,
	CLAIM_EMPTY,
	CLAIM_NOT_SCALAR			/* an object, array, boolean or null */
} TenantState;

/* The context, and the settings that it was read from. */
static struct
{
	bool		valid;
	char	   *claims;
	char	   *tenant_claim;
	char	   *tenant_id;
	TenantState state;
	pg_uuid_t	tenant;			/* if state is TENANT_OK */
	char	   *subject;		/* the claim sub; NULL if there is none */
}			context;

/* crm.effective_at, parsed; 'now' and 'today' mean the transaction's start. */
static struct
{
	char	   *text;			/* NULL: nothing is kept */
	pg_tz	   *timezone;
	int			date_order;
	TimestampTz transaction;
	TimestampTz value;
}			effective;

void
crm_define_settings(void)
{
	DefineCustomStringVariable("crm.actor",
							   "The actor, recorded as changed_by.",
							   "Empty: the claim sub of request.jwt.claims, else the session user.",
							   &actor_setting, "", PGC_USERSET, 0,
							   NULL, NULL, NULL);
	/* No check hook: what the text means depends on TimeZone and DateStyle. */
	DefineCustomStringVariable("crm.effective_at",
							   "The time as of which moves are recorded.",
							   "Empty: the current time. Meant for SET LOCAL in imports.",
							   &effective_at_setting, "", PGC_USERSET, 0,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("crm.tenant_claim",
							   "The claim of request.jwt.claims that names the tenant.",
							   "The name of a claim, or a path such as app_metadata.tenant_id.",
							   &tenant_claim_setting, DEFAULT_TENANT_CLAIM,
							   PGC_USERSET, 0,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("crm.tenant_id",
							   "The tenant, for sessions without request.jwt.claims.",
							   NULL,
							   &tenant_id_setting, "", PGC_USERSET, 0,
							   NULL, NULL, NULL);
	DefineCustomStringVariable("crm.reason",
							   "Why won_at and lost_at of closed deals are corrected.",
							   NULL,
							   &reason_setting, "", PGC_USERSET, 0,
							   NULL, NULL, NULL);
	DefineCustomBoolVariable("crm.restoring",
							 "Whether rows that are inserted are taken as they are.",
							 "For data-only restores, by the owner of the tables alone.",
							 &restoring_setting, false, PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomIntVariable("crm.clock_tolerance",
							"How far a time may be ahead of the clock and still mean now.",
							"The clocks of clients differ from the server's.",
							&clock_tolerance_setting, 10 * MS_PER_S, 0, 24 * 60 * 60 * MS_PER_S,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);
	DefineCustomStringVariable("crm.transaction_start",
							   "When the transaction began on the node of a Citus cluster that sent this statement.",
							   "Set by crm itself.",
							   &transaction_start_setting, "", PGC_USERSET, GUC_NO_SHOW_ALL,
							   NULL, NULL, NULL);
	MarkGUCPrefixReserved("crm");
}

const char *
crm_setting(const char *name)
{
	const char *value = GetConfigOption(name, true, false);

	return value != NULL ? value : "";
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Whether input is a uuid in one of the forms that the type uuid accepts. */
static bool
parse_uuid(const char *input, pg_uuid_t *uuid)
{
	bool		braces = (*input == '{');

	if (braces)
		input++;
	for (int i = 0; i < UUID_LEN; i++)
	{
		int			high = hex_value(input[0]);
		int			low = high < 0 ? -1 : hex_value(input[1]);

		if (low < 0)
			return false;
		uuid->data[i] = high << 4 | low;
		input += 2;
		if (*input == '-' && i % 2 == 1 && i < UUID_LEN - 1)
			input++;
	}
	if (braces && *input++ != '}')
		return false;
	return *input == '\0';
}

/*
 * The tenant that a text stands for, which is not empty: the uuid that it is, or
 * one of version 5 that is derived from it.  So that nobody claims the tenant of
 * a name by its uuid, a uuid of that version is a name, too, in its usual form.
 */
static TenantState
tenant_of_text(const char *text, pg_uuid_t *tenant)
{
	static const pg_uuid_t nil;

	if (!parse_uuid(text, tenant))
		crm_make_external_uuid("tenant", text, tenant);
	else if (tenant->data[6] >> 4 == 5)
		crm_make_external_uuid("tenant", crm_uuid_text(tenant), tenant);
	return memcmp(tenant, &nil, sizeof(nil)) == 0 ? TENANT_IS_NIL : TENANT_OK;
}

/* The tenant and the subject in the claims, a text that is not empty. */
static TenantState
read_claims(const char *json, const char *tenant_claim,
			pg_uuid_t *tenant, char **subject)
{
	Jsonb	   *claims = crm_parse_json_object(json);
	char	   *text;

	*subject = NULL;
	if (claims == NULL)
		return CLAIMS_MALFORMED;

	if (crm_get_claim(claims, "sub", &text) == CRM_CLAIM_TEXT && text[0] != '\0')
		*subject = text;

	switch (crm_get_claim(claims, tenant_claim, &text))
	{
		case CRM_CLAIM_MISSING:
			return CLAIM_MISSING;
		case CRM_CLAIM_OTHER:
			return CLAIM_NOT_SCALAR;
		case CRM_CLAIM_TEXT:
			break;
	}
	return text[0] == '\0' ? CLAIM_EMPTY : tenant_of_text(text, tenant);
}

/* Replaces a string kept in TopMemoryContext; value may be NULL. */
static void
keep_string(char **kept, const char *value)
{
	if (*kept)
		pfree(*kept);
	*kept = NULL;
	if (value)
		*kept = MemoryContextStrdup(TopMemoryContext, value);
}

static inline bool
same_string(const char *kept, const char *value)
{
	return kept != NULL && strcmp(kept, value) == 0;
}

/* Brings context up to date with the settings. */
static void
refresh_context(void)
{
	const char *claims = crm_setting("request.jwt.claims");
	MemoryContext scratch;
	MemoryContext old;
	char	   *subject = NULL;

	if (context.valid && same_string(context.claims, claims) &&
		same_string(context.tenant_claim, tenant_claim_setting) &&
		same_string(context.tenant_id, tenant_id_setting))
		return;

	context.valid = false;
	scratch = AllocSetContextCreate(CurrentMemoryContext, "crm session",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(scratch);
	if (claims[0] != '\0')
		context.state = read_claims(claims,
									tenant_claim_setting[0] != '\0' ?
									tenant_claim_setting : DEFAULT_TENANT_CLAIM,
									&context.tenant, &subject);
	else if (tenant_id_setting[0] != '\0')
		context.state = tenant_of_text(tenant_id_setting, &context.tenant);
	else
		context.state = TENANT_UNSET;
	keep_string(&context.claims, claims);
	keep_string(&context.tenant_claim, tenant_claim_setting);
	keep_string(&context.tenant_id, tenant_id_setting);
	keep_string(&context.subject, subject);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	context.valid = true;
}

/*
 * Says why there is no tenant (42501).  The message does not show the claims,
 * which may be secret.
 */
static void
report_no_tenant(TenantState state)
{
	const char *message = NULL;
	const char *claim = tenant_claim_setting[0] != '\0' ?
	tenant_claim_setting : DEFAULT_TENANT_CLAIM;

	switch (state)
	{
		case TENANT_OK:
			elog(ERROR, "there is a tenant");
			break;
		case TENANT_UNSET:
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("this session names no tenant"),
					 errhint("Send claims (request.jwt.claims) that have \"%s\", or set crm.tenant_id.",
							 claim)));
			break;
		case TENANT_IS_NIL:
			message = "the nil uuid is not a tenant";
			break;
		case CLAIMS_MALFORMED:
			message = "request.jwt.claims is not a JSON object";
			break;
		case CLAIM_MISSING:
			message = "the claims of this request name no tenant";
			break;
		case CLAIM_EMPTY:
			message = "the tenant in the claims of this request is empty";
			break;
		case CLAIM_NOT_SCALAR:
			message = "the tenant in the claims of this request is neither a string nor a number";
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg_internal("%s", message),
			 context.claims[0] != '\0' ?
			 errhint("The tenant is read from the claim \"%s\", which the setting crm.tenant_claim names.",
					 claim) :
			 errhint("The tenant is read from the setting crm.tenant_id.")));
}

void
crm_session_tenant(pg_uuid_t *tenant)
{
	refresh_context();
	if (context.state != TENANT_OK)
		report_no_tenant(context.state);
	*tenant = context.tenant;
}

bool
crm_session_is_tenant(const pg_uuid_t *tenant)
{
	refresh_context();
	return context.state == TENANT_OK &&
		memcmp(tenant, &context.tenant, sizeof(*tenant)) == 0;
}

static char *
beginning(const char *actor)
{
	return pnstrdup(actor, pg_mbcliplen(actor, strlen(actor), MAX_ACTOR));
}

/*
 * The actor is recorded but gives no rights, so that no error is needed: if the
 * claims name none, for whatever reason, it is the session user; of a longer one it is
 * the beginning, as histories with it are values that PostgreSQL has to be able to make.
 */
char *
crm_session_actor(void)
{
	if (actor_setting[0] != '\0')
		return beginning(actor_setting);
	refresh_context();
	if (context.subject)
		return beginning(context.subject);
	return crm_session_recorder();
}

char *
crm_session_recorder(void)
{
	return GetUserNameFromId(GetSessionUserId(), false);
}

/* Reads the text of crm.effective_at: a finite timestamptz, or 22007. */
static TimestampTz
parse_effective_at(const char *text)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile TimestampTz value = 0;

	PG_TRY();
	{
		value = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
														CStringGetDatum(text),
														ObjectIdGetDatum(InvalidOid),
														Int32GetDatum(-1)));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_DATA_EXCEPTION)
			ReThrowError(error);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("setting \"%s\": %s", "crm.effective_at", error->message),
				 errhint("Set it to a timestamp such as '2026-01-31 09:30:00+00', or to '' for none.")));
	}
	PG_END_TRY();

	if (TIMESTAMP_NOT_FINITE(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("setting \"%s\": timestamp must be finite", "crm.effective_at"),
				 errhint("Set it to a timestamp such as '2026-01-31 09:30:00+00', or to '' for none.")));
	return value;
}

bool
crm_session_effective_at(TimestampTz *effective_at)
{
	TimestampTz transaction = GetCurrentTransactionStartTimestamp();

	if (effective_at_setting[0] == '\0')
		return false;
	if (!same_string(effective.text, effective_at_setting) ||
		effective.timezone != session_timezone ||
		effective.date_order != DateOrder ||
		effective.transaction != transaction)
	{
		keep_string(&effective.text, NULL);
		effective.value = parse_effective_at(effective_at_setting);
		effective.timezone = session_timezone;
		effective.date_order = DateOrder;
		effective.transaction = transaction;
		keep_string(&effective.text, effective_at_setting);
	}
	*effective_at = effective.value;
	return true;
}

const char *
crm_session_reason(void)
{
	return reason_setting[0] != '\0' ? reason_setting : NULL;
}

bool
crm_session_is_restoring(void)
{
	return restoring_setting;
}

int64
crm_session_clock_tolerance(void)
{
	return clock_tolerance_setting * INT64CONST(1000);
}

TimestampTz
crm_session_transaction_start(void)
{
	TimestampTz start = GetCurrentTransactionStartTimestamp();

	if (transaction_start_setting == NULL || transaction_start_setting[0] == '\0')
		return start;
	return Min(start, (TimestampTz) strtoll(transaction_start_setting, NULL, 10));
}

/*
 * crm_current_tenant() -> uuid
 *		The session's tenant; 42501 if it has none.
 */
PG_FUNCTION_INFO_V1(crm_current_tenant);
Datum
crm_current_tenant(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *tenant = palloc(sizeof(pg_uuid_t));

	crm_session_tenant(tenant);
	PG_RETURN_UUID_P(tenant);
}

/*
 * crm_current_actor() -> text
 *		The actor; never NULL.
 */
PG_FUNCTION_INFO_V1(crm_current_actor);
Datum
crm_current_actor(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(crm_session_actor()));
}

/*
 * crm_current_effective_at() -> timestamptz
 *		The setting crm.effective_at, NULL if unset; 22007 if it is not a timestamp.
 */
PG_FUNCTION_INFO_V1(crm_current_effective_at);
Datum
crm_current_effective_at(PG_FUNCTION_ARGS)
{
	TimestampTz effective_at;

	if (!crm_session_effective_at(&effective_at))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(effective_at);
}
