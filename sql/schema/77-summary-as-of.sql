-- What a pipeline added up to at a moment of the past.
--
-- Two histories that know nothing of each other: where a deal stood is in
-- stage_changes, a row of which is a stay that ended, and what it was worth in
-- deal_changes, a row of which has all that was before it.  So of a deal that
-- changed since, the first row after the moment tells the state at the moment,
-- and one that did not change is as it was.  crm_summary_as_of() reads both.

-- The stays that a moment is in, and what came after it, are looked for by time.
-- New rows come at the end of the table, so that a summary of its blocks will do:
-- of those that came long after a moment few end a stay that began before it.
CREATE INDEX stage_changes_changed_at_idx ON stage_changes USING brin (changed_at, entered_at) WITH (pages_per_range = 32);
CREATE INDEX deal_changes_changed_at_idx ON deal_changes (changed_at) WHERE change <> 'created';

CREATE FUNCTION pipeline_summary_as_of(pipeline_id uuid, at timestamptz, in_currency text DEFAULT NULL)
    RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    SET jit = off
BEGIN ATOMIC
    SELECT CASE
            WHEN pipeline_summary_as_of.pipeline_id IS NULL OR pipeline_summary_as_of.at IS NULL
            THEN crm_raise('22004', 'pipeline_id and at must not be null')
            WHEN NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = pipeline_summary_as_of.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', pipeline_summary_as_of.pipeline_id))
            WHEN pipeline_summary_as_of.at > clock_timestamp()
            THEN crm_raise('22023', format('%s is in the future', pipeline_summary_as_of.at))
            WHEN NOT crm_is_currency(pipeline_summary_as_of.in_currency)
            THEN crm_raise('22023', format('"%s" is not a currency', pipeline_summary_as_of.in_currency), NULL,
                'Use a code of ISO 4217, such as EUR.')
        END;

    WITH pipeline AS MATERIALIZED (
        SELECT p.id, p.name, p.currency, p.tenant_id
        FROM pipelines AS p
        WHERE p.id = pipeline_summary_as_of.pipeline_id
    ), dated AS MATERIALIZED (
        SELECT s.rate_day, s.deal_status, r.stage_id, r.currency, r.value_period, r.deals, r.deals_without_amount,
            r.value, r.weighted_value
        FROM pipeline AS p
            CROSS JOIN LATERAL crm_summary_as_of('deals'::regclass, p.tenant_id, p.id, pipeline_summary_as_of.at,
                pipeline_summary_as_of.in_currency) AS s
            CROSS JOIN LATERAL crm_summary_rows(s.summary) AS r
    ), conversions AS MATERIALIZED (
        SELECT e.currency, e.day, e.multiply_by, e.divide_by, e.rates
        FROM (SELECT array_agg(p.tenant_id) AS tenant_ids, array_agg(d.currency) AS currencies, array_agg(d.rate_day) AS days
                FROM dated AS d CROSS JOIN pipeline AS p
                WHERE d.rate_day IS NOT NULL AND d.deals > d.deals_without_amount) AS c
            CROSS JOIN LATERAL conversion_rates(pipeline_summary_as_of.in_currency, c.tenant_ids, c.currencies, c.days) AS e
        WHERE pipeline_summary_as_of.in_currency IS NOT NULL
    ), sums AS MATERIALIZED (
        SELECT d.stage_id, coalesce(pipeline_summary_as_of.in_currency, d.currency) AS currency, d.value_period,
            sum(d.deals) AS deals, sum(d.deals_without_amount) AS deals_without_amount,
            sum(coalesce(crm_convert(d.value, c.multiply_by, c.divide_by), d.value)) AS value,
            sum(coalesce(crm_convert(d.weighted_value, c.multiply_by, c.divide_by), d.weighted_value)) AS weighted_value,
            -- of a stage that is no more: the status that its deals had
            CASE WHEN NOT EXISTS (SELECT FROM stages AS g WHERE g.id = d.stage_id) THEN min(d.deal_status) END AS deal_status
        FROM dated AS d
            LEFT JOIN conversions AS c ON c.currency = d.currency AND c.day = d.rate_day
        GROUP BY 1, 2, 3
    )
    SELECT jsonb_build_object('pipeline_id', p.id, 'name', p.name, 'as_of', pipeline_summary_as_of.at, 'source', 'history')
        || crm_summary_report(coalesce(pipeline_summary_as_of.in_currency, p.currency),
            (SELECT jsonb_agg(g.stage)
                FROM (SELECT jsonb_build_object('stage_id', g.id, 'name', g.name, 'position', g.position,
                            'deal_status', g.deal_status, 'archived', g.archived_at IS NOT NULL) AS stage
                        FROM stages AS g WHERE g.pipeline_id = p.id
                        UNION ALL
                        SELECT DISTINCT jsonb_build_object('stage_id', s.stage_id, 'name', NULL, 'position', NULL,
                            'deal_status', s.deal_status, 'archived', true) AS stage
                        FROM sums AS s WHERE s.deal_status IS NOT NULL) AS g),
            (SELECT jsonb_agg(jsonb_build_object('stage_id', s.stage_id, 'deal_status', s.deal_status,
                    'currency', s.currency, 'value_period', s.value_period, 'deals', s.deals,
                    'deals_without_amount', s.deals_without_amount, 'value', s.value, 'weighted_value', s.weighted_value))
                FROM sums AS s))
        || CASE
            WHEN pipeline_summary_as_of.in_currency IS NULL THEN '{}'
            ELSE jsonb_build_object('rates', crm_rates_used(ARRAY(SELECT c.rates FROM conversions AS c)))
        END
    FROM pipeline AS p;
END;
REVOKE EXECUTE ON FUNCTION pipeline_summary_as_of(uuid, timestamptz, text) FROM PUBLIC;
COMMENT ON FUNCTION pipeline_summary_as_of(uuid, timestamptz, text) IS
'Summarise a pipeline as it stood at a moment of the past

What pipeline_summary told then, as the same object, with as_of the moment and source "history": the deals that stood in the pipeline at that moment, each in its stage of then, with its amount, currency, probability and value_period of then; those deleted since included, those archived then not. Computed from stage_changes (effective times; moves taken back never were) and deal_changes. Before the first deal everything is 0.

Stages have no history: their names, order and status are those of now. A stage that was deleted since has neither name nor position. Of deals that come from another system or a dump that had no deal_changes, changes of before are not known: they count as what they became.

in_currency converts all amounts to one currency, as pipeline_summary does: those of deals that were won or lost at the rate of the day (UTC) that they were closed on, those of open ones at the rate of the day of the moment; see exchange_rate. rates are those that were used.

Errors: PT404 for an unknown pipeline, 22023 for a moment in the future, for what is not a currency and where an exchange rate is missing.

@mcp';
