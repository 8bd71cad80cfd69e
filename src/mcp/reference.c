/*
 * mcp/reference.c
 *		Which arguments are ids of rows, and of which relation.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"

#include "mcp/reference.h"

/* In the order of lookups: names of stages are looked up in the pipeline found before. */
static const McpReference kinds[] = {
	{"pipeline", "pipelines", "pipelines_list"},
	{"deal", "deals", "find"},
	{"stage", "stages", "stages_list"},
	{"tag", "tags", "tags_list"},
	{"contact", "contacts", "contacts_search"},
	{"owner", "owners", "find"},
	{"organization", "organizations", "find"},
};

static const struct
{
	const char *argument;
	const char *relation;
}			arguments_of_kinds[] = {
	{"pipeline_id", "pipelines"}, {"deal_id", "deals"}, {"keep", "deals"}, {"merge", "deals"}, {"merged", "deals"},
	{"stage_id", "stages"}, {"expected_stage_id", "stages"}, {"move_deals_to", "stages"},
	{"stage_ids", "stages"}, {"tag_id", "tags"}, {"contact_id", "contacts"},
	{"person_id", "contacts"}, {"owner_id", "owners"}, {"organization_id", "organizations"},
};

const McpReference *
crm_mcp_reference(int number)
{
	return number < lengthof(kinds) ? &kinds[number] : NULL;
}

const McpReference *
crm_mcp_reference_to(const char *relation)
{
	for (int i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(kinds[i].relation, relation) == 0)
			return &kinds[i];
	}
	return NULL;
}

const McpReference *
crm_mcp_reference_of(const char *argument, Oid type)
{
	if (type != UUIDOID && get_element_type(type) != UUIDOID)
		return NULL;
	for (int i = 0; i < lengthof(arguments_of_kinds); i++)
	{
		if (strcmp(arguments_of_kinds[i].argument, argument) == 0)
			return crm_mcp_reference_to(arguments_of_kinds[i].relation);
	}
	return NULL;
}
