-- What a pipeline adds up to.
--
-- The deals are read once, by the aggregate, or not at all where stage_totals
-- has the same; all else is made of that, a row for each stage, currency and
-- value period.

CREATE VIEW pipeline_stage_summary WITH (security_invoker = true) AS
    SELECT p.id AS pipeline_id, p.name AS pipeline_name, s.id AS stage_id, s.name AS stage_name,
        s.position, s.deal_status, r.currency, r.value_period, r.deals, r.deals_without_amount,
        r.value, r.weighted_value
    FROM (SELECT d.pipeline_id,
                crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period) AS summary
            FROM deals AS d
            WHERE d.archived_at IS NULL
            GROUP BY d.pipeline_id) AS t
        CROSS JOIN LATERAL crm_summary_rows(t.summary) AS r
        JOIN stages AS s ON s.id = r.stage_id
        JOIN pipelines AS p ON p.id = t.pipeline_id;

COMMENT ON VIEW pipeline_stage_summary IS 'Number and value of the unarchived deals, a row per pipeline, stage, currency and value period that has any';
COMMENT ON COLUMN pipeline_stage_summary.pipeline_id IS 'The pipeline';
COMMENT ON COLUMN pipeline_stage_summary.pipeline_name IS 'Name of the pipeline';
COMMENT ON COLUMN pipeline_stage_summary.stage_id IS 'The stage';
COMMENT ON COLUMN pipeline_stage_summary.stage_name IS 'Name of the stage';
COMMENT ON COLUMN pipeline_stage_summary.position IS 'Place of the stage in the order of the pipeline';
COMMENT ON COLUMN pipeline_stage_summary.deal_status IS 'Status of the deals in the stage: open, won or lost';
COMMENT ON COLUMN pipeline_stage_summary.currency IS 'ISO 4217 code of the amounts; null for deals that have none';
COMMENT ON COLUMN pipeline_stage_summary.value_period IS 'What the amounts are per: one_time, monthly, quarterly or annual';
COMMENT ON COLUMN pipeline_stage_summary.deals IS 'Number of deals, those without an amount included';
COMMENT ON COLUMN pipeline_stage_summary.deals_without_amount IS 'Number of deals without an amount';
COMMENT ON COLUMN pipeline_stage_summary.value IS 'Sum of the amounts';
COMMENT ON COLUMN pipeline_stage_summary.weighted_value IS 'Sum of amount times probability, exact';

CREATE FUNCTION pipeline_summary(pipeline_id uuid, owner_id uuid DEFAULT NULL, tag_id uuid DEFAULT NULL,
        closing_from date DEFAULT NULL, closing_to date DEFAULT NULL, in_currency text DEFAULT NULL)
    RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL RESTRICTED
BEGIN ATOMIC
    SELECT CASE
            WHEN pipeline_summary.in_currency IS NOT NULL
            THEN crm_raise('22023', 'in_currency is not supported yet', NULL,
                'Leave it out; by_currency has the sums of each currency.')
            WHEN pipeline_summary.pipeline_id IS NULL
            THEN crm_raise('22004', 'pipeline_id must not be null')
            WHEN NOT EXISTS (SELECT FROM pipelines AS p WHERE p.id = pipeline_summary.pipeline_id)
            THEN crm_raise('PT404', format('pipeline %s does not exist', pipeline_summary.pipeline_id))
            WHEN pipeline_summary.closing_from > pipeline_summary.closing_to
            THEN crm_raise('22023', 'closing_from is after closing_to')
        END;

    -- The deals that are asked for.  Who asks for all of them does not pay for
    -- the conditions, whose columns stand far back in the row.
    WITH totals AS MATERIALIZED (
        SELECT CASE
                WHEN coalesce(pipeline_summary.owner_id::text, pipeline_summary.tag_id::text,
                    pipeline_summary.closing_from::text, pipeline_summary.closing_to::text) IS NULL
                THEN crm_pipeline_totals('deals'::regclass, pipeline_summary.pipeline_id)
            END AS summary
    ), deals_asked AS MATERIALIZED (
        SELECT CASE
                WHEN t.summary IS NOT NULL THEN t.summary
                WHEN pipeline_summary.tag_id IS NOT NULL THEN (
                    SELECT crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)
                    FROM deal_tags AS t JOIN deals AS d ON d.id = t.deal_id
                    WHERE t.tag_id = pipeline_summary.tag_id
                        AND d.pipeline_id = pipeline_summary.pipeline_id
                        AND d.archived_at IS NULL
                        AND (pipeline_summary.owner_id IS NULL OR d.owner_id = pipeline_summary.owner_id)
                        AND (pipeline_summary.closing_from IS NULL OR d.expected_close_date >= pipeline_summary.closing_from)
                        AND (pipeline_summary.closing_to IS NULL OR d.expected_close_date <= pipeline_summary.closing_to))
                WHEN coalesce(pipeline_summary.owner_id::text, pipeline_summary.closing_from::text,
                    pipeline_summary.closing_to::text) IS NOT NULL THEN (
                    SELECT crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)
                    FROM deals AS d
                    WHERE d.pipeline_id = pipeline_summary.pipeline_id
                        AND d.archived_at IS NULL
                        AND (pipeline_summary.owner_id IS NULL OR d.owner_id = pipeline_summary.owner_id)
                        AND (pipeline_summary.closing_from IS NULL OR d.expected_close_date >= pipeline_summary.closing_from)
                        AND (pipeline_summary.closing_to IS NULL OR d.expected_close_date <= pipeline_summary.closing_to))
                ELSE (
                    SELECT crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)
                    FROM deals AS d
                    WHERE d.pipeline_id = pipeline_summary.pipeline_id
                        AND d.archived_at IS NULL)
            END AS summary
        FROM totals AS t
    ), facts AS MATERIALIZED (
        SELECT r.stage_id, s.deal_status, r.currency, r.value_period, r.deals, r.deals_without_amount,
            r.value, r.weighted_value,
            -- only amounts have a currency that matters
            CASE WHEN r.deals > r.deals_without_amount THEN r.currency END AS amount_currency
        FROM deals_asked AS a
            CROSS JOIN LATERAL crm_summary_rows(a.summary) AS r
            LEFT JOIN stages AS s ON s.id = r.stage_id
    ), pipeline AS MATERIALIZED (
        SELECT p.id, p.name,
            CASE (SELECT count(DISTINCT f.amount_currency) FROM facts AS f)
                WHEN 0 THEN p.currency
                WHEN 1 THEN (SELECT min(f.amount_currency) FROM facts AS f)
            END AS currency
        FROM pipelines AS p
        WHERE p.id = pipeline_summary.pipeline_id
    ), sums AS (
        -- of all deals, then by status, stage, currency and value period
        SELECT grouping(f.deal_status, f.stage_id, f.currency, f.value_period) AS kind,
            f.deal_status, f.stage_id, f.currency, f.value_period,
            count(DISTINCT f.amount_currency) AS currencies,
            min(f.amount_currency) AS amount_currency,
            sum(f.deals) AS deals, sum(f.deals_without_amount) AS deals_without_amount,
            sum(f.value) AS value, sum(f.weighted_value) AS weighted_value
        FROM facts AS f
        GROUP BY GROUPING SETS ((), (f.deal_status), (f.stage_id), (f.currency), (f.currency, f.deal_status),
            (f.value_period), (f.value_period, f.deal_status))
    ), parts AS MATERIALIZED (
        SELECT s.kind, s.deal_status, s.stage_id, s.currency, s.value_period, s.deals_without_amount,
            jsonb_build_object(
                'currency', CASE
                    WHEN s.kind IN (b'1101'::integer, b'0101'::integer) THEN s.currency
                    WHEN s.currencies = 0 THEN p.currency
                    WHEN s.currencies = 1 THEN s.amount_currency
                END,
                'total_deals', coalesce(s.deals, 0),
                'total_value', CASE WHEN s.currencies <= 1 THEN trim_scale(coalesce(s.value, 0)) END,
                'weighted_value', CASE WHEN s.currencies <= 1 THEN trim_scale(coalesce(s.weighted_value, 0)) END) AS part
        FROM sums AS s CROSS JOIN pipeline AS p
    ), nothing AS MATERIALIZED (
        SELECT jsonb_build_object('currency', p.currency, 'total_deals', 0, 'total_value', 0, 'weighted_value', 0) AS part
        FROM pipeline AS p
    )
    SELECT jsonb_build_object(
            'pipeline_id', p.id,
            'name', p.name,
            'as_of', statement_timestamp(),
            'source', CASE WHEN (SELECT t.summary IS NULL FROM totals AS t) THEN 'deals' ELSE 'totals' END,
            'open', coalesce((SELECT s.part FROM parts AS s WHERE s.kind = b'0111'::integer AND s.deal_status = 'open'), n.part),
            'won', coalesce((SELECT s.part FROM parts AS s WHERE s.kind = b'0111'::integer AND s.deal_status = 'won'), n.part),
            'lost', coalesce((SELECT s.part FROM parts AS s WHERE s.kind = b'0111'::integer AND s.deal_status = 'lost'), n.part),
            'stages', coalesce((
                SELECT jsonb_agg(jsonb_build_object('stage_id', g.id, 'name', g.name, 'position', g.position,
                        'deal_status', g.deal_status) || coalesce(s.part, n.part) ORDER BY g.position)
                FROM stages AS g
                    LEFT JOIN parts AS s ON s.kind = b'1011'::integer AND s.stage_id = g.id
                WHERE g.pipeline_id = p.id AND (g.archived_at IS NULL OR s.part IS NOT NULL)), '[]'),
            'by_currency', coalesce((
                SELECT jsonb_agg(c.part || jsonb_build_object(
                        'open', coalesce(c.open, n.part) - 'currency', 'won', coalesce(c.won, n.part) - 'currency',
                        'lost', coalesce(c.lost, n.part) - 'currency')
                    ORDER BY c.currency)
                FROM (SELECT s.currency,
                            max(s.part::text) FILTER (WHERE s.kind = b'1101'::integer)::jsonb AS part,
                            max(s.part::text) FILTER (WHERE s.deal_status = 'open')::jsonb AS open,
                            max(s.part::text) FILTER (WHERE s.deal_status = 'won')::jsonb AS won,
                            max(s.part::text) FILTER (WHERE s.deal_status = 'lost')::jsonb AS lost
                        FROM parts AS s
                        WHERE s.kind IN (b'1101'::integer, b'0101'::integer)
                        GROUP BY s.currency) AS c), '[]'),
            'by_value_period', coalesce((
                SELECT jsonb_agg(jsonb_build_object('value_period', c.value_period) || c.part || jsonb_build_object(
                        'open', coalesce(c.open, n.part), 'won', coalesce(c.won, n.part), 'lost', coalesce(c.lost, n.part))
                    ORDER BY array_position(ARRAY['one_time', 'monthly', 'quarterly', 'annual'], c.value_period))
                FROM (SELECT s.value_period,
                            max(s.part::text) FILTER (WHERE s.kind = b'1110'::integer)::jsonb AS part,
                            max(s.part::text) FILTER (WHERE s.deal_status = 'open')::jsonb AS open,
                            max(s.part::text) FILTER (WHERE s.deal_status = 'won')::jsonb AS won,
                            max(s.part::text) FILTER (WHERE s.deal_status = 'lost')::jsonb AS lost
                        FROM parts AS s
                        WHERE s.kind IN (b'1110'::integer, b'0110'::integer)
                        GROUP BY s.value_period) AS c), '[]'),
            'deals_without_amount', coalesce(t.deals_without_amount, 0)) || t.part
    FROM pipeline AS p
        CROSS JOIN nothing AS n
        JOIN parts AS t ON t.kind = b'1111'::integer;
END;
REVOKE EXECUTE ON FUNCTION pipeline_summary(uuid, uuid, uuid, date, date, text) FROM PUBLIC;
COMMENT ON FUNCTION pipeline_summary(uuid, uuid, uuid, date, date, text) IS
'Summarise a pipeline: number, value and weighted value of its deals

Counts the unarchived deals: all of them, or those of an owner (owner_id), with a tag (tag_id), or expected to close in a range of days (closing_from, closing_to, both included). total_deals, total_value and weighted_value (the sum of amount times probability, exact) stand at the top for all deals, and under open, won and lost, in each element of stages, by_currency and by_value_period. A deal without an amount counts and adds nothing; deals_without_amount tells how many there are.

stages has the stages in their order, empty ones too, archived ones only while deals stand there. Sums over different currencies are never added: where a part has several, its currency and its values are null, and by_currency has them apart. currency is the one of the amounts, or the pipeline''s if there are none.

source tells where the numbers come from: "totals", kept up to date by every write and read in no time, or "deals", added up now, as for a part of the deals or where row security lets the caller see some of them only. Both are exact.

Errors: PT404 for an unknown pipeline, 22023 for in_currency, which is not supported yet.

@mcp';
