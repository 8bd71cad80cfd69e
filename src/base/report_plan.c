/*
 * base/report_plan.c
 *		The queries of sql/queries, planned for a CRM and kept.
 *
 * A query's text is in the extension, as what crm_query_NAME() returns; how it is
 * read stands in base/report_query.c.
 *
 * The plans of a function and a schema, and those of its query for a dimension of groups
 * and a shape of the arguments, are kept until any function or the name of a schema
 * changes, or until there are too many (base/plan_cache.c).  PostgreSQL itself plans anew
 * when tables change.
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "base/namesakes.h"
#include "base/packed_text.h"
#include "base/query.h"
#include "base/report_plan.h"
#include "base/report_query.h"
#include "base/report_shape.h"
#include "base/shard.h"

#define QUERY_PREFIX	CRM_PREFIX "query_"

static const CrmIdArgument ids[] = {
	{"pipeline_id", "pipeline", "pipelines"},
	{"stage_id", "stage", "stages"},
	{"deal_id", "deal", "deals"},
};

/* What a report is made for. */
typedef struct ReportKey
{
	Oid			function;
	Oid			schema;
	Oid			deals;			/* the table, or its shard if that is here */
	bool		is_query;		/* else what comes before it */
	const char *dimension;		/* NULL: none */
	const char *shape;			/* NULL: of all arguments */
} ReportKey;

static uint64 nchanges = 0;		/* of the catalogs that reports are made of */

/* ---- preparing ---- */

/*
 * Whether what comes before the query has one plan.  Citus has to know the arguments to
 * find a shard.
 */
static bool
is_generic(const CrmReport *report)
{
	return report->names.declaration.read_only && !crm_is_distributed(report->deals);
}

static void
prepare_lookup(CrmReport *report, const CrmIdArgument *id, int argument)
{
	char	   *query = psprintf("SELECT FROM %s AS t WHERE t.id OPERATOR(pg_catalog.=) %s.%s",
								 crm_qualified_name(report->schema, id->table),
								 quote_identifier(report->names.declaration.name), id->argument);

	report->lookups[report->nlookups++] = (CrmLookup)
	{
		crm_report_prepare(query, &report->names, is_generic(report)), id, argument
	};
}

static void
prepare_lookups(CrmReport *report)
{
	report->lookups = MemoryContextAlloc(report->kept.context, sizeof(CrmLookup) * lengthof(ids));
	for (int i = 0; i < lengthof(ids); i++)
	{
		int			argument = crm_find_argument(&report->names.declaration, ids[i].argument);

		if (argument >= 0)
			prepare_lookup(report, &ids[i], argument);
	}
}

/* All plans, in the report's context. */
static void
list_plans(CrmReport *report, List *statements)
{
	MemoryContext outer = MemoryContextSwitchTo(report->kept.context);

	report->statements = list_copy(statements);
	report->kept.plans = list_copy(statements);
	for (int i = 0; i < report->nlookups; i++)
		report->kept.plans = lappend(report->kept.plans, report->lookups[i].plan);
	MemoryContextSwitchTo(outer);
}

/*
 * Prepares the statements before the query, which is the last one.  Each of them ends with
 * a semicolon at the end of a line, and no other line does (test/lint/install_script.py),
 * so that they need not be parsed to find them.
 */
static List *
prepare_statements(CrmReport *report, const char *sql)
{
	List	   *plans = NIL;
	const char *end = strstr(sql, ";\n");
	const char *next;

	while (end != NULL && (next = strstr(end + 1, ";\n")) != NULL)
	{
		char	   *text = pnstrdup(sql, end - sql);

		plans = lappend(plans, crm_report_prepare(text, &report->names, is_generic(report)));
		sql = end + 1;
		end = next;
	}
	report->query = MemoryContextStrdup(report->kept.context,
										end == NULL ? sql : pnstrdup(sql, end - sql));
	return plans;
}

CachedPlanSource *
crm_report_source(SPIPlanPtr plan)
{
	return linitial(SPI_plan_get_plan_sources(plan));
}

/* What the last statement returns has to be what is declared. */
static void
check_result(const CrmDeclaration *declaration, TupleDesc desc)
{
	int			natts = declaration->row != NULL ? declaration->row->natts : 1;

	if (desc == NULL || desc->natts != natts)
		elog(ERROR, "the query of %s does not return %d columns", declaration->name, natts);
	for (int i = 0; i < natts; i++)
	{
		Oid			declared = declaration->result;

		if (declaration->row != NULL)
			declared = TupleDescAttr(declaration->row, i)->atttypid;
		if (TupleDescAttr(desc, i)->atttypid != declared)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column %d of the query of %s is of type %s, not %s", i + 1,
							declaration->name, format_type_be(TupleDescAttr(desc, i)->atttypid),
							format_type_be(declared)),
					 errhint("A column of a table has another type than crm_install() gave it: give it that type.")));
	}
}

void
crm_report_check_result(const CrmReport *report)
{
	check_result(&report->names.declaration,
				 crm_report_source(llast(report->statements))->resultDesc);
}

/* The caller is connected to SPI. */
static void
prepare_all(CrmReport *report, const char *text)
{
	int			level = crm_report_pin_settings();

	prepare_lookups(report);
	list_plans(report, prepare_statements(report, text));
	AtEOXact_GUC(true, level);
}

/* Likewise. */
static void
prepare_query(CrmReport *report, const char *text)
{
	const CrmQueryNames *names = &report->names;
	bool		generic = names->shape != NULL || crm_has_one_plan(text, names->group.dimension);
	int			level = crm_report_pin_settings();

	list_plans(report, list_make1(crm_report_prepare(text, &report->names, generic)));
	AtEOXact_GUC(true, level);
}

/* Once for all functions, as long as they stay as they are, and a user. */
static void
check_extension(Oid extension)
{
	static uint64 checked_at = 0;
	static Oid	checked = InvalidOid;
	static Oid	user = InvalidOid;

	if (checked == extension && checked_at == nchanges && user == GetUserId())
		return;
	crm_check_planted(extension);
	checked = extension;
	checked_at = nchanges;
	user = GetUserId();
}

/* ---- what is kept ---- */

static bool
is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
is_report_of(const CrmKeptPlans *kept, const void *key)
{
	const CrmReport *report = (const CrmReport *) kept;
	const ReportKey *wanted = key;

	return wanted == NULL || (report->names.declaration.function == wanted->function &&
							  report->schema == wanted->schema &&
							  report->deals == wanted->deals &&
							  (report->query == NULL) == wanted->is_query &&
							  is_same_text(report->names.group.dimension, wanted->dimension) &&
							  is_same_text(report->names.shape, wanted->shape));
}

/*
 * A function changed or came, or a schema has got another name: the text, what
 * it names, or whether all that is ours, may be something else.
 */
static void
catalog_changed(Datum arg, int cacheid, uint32 hash)
{
	nchanges++;
	crm_forget_plans(is_report_of, NULL);
}

static void
watch_catalogs(void)
{
	static bool watching = false;

	if (watching)
		return;
	CacheRegisterSyscacheCallback(PROCOID, catalog_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, catalog_changed, (Datum) 0);
	watching = true;
}

static uint32
hash_text(uint32 hash, const char *text)
{
	if (text == NULL)
		return hash;
	return hash_combine(hash, hash_bytes((const unsigned char *) text, strlen(text)));
}

static uint32
hash_key(const ReportKey *key)
{
	uint32		hash = hash_combine(murmurhash32(key->function), murmurhash32(key->schema));

	return hash_text(hash_text(hash, key->dimension), key->shape);
}

static char *
copy_text(const char *text)
{
	return text == NULL ? NULL : pstrdup(text);
}

/* Without plans.  It and what is kept with it are in a context of its own. */
static CrmReport *
make_empty(const ReportKey *key)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm report",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(context);
	CrmReport  *report = palloc0(sizeof(CrmReport));

	crm_read_declaration(key->function, &report->names.declaration);
	report->names.group = (CrmGroupSource)
	{
		get_func_namespace(key->function), key->schema, copy_text(key->dimension)
	};
	report->names.shape = copy_text(key->shape);
	report->schema = key->schema;
	report->deals = key->deals;
	report->kept.context = context;
	report->kept.match = is_report_of;
	report->kept.hash = hash_key(key);
	MemoryContextSwitchTo(outer);
	return report;
}

/* The caller is connected to SPI: unless they are kept, the plans go with that. */
static CrmReport *
make_report(const ReportKey *key)
{
	uint64		changes = nchanges;
	CrmReport  *report = make_empty(key);
	Oid			extension = report->names.group.extension;
	char	   *text;

	check_extension(extension);
	text = crm_packed_text(extension, psprintf(QUERY_PREFIX "%s", report->names.declaration.name));

	prepare_all(report, crm_fill_in_schemas(text, key->schema, extension));
	report->kept.forgotten = changes != nchanges;
	return report;
}

/* Likewise. */
static CrmReport *
make_query(const ReportKey *key, const char *text)
{
	uint64		changes = nchanges;
	CrmReport  *report = make_empty(key);

	crm_group_check(&report->names.group);
	prepare_query(report, text);
	report->kept.forgotten = changes != nchanges;
	return report;
}

/* A report that writes leaves it to Citus to find the shards, and to lock them. */
static Oid
deals_to_read(Oid function, Oid schema)
{
	Oid			deals = get_relname_relid("deals", schema);

	return func_volatile(function) == PROVOLATILE_VOLATILE ? deals : crm_table_to_read(deals);
}

/* What is kept, in use; made of text if it is not kept yet, of the packed one if that is NULL. */
static CrmReport *
open_kept(const ReportKey *key, const char *text)
{
	CrmReport  *report = (CrmReport *) crm_find_plans(hash_key(key), is_report_of, key);

	if (report == NULL)
	{
		SPI_connect();
		if (text == NULL)
			report = make_report(key);
		else
			report = make_query(key, text);
		crm_keep_plans(&report->kept);
		SPI_finish();
	}
	crm_use_plans(&report->kept);
	return report;
}

CrmReport *
crm_report_open(Oid function, Oid schema)
{
	ReportKey	key = {function, schema, deals_to_read(function, schema), false, NULL, NULL};

	watch_catalogs();
	return open_kept(&key, NULL);
}

CrmReport *
crm_report_open_query(const CrmReport *report, const char *dimension, ParamListInfo params)
{
	const CrmDeclaration *declaration = &report->names.declaration;
	ReportKey	key = {declaration->function, report->schema, report->deals, true, dimension, NULL};
	CrmGroupSource group = {report->names.group.extension, report->schema, dimension};

	crm_group_check_rights(&group);
	if (is_generic(report))
		key.shape = crm_report_shape(declaration, params,
									 crm_has_one_plan(report->query, dimension) ? InvalidOid :
									 report->deals);
	return open_kept(&key, report->query);
}

void
crm_report_close(CrmReport *report)
{
	crm_release_plans(&report->kept);
}

void
crm_report_try(Oid function, Oid schema)
{
	ReportKey	key = {function, schema, deals_to_read(function, schema), false, NULL, NULL};
	CrmReport  *report;
	int			level;

	watch_catalogs();
	SPI_connect();
	report = make_report(&key);
	level = crm_report_pin_settings();
	check_result(&report->names.declaration, crm_report_columns(report->query, &report->names));
	AtEOXact_GUC(true, level);
	SPI_finish();
}
