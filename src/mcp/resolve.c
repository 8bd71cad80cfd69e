/*
 * mcp/resolve.c
 *		Arguments that are ids of rows, for which names may be given.
 *
 * A model reads "the deal is in Proposal" and has no id at hand.  So the name of a row
 * is accepted in place of its id.  If several rows match, the error lists them as
 * candidates.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/argument_errors.h"
#include "base/errors.h"
#include "base/name_key.h"
#include "base/query.h"
#include "base/row_messages.h"
#include "mcp/linked.h"
#include "mcp/message.h"
#include "mcp/query.h"
#include "mcp/resolve.h"

/* The most candidates that an error lists. */
#define MAX_CANDIDATES	10

/* A call whose names are being looked up. */
typedef struct Resolution
{
	Oid			schema;
	bool		exact;
	char	   *pipeline;		/* whose stages are meant, as text; NULL:
								 * any's */
	bool		only_there;		/* no stage of another one is */
} Resolution;

/* A row that may be meant. */
typedef struct Candidate
{
	char	   *id;
	char	   *name;
	char	   *pipeline;		/* of a stage */
	bool		exact;
	bool		preferred;
	bool		like;			/* it has a word or the beginning of the text */
} Candidate;

/* Whether the text has the digits of a uuid. */
static bool
is_uuid(const char *text)
{
	int			digits = 0;

	for (; *text; text ++)
	{
		if (isxdigit((unsigned char) *text))
			digits++;
		else if (strchr("-{}", *text) == NULL)
			return false;
	}
	return digits == 32;
}

/* Runs a query whose $1 and $2 are texts; the second may be NULL. */
static uint64
run(const char *query, const char *first, const char *second)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		args[] = {CStringGetTextDatum(first), (Datum) 0};

	if (second != NULL)
		args[1] = CStringGetTextDatum(second);
	return crm_select_once(query, lengthof(types), types, args, second ? NULL : " n", false);
}

/*
 * How like a name is to the text in $1, an integer: how many of its words it has, and
 * whether it begins alike.  The text is split by a sub-select, which is evaluated once.
 */
static char *
likeness(const char *name)
{
	return psprintf("(SELECT pg_catalog.count(*)::pg_catalog.int4 FROM pg_catalog.unnest((SELECT"
					" pg_catalog.regexp_split_to_array("
					"pg_catalog.lower(pg_catalog.btrim($1)), '[[:space:]]+'))) AS w (word)"
					" WHERE w.word OPERATOR(pg_catalog.<>) '' AND"
					" pg_catalog.strpos(pg_catalog.lower(%s), w.word) OPERATOR(pg_catalog.>) 0)"
					" OPERATOR(pg_catalog.+) (pg_catalog.left(pg_catalog.lower(%s), 3)"
					" OPERATOR(pg_catalog.=)"
					" pg_catalog.left(pg_catalog.lower(pg_catalog.btrim($1)), 3))::pg_catalog.int4",
					name, name);
}

/*
 * The rows whose names have the text in them, or all of them, the likeliest first:
 * a list of Candidate.
 */
static List *
find_candidates(Resolution *resolution, McpNamed *named, const char *text, bool all)
{
	List	   *candidates = NIL;
	const char *of = named->has_pipeline ? "t.pipeline_id" : "NULL::pg_catalog.uuid";
	McpNamed	pipelines;
	char	   *pipeline_name = "NULL";

	if (named->has_pipeline && crm_mcp_named(resolution->schema, "pipelines", &pipelines))
		pipeline_name = psprintf("(SELECT %s FROM %s AS t WHERE t.id OPERATOR(pg_catalog.=)"
								 " c.pipeline_id)",
								 pipelines.label, pipelines.relation);
	(void) run(psprintf("SELECT c.id::pg_catalog.text, c.name, %s, c.exact, c.preferred,"
						" c.likeness OPERATOR(pg_catalog.>) 0 FROM ("
						"SELECT t.id, %s AS name, %s AS pipeline_id,"
						" pg_catalog.lower(pg_catalog.btrim(%s)) OPERATOR(pg_catalog.=)"
						" pg_catalog.lower(pg_catalog.btrim($1)) AS exact,"
						" coalesce(%s OPERATOR(pg_catalog.=) $2::pg_catalog.uuid, false) AS"
						" preferred, %s AS likeness"
						" FROM %s AS t WHERE (%s OR pg_catalog.strpos(pg_catalog.lower(%s),"
						" pg_catalog.lower(pg_catalog.btrim($1)))"
						" OPERATOR(pg_catalog.>) 0)%s%s"
						" ORDER BY 4 DESC, 5 DESC, 6 DESC, pg_catalog.abs(pg_catalog.length(%s)"
						" OPERATOR(pg_catalog.-) pg_catalog.length($1)), 2, 1 LIMIT %d) AS c",
						pipeline_name, named->label, of, named->label, of,
						likeness(named->label), named->relation,
						all ? "true" : "false", named->label,
						named->has_archived ? " AND t.archived_at IS NULL" : "",
						resolution->only_there && named->has_pipeline ?
						" AND t.pipeline_id OPERATOR(pg_catalog.=) $2::pg_catalog.uuid" : "",
						named->label, MAX_CANDIDATES + 1),
			   text, resolution->pipeline);
	for (uint64 row = 0; row < SPI_processed; row++)
	{
		Candidate  *candidate = palloc(sizeof(Candidate));

		candidate->id = crm_mcp_field(row, 1);
		candidate->name = crm_mcp_field(row, 2);
		candidate->pipeline = crm_mcp_field(row, 3);
		candidate->exact = crm_mcp_flag(row, 4);
		candidate->preferred = crm_mcp_flag(row, 5);
		candidate->like = crm_mcp_flag(row, 6);
		candidates = lappend(candidates, candidate);
	}
	return candidates;
}

/* The candidate that is meant; NULL if that is not clear. */
static Candidate *
choose(List *candidates, bool exact)
{
	Candidate  *first = candidates ? linitial(candidates) : NULL;
	Candidate  *second = list_length(candidates) > 1 ? lsecond(candidates) : NULL;

	if (first == NULL || (exact && !first->exact))
		return NULL;
	if (second == NULL || (first->exact && !second->exact) ||
		(first->exact && first->preferred && !second->preferred))
		return first;
	return NULL;
}

/* "New (pipeline Sales, 0192...), Won (...)" */
static char *
describe(List *candidates)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, candidates)
	{
		Candidate  *candidate = lfirst(cell);

		if (foreach_current_index(cell) == MAX_CANDIDATES)
		{
			appendStringInfoString(&text, ", and others");
			break;
		}
		appendStringInfo(&text, "%s\"%s\" (", text.len > 0 ? ", " : "", candidate->name);
		if (candidate->pipeline != NULL)
			appendStringInfo(&text, "pipeline \"%s\", ", candidate->pipeline);
		appendStringInfo(&text, "%s)", candidate->id);
	}
	return text.data;
}

/* What there is to choose from if no name has the text in it: of many, those that are like it. */
static char *
describe_others(List *candidates)
{
	bool		many = list_length(candidates) > MAX_CANDIDATES;
	ListCell   *cell;

	foreach(cell, candidates)
	{
		if (many && !((Candidate *) lfirst(cell))->like)
			candidates = foreach_delete_current(candidates, cell);
	}
	if (candidates == NIL)
		return pstrdup(many ? "There are many, and none that is like it." : "There are none to choose from.");
	return psprintf(many ? "Most like it are %s." : "There are %s.", describe(candidates));
}

static void
report_name(const McpReference *kind, const char *argument, const char *name, List *candidates,
			bool near)
{
	bool		several = near && ((Candidate *) linitial(candidates))->exact;

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 several ? errmsg("more than one row of %s has the name \"%s\"", kind->relation, crm_shown_value(name)) :
			 errmsg("no row of %s has the name \"%s\"", kind->relation, crm_shown_value(name)),
			 near ? errdetail("Candidates are %s.", describe(candidates)) :
			 errdetail_internal("%s", describe_others(candidates)),
			 errhint("Give %s as the id or the whole name of one of them; the tool %s finds others.",
					 argument, kind->tool)));
}

/* The id of the row that is meant. */
static char *
resolve_name(Resolution *resolution, McpProperty *property, const char *name)
{
	const McpReference *kind = property->refers;
	McpNamed	named;
	List	   *candidates;
	Candidate  *meant;

	if (!crm_mcp_named(resolution->schema, kind->relation, &named))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be a uuid, not \"%s\"", property->name, crm_shown_value(name)),
				 errdetail("The names of %s are not known here: their table is not linked to the CRM, or you have no right to read it.",
						   kind->relation),
				 errhint("Give the id.")));
	candidates = find_candidates(resolution, &named, name, false);
	/* Every name has an empty text in it. */
	meant = choose(candidates, resolution->exact || crm_text_is_blank(name, strlen(name)));
	if (meant != NULL)
		return meant->id;
	if (candidates != NIL)
		report_name(kind, property->name, name, candidates, true);
	report_name(kind, property->name, name,
				find_candidates(resolution, &named, name, true), false);
	return NULL;				/* keep compiler quiet */
}

/* ERROR PT404 if the caller can see that there is no row of this id. */
static void
check_id(Resolution *resolution, McpProperty *property, const char *id)
{
	const McpReference *kind = property->refers;
	McpNamed	named;

	if (!crm_mcp_named(resolution->schema, kind->relation, &named))
		return;
	if (run(psprintf("SELECT 1 FROM %s AS t WHERE t.id OPERATOR(pg_catalog.=) $1::pg_catalog.uuid",
					 named.relation), id, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_CRM_NOT_FOUND),
				 crm_errmsg_missing(kind->what, id),
				 errhint("Use the tool %s to look up the id.", kind->tool)));
}

static JsonbValue
resolve_value(Resolution *resolution, McpProperty *property, JsonbValue *value)
{
	JsonbValue	result = *value;
	char	   *text;

	if (value->type != jbvString)
		return result;
	text = pnstrdup(value->val.string.val, value->val.string.len);

	if (is_uuid(text))
		check_id(resolution, property, text);
	else
	{
		result.val.string.val = resolve_name(resolution, property, text);
		result.val.string.len = strlen(result.val.string.val);
	}
	return result;
}

static JsonbValue
resolve_array(Resolution *resolution, McpProperty *property, JsonbValue *array)
{
	JsonbParseState *state = NULL;
	JsonbContainer *container = array->val.binary.data;

	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; i < JsonContainerSize(container); i++)
	{
		JsonbValue	element = resolve_value(resolution, property,
											getIthJsonbValueFromContainer(container, i));

		(void) pushJsonbValue(&state, WJB_ELEM, &element);
	}
	return *pushJsonbValue(&state, WJB_END_ARRAY, NULL);
}

/* Notes the pipeline that an argument names or implies: names of stages are looked up there. */
static void
note_pipeline(Resolution *resolution, const McpReference *kind, JsonbValue *value)
{
	McpNamed	named;
	char	   *id;

	if (value->type != jbvString || resolution->pipeline != NULL)
		return;
	id = pnstrdup(value->val.string.val, value->val.string.len);
	if (strcmp(kind->relation, "pipelines") == 0)
	{
		resolution->pipeline = id;
		resolution->only_there = true;
	}
	else if ((strcmp(kind->relation, "deals") == 0 || strcmp(kind->relation, "stages") == 0) &&
			 crm_mcp_named(resolution->schema, kind->relation, &named) &&
			 run(psprintf("SELECT t.pipeline_id::pg_catalog.text FROM %s AS t WHERE t.id"
						  " OPERATOR(pg_catalog.=) $1::pg_catalog.uuid",
						  named.relation), id, NULL) > 0)
		resolution->pipeline = crm_mcp_field(0, 1);
}

/* The object with another value of a member. */
static Jsonb *
replace_member(Jsonb *object, const char *name, JsonbValue *value)
{
	JsonbParseState *state = NULL;
	JsonbIterator *iterator = JsonbIteratorInit(&object->root);
	JsonbIteratorToken token;
	JsonbValue	member;
	bool		other = true;

	while ((token = JsonbIteratorNext(&iterator, &member, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			other = member.val.string.len != strlen(name) ||
				memcmp(member.val.string.val, name, member.val.string.len) != 0;
		if (token == WJB_END_OBJECT)
			return JsonbValueToJsonb(pushJsonbValue(&state, token, NULL));
		(void) pushJsonbValue(&state, token,
							  token == WJB_BEGIN_OBJECT ? NULL :
							  token == WJB_VALUE && !other ? value : &member);
	}
	return object;
}

static Jsonb *
resolve_property(Resolution *resolution, Jsonb *arguments, McpProperty *property)
{
	JsonbValue	value;

	if (!crm_mcp_member(&arguments->root, property->name, &value))
		return arguments;
	if (value.type == jbvBinary && JsonContainerIsArray(value.val.binary.data))
	{
		value = resolve_array(resolution, property, &value);
		if (value.val.array.nElems == 1)
			note_pipeline(resolution, property->refers, &value.val.array.elems[0]);
	}
	else
	{
		value = resolve_value(resolution, property, &value);
		note_pipeline(resolution, property->refers, &value);
	}
	return replace_member(arguments, property->name, &value);
}

Jsonb *
crm_mcp_resolve(Oid schema, Jsonb *arguments, List *properties, bool exact)
{
	Resolution	resolution = {schema, exact};
	ListCell   *cell;

	for (int i = 0; crm_mcp_reference(i) != NULL; i++)
	{
		foreach(cell, properties)
		{
			McpProperty *property = lfirst(cell);

			if (property->refers == crm_mcp_reference(i))
				arguments = resolve_property(&resolution, arguments, property);
		}
	}
	return arguments;
}
