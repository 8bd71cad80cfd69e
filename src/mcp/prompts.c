/*
 * mcp/prompts.c
 *		The prompts of MCP: texts by which a user starts an agent's task.
 */
#include "postgres.h"

#include "utils/json.h"

#include "mcp/message.h"
#include "mcp/prompts.h"

typedef struct Prompt
{
	const char *name;
	const char *title;
	const char *description;
	const char *argument;
	const char *argument_description;
	const char *usual;			/* the argument if it is not given; NULL: it
								 * is required */
	const char *text;			/* a format for the argument */
} Prompt;

static const Prompt prompts[] = {
	{
		"weekly_review", "Weekly review", "What happened in a pipeline in the last seven days, and what needs attention",
		"pipeline", "Name or id of the pipeline; without it, the default one", "the default pipeline",
		"Review the last seven days of the sales pipeline: %s.\n"
		"1. What it is worth now: report_value with report pipeline_summary; how that came about in these days: report pipeline_waterfall, from seven days ago.\n"
		"2. Deals that were won or lost in these days: deals_list with won_from or lost_from; say why deals were lost.\n"
		"3. Open deals that need attention: report_flow with report rotting_deals, and deals_list with status open and expected_close_before today.\n"
		"4. Close with the five most important next steps, each with the deal's title and owner. Keep amounts in different currencies apart. Change nothing."
	},
	{
		"qualify_deal", "Qualify a deal", "Whether a deal is real, and what is missing to win it",
		"deal", "Title or id of the deal", NULL,
		"Qualify this deal: %s.\n"
		"Find it with find if you only have its name, then read context_for_deal, and deal_history of report_flow for more of its past.\n"
		"Tell, each with what it rests on: who decides and whether we know them; what the customer needs; the amount and how sure it is; "
		"whether the expected close date is plausible, given how long deals stay in its stage (report_flow, report time_in_stage); what speaks against it.\n"
		"Then propose its stage, forecast category, close date and amount, and ask before you change any of them."
	},
	{
		"forecast_call", "Forecast call", "Prepare the forecast of a period, with the deals that decide it",
		"period", "Such as this month or 2027-Q1", "this month",
		"Prepare the forecast call for this period: %s.\n"
		"1. report_value with report forecast, from the first day of the period and before the day after its last one: closed, commit, best case and pipeline, for each currency.\n"
		"2. The open deals that are expected to close then: deals_list with status open, expected_close_from and expected_close_before, order amount, descending true.\n"
		"3. Of those, the deals whose dates were pushed: report_flow with report slippage; and those that stand still: report rotting_deals.\n"
		"4. Say which deals decide the period, what could go wrong, and which forecast categories look wrong. Ask before you change any."
	},
};

void
crm_mcp_append_prompts(StringInfo out)
{
	appendStringInfoChar(out, '[');
	for (int i = 0; i < lengthof(prompts); i++)
	{
		const Prompt *prompt = &prompts[i];

		appendStringInfoString(out, i > 0 ? ",{" : "{");
		crm_mcp_append_member(out, "name", prompt->name);
		crm_mcp_append_member(out, "title", prompt->title);
		crm_mcp_append_member(out, "description", prompt->description);
		appendStringInfoString(out, ",\"arguments\":[{");
		crm_mcp_append_member(out, "name", prompt->argument);
		crm_mcp_append_member(out, "description", prompt->argument_description);
		appendStringInfo(out, ",\"required\":%s}]}", prompt->usual ? "false" : "true");
	}
	appendStringInfoChar(out, ']');
}

bool
crm_mcp_append_prompt(StringInfo out, const char *name, JsonbContainer *arguments,
					  const char **problem)
{
	for (int i = 0; i < lengthof(prompts); i++)
	{
		const Prompt *prompt = &prompts[i];
		const char *argument;

		if (strcmp(prompt->name, name) != 0)
			continue;
		argument = crm_mcp_string(arguments, prompt->argument);
		if (argument == NULL || argument[0] == '\0')
			argument = prompt->usual;
		if (argument == NULL)
		{
			*problem = psprintf("prompt %s needs the argument %s", name, prompt->argument);
			return false;
		}
		appendStringInfoString(out, "\"description\":");
		escape_json(out, prompt->description);
		appendStringInfoString(out, ",\"messages\":[{\"role\":\"user\",\"content\":{\"type\":\"text\",\"text\":");
		escape_json(out, psprintf(prompt->text, argument));
		appendStringInfoString(out, "}}]");
		return true;
	}
	*problem = psprintf("unknown prompt: %s", name);
	return false;
}
