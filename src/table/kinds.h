/*
 * table/kinds.h
 *		The columns that the code reads and writes in each table of a CRM.
 *
 * The enums index what crm_columns() returns for the kind.
 */
#ifndef CRM_TABLE_KINDS_H
#define CRM_TABLE_KINDS_H

#include "table/columns.h"

/* The CHECK of deals that calls crm_check_deal(). */
#define CRM_DEALS_CHECK	"deals_check"

typedef enum PipelineColumn
{
	PIPELINE_ID,
	PIPELINE_TENANT_ID,
	PIPELINE_NAME,
	PIPELINE_IS_DEFAULT,
	PIPELINE_CURRENCY,
	PIPELINE_ARCHIVED_AT,
	PIPELINE_UPDATED_AT
} PipelineColumn;

typedef enum StageColumn
{
	STAGE_ID,
	STAGE_TENANT_ID,
	STAGE_PIPELINE_ID,
	STAGE_NAME,
	STAGE_POSITION,
	STAGE_DEAL_STATUS,
	STAGE_PROBABILITY,
	STAGE_FORECAST_CATEGORY,
	STAGE_ARCHIVED_AT,
	STAGE_UPDATED_AT
} StageColumn;

typedef enum DealColumn
{
	DEAL_ID,
	DEAL_TENANT_ID,
	DEAL_PIPELINE_ID,
	DEAL_STAGE_ID,
	DEAL_STATUS,
	DEAL_ARCHIVED_AT,
	DEAL_AMOUNT,
	DEAL_CURRENCY,
	DEAL_PROBABILITY,
	DEAL_VALUE_PERIOD,
	DEAL_OWNER_ID,
	DEAL_EXPECTED_CLOSE_DATE,
	DEAL_WON_AT,
	DEAL_LOST_AT,
	DEAL_LOST_REASON,
	DEAL_STAGE_ENTERED_AT,
	DEAL_CREATED_AT,
	DEAL_UPDATED_AT,
	DEAL_VERSION,
	DEAL_MOVE_NO,
	DEAL_NCOLUMNS
} DealColumn;

typedef enum LinkColumn
{
	LINK_DEAL_ID,
	LINK_CONTACT_ID,
	LINK_IS_PRIMARY
} LinkColumn;

extern const CrmTableKind crm_pipeline_kind;
extern const CrmTableKind crm_stage_kind;
extern const CrmTableKind crm_deal_kind;
extern const CrmTableKind crm_link_kind;	/* deal_contacts */

#endif							/* CRM_TABLE_KINDS_H */
