/*
 * mcp/report_tools.h
 *		Tools that run reports: functions that are marked as reports of a group.
 */
#ifndef CRM_MCP_REPORT_TOOLS_H
#define CRM_MCP_REPORT_TOOLS_H

#include "mcp/tool.h"

/* The functions that are tools themselves, and a tool for each group of the others. */
extern List *crm_mcp_group_reports(List *functions);

#endif							/* CRM_MCP_REPORT_TOOLS_H */
