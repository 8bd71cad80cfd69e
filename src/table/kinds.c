/*
 * table/kinds.c
 *		The columns that the code reads and writes in each table of a CRM.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "table/kinds.h"

static const CrmColumn pipeline_columns[] = {
	[PIPELINE_ID] = {"id", UUIDOID},
	[PIPELINE_TENANT_ID] = {"tenant_id", UUIDOID},
	[PIPELINE_NAME] = {"name", TEXTOID},
	[PIPELINE_IS_DEFAULT] = {"is_default", BOOLOID},
	[PIPELINE_CURRENCY] = {"currency", TEXTOID},
	[PIPELINE_ARCHIVED_AT] = {"archived_at", TIMESTAMPTZOID},
	[PIPELINE_UPDATED_AT] = {"updated_at", TIMESTAMPTZOID},
};

static const CrmColumn stage_columns[] = {
	[STAGE_ID] = {"id", UUIDOID},
	[STAGE_TENANT_ID] = {"tenant_id", UUIDOID},
	[STAGE_PIPELINE_ID] = {"pipeline_id", UUIDOID},
	[STAGE_NAME] = {"name", TEXTOID},
	[STAGE_POSITION] = {"position", INT4OID},
	[STAGE_DEAL_STATUS] = {"deal_status", TEXTOID},
	[STAGE_PROBABILITY] = {"probability", NUMERICOID},
	[STAGE_FORECAST_CATEGORY] = {"forecast_category", TEXTOID},
	[STAGE_ARCHIVED_AT] = {"archived_at", TIMESTAMPTZOID},
	[STAGE_UPDATED_AT] = {"updated_at", TIMESTAMPTZOID},
};

static const CrmColumn deal_columns[] = {
	[DEAL_ID] = {"id", UUIDOID},
	[DEAL_TENANT_ID] = {"tenant_id", UUIDOID},
	[DEAL_PIPELINE_ID] = {"pipeline_id", UUIDOID},
	[DEAL_STAGE_ID] = {"stage_id", UUIDOID},
	[DEAL_STATUS] = {"status", TEXTOID},
	[DEAL_ARCHIVED_AT] = {"archived_at", TIMESTAMPTZOID},
	[DEAL_AMOUNT] = {"amount", NUMERICOID},
	[DEAL_CURRENCY] = {"currency", TEXTOID},
	[DEAL_PROBABILITY] = {"probability", NUMERICOID},
	[DEAL_VALUE_PERIOD] = {"value_period", TEXTOID},
	[DEAL_OWNER_ID] = {"owner_id", UUIDOID},
	[DEAL_EXPECTED_CLOSE_DATE] = {"expected_close_date", DATEOID},
	[DEAL_WON_AT] = {"won_at", TIMESTAMPTZOID},
	[DEAL_LOST_AT] = {"lost_at", TIMESTAMPTZOID},
	[DEAL_LOST_REASON] = {"lost_reason", TEXTOID},
	[DEAL_STAGE_ENTERED_AT] = {"stage_entered_at", TIMESTAMPTZOID},
	[DEAL_CREATED_AT] = {"created_at", TIMESTAMPTZOID},
	[DEAL_UPDATED_AT] = {"updated_at", TIMESTAMPTZOID},
	[DEAL_VERSION] = {"version", INT4OID},
	[DEAL_MOVE_NO] = {"move_no", INT4OID},
};

static const CrmColumn link_columns[] = {
	[LINK_DEAL_ID] = {"deal_id", UUIDOID},
	[LINK_CONTACT_ID] = {"contact_id", UUIDOID},
	[LINK_IS_PRIMARY] = {"is_primary", BOOLOID},
};

const CrmTableKind crm_pipeline_kind = {"pipelines", pipeline_columns, lengthof(pipeline_columns)};
const CrmTableKind crm_stage_kind = {"stages", stage_columns, lengthof(stage_columns)};
const CrmTableKind crm_deal_kind = {"deals", deal_columns, lengthof(deal_columns)};
const CrmTableKind crm_link_kind = {"deal_contacts", link_columns, lengthof(link_columns)};
