/*
 * totals/table.c
 *		The table stage_totals: its columns and the statements on it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "base/shard.h"
#include "table/columns.h"
#include "table/owner_rights.h"
#include "totals/table.h"

const char *const crm_totals_key = "tenant_id, pipeline_id, stage_id, currency, value_period";
static const char columns[] = "tenant_id, pipeline_id, stage_id, currency, value_period, "
"deals, deals_without_amount, deals_without_probability, value, weighted_value";

static const InsertField fields[TOTALS_NFIELDS] = {
	[TOTALS_TENANT_ID] = {"tenant_id", UUIDOID},
	[TOTALS_PIPELINE_ID] = {"pipeline_id", UUIDOID},
	[TOTALS_STAGE_ID] = {"stage_id", UUIDOID},
	[TOTALS_CURRENCY] = {"currency", TEXTOID},
	[TOTALS_VALUE_PERIOD] = {"value_period", TEXTOID},
	[TOTALS_DEALS] = {"deals", INT8OID},
	[TOTALS_DEALS_WITHOUT_AMOUNT] = {"deals_without_amount", INT8OID},
	[TOTALS_DEALS_WITHOUT_PROBABILITY] = {"deals_without_probability", INT8OID},
	[TOTALS_VALUE] = {"value", NUMERICOID},
	[TOTALS_WEIGHTED_VALUE] = {"weighted_value", NUMERICOID},
};

const InsertTarget crm_totals_target = {
	CRM_TOTALS_TABLE, fields, TOTALS_NFIELDS, "totals cannot be kept", "crm_totals_guard"
};

/* Of the row which tells that all deals are counted. */
#define NO_PIPELINE "'00000000-0000-0000-0000-000000000000'::pg_catalog.uuid"

static char *
compact_query(const char *table)
{
	return psprintf("WITH d AS (DELETE FROM %s WHERE pipeline_id OPERATOR(pg_catalog.=) $1 RETURNING *) "
					"INSERT INTO %s (%s) SELECT %s, pg_catalog.sum(deals)::pg_catalog.int8, "
					"pg_catalog.sum(deals_without_amount)::pg_catalog.int8, "
					"pg_catalog.sum(deals_without_probability)::pg_catalog.int8, "
					"pg_catalog.sum(value), pg_catalog.sum(weighted_value) "
					"FROM d GROUP BY %s "
					"HAVING pg_catalog.sum(deals) OPERATOR(pg_catalog.<>) 0 "
					"OR pg_catalog.sum(deals_without_amount) OPERATOR(pg_catalog.<>) 0 "
					"OR pg_catalog.sum(deals_without_probability) OPERATOR(pg_catalog.<>) 0 "
					"OR pg_catalog.sum(value) OPERATOR(pg_catalog.<>) 0 "
					"OR pg_catalog.sum(weighted_value) OPERATOR(pg_catalog.<>) 0",
					table, table, columns, crm_totals_key, crm_totals_key);
}

static char *
read_query(const char *table)
{
	return psprintf("SELECT stage_id::pg_catalog.uuid, currency::pg_catalog.text, "
					"value_period::pg_catalog.text, deals::pg_catalog.int8, "
					"deals_without_amount::pg_catalog.int8, "
					"deals_without_probability::pg_catalog.int8, value::pg_catalog.numeric, "
					"weighted_value::pg_catalog.numeric FROM %s "
					"WHERE pipeline_id OPERATOR(pg_catalog.=) ANY (ARRAY[$1, " NO_PIPELINE "]) "
					"AND (value_period OPERATOR(pg_catalog.=) '" CRM_TOTALS_COMPLETE "' "
					"OR pipeline_id OPERATOR(pg_catalog.=) $1 "
					"AND ($2 IS NULL OR tenant_id OPERATOR(pg_catalog.=) $2))", table);
}

static char *
mark_query(const char *table)
{
	return psprintf("INSERT INTO %s (%s) VALUES (" NO_PIPELINE ", " NO_PIPELINE ", " NO_PIPELINE ", NULL, "
					"'" CRM_TOTALS_COMPLETE "', 0, 0, 0, 0, 0)", table, columns);
}

CrmStatement
crm_totals_statement(Relation deals, TotalsStatement which)
{
	static const Oid uuids[] = {UUIDOID, UUIDOID};
	char	   *table = crm_totals_table(deals);

	CrmStatement statement = {.argtypes = uuids,.cursor_options = crm_generic_plan(deals)};

	switch (which)
	{
		case TOTALS_COMPACT:
			statement.nargs = 1;
			statement.text = compact_query(table);
			break;
		case TOTALS_READ:
			statement.nargs = 2;
			statement.text = read_query(table);
			break;
		case TOTALS_MARK:
			statement.text = mark_query(table);
			break;
	}
	return statement;
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
