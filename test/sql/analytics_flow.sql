-- lost_reasons(), stage_flow(), changes_since(), deal_facts and move_facts
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_flow');
SET search_path = analytics_flow, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''
\set empty '\'00000000-0000-0000-0000-000000000002\''

-- lost reasons: the worked example
BEGIN;
UPDATE deals SET lost_reason = 'price' WHERE title = 'Beta';
INSERT INTO deals (stage_id, title, amount, lost_reason, created_at) VALUES
	('00000000-0000-0000-0000-0000000000a5', 'At once', NULL, NULL, '2024-01-05');
INSERT INTO deals (id, stage_id, title, amount, created_at) VALUES
	('00000000-0000-0000-0000-0000000000d8', '00000000-0000-0000-0000-0000000000a3', 'Kappa', 3000, '2024-01-05');
UPDATE deals SET stage_id = '00000000-0000-0000-0000-0000000000a5', lost_reason = 'price', stage_entered_at = '2024-02-05' WHERE title = 'Kappa';
SELECT lost_reason, value_currency, deals, deal_share, value, value_share, average_value, deals_without_amount FROM lost_reasons(:sales);
SELECT lost_reason, stage_name, deals, deal_share, value, value_share FROM lost_reasons(:sales, by_stage => true);
SELECT group_key, is_total, lost_reason, deals, value FROM lost_reasons(:sales, group_by => 'lost_at.month');
SELECT lost_reason, deals FROM lost_reasons(:sales, lost_from => '2024-01-19', lost_before => '2024-02-01');
-- a second lost stage: what counts is where it stood before it was lost
INSERT INTO stages (id, pipeline_id, name, deal_status) VALUES ('00000000-0000-0000-0000-0000000000a6', :sales, 'Gone', 'lost');
UPDATE deals SET stage_id = '00000000-0000-0000-0000-0000000000a6' WHERE title = 'Kappa';
SELECT lost_reason, stage_name, deals FROM lost_reasons(:sales, by_stage => true) WHERE stage_name = 'Quote';
-- reopened, and taken back: lost as before
UPDATE deals SET stage_id = '00000000-0000-0000-0000-0000000000a1' WHERE title = 'Kappa';
SELECT sum(deals) FROM lost_reasons(:sales);
SELECT (undo_move('00000000-0000-0000-0000-0000000000d8')).status;
SELECT lost_reason, stage_name, deals FROM lost_reasons(:sales, by_stage => true);
-- several currencies, and one
INSERT INTO deals (stage_id, title, amount, currency, lost_reason, created_at) VALUES
	('00000000-0000-0000-0000-0000000000a5', 'Euro', 100, 'EUR', 'price', '2024-01-05');
SELECT lost_reason, value_currency, deals, deal_share, value, value_share FROM lost_reasons(:sales);
SELECT count(*) FROM lost_reasons(:sales, in_currency => 'USD');
ROLLBACK;
BEGIN;
INSERT INTO deals (stage_id, title, amount, currency, lost_reason, created_at) VALUES
	('00000000-0000-0000-0000-0000000000a5', 'Euro', 100, 'EUR', 'price', '2024-01-05');
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2023-12-31', 1.1);
SELECT lost_reason, value_currency, deals, value, oldest_rate FROM lost_reasons(:sales, in_currency => 'USD', max_rate_age => 5);
-- the rates of every report may be too old; what needs none, needs no young one
SELECT lost_reasons(:sales, in_currency => 'USD', max_rate_age => 4);
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN;
INSERT INTO deals (stage_id, title, amount, currency, created_at, expected_close_date) VALUES
	('00000000-0000-0000-0000-0000000000a1', 'Pound', 100, 'GBP', '2024-01-05', '2024-03-01'), ('00000000-0000-0000-0000-0000000000a4', 'Euro', 100, 'EUR', '2024-01-05', NULL);
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2024-01-01', 1.1), ('EUR', 'GBP', current_date - 3, 0.9), ('EUR', 'USD', current_date - 10, 1.2);
CREATE FUNCTION told(call text, age int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT to_jsonb(r) ->> ''oldest_rate'' FROM ' || call || ' AS r ORDER BY 1 LIMIT 1', '00000000-0000-0000-0000-000000000001', age) INTO result;
	RETURN CASE WHEN result = (current_date - 10)::text THEN 'ten days ago' ELSE result END;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || regexp_replace(regexp_replace(SQLERRM, current_date::text, 'today'), '\d\d\d+ days', 'many days');
END $$;
SELECT name, told(call, NULL), told(call, 10) AS ten, told(call, 9) AS nine FROM (VALUES
	('forecast', 'forecast(%L, in_currency => ''USD'', max_rate_age => %L)'),
	('sales_velocity', 'sales_velocity(%L, in_currency => ''USD'', max_rate_age => %L)'),
	('win_rate', 'win_rate(%L, in_currency => ''USD'', max_rate_age => %L)'),
	('recurring_revenue', 'recurring_revenue(%L, status => ''open'', in_currency => ''USD'', max_rate_age => %L)'),
	('funnel', 'funnel(%L, in_currency => ''USD'', max_rate_age => %L)'),
	('stage_conversion', 'stage_conversion(%L, in_currency => ''USD'', max_rate_age => %L)'),
	('pipeline_waterfall', 'pipeline_waterfall(%L, now() - interval ''1 day'', in_currency => ''USD'', max_rate_age => %L)')) AS v (name, call);
SELECT pipeline_summary(:sales, in_currency => 'USD') ->> 'oldest_rate' AS oldest, jsonb_array_length(pipeline_summary(:sales, in_currency => 'USD') -> 'rates') AS rates;
SELECT pipeline_summary_as_of(:sales, now(), 'USD') ->> 'oldest_rate' AS oldest, pipeline_summary_as_of(:sales, '2024-01-04', 'USD') ->> 'oldest_rate' AS none;
SELECT told('pipeline_summary(%L, in_currency => ''USD'', max_rate_age => %L)', 9), told('pipeline_summary_as_of(%L, now(), ''USD'', %L)', 9);
SELECT pipeline_summary(:empty, in_currency => 'EUR', max_rate_age => 0) -> 'oldest_rate' AS oldest;
SELECT forecast(:sales, in_currency => 'USD', max_rate_age => -1);
ROLLBACK;
SELECT forecast(:sales, max_rate_age => 5);

-- stage flow: the worked example, and the same of what the view of visits has
SELECT period_start, stage_name, entered, entered_value, left_forward, forward_value, left_backward, backward_value, left_lost, lost_value
FROM stage_flow(:sales) ORDER BY period_start, stage_position;
SELECT period_start, period_end, stage_name, entered, left_backward FROM stage_flow(:sales, 'week', '2024-01-01', '2024-01-08');
SELECT count(*) FROM stage_flow(:empty);
BEGIN;
-- with the amount as of the time; to another pipeline and back; reopened
UPDATE deals SET amount = 5000 WHERE title = 'Alpha';
UPDATE deals SET stage_id = '00000000-0000-0000-0000-0000000000b1', stage_entered_at = '2024-03-01' WHERE title = 'Delta';
UPDATE deals SET stage_id = '00000000-0000-0000-0000-0000000000a3', stage_entered_at = '2024-03-02' WHERE title = 'Delta';
UPDATE deals SET stage_id = '00000000-0000-0000-0000-0000000000a1', stage_entered_at = '2024-03-03' WHERE title = 'Beta';
SELECT stage_name, entered, entered_value, left_forward, left_backward, left_lost, moved_out, moved_out_value FROM stage_flow(:sales, 'quarter') ORDER BY stage_position;
SELECT stage_name, entered, left_forward, moved_out FROM stage_flow(:empty, 'quarter');
CREATE TEMP TABLE plain AS
	WITH v AS (
		SELECT v.*, p.position AS from_position, n.position AS to_position FROM stage_visits AS v JOIN deals AS d ON d.id = v.deal_id
			JOIN stages AS p ON p.id = v.stage_id LEFT JOIN stages AS n ON n.id = v.next_stage_id
		WHERE d.archived_at IS NULL
	)
	SELECT stage_id, crm_period_start('week', entered_at::date) AS start, 'entered' AS flow, deal_id FROM v WHERE pipeline_id = :sales
	UNION SELECT stage_id, crm_period_start('week', exited_at::date),
		CASE WHEN next_pipeline_id <> pipeline_id THEN 'out' WHEN next_status = 'lost' THEN 'lost' WHEN next_status = 'won' THEN 'forward'
			WHEN status <> 'open' OR to_position < from_position THEN 'backward' ELSE 'forward' END, deal_id
	FROM v WHERE pipeline_id = :sales AND exited_at IS NOT NULL;
WITH told AS (
	SELECT stage_id, period_start, sum(entered) AS e, sum(left_forward) AS f, sum(left_backward) AS b, sum(left_lost) AS l, sum(moved_out) AS m
	FROM stage_flow(:sales, 'week') GROUP BY 1, 2
), counted AS (
	SELECT stage_id, start, count(*) FILTER (WHERE flow = 'entered')::numeric, count(*) FILTER (WHERE flow = 'forward')::numeric,
		count(*) FILTER (WHERE flow = 'backward')::numeric, count(*) FILTER (WHERE flow = 'lost')::numeric, count(*) FILTER (WHERE flow = 'out')::numeric
	FROM plain GROUP BY 1, 2
)
SELECT (SELECT count(*) > 12 FROM told) AS many, (SELECT count(*) FROM (TABLE told EXCEPT TABLE counted) AS x) AS more,
	(SELECT count(*) FROM (TABLE counted EXCEPT TABLE told) AS x) AS less;
ROLLBACK;
SELECT stage_flow(:sales, 'decade');

-- what changed: the worked example
BEGIN;
UPDATE deals SET lost_reason = 'price' WHERE title = 'Beta';
SET LOCAL crm.effective_at = '2024-02-10';
UPDATE deals SET amount = 500, expected_close_date = '2024-06-30', owner_id = '00000000-0000-0000-0000-000000000011' WHERE title = 'Epsilon';
SET LOCAL crm.effective_at = '';
SELECT CASE WHEN change <> 'deleted' THEN changed_at END AS changed_at, change, summary, old_value, new_value FROM changes_since('2024-01-19', :sales);
-- pages, one after the other, are all of it
CREATE FUNCTION pages(size integer) RETURNS SETOF text LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	place text;
	found text[];
BEGIN
	LOOP
		SELECT array_agg(next_cursor ORDER BY n) INTO found
		FROM changes_since('2023-01-01', max_rows => size, after_cursor => place) WITH ORDINALITY AS c (a, b, c, d, e, f, g, h, i, j, k, l, next_cursor, n);
		EXIT WHEN found IS NULL;
		RETURN QUERY SELECT unnest(found);
		place := found[cardinality(found)];
	END LOOP;
END $$;
SELECT size, (SELECT count(*) > 25 AND count(*) = count(DISTINCT p) AND array_agg(p ORDER BY n) = (SELECT array_agg(next_cursor) FROM changes_since('2023-01-01'))
	FROM pages(size) WITH ORDINALITY AS p (p, n)) AS same FROM unnest('{1,2,7,1000}'::int[]) AS size;
-- archived, unarchived and deleted; nothing of moves that were taken back
SELECT change, title, summary FROM changes_since('2023-01-01') WHERE change IN ('archived', 'deleted') OR title = 'Delta';
SELECT count(*) FROM changes_since('2023-01-01', :empty);
SELECT count(*), count(*) FILTER (WHERE deal_owner_id <> '00000000-0000-0000-0000-000000000011') FROM changes_since('2023-01-01', owner_id => '00000000-0000-0000-0000-000000000011');
SELECT count(*) FROM changes_since('infinity');
SELECT count(*) = (SELECT count(*) FROM changes_since('2023-01-01')) FROM changes_since('-infinity');
-- a creation that was corrected counts from its new time, also if that is after it was recorded
SELECT replace_history('00000000-0000-0000-0000-0000000000d5', '[{"stage_id": "00000000-0000-0000-0000-0000000000a1", "at": "2024-03-15"}]', 'log') IS NULL AS failed;
SELECT change, summary FROM changes_since('2024-03-14') WHERE title = 'Epsilon' AND change = 'created';
ROLLBACK;
SELECT changes_since('2024-01-01', max_rows => 1001);
SELECT changes_since('2024-01-01', after_cursor => '1/2/3');
SELECT changes_since(NULL);

-- facts
SELECT title, stage_name, status, first_amount, first_currency, last_amount, currency, created_on, closed_on, CASE WHEN status <> 'open' THEN days_open END AS days_open, moves, reopened, pushed, is_archived
FROM deal_facts ORDER BY title COLLATE "C";
SELECT title, from_stage_name, to_stage_name, direction, moved_on, days, amount, currency FROM move_facts WHERE title IN ('Beta', 'Delta') OR title IS NULL ORDER BY deal_id, move_no;
BEGIN;
UPDATE deals SET amount = 700, currency = 'EUR' WHERE title = 'Epsilon';
UPDATE deals SET amount = 900, expected_close_date = '2024-04-01' WHERE title = 'Epsilon';
UPDATE deals SET expected_close_date = '2024-06-15' WHERE title = 'Epsilon';
UPDATE deals SET stage_id = '00000000-0000-0000-0000-0000000000a1' WHERE title = 'Beta';
UPDATE deals SET stage_id = '00000000-0000-0000-0000-0000000000a5' WHERE title = 'Beta';
UPDATE deals SET stage_id = '00000000-0000-0000-0000-0000000000a1' WHERE title = 'Beta';
SELECT (undo_move(id)).status FROM deals WHERE title = 'Beta';
UPDATE deals SET stage_id = '00000000-0000-0000-0000-0000000000b1' WHERE title = 'Delta';
SELECT title, first_amount, first_currency, last_amount, currency, moves, reopened, pushed, days_pushed FROM deal_facts WHERE title IN ('Beta', 'Delta', 'Epsilon') ORDER BY title;
SELECT title, direction, from_pipeline_name, to_pipeline_name FROM move_facts WHERE title IN ('Beta', 'Delta') AND moved_at > '2024-06-01' ORDER BY deal_id, move_no;
-- each deal once, and the moves of both agree
SELECT (SELECT count(*) FROM deal_facts) = (SELECT count(*) FROM deals) AS deals,
	(SELECT count(*) FROM deal_facts AS d WHERE moves <> (SELECT count(*) FROM move_facts AS m WHERE m.deal_id = d.deal_id)
		OR reopened <> (SELECT count(*) FROM move_facts AS m WHERE m.deal_id = d.deal_id AND direction = 'reopened')) AS differ;
ROLLBACK;
UPDATE deal_facts SET title = 'x';
DELETE FROM move_facts;

RESET search_path;
DROP SCHEMA analytics_flow CASCADE;
