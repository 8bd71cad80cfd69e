/*
 * totals/plans.c
 *		The statements on stage_totals, prepared once a session.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "table/columns.h"
#include "table/owner_rights.h"
#include "totals/plans.h"

const char *const crm_totals_key = "tenant_id, pipeline_id, stage_id, currency, value_period";
const char *const crm_totals_columns = "tenant_id, pipeline_id, stage_id, currency, value_period, "
"deals, deals_without_amount, value, weighted_value";

const InsertField crm_totals_fields[TOTALS_NFIELDS] = {
	[TOTALS_TENANT_ID] = {"tenant_id", UUIDOID},
	[TOTALS_PIPELINE_ID] = {"pipeline_id", UUIDOID},
	[TOTALS_STAGE_ID] = {"stage_id", UUIDOID},
	[TOTALS_CURRENCY] = {"currency", TEXTOID},
	[TOTALS_VALUE_PERIOD] = {"value_period", TEXTOID},
	[TOTALS_DEALS] = {"deals", INT8OID},
	[TOTALS_DEALS_WITHOUT_AMOUNT] = {"deals_without_amount", INT8OID},
	[TOTALS_VALUE] = {"value", NUMERICOID},
	[TOTALS_WEIGHTED_VALUE] = {"weighted_value", NUMERICOID},
};

/*
 * The statements on the stage_totals of a schema.  They last for the session;
 * nothing has to free them, as the server plans them anew when the names stand
 * for something else.
 */
typedef struct TotalsPlans
{
	NameData	schema;			/* hash key */
	SPIPlanPtr	plans[TOTALS_NPLANS];
} TotalsPlans;

static HTAB *totals_plans = NULL;

static TotalsPlans *
find_plans(Relation deals)
{
	NameData	schema;
	TotalsPlans *plans;
	bool		found;

	if (totals_plans == NULL)
	{
		HASHCTL		ctl = {0};

		ctl.keysize = sizeof(NameData);
		ctl.entrysize = sizeof(TotalsPlans);
		totals_plans = hash_create("crm totals plans", 16, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	namestrcpy(&schema, get_namespace_name(RelationGetNamespace(deals)));
	plans = hash_search(totals_plans, &schema, HASH_ENTER, &found);
	if (!found)
		memset(plans->plans, 0, sizeof(plans->plans));
	return plans;
}

static SPIPlanPtr
prepare(const char *query, int nargs, const Oid *argtypes)
{
	/* There is nothing in the parameters that a plan could make use of. */
	SPIPlanPtr	plan = SPI_prepare_cursor(query, nargs, (Oid *) argtypes,
										  CURSOR_OPT_GENERIC_PLAN);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

static SPIPlanPtr
prepare_insert(const char *table, int nrows)
{
	Oid			argtypes[2 * TOTALS_NFIELDS];
	StringInfoData query;

	Assert(nrows <= 2);
	initStringInfo(&query);
	appendStringInfo(&query, "INSERT INTO %s (%s) VALUES ", table, crm_totals_columns);
	for (int i = 0; i < nrows * TOTALS_NFIELDS; i++)
	{
		int			field = i % TOTALS_NFIELDS;

		argtypes[i] = crm_totals_fields[field].type;
		appendStringInfo(&query, "%s$%d%s",
						 field > 0 ? ", " : i > 0 ? ", (" : "(", i + 1,
						 field == TOTALS_NFIELDS - 1 ? ")" : "");
	}
	return prepare(query.data, nrows * TOTALS_NFIELDS, argtypes);
}

static SPIPlanPtr
make_plan(const char *table, TotalsPlan which)
{
	static const Oid uuids[] = {UUIDOID, UUIDOID};

	switch (which)
	{
		case TOTALS_INSERT_ONE:
			return prepare_insert(table, 1);
		case TOTALS_INSERT_TWO:
			return prepare_insert(table, 2);
		case TOTALS_COMPACT:
			return prepare(psprintf("WITH d AS (DELETE FROM %s WHERE pipeline_id OPERATOR(pg_catalog.=) $1 RETURNING *) "
									"INSERT INTO %s (%s) SELECT %s, pg_catalog.sum(deals)::pg_catalog.int8, "
									"pg_catalog.sum(deals_without_amount)::pg_catalog.int8, "
									"pg_catalog.sum(value), pg_catalog.sum(weighted_value) "
									"FROM d GROUP BY %s "
									"HAVING pg_catalog.sum(deals) OPERATOR(pg_catalog.<>) 0 "
									"OR pg_catalog.sum(deals_without_amount) OPERATOR(pg_catalog.<>) 0 "
									"OR pg_catalog.sum(value) OPERATOR(pg_catalog.<>) 0 "
									"OR pg_catalog.sum(weighted_value) OPERATOR(pg_catalog.<>) 0",
									table, table, crm_totals_columns, crm_totals_key, crm_totals_key),
						   1, uuids);
		case TOTALS_READ:
			return prepare(psprintf("SELECT stage_id::pg_catalog.uuid, currency::pg_catalog.text, "
									"value_period::pg_catalog.text, deals::pg_catalog.int8, "
									"deals_without_amount::pg_catalog.int8, value::pg_catalog.numeric, "
									"weighted_value::pg_catalog.numeric FROM %s WHERE pipeline_id OPERATOR(pg_catalog.=) $1 "
									"AND ($2 IS NULL OR tenant_id OPERATOR(pg_catalog.=) $2)", table),
						   2, uuids);
		case TOTALS_NPLANS:
			break;
	}
	elog(ERROR, "no statement number %d on stage_totals", which);
}

SPIPlanPtr
crm_totals_plan(Relation deals, TotalsPlan which)
{
	TotalsPlans *plans = find_plans(deals);

	/* Each time: the table may have another owner by now. */
	crm_check_sibling(deals, CRM_TOTALS_TABLE);
	if (plans->plans[which] == NULL)
		plans->plans[which] = make_plan(crm_sibling_name(deals, CRM_TOTALS_TABLE), which);
	return plans->plans[which];
}

char *
crm_totals_table(Relation deals)
{
	return crm_trusted_sibling(deals, CRM_TOTALS_TABLE);
}

int
crm_totals_prefer_index(void)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("enable_bitmapscan", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return level;
}
