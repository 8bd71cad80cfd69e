CREATE FUNCTION @extschema@.crm_pipeline_summary(crm regnamespace, pipeline_id uuid,
	owner_id uuid DEFAULT NULL, tag_id uuid DEFAULT NULL,
	closing_from date DEFAULT NULL, closing_to date DEFAULT NULL, in_currency text DEFAULT NULL,
	max_rate_age integer DEFAULT NULL)
	RETURNS jsonb
	LANGUAGE c STABLE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'crm_report';
COMMENT ON FUNCTION @extschema@.crm_pipeline_summary(regnamespace, uuid, uuid, uuid, date, date,
	text, integer) IS
'Summarise a pipeline: number, value and weighted value of its deals

Counts the unarchived deals: all of them, or those of an owner (owner_id), with a tag (tag_id), or closing in a range of days (closing_from, closing_to, both included): open deals by expected_close_date, those won or lost by the day of won_at or lost_at in the session''s time zone, as in forecast; closing_date tells so, where a range is given. total_deals, total_value and weighted_value (the sum of amount times probability, exact) stand at the top for all deals, and under open, won and lost, in each element of stages, by_currency and by_value_period. A deal without an amount counts and adds nothing; deals_without_amount tells how many there are. Without a probability, as in stages that have none, a deal adds nothing to weighted_value, whether it has an amount or not; deals_without_probability tells how many there are.

stages has the stages in their order, empty ones too, archived ones only while deals stand there. Sums over different currencies are never added: where a part has several, its currency and its values are null, and by_currency has them apart. currency is the one of the amounts, or the pipeline''s if there are none.

Amounts of different value periods are added as they are: a monthly amount counts once. value_period is the one of the amounts of a part; null where it adds up several, and by_value_period has them apart; one_time if there are no amounts at all.

source tells where the numbers come from: "totals", which every write keeps up to date, or "deals", added up now, as for a part of the deals or where row security lets the caller see some of them only. Both are exact.

in_currency converts all amounts to one currency, so that every part has values: those of won and lost deals at the rate of the day (UTC) that they were closed on, those of open ones at the latest rate; see exchange_rate. rates are those that were used, the oldest of the day oldest_rate; max_rate_age (null: any) is how many days a rate may be older than the day that it is for. Read from the deals.

Errors: PT404 for an unknown pipeline, 22023 for what is not a currency and where an exchange rate is missing or too old.

@param closing_from First day of closing, included
@param closing_to Last day of closing, included
@mcp report=value';
