/*
 * install/computed_relationships.c
 *		What PostgREST embeds in rows beyond the foreign keys: computed
 *		relationships and fields, functions of a row.
 *
 * They are SQL functions that the planner can inline, with a body of text that
 * names the schema.  A BEGIN ATOMIC body would fix the columns of SELECT *, and
 * PostgreSQL refuses to add a column with a default to a table whose row such a body
 * reads; a function in another language is not inlined.  So after the schema is
 * renamed they have to be made again; crm_check() says so.
 *
 * Their argument has no name, so that PostgREST does not offer them under /rpc.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/query.h"
#include "install/computed_relationships.h"
#include "install/schema_function.h"
#include "table/installation.h"

typedef struct Embedded
{
	const char *name;
	const char *argument;		/* the table whose rows have it */
	const char *result;			/* the table of the rows embedded, or else */
	const char *type;			/* the type of the field computed */
	int			rows;			/* 1: to one */
	const char *body;			/* %1$s: the schema */
	const char *comment;
} Embedded;

static const Embedded embedded[] = {
	{"stage_changes", "deals", "stage_changes", NULL, 10,
		"SELECT t.* FROM %1$s.stage_changes AS t WHERE t.deal_id OPERATOR(pg_catalog.=) $1.id "
		"AND t.tenant_id OPERATOR(pg_catalog.=) $1.tenant_id",
	"The history of the deal"},
	{"deal", "stage_changes", "deals", NULL, 1,
		"SELECT t.* FROM %1$s.deals AS t WHERE t.id OPERATOR(pg_catalog.=) $1.deal_id "
		"AND t.tenant_id OPERATOR(pg_catalog.=) $1.tenant_id",
	"The deal that moved; none if it has been deleted since"},
	{"from_stage", "stage_changes", "stages", NULL, 1,
		"SELECT t.* FROM %1$s.stages AS t WHERE t.id OPERATOR(pg_catalog.=) $1.from_stage_id",
	"The stage that the deal left; none if it has been deleted since"},
	{"to_stage", "stage_changes", "stages", NULL, 1,
		"SELECT t.* FROM %1$s.stages AS t WHERE t.id OPERATOR(pg_catalog.=) $1.to_stage_id",
	"The stage that the deal entered; none if it has been deleted since"},
	{"from_pipeline", "stage_changes", "pipelines", NULL, 1,
		"SELECT t.* FROM %1$s.pipelines AS t WHERE t.id OPERATOR(pg_catalog.=) $1.from_pipeline_id",
	"The pipeline that the deal left; none if it has been deleted since"},
	{"to_pipeline", "stage_changes", "pipelines", NULL, 1,
		"SELECT t.* FROM %1$s.pipelines AS t WHERE t.id OPERATOR(pg_catalog.=) $1.to_pipeline_id",
	"The pipeline that the deal entered; none if it has been deleted since"},
	{"deal_changes", "deals", "deal_changes", NULL, 10,
		"SELECT t.* FROM %1$s.deal_changes AS t WHERE t.deal_id OPERATOR(pg_catalog.=) $1.id",
	"The history of the deal's values"},
	{"stage_visits", "deals", "stage_visits", NULL, 10,
		"SELECT t.* FROM %1$s.stage_visits AS t WHERE t.deal_id OPERATOR(pg_catalog.=) $1.id",
	"The visits of the deal in stages"},
	{"deal_pushes", "deals", "deal_pushes", NULL, 10,
		"SELECT t.* FROM %1$s.deal_pushes AS t WHERE t.deal_id OPERATOR(pg_catalog.=) $1.id",
	"How the expected close of the deal was pushed"},
	{"deal", "deal_changes", "deals", NULL, 1,
		"SELECT t.* FROM %1$s.deals AS t WHERE t.id OPERATOR(pg_catalog.=) $1.deal_id",
	"The deal that changed; none if it has been deleted since"},
	{"deal", "stage_visits", "deals", NULL, 1,
		"SELECT t.* FROM %1$s.deals AS t WHERE t.id OPERATOR(pg_catalog.=) $1.deal_id",
	"The deal that stayed; none if it has been deleted since"},
	{"deal", "deal_pushes", "deals", NULL, 1,
		"SELECT t.* FROM %1$s.deals AS t WHERE t.id OPERATOR(pg_catalog.=) $1.deal_id",
	"The deal that was pushed; none if it has been deleted since"},
	{"deal", "rotting_deals", "deals", NULL, 1,
		"SELECT t.* FROM %1$s.deals AS t WHERE t.id OPERATOR(pg_catalog.=) $1.deal_id",
	"The deal that rots"},
	{"stage", "deal_changes", "stages", NULL, 1,
		"SELECT t.* FROM %1$s.stages AS t WHERE t.id OPERATOR(pg_catalog.=) $1.stage_id",
	"The stage that the deal stood in; none if it has been deleted since"},
	{"pipeline", "deal_changes", "pipelines", NULL, 1,
		"SELECT t.* FROM %1$s.pipelines AS t WHERE t.id OPERATOR(pg_catalog.=) $1.pipeline_id",
	"The pipeline of the stage; none if it has been deleted since"},
	{"stage", "stage_visits", "stages", NULL, 1,
		"SELECT t.* FROM %1$s.stages AS t WHERE t.id OPERATOR(pg_catalog.=) $1.stage_id",
	"The stage that the deal stood in; none if it has been deleted since"},
	{"pipeline", "stage_visits", "pipelines", NULL, 1,
		"SELECT t.* FROM %1$s.pipelines AS t WHERE t.id OPERATOR(pg_catalog.=) $1.pipeline_id",
	"The pipeline of the stage; none if it has been deleted since"},
	{"next_stage", "stage_visits", "stages", NULL, 1,
		"SELECT t.* FROM %1$s.stages AS t WHERE t.id OPERATOR(pg_catalog.=) $1.next_stage_id",
	"The stage that the deal went to; none while it stands here, or if the stage has been deleted since"},
	{"next_pipeline", "stage_visits", "pipelines", NULL, 1,
		"SELECT t.* FROM %1$s.pipelines AS t WHERE t.id OPERATOR(pg_catalog.=) $1.next_pipeline_id",
	"The pipeline that the deal went to; none while it stands here, or if the pipeline has been deleted since"},
	{"stage", "pipeline_stage_summary", "stages", NULL, 1,
		"SELECT t.* FROM %1$s.stages AS t WHERE t.id OPERATOR(pg_catalog.=) $1.stage_id",
	"The stage"},
	{"pipeline", "pipeline_stage_summary", "pipelines", NULL, 1,
		"SELECT t.* FROM %1$s.pipelines AS t WHERE t.id OPERATOR(pg_catalog.=) $1.pipeline_id",
	"The pipeline"},
	{"pipeline_stage_summary", "pipelines", "pipeline_stage_summary", NULL, 10,
		"SELECT t.* FROM %1$s.pipeline_stage_summary AS t WHERE t.pipeline_id OPERATOR(pg_catalog.=) $1.id",
	"What the deals of the pipeline add up to, by stage, currency and value period"},
	{"pipeline_stage_summary", "stages", "pipeline_stage_summary", NULL, 2,
		"SELECT t.* FROM %1$s.pipeline_stage_summary AS t WHERE t.pipeline_id OPERATOR(pg_catalog.=) $1.pipeline_id "
		"AND t.stage_id OPERATOR(pg_catalog.=) $1.id",
	"What the deals in the stage add up to, by currency and value period"},
	{"stage", "stage_forecast_categories", "stages", NULL, 1,
		"SELECT t.* FROM %1$s.stages AS t WHERE t.id OPERATOR(pg_catalog.=) $1.stage_id",
	"The stage"},
	{"stage_forecast_categories", "stages", "stage_forecast_categories", NULL, 1,
		"SELECT t.* FROM %1$s.stage_forecast_categories AS t WHERE t.pipeline_id OPERATOR(pg_catalog.=) $1.pipeline_id "
		"AND t.stage_id OPERATOR(pg_catalog.=) $1.id",
	"The forecast category of the stage"},
	{"weighted_value", "deals", NULL, "pg_catalog.numeric", 0,
		"SELECT $1.amount OPERATOR(pg_catalog.*) $1.probability",
	"Amount times probability, in the currency of the deal; null if either is not known"},
	{"summary", "pipelines", NULL, "pg_catalog.jsonb", 0,
		"SELECT %1$s.pipeline_summary($1.id, NULL::pg_catalog.uuid, NULL::pg_catalog.uuid, NULL::pg_catalog.date, "
		"NULL::pg_catalog.date, NULL::pg_catalog.text)",
	"What the deals of the pipeline add up to, as pipeline_summary returns it"},
};

/* With linked tables only: those of the view of that name. */
typedef struct EmbeddedLink
{
	const char *view;
	Embedded	embedded;
} EmbeddedLink;

#define OF_ID(table, column) \
	"SELECT t.* FROM %1$s." table " AS t WHERE t.id OPERATOR(pg_catalog.=) $1." column
#define DEALS_BY(column) \
	"SELECT t.* FROM %1$s.deals AS t WHERE t." column " OPERATOR(pg_catalog.=) $1.id"

static const EmbeddedLink embedded_links[] = {
	{"contacts", {"contacts", "deals", "contacts", NULL, 10,
			"SELECT t.* FROM %1$s.deal_contacts AS l JOIN %1$s.contacts AS t ON t.id OPERATOR(pg_catalog.=) l.contact_id "
			"WHERE l.deal_id OPERATOR(pg_catalog.=) $1.id",
	"The contacts of the deal"}},
	{"contacts", {"deals", "contacts", "deals", NULL, 10,
			"SELECT t.* FROM %1$s.deal_contacts AS l JOIN %1$s.deals AS t ON t.id OPERATOR(pg_catalog.=) l.deal_id "
			"WHERE l.contact_id OPERATOR(pg_catalog.=) $1.id",
	"The deals of the contact"}},
	{"owners", {"owner", "deals", "owners", NULL, 1, OF_ID("owners", "owner_id"),
	"The owner of the deal"}},
	{"owners", {"owner", "rotting_deals", "owners", NULL, 1, OF_ID("owners", "owner_id"),
	"The owner of the deal"}},
	{"owners", {"owner", "deal_pushes", "owners", NULL, 1, OF_ID("owners", "owner_id"),
	"Who owned the deal when it was pushed"}},
	{"owners", {"old_owner", "deal_changes", "owners", NULL, 1, OF_ID("owners", "old_owner_id"),
	"The owner before the change"}},
	{"owners", {"new_owner", "deal_changes", "owners", NULL, 1, OF_ID("owners", "new_owner_id"),
	"The owner after the change"}},
	{"owners", {"deals", "owners", "deals", NULL, 10, DEALS_BY("owner_id"),
	"The deals of the owner"}},
	{"organizations", {"organization", "deals", "organizations", NULL, 1, OF_ID("organizations", "organization_id"),
	"The customer organization of the deal"}},
	{"organizations", {"deals", "organizations", "deals", NULL, 10, DEALS_BY("organization_id"),
	"The deals of the organization"}},
};

static char *
body_of(Oid schema, const Embedded *what)
{
	return psprintf(what->body, quote_identifier(get_namespace_name(schema)));
}

/* The type of its argument. */
static Oid
argument_type(Oid schema, const Embedded *what)
{
	return get_rel_type_id(get_relname_relid(what->argument, schema));
}

static CrmSchemaFunction
function_of(Oid schema, const Embedded *what, const Oid *argument)
{
	return (CrmSchemaFunction)
	{
		.schema = schema,.name = what->name,.nargs = 1,.types = argument
	};
}

/* What is wrong with the function; NULL if it is right. */
static const char *
problem_of(Oid schema, const Embedded *what)
{
	Oid			argument = argument_type(schema, what);
	CrmSchemaFunction function = function_of(schema, what, &argument);
	HeapTuple	tuple = SearchSysCache1(PROCOID,
										ObjectIdGetDatum(crm_find_schema_function(&function)));
	Datum		body;
	bool		isnull;
	bool		right;

	if (!HeapTupleIsValid(tuple))
		return "is missing; crm_embed() makes it";
	body = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	right = strcmp(TextDatumGetCString(body), body_of(schema, what)) == 0;
	ReleaseSysCache(tuple);
	return right ? NULL : "has another body, or one that names another schema; crm_embed() makes it anew";
}

static char *
creation_of(Oid schema, const Embedded *what)
{
	char	   *returns = what->result == NULL ? pstrdup(what->type) :
	psprintf("SETOF %s", crm_qualified_name(schema, what->result));

	return psprintf("CREATE OR REPLACE FUNCTION %s(%s) RETURNS %s LANGUAGE sql STABLE PARALLEL SAFE%s AS %s",
					crm_qualified_name(schema, what->name),
					crm_qualified_name(schema, what->argument), returns,
					what->result == NULL ? "" : psprintf(" ROWS %d", what->rows),
					quote_literal_cstr(body_of(schema, what)));
}

/* Creates the function, or replaces its body; rights on it stay. */
static void
embed(Oid schema, const Embedded *what)
{
	Oid			argument = argument_type(schema, what);
	CrmSchemaFunction function = function_of(schema, what, &argument);
	bool		is_right = problem_of(schema, what) == NULL;

	crm_make_schema_function(&function, is_right ? NULL : creation_of(schema, what), what->comment);
}

void
crm_embed_linked(Oid schema, const char *view)
{
	for (int i = 0; i < lengthof(embedded_links); i++)
	{
		if (strcmp(embedded_links[i].view, view) == 0)
			embed(schema, &embedded_links[i].embedded);
	}
}

void
crm_unembed_linked(Oid schema, const char *view)
{
	for (int i = 0; i < lengthof(embedded_links); i++)
	{
		const Embedded *what = &embedded_links[i].embedded;

		if (strcmp(embedded_links[i].view, view) == 0)
			crm_run(psprintf("DROP FUNCTION IF EXISTS %s(%s)", crm_qualified_name(schema, what->name),
							 crm_qualified_name(schema, what->argument)));
	}
}

static bool
is_linked(Oid schema, const EmbeddedLink *link)
{
	Oid			view = get_relname_relid(link->view, schema);

	return OidIsValid(view) && get_rel_relkind(view) == RELKIND_VIEW;
}

/*
 * The bodies are constants, of tables that crm_check() looks for.  To check them as well,
 * PostgreSQL would look up the functions that they call in all schemas.
 */
void
crm_embed_all(Oid schema)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("check_function_bodies", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	for (int i = 0; i < lengthof(embedded); i++)
		embed(schema, &embedded[i]);
	for (int i = 0; i < lengthof(embedded_links); i++)
	{
		if (is_linked(schema, &embedded_links[i]))
			embed(schema, &embedded_links[i].embedded);
	}
	AtEOXact_GUC(true, level);
}

static void
check_embedded(Oid schema, const Embedded *what, CrmProblemReport report, void *arg)
{
	const char *problem = problem_of(schema, what);

	if (problem != NULL)
		report(arg, psprintf("function %s(%s)", what->name, what->argument), problem);
}

void
crm_check_embedded(Oid schema, CrmProblemReport report, void *arg)
{
	for (int i = 0; i < lengthof(embedded); i++)
		check_embedded(schema, &embedded[i], report, arg);
	for (int i = 0; i < lengthof(embedded_links); i++)
	{
		if (is_linked(schema, &embedded_links[i]))
			check_embedded(schema, &embedded_links[i].embedded, report, arg);
	}
}

/*
 * crm_embed(schema_name text) -> void
 *		Makes the computed relationships and fields of a CRM, or makes them
 *		anew.  For its owner.
 */
PG_FUNCTION_INFO_V1(crm_embed);
Datum
crm_embed(PG_FUNCTION_ARGS)
{
	char	   *schema_name = crm_required_text(fcinfo, 0, "schema name");
	CrmInstallation installation;

	PreventCommandIfReadOnly("crm_embed()");
	crm_get_own_installation(fcinfo, schema_name, &installation);

	SPI_connect();
	crm_embed_all(installation.schema);
	SPI_finish();
	PG_RETURN_VOID();
}
