-- A pipeline with its board and its reports as a page.
--
-- Amounts are texts, as a number in JavaScript would be rounded.
--
-- The trend, the waterfall and the changes begin where the history does, if some of it was erased:
-- what was erased may have happened at that very moment.

WITH times AS (
    SELECT greatest(now() - interval '52 weeks', e.until) AS trend_from, greatest(now() - interval '90 days', e.until) AS waterfall_from,
        greatest(now() - interval '90 days', e.until + interval '1 microsecond') AS changes_from
    FROM (SELECT max(k.changed_at) AS until
        FROM @crm@.deal_changes AS k
        WHERE k.change = 'erased'
            AND k.tenant_id = (SELECT p.tenant_id FROM @crm@.pipelines AS p WHERE p.id = pipeline_page.pipeline_id)) AS e
)
SELECT @extension@.crm_page(pipeline_page.crm, p.name, jsonb_build_object('at', now(),
    'pipelines', jsonb_build_array(@extension@.crm_page_board(pipeline_page.crm, p.id)),
    'reports', jsonb_build_object(
        'funnel', (
            SELECT jsonb_agg(jsonb_build_object('stage', f.stage_name, 'status', f.deal_status, 'deals', f.deals,
                'converted', f.converted, 'conversion', f.conversion, 'won', f.won, 'lost', f.lost, 'open', f.still_open)
                ORDER BY f.stage_position)
            FROM @extension@.crm_funnel(pipeline_page.crm, p.id) AS f),
        'forecast', (
            SELECT jsonb_agg(jsonb_build_object('bucket', f.bucket, 'start', f.period_start, 'currency', f.value_currency,
                'open', f.open_value::text, 'weighted', f.weighted_value::text, 'won', f.won_value::text,
                'pipeline', f.pipeline::text, 'best_case', f.best_case::text, 'commit', f.commit::text, 'omitted', f.omitted::text))
            FROM @extension@.crm_forecast(pipeline_page.crm, p.id,
                period_from => (date_trunc('month', now()) - interval '6 months')::date,
                period_before => (date_trunc('month', now()) + interval '12 months')::date) AS f),
        'trend', (
            SELECT jsonb_agg(jsonb_build_object('at', extract(epoch FROM t.at), 'currency', t.value_currency, 'deals', t.open_deals,
                'open', t.open_value::text, 'weighted', trim_scale(t.open_weighted_value)::text,
                'won', t.won_value::text, 'lost', t.lost_deals) ORDER BY t.value_currency, t.at)
            FROM @extension@.crm_pipeline_trend(pipeline_page.crm, p.id, b.trend_from, now(), 'week') AS t),
        'waterfall', (
            SELECT jsonb_agg(jsonb_build_object('currency', w.value_currency, 'bar', w.bar, 'changes', w.changes,
                'deals', w.deals, 'value', w.value::text) ORDER BY w.value_currency, w.bar_no)
            FROM @extension@.crm_pipeline_waterfall(pipeline_page.crm, p.id, b.waterfall_from) AS w),
        'waterfall_from', b.waterfall_from,
        'times', (
            SELECT jsonb_agg(jsonb_build_object('stage', t.stage_name, 'visits', t.visits, 'average', round(t.average_days, 1),
                'median', round(t.median_days, 1), 'p90', round(t.p90_days, 1), 'max', round(t.max_days, 1)) ORDER BY t.stage_position)
            FROM @extension@.crm_time_in_stage(pipeline_page.crm, p.id) AS t
            WHERE t.deal_status = 'open'),
        'closed', (
            SELECT jsonb_agg(jsonb_build_object('won', w.won, 'lost', w.lost, 'rate', w.win_rate))
            FROM @extension@.crm_win_rate(pipeline_page.crm, p.id) AS w),
        'reasons', (
            SELECT jsonb_agg(jsonb_build_object('reason', l.lost_reason, 'currency', l.value_currency, 'deals', l.deals,
                'share', l.deal_share, 'value', l.value::text))
            FROM (SELECT l.* FROM @extension@.crm_lost_reasons(pipeline_page.crm, p.id) AS l
                ORDER BY l.deals DESC, l.lost_reason LIMIT 50) AS l),
        'rotting', (
            SELECT jsonb_agg(jsonb_build_object('title', r.title, 'stage', r.stage_name, 'owner', r.owner_name,
                'amount', r.amount::text, 'currency', coalesce(r.currency, p.currency), 'days', floor(r.days_in_stage), 'over', floor(r.days_over)))
            FROM (SELECT r.* FROM @extension@.crm_rotting_deals(pipeline_page.crm, p.id) AS r
                ORDER BY r.days_over DESC, r.deal_id LIMIT 100) AS r),
        'changes', (
            SELECT jsonb_agg(jsonb_build_object('at', c.changed_at, 'text', c.summary, 'by', c.changed_by))
            FROM @extension@.crm_changes_since(pipeline_page.crm, b.changes_from, p.id, max_rows => 50) AS c))))
FROM @crm@.pipelines AS p
    CROSS JOIN times AS b
WHERE p.id = pipeline_page.pipeline_id;
