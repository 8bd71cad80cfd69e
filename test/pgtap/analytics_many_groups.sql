-- Reports with as many groups as there are deals: their time does not grow with the square of that
-- number, and the groups add up to the total.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
INSERT INTO crm.deals (id, title, amount, external_id, owner_id, expected_close_date, created_at, stage_entered_at)
SELECT t.id('deal ' || n), 'deal ' || n, n, n, t.id('owner'), '2024-02-10', '2024-01-01', '2024-01-01' FROM generate_series(1, 4200) AS n;
SET LOCAL crm.effective_at = '2024-02-01';
UPDATE crm.deals SET stage_id = t.id('Qualified'), expected_close_date = '2024-03-20';
SET LOCAL crm.effective_at = '2024-03-01';
UPDATE crm.deals SET stage_id = CASE amount % 3 WHEN 0 THEN t.id('Won') WHEN 1 THEN t.id('Lost') ELSE t.id('Lead') END;
SET LOCAL crm.effective_at = '';

-- A guard, not a measure: together they take seconds, and with nested loops several minutes.
SET LOCAL statement_timeout = '200 s';
SELECT results_eq(format('SELECT count(DISTINCT group_key), sum(%2$s), sum(%3$s) FROM %1$s WHERE NOT is_total', format(call, id('Sales')), number, value),
    format('SELECT %1$s::bigint, sum(%3$s), sum(%4$s) FROM %2$s WHERE is_total', groups, format(call, id('Sales')), number, value), call)
FROM (VALUES ('funnel(%L, group_by => ''external_id'')', 'deals', 'value', 4200), ('stage_conversion(%L, group_by => ''external_id'')', 'converted', 'converted_value', 4200),
    ('funnel(%L, group_by => ''deal'', in_currency => ''USD'')', 'deals + won', 'won_value', 4200),
    ('time_in_stage(%L, group_by => ''external_id'')', 'deals', 'visits', 4200), ('win_rate(%L, group_by => ''external_id'')', 'won', 'won_value', 2800),
    ('sales_cycle(%L, group_by => ''external_id'')', 'deals', 'deals', 1400), ('forecast(%L, group_by => ''external_id'')', 'won_deals', 'open_value + won_value', 2800),
    ('recurring_revenue(%L, group_by => ''external_id'')', 'one_time_deals', 'one_time_revenue', 4200), ('lost_reasons(%L, group_by => ''external_id'')', 'deals', 'value', 1400),
    ('slippage(%L, group_by => ''external_id'')', 'deals', 'pushes', 4200), ('stage_flow(%L, group_by => ''external_id'')', 'entered', 'entered_value', 4200),
    ('pipeline_trend(%L, ''2024-02-15'', ''2024-02-20'', group_by => ''external_id'')', 'open_deals', 'open_value', 4200))
    AS v (call, number, value, groups);
SELECT * FROM finish();
ROLLBACK;
