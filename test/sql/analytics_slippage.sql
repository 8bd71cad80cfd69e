-- slippage() and deal_pushes
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_slippage');
SET search_path = analytics_slippage, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''
\set empty '\'00000000-0000-0000-0000-000000000002\''

-- no dates, no pushes
SELECT * FROM slippage();
SELECT * FROM slippage(group_by => 'deal');

-- the worked example
CREATE FUNCTION expect(deal text, day date, at timestamptz) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM set_config('crm.effective_at', at::text, true);
	UPDATE deals SET expected_close_date = day WHERE title = deal;
END $$;
BEGIN;
SELECT expect('Delta', '2024-01-31', '2024-01-27'), expect('Delta', '2024-02-10', '2024-01-28'), expect('Delta', '2024-04-05', '2024-02-09'),
	expect('Delta', '2024-03-29', '2024-02-11'), expect('Epsilon', '2024-03-01', '2024-02-01'),
	expect('Gamma', '2024-01-20', '2024-02-01'), expect('Gamma', '2024-01-30', '2024-02-01');
-- those of deals that are archived or gone count nowhere
SELECT expect('Archived', '2024-03-01', '2024-03-01'), expect('Archived', '2024-05-01', '2024-03-02');
SET LOCAL crm.effective_at = '';
SELECT d.title, p.old_expected_close_date, p.new_expected_close_date, p.months, p.days, p.pushed_at, p.pushed_by = session_user AS by_me, p.owner_id
FROM deal_pushes AS p JOIN deals AS d ON d.id = p.deal_id ORDER BY p.deal_id, p.version;
SELECT group_name, is_total, deals, pushed_deals, pushed_share, pushes, pushes_per_deal, months_pushed, average_months, days_pushed, average_days FROM slippage();
SELECT group_key, is_total, deals, pushed_deals, pushed_share, pushes, months_pushed, average_months, days_pushed, average_days FROM slippage(group_by => 'owner');
SELECT group_key, group_name, is_total, deals, pushed_deals, pushes, months_pushed, days_pushed FROM slippage(:sales, group_by => 'deal');
-- filters
SELECT pushes, months_pushed, days_pushed FROM slippage(pushed_from => '2024-02-01', pushed_before => '2024-02-09');
SELECT pushes, months_pushed, days_pushed FROM slippage(pushed_from => '2024-02-09', pushed_before => '2024-02-10');
SELECT group_key, is_total, deals, pushes FROM slippage(group_by => 'owner', owner_id => '00000000-0000-0000-0000-000000000012');
SELECT * FROM slippage(currency => 'EUR');
SELECT deals FROM slippage(currency => 'USD');
-- a row of all deals, even of none, or of none with a date
SELECT is_total, deals, pushed_deals, pushed_share, pushes, pushes_per_deal, months_pushed, average_months, days_pushed, average_days FROM slippage(:empty);
SELECT group_key, is_total, deals FROM slippage(:sales, group_by => 'deal', owner_id => '00000000-0000-0000-0000-000000000099');
SELECT w.is_total, w.deals AS won_or_lost, s.is_total, s.deals FROM win_rate(:empty) AS w, slippage(:empty) AS s;
-- over the end of a year; within a month, back, away and from nothing; to the end of time
UPDATE deals SET expected_close_date = '2023-12-31' WHERE title = 'Alpha';
UPDATE deals SET expected_close_date = '2024-01-01' WHERE title = 'Alpha';
UPDATE deals SET expected_close_date = '2024-01-31' WHERE title = 'Alpha';
UPDATE deals SET expected_close_date = NULL WHERE title = 'Alpha';
UPDATE deals SET expected_close_date = '2025-01-01' WHERE title = 'Alpha';
UPDATE deals SET expected_close_date = NULL WHERE title = 'Alpha';
UPDATE deals SET expected_close_date = '2026-01-01' WHERE title = 'Alpha';
UPDATE deals SET expected_close_date = NULL WHERE title = 'Alpha';
UPDATE deals SET expected_close_date = '2026-01-01' WHERE title = 'Alpha';
SELECT group_name, is_total, pushes, months_pushed, days_pushed FROM slippage(group_by => 'deal') WHERE group_name = 'Alpha';
-- one that has no date any more, but was pushed, was pushed
UPDATE deals SET expected_close_date = NULL WHERE title = 'Alpha';
SELECT group_name, is_total, deals, pushed_deals FROM slippage();
-- with a move, with archiving, in the same statement
UPDATE deals SET expected_close_date = '2024-05-01', status = 'won' WHERE title = 'Epsilon';
SELECT group_name, is_total, pushes, months_pushed, days_pushed FROM slippage(group_by => 'deal') WHERE group_name = 'Epsilon';
UPDATE deals SET archived_at = now(), expected_close_date = '2024-07-01' WHERE title = 'Epsilon';
SELECT count(*) FROM slippage(group_by => 'deal') WHERE group_name = 'Epsilon';
UPDATE deals SET archived_at = NULL WHERE title = 'Epsilon';
SELECT group_name, is_total, pushes, months_pushed, days_pushed FROM slippage(group_by => 'deal') WHERE group_name = 'Epsilon';
DELETE FROM deals WHERE title = 'Epsilon';
SELECT count(*) FROM slippage(group_by => 'deal') WHERE group_name = 'Epsilon';
SELECT count(*) FROM deal_pushes WHERE deal_id = '00000000-0000-0000-0000-0000000000d5';
ROLLBACK;

-- wrong arguments
SELECT slippage('00000000-0000-0000-0000-00000000dead');
SELECT slippage(group_by => 'nothing');
SELECT slippage(group_by => NULL);
SELECT slippage(pushed_from => '2024-02-01', pushed_before => '2024-01-01');
DROP SCHEMA analytics_slippage CASCADE;
