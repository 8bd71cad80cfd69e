-- group_by: the worked example, and every report by every dimension beside the
-- same report of the deals of each group alone
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_groups');
SET search_path = analytics_groups, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''
\set empty '\'00000000-0000-0000-0000-000000000002\''

-- the worked example
BEGIN;
INSERT INTO tags (id, name) VALUES
	('00000000-0000-0000-0000-0000000000e1', 'Fair'), ('00000000-0000-0000-0000-0000000000e2', 'Partner');
INSERT INTO deal_tags (deal_id, tag_id)
	SELECT d.id, t.id FROM deals AS d, tags AS t
	WHERE (t.name, d.title) IN (('Fair', 'Alpha'), ('Fair', 'Beta'), ('Partner', 'Alpha'), ('Partner', 'Gamma'));
SELECT group_name, is_total, deals, won, lost, win_rate, won_value FROM win_rate(:sales, group_by => 'tag');
SELECT group_key, group_name, is_total, deals, won, lost, still_open FROM win_rate(:sales, 'created', group_by => 'owner');
SELECT group_key, is_total, deals, won, lost, still_open FROM win_rate(:sales, 'created', group_by => 'created_month');
SELECT group_name, is_total, stage_name, deals, converted, value, converted_value
FROM funnel(:sales, group_by => 'tag') WHERE deal_status = 'open' ORDER BY is_total DESC, group_name, stage_position;
SELECT group_name, is_total, stage_name, visits, average_days, median_days FROM time_in_stage(:sales, group_by => 'tag') WHERE stage_name = 'Lead';
-- a group of deals that were nowhere in that time has no rows
SELECT DISTINCT group_name, is_total FROM time_in_stage(:sales, entered_from => '2024-01-12', group_by => 'tag') ORDER BY is_total DESC;
-- nothing there: a total of nothing, and no group
SELECT group_key, is_total, deals FROM win_rate(:empty, group_by => 'tag');
SELECT group_key, is_total, deals FROM sales_cycle(:empty, group_by => 'owner');
SELECT group_key, is_total, stage_name, deals FROM funnel(:empty, group_by => 'owner');
SELECT group_key, is_total, stage_name, deals FROM time_in_stage(:empty, group_by => 'owner');
SELECT count(*) FROM lost_reasons(:empty, group_by => 'owner');
ROLLBACK;

-- values that are equal, but not the same: numbers are one group, others are not
BEGIN;
ALTER TABLE deals ADD COLUMN number numeric, ADD COLUMN numbers numeric[], ADD COLUMN span interval;
UPDATE deals SET currency = 'EUR' WHERE title = 'Beta';
UPDATE deals AS d SET number = v.number::numeric, numbers = ARRAY[v.number::numeric, 2], span = v.span::interval,
	metadata = format('{"n": %1$s, "list": [%1$s, 1], "object": {"n": %1$s, "a": [%1$s]}}', v.number)::jsonb
FROM (VALUES ('Alpha', '1', '1 day'), ('Beta', '1.0', '24 hours'), ('Gamma', '1.00', '24 hours')) AS v (title, number, span)
WHERE d.title = v.title;
SELECT v.dimension, w.group_key, w.deals
FROM unnest(ARRAY['number', 'numbers', 'metadata.n', 'metadata.list', 'metadata.object', 'span']) WITH ORDINALITY AS v (dimension, no),
	win_rate(:sales, group_by => v.dimension) AS w
WHERE NOT w.is_total ORDER BY v.no, w.group_key;
ROLLBACK;

-- each element of an array is a group, however many dimensions it has, and whatever its elements are; of JSON, each element of the first one
BEGIN;
CREATE DOMAIN words AS text[];
ALTER TABLE deals ADD COLUMN grid text[], ADD COLUMN worded words, ADD COLUMN numbers integer[], ADD COLUMN points point[], ADD COLUMN texts json[], ADD COLUMN doc json, ADD COLUMN lists jsonb;
UPDATE deals SET grid = '{{a,b},{c,a}}', worded = '{{x,NULL}}', numbers = '[0:0][2:3]={{1,2}}', points = '{"(1,2)","(1,2)"}', texts = ARRAY['{"a": 1}', '{"a":1.0}', '2']::json[],
	doc = '["p", 1, 1.0]', lists = '[["a", "b"], ["c"]]' WHERE title = 'Alpha';
UPDATE deals SET grid = '{}', worded = NULL, numbers = '{2}', points = '{}', texts = '{NULL}', doc = 'null', lists = '[[]]' WHERE title = 'Beta';
SELECT v.dimension, w.group_key, w.deals
FROM unnest('{grid,worded,numbers,points,texts,doc,lists}'::text[]) WITH ORDINALITY AS v (dimension, no),
	win_rate(:sales, group_by => v.dimension) AS w
WHERE NOT w.is_total ORDER BY v.no, w.group_key;
-- JSON that jsonb does not take: which column, which value
SAVEPOINT good;
UPDATE deals SET doc = '{"region": "\u0000"}' WHERE title = 'Gamma';
SELECT count(*) FROM win_rate(:sales, group_by => 'doc');
ROLLBACK TO good;
UPDATE deals SET doc = '{"region": "\ud800", "other": 1}' WHERE title = 'Gamma';
SELECT count(*) FROM funnel(:sales, group_by => 'doc.other');
ROLLBACK TO good;
UPDATE deals SET doc = '1e999999' WHERE title = 'Gamma';
SELECT count(*) FROM pipeline_trend(:sales, '2024-01-01', group_by => 'doc');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO good;
UPDATE deals SET texts = ARRAY['1', '"\u0000"']::json[] WHERE title = 'Gamma';
SELECT count(*) FROM forecast(:sales, group_by => 'texts');
ROLLBACK;

-- what deals are not grouped by
SELECT count(*) FROM win_rate(group_by => 'nothing');
SELECT count(*) FROM win_rate(group_by => '');
SELECT count(*) FROM funnel(:sales, group_by => 'ctid');
SELECT count(*) FROM forecast(group_by => 'title.month');
SELECT count(*) FROM forecast(group_by => 'created_at.decade');
SELECT count(*) FROM sales_cycle(group_by => 'metadata.');
SELECT count(*) FROM win_rate(group_by => E'id"; DROP TABLE deals; --');
SELECT count(*) FROM win_rate(group_by => 'd.id');
\echo :LAST_ERROR_SQLSTATE

-- random deals: tags, owners, currencies, reasons, keys of metadata, nulls of all;
-- archived and deleted ones, moves that were taken back
ALTER TABLE deals ADD COLUMN "Weird ""name" text[], ADD COLUMN score numeric, ADD COLUMN spot point, ADD COLUMN extra json;
INSERT INTO tags (id, name) SELECT ('00000000-0000-0000-0000-0000000000e' || n)::uuid, 'Tag ' || n FROM generate_series(1, 3) AS n;
INSERT INTO pipelines (id, name, currency) VALUES ('00000000-0000-0000-0000-000000000003', 'Third', 'EUR');
INSERT INTO stages (id, pipeline_id, name, deal_status)
	SELECT ('00000000-0000-0000-0000-0000000000c' || n)::uuid, '00000000-0000-0000-0000-000000000003', 'Third ' || n,
		CASE n WHEN 3 THEN 'won' WHEN 4 THEN 'lost' ELSE 'open' END
	FROM generate_series(1, 4) AS n;
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2023-01-01', 1.1), ('EUR', 'USD', '2024-03-01', 1.3);
SELECT setseed(0.7);
INSERT INTO deals (stage_id, title, amount, currency, value_period, owner_id, expected_close_date, created_at, metadata, score, "Weird ""name", spot, extra)
	SELECT CASE WHEN n % 3 = 0 THEN '00000000-0000-0000-0000-0000000000c1' ELSE '00000000-0000-0000-0000-0000000000a1' END::uuid, 'Deal ' || n,
		CASE WHEN n % 4 > 0 THEN n END, CASE WHEN n % 4 > 0 THEN (ARRAY['EUR', 'USD'])[n % 2 + 1] END,
		(ARRAY['one_time', 'monthly'])[n % 5 % 2 + 1], CASE WHEN n % 6 > 0 THEN ('00000000-0000-0000-0000-00000000000' || n % 6)::uuid END,
		CASE WHEN n % 3 > 0 THEN '2024-01-15'::date + n % 60 END, '2024-01-01'::timestamptz + random() * interval '70 days',
		CASE n % 4 WHEN 0 THEN '{}' WHEN 1 THEN '{"region": "north", "list": ["a", "b"]}' WHEN 2 THEN '{"region": null, "list": []}'
			ELSE '{"region": "", "list": "a"}' END::jsonb,
		CASE WHEN n % 3 > 0 THEN n % 3 + 0.5 END, CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN '{}' WHEN 2 THEN '{x,y,x}' ELSE '{x,NULL}' END::text[],
		point(n % 2, 0), CASE WHEN n % 2 = 0 THEN '{"a":1}' END::json
	FROM generate_series(1, 90) AS n;
INSERT INTO deal_tags (deal_id, tag_id) SELECT d.id, t.id FROM deals AS d, tags AS t WHERE random() < 0.4;
DO $$
DECLARE
	target uuid;
	chosen text;
BEGIN
	FOR n IN 1 .. 500 LOOP
		chosen := 'Deal ' || 1 + floor(random() * 85)::integer;
		SELECT id INTO target FROM stages WHERE pipeline_id <> '00000000-0000-0000-0000-000000000002' ORDER BY random() LIMIT 1;
		UPDATE deals SET stage_entered_at = stage_entered_at + random() * interval '6 days', stage_id = target,
			lost_reason = CASE WHEN target IN ('00000000-0000-0000-0000-0000000000a5', '00000000-0000-0000-0000-0000000000c4')
				THEN (ARRAY['price', 'time', NULL])[n % 3 + 1] END
		WHERE title = chosen AND stage_id <> target;
		IF n % 9 = 0 THEN
			PERFORM undo_move(d.id) FROM deals AS d
			WHERE title = chosen AND (SELECT count(*) FILTER (WHERE reverts_id IS NULL) > count(reverts_id)
				FROM stage_changes AS c WHERE c.deal_id = d.id);
		END IF;
		UPDATE deals SET expected_close_date = expected_close_date + 20 WHERE title = chosen AND n % 4 = 0 AND expected_close_date IS NOT NULL;
	END LOOP;
END $$;
UPDATE deals SET archived_at = now() WHERE title LIKE '%7';
DELETE FROM deals WHERE title LIKE '%3_';

-- What each dimension is, written down plainly: the groups of a deal.
CREATE FUNCTION groups_of(d deals, dimension text) RETURNS text[] LANGUAGE sql SET search_path FROM CURRENT AS $$
	SELECT CASE WHEN g = '{}' OR g IS NULL THEN ARRAY[NULL] ELSE g END FROM (SELECT CASE dimension
		WHEN 'owner' THEN ARRAY[d.owner_id::text]
		WHEN 'pipeline' THEN ARRAY[d.pipeline_id::text]
		WHEN 'stage' THEN ARRAY[d.stage_id::text]
		WHEN 'tag' THEN ARRAY(SELECT tag_id::text FROM deal_tags WHERE deal_id = d.id)
		WHEN 'lost_reason' THEN ARRAY[d.lost_reason]
		WHEN 'currency' THEN ARRAY[coalesce(d.currency, (SELECT currency FROM pipelines WHERE id = d.pipeline_id))]
		WHEN 'value_period' THEN ARRAY[d.value_period]
		WHEN 'created_month' THEN ARRAY[date_trunc('month', d.created_at)::date::text]
		WHEN 'won_at.quarter' THEN ARRAY[date_trunc('quarter', d.won_at)::date::text]
		WHEN 'metadata.region' THEN ARRAY[d.metadata ->> 'region']
		WHEN 'metadata.list' THEN CASE jsonb_typeof(d.metadata -> 'list')
			WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(d.metadata -> 'list')) ELSE ARRAY[d.metadata ->> 'list'] END
		WHEN 'Weird "name' THEN d."Weird ""name"
		WHEN 'score' THEN ARRAY[d.score::text]
		WHEN 'spot' THEN ARRAY[d.spot::text]
		WHEN 'extra' THEN ARRAY[d.extra::jsonb::text]
	END AS g) AS x
$$;
CREATE TABLE dimensions (dimension text);
INSERT INTO dimensions VALUES ('owner'), ('pipeline'), ('stage'), ('tag'), ('lost_reason'), ('currency'), ('value_period'), ('created_month'),
	('won_at.quarter'), ('metadata.region'), ('metadata.list'), ('Weird "name'), ('score'), ('spot'), ('extra');
CREATE TABLE reports (no int, call text);
INSERT INTO reports VALUES
	(1, $$win_rate(cohort => 'created', group_by => %L)$$), (2, $$win_rate(in_currency => 'USD', group_by => %L)$$), (3, $$sales_cycle(group_by => %L)$$),
	(4, $$sales_velocity(group_by => %L)$$), (5, $$forecast(period => 'week', today => '2024-02-01', group_by => %L)$$),
	(6, $$forecast(in_currency => 'USD', target => 1000, group_by => %L)$$), (7, $$recurring_revenue(group_by => %L)$$),
	(8, $$time_in_stage('00000000-0000-0000-0000-000000000001', with_current => true, group_by => %L)$$),
	(9, $$time_in_stage('00000000-0000-0000-0000-000000000001', 'cumulative', group_by => %L)$$),
	(10, $$funnel('00000000-0000-0000-0000-000000000001', group_by => %L)$$),
	(11, $$funnel('00000000-0000-0000-0000-000000000001', 'direct', 'entered', '2024-01-20', '2024-03-01', in_currency => 'USD', group_by => %L)$$),
	(12, $$stage_conversion('00000000-0000-0000-0000-000000000003', in_currency => 'USD', group_by => %L)$$),
	(13, $$lost_reasons(by_stage => true, group_by => %L)$$), (14, $$stage_flow('00000000-0000-0000-0000-000000000001', 'week', group_by => %L)$$),
	(15, $$stage_flow('00000000-0000-0000-0000-000000000001', in_currency => 'USD', group_by => %L)$$);

-- All reports by five dimensions, and some by all.
CREATE TABLE asked AS
	SELECT d.dimension, r.no, r.call FROM dimensions AS d, reports AS r
	WHERE d.dimension IN ('owner', 'tag', 'currency', 'created_month', 'metadata.region') OR r.no IN (1, 5, 9, 11);

-- What a report tells: by group, or of all deals.
CREATE FUNCTION told(call text, dimension text, key text, total boolean) RETURNS jsonb LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	result jsonb;
BEGIN
	EXECUTE format('SELECT jsonb_agg(to_jsonb(r) - ARRAY[''group_key'', ''group_name'', ''is_total''])
		FROM ' || call || ' AS r WHERE is_total = %L AND (%L OR group_key IS NOT DISTINCT FROM %L)', dimension, total, total, key) INTO result;
	RETURN result;
END $$;
-- What all of them tell if only the deals of one group are there.
CREATE FUNCTION told_alone(dimension text, key text) RETURNS SETOF jsonb LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	result jsonb[];
BEGIN
	BEGIN
		UPDATE deals AS d SET archived_at = now()
		WHERE archived_at IS NULL AND NOT EXISTS (SELECT FROM unnest(groups_of(d, dimension)) AS g WHERE g IS NOT DISTINCT FROM key);
		SELECT array_agg(jsonb_build_array(r.no, told(r.call, NULL, NULL, true))) INTO result FROM asked AS r WHERE r.dimension = told_alone.dimension;
		RAISE SQLSTATE 'UNDOI';
	EXCEPTION WHEN SQLSTATE 'UNDOI' THEN
		RETURN QUERY SELECT unnest(result);
	END;
END $$;
BEGIN;		-- the same now()
CREATE TABLE compared AS
	SELECT r.no, k.dimension, k.key, told(r.call, k.dimension, k.key, false) AS told, nullif(a.alone -> 1, 'null') AS alone
	FROM (SELECT DISTINCT m.dimension, g.key FROM dimensions AS m, deals AS d, unnest(groups_of(d, m.dimension)) AS g (key)
			WHERE d.archived_at IS NULL) AS k
		CROSS JOIN LATERAL told_alone(k.dimension, k.key) AS a (alone)
		JOIN reports AS r ON r.no = (a.alone ->> 0)::integer;
CREATE TABLE totals AS
	SELECT a.no, a.dimension, told(a.call, a.dimension, NULL, true) AS grouped, told(a.call, NULL, NULL, true) AS alone
	FROM asked AS a;
COMMIT;
SELECT count(*) > 400 AS many, count(told) > 350 AS told FROM compared;
-- who has no deals in a report has no rows, but for totals of nothing
SELECT no, dimension, key, told, alone FROM compared
WHERE told IS DISTINCT FROM alone AND NOT (told IS NULL AND NOT jsonb_path_exists(alone, '$[*] ? (@.deals > 0)')) LIMIT 3;
SELECT no, dimension, grouped, alone FROM totals WHERE grouped IS DISTINCT FROM alone LIMIT 3;

-- slippage() has the same, by default each pipeline
SELECT s.group_name, s.is_total, s.deals, s.pushes = CASE WHEN s.is_total THEN sum(s.pushes) FILTER (WHERE NOT s.is_total) OVER () ELSE s.pushes END AS adds_up
FROM slippage() AS s;
SELECT m.dimension FROM dimensions AS m WHERE m.dimension NOT IN ('tag', 'metadata.list', 'Weird "name') AND EXISTS (
	SELECT FROM slippage(group_by => m.dimension) AS s HAVING sum(s.deals) FILTER (WHERE s.is_total) <> sum(s.deals) FILTER (WHERE NOT s.is_total));

-- a column that goes, or gets another name, is a dimension no more
SELECT count(*) FROM win_rate(group_by => 'score');
ALTER TABLE deals RENAME COLUMN score TO points;
SELECT count(*) FROM win_rate(group_by => 'score');
SELECT count(*) FROM win_rate(group_by => 'points');
ALTER TABLE deals DROP COLUMN points;
SELECT count(*) FROM win_rate(group_by => 'points');

RESET search_path;
DROP SCHEMA analytics_groups CASCADE;
