CREATE FUNCTION @extschema@.crm_pipeline_summary_as_of(crm regnamespace, pipeline_id uuid,
	at timestamptz, in_currency text DEFAULT NULL,
	max_rate_age integer DEFAULT NULL)
	RETURNS jsonb
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_pipeline_summary_as_of(regnamespace, uuid, timestamptz,
	text, integer) IS
'Summarise a pipeline as it stood at a moment of the past

What pipeline_summary told then, as the same object, with as_of the moment and source "history": the deals that stood in the pipeline at that moment, each in its stage of then, with its amount, currency, probability and value_period of then; those deleted since included, those archived then not. Computed from stage_changes (effective times; moves taken back never were) and deal_changes. Before the first deal everything is 0.

Stages have no history: their names, order and status are those of now. A stage that was deleted since has neither name nor position. Of deals that come from another system or a dump that had no deal_changes, changes of before are not known: they count as what they became.

in_currency converts all amounts to one currency, as pipeline_summary does: those of deals that were won or lost at the rate of the day (UTC) that they were closed on, those of open ones at the rate of the day of the moment; see exchange_rate. rates are those that were used, the oldest of the day oldest_rate; max_rate_age (null: any) is how many days a rate may be older than the day that it is for.

Errors: PT404 for an unknown pipeline, 22023 for a moment in the future, for what is not a currency and where an exchange rate is missing or too old.

@param at The moment
@mcp report=value';
