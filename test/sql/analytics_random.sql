-- time_in_stage(), funnel() and stage_conversion() of random histories, beside
-- what their definitions say, written down as plainly as can be.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_random');
SET search_path = analytics_random, public;
SET timezone = 'UTC';
INSERT INTO pipelines (id, name, currency) VALUES
	('00000000-0000-0000-0000-000000000001', 'One', 'USD'),
	('00000000-0000-0000-0000-000000000002', 'Two', 'EUR');
INSERT INTO stages (id, pipeline_id, name, position, deal_status)
	SELECT ('00000000-0000-0000-0000-0000000000' || p || s)::uuid, ('00000000-0000-0000-0000-00000000000' || p)::uuid,
		'Stage ' || p || s, s, CASE s WHEN 3 THEN 'lost' WHEN 5 THEN 'won' WHEN 7 THEN 'won' WHEN 8 THEN 'lost' ELSE 'open' END
	FROM generate_series(1, 2) AS p, generate_series(1, 8) AS s;

-- 250 deals: re-entries, ties, microseconds, moves between pipelines, moves that
-- were taken back (one, several, and again after others), archived and deleted deals
SELECT setseed(0.4);
INSERT INTO deals (stage_id, title, amount, currency, owner_id, created_at)
	SELECT ('00000000-0000-0000-0000-00000000001' || 1 + n % 2)::uuid, 'Deal ' || n,
		CASE WHEN n % 3 > 0 THEN n END, CASE WHEN n % 3 > 0 THEN (ARRAY['EUR', 'USD'])[n % 2 + 1] END,
		CASE WHEN n % 4 > 0 THEN ('00000000-0000-0000-0000-00000000000' || n % 4)::uuid END,
		'2024-01-01'::timestamptz + random() * interval '90 days'
	FROM generate_series(1, 250) AS n;
DO $$
DECLARE
	n integer;
	chosen text;
	target uuid;
	pause interval;
BEGIN
	FOR n IN 1 .. 2400 LOOP
		chosen := 'Deal ' || 1 + floor(random() * 240)::integer;
		target := ('00000000-0000-0000-0000-0000000000' || CASE WHEN random() < 0.2 THEN 2 ELSE 1 END
			|| 1 + floor(random() * 8)::integer);
		pause := CASE WHEN random() < 0.1 THEN interval '0' ELSE random() * interval '9 days' END;
		UPDATE deals SET stage_entered_at = stage_entered_at + pause, stage_id = target
		WHERE title = chosen AND stage_id <> target;
		-- the last move that stands, of one deal several times in a row
		FOR i IN 1 .. CASE WHEN random() < 0.08 THEN floor(random() * 3)::integer ELSE 0 END LOOP
			PERFORM undo_move(d.id) FROM deals AS d
			WHERE title = chosen AND (SELECT count(*) FILTER (WHERE reverts_id IS NULL) > count(reverts_id)
				FROM stage_changes AS c WHERE c.deal_id = d.id);
		END LOOP;
	END LOOP;
END $$;
UPDATE deals SET archived_at = now() WHERE title LIKE '%7';
DELETE FROM deals WHERE title LIKE '%3_';
UPDATE stages SET archived_at = now() WHERE position = 4 OR name = 'Stage 28';
SELECT count(*) > 1500 AS moves, count(reverts_id) > 100 AS undone,
	count(*) FILTER (WHERE changed_at = entered_at) > 50 AS ties,
	count(*) FILTER (WHERE from_pipeline_id <> to_pipeline_id) > 100 AS pipelines,
	count(*) FILTER (WHERE NOT EXISTS (SELECT FROM deals AS d WHERE d.id = deal_id)) > 50 AS deleted
FROM stage_changes;

-- The stays of the deals that count, from the log alone: moves and what took
-- them back cancel out, the last one first.
CREATE TABLE stays AS
	WITH kept AS (
		SELECT c.* FROM stage_changes AS c
		WHERE c.reverts_id IS NULL AND c.id NOT IN (SELECT reverts_id FROM stage_changes WHERE reverts_id IS NOT NULL)
	), log AS (
		SELECT deal_id, move_no, from_pipeline_id AS pipeline_id, from_stage_id AS stage_id, changed_at FROM kept
		UNION ALL
		SELECT id, 1000000, pipeline_id, stage_id, NULL FROM deals
	)
	SELECT l.deal_id, row_number() OVER w AS n, l.pipeline_id, l.stage_id,
		coalesce(lag(l.changed_at) OVER w, d.created_at) AS entered_at, l.changed_at AS exited_at,
		lead(l.stage_id) OVER w AS next_stage_id, d.status, d.owner_id, d.created_at,
		coalesce(d.currency, p.currency) AS currency
	FROM log AS l JOIN deals AS d ON d.id = l.deal_id JOIN pipelines AS p ON p.id = d.pipeline_id
	WHERE d.archived_at IS NULL
	WINDOW w AS (PARTITION BY l.deal_id ORDER BY l.move_no);

ANALYZE stays, stages, deals, stage_changes;

CREATE FUNCTION expected_times(pipeline uuid, measure text, a timestamptz, b timestamptz, owner uuid, cur text)
	RETURNS TABLE (stage_id uuid, deals bigint, visits bigint, average_days numeric, median_days numeric,
		p90_days numeric, max_days numeric) LANGUAGE sql SET search_path FROM CURRENT AS $$
	WITH asked AS MATERIALIZED (
		SELECT * FROM stays AS s WHERE pipeline_id = pipeline AND exited_at IS NOT NULL
			AND entered_at >= coalesce(a, '-infinity') AND entered_at < coalesce(b, 'infinity')
			AND (owner IS NULL OR owner_id = owner) AND (cur IS NULL OR currency = cur)
	), figures AS (
		SELECT stage_id, deal_id, exited_at - entered_at AS days FROM asked WHERE measure = 'visit'
		UNION ALL
		SELECT DISTINCT ON (stage_id, deal_id) stage_id, deal_id, CASE measure
				WHEN 'first' THEN first_value(exited_at - entered_at) OVER (PARTITION BY stage_id, deal_id ORDER BY n)
				WHEN 'latest' THEN first_value(exited_at - entered_at) OVER (PARTITION BY stage_id, deal_id ORDER BY n DESC)
				ELSE sum(exited_at - entered_at) OVER (PARTITION BY stage_id, deal_id) END
		FROM asked WHERE measure <> 'visit'
	), seconds AS (SELECT stage_id, deal_id, extract(epoch FROM days) AS s FROM figures)
	SELECT stage_id, count(DISTINCT deal_id), (SELECT count(*) FROM asked AS k WHERE k.stage_id = seconds.stage_id),
		round(avg(s) / 86400, 6), round((percentile_cont(0.5) WITHIN GROUP (ORDER BY s) / 86400)::numeric, 6),
		round((percentile_cont(0.9) WITHIN GROUP (ORDER BY s) / 86400)::numeric, 6), round(max(s) / 86400, 6)
	FROM seconds GROUP BY stage_id
$$;

-- converted: from a stay that counts to a later one, or straight
CREATE FUNCTION expected_steps(pipeline uuid, rule text, cohort text, a timestamptz, b timestamptz, owner uuid, cur text)
	RETURNS TABLE (from_id uuid, to_id uuid, deals bigint, converted bigint) LANGUAGE sql SET search_path FROM CURRENT AS $$
	WITH asked AS MATERIALIZED (
		SELECT s.*, g.deal_status, g.position,
			cohort = 'created' OR entered_at >= coalesce(a, '-infinity') AND entered_at < coalesce(b, 'infinity') AS counts
		FROM stays AS s JOIN stages AS g ON g.id = s.stage_id
		WHERE s.pipeline_id = pipeline
			AND (cohort <> 'created' OR s.created_at >= coalesce(a, '-infinity') AND s.created_at < coalesce(b, 'infinity'))
			AND (owner IS NULL OR owner_id = owner) AND (cur IS NULL OR currency = cur)
	)
	SELECT f.id, t.id,
		(SELECT count(DISTINCT x.deal_id) FROM asked AS x WHERE x.stage_id = f.id AND x.counts),
		(SELECT count(DISTINCT x.deal_id) FROM asked AS x WHERE x.stage_id = f.id AND x.counts AND CASE rule
			WHEN 'direct' THEN x.next_stage_id = t.id
			ELSE EXISTS (SELECT FROM asked AS y WHERE y.deal_id = x.deal_id AND y.n > x.n AND (y.stage_id = t.id
				OR t.deal_status = 'open' AND (y.deal_status = 'won' OR y.deal_status = 'open' AND y.position > t.position))) END)
	FROM stages AS f, stages AS t WHERE f.pipeline_id = pipeline AND t.pipeline_id = pipeline AND f.id <> t.id
$$;

CREATE TABLE question AS
	SELECT p AS pipeline, a, CASE WHEN a IS NOT NULL THEN a + interval '40 days' END AS b, owner, cur
	FROM (VALUES ('00000000-0000-0000-0000-000000000001'::uuid), ('00000000-0000-0000-0000-000000000002')) AS p (p),
		(VALUES (NULL::timestamptz), ('2024-02-10')) AS a (a),
		(VALUES (NULL::uuid, NULL), ('00000000-0000-0000-0000-000000000002', 'EUR')) AS f (owner, cur);

CREATE TABLE expected_time AS
	SELECT q, m, x.* FROM question AS q, unnest(ARRAY['visit', 'first', 'latest', 'cumulative']) AS m,
		expected_times(q.pipeline, m, q.a, q.b, q.owner, q.cur) AS x;
CREATE TABLE expected_step AS
	SELECT q, r, h, x.* FROM question AS q, unnest(ARRAY['direct', 'reached']) AS r, unnest(ARRAY['created', 'entered']) AS h,
		expected_steps(q.pipeline, r, h, q.a, q.b, q.owner, q.cur) AS x;
-- the funnel has the steps that are next, to any won stage from the last one
CREATE TABLE expected_funnel AS
	WITH asked AS MATERIALIZED (
		SELECT q, r, h, s.*, max(CASE g.deal_status WHEN 'won' THEN 1000 WHEN 'open' THEN g.position END)
				OVER (PARTITION BY q, r, h, deal_id ORDER BY n ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS furthest,
			h = 'created' OR entered_at >= coalesce(q.a, '-infinity') AND entered_at < coalesce(q.b, 'infinity') AS counts
		FROM question AS q, unnest(ARRAY['direct', 'reached']) AS r, unnest(ARRAY['created', 'entered']) AS h,
			stays AS s JOIN stages AS g ON g.id = s.stage_id
		WHERE s.pipeline_id = q.pipeline
			AND (h <> 'created' OR s.created_at >= coalesce(q.a, '-infinity') AND s.created_at < coalesce(q.b, 'infinity'))
			AND (q.owner IS NULL OR owner_id = q.owner) AND (q.cur IS NULL OR currency = q.cur)
	)
	SELECT q, r, h, f.id, count(DISTINCT x.deal_id) AS deals,
		CASE WHEN f.deal_status = 'open' THEN count(DISTINCT x.deal_id) FILTER (WHERE CASE r
			WHEN 'direct' THEN x.next_stage_id = n.id OR n.id IS NULL AND EXISTS (SELECT FROM stages AS w
				WHERE w.id = x.next_stage_id AND w.pipeline_id = f.pipeline_id AND w.deal_status = 'won')
			ELSE x.furthest >= coalesce(n.position, 1000) END) END AS converted,
		count(DISTINCT x.deal_id) FILTER (WHERE x.status = 'won') AS won,
		count(DISTINCT x.deal_id) FILTER (WHERE x.status = 'lost') AS lost,
		count(DISTINCT x.deal_id) FILTER (WHERE x.status = 'open') AS still_open
	FROM asked AS x JOIN stages AS f ON f.id = x.stage_id
		LEFT JOIN LATERAL (SELECT * FROM stages AS n WHERE n.pipeline_id = f.pipeline_id AND n.deal_status = 'open'
			AND n.archived_at IS NULL AND n.position > f.position ORDER BY n.position LIMIT 1) AS n ON true
	WHERE x.counts
	GROUP BY q, r, h, f.id, f.deal_status, n.id;

CREATE FUNCTION differences(OUT times bigint, OUT steps bigint, OUT funnels bigint, OUT rows bigint)
	LANGUAGE sql SET search_path FROM CURRENT AS $$
	WITH t AS (
		SELECT q, m, x.stage_id, x.deals, x.visits, x.average_days, x.median_days, x.p90_days, x.max_days
		FROM question AS q, unnest(ARRAY['visit', 'first', 'latest', 'cumulative']) AS m,
			time_in_stage(q.pipeline, m, false, q.a, q.b, q.owner, q.cur) AS x WHERE x.deals > 0
	), c AS (
		SELECT q, r, h, x.from_stage_id, x.to_stage_id, x.deals, x.converted FROM question AS q,
			unnest(ARRAY['direct', 'reached']) AS r, unnest(ARRAY['created', 'entered']) AS h,
			stage_conversion(q.pipeline, r, h, q.a, q.b, q.owner, q.cur) AS x
	), f AS (
		SELECT q, r, h, x.stage_id, x.deals, x.converted, x.won, x.lost, x.still_open FROM question AS q,
			unnest(ARRAY['direct', 'reached']) AS r, unnest(ARRAY['created', 'entered']) AS h,
			funnel(q.pipeline, r, h, q.a, q.b, q.owner, q.cur) AS x WHERE x.deals > 0
	)
	SELECT (SELECT count(*) FROM ((TABLE t EXCEPT TABLE expected_time) UNION ALL (TABLE expected_time EXCEPT TABLE t)) AS x),
		(SELECT count(*) FROM (TABLE c EXCEPT TABLE expected_step) AS x),
		(SELECT count(*) FROM ((TABLE f EXCEPT TABLE expected_funnel) UNION ALL (TABLE expected_funnel EXCEPT TABLE f)) AS x),
		(SELECT count(*) FROM t) + (SELECT count(*) FROM c) + (SELECT count(*) FROM f)
$$;
SELECT times, steps, funnels, rows > 1000 AS many FROM differences();

-- by several processes, which share a table in blocks, and by partitions: the same
CREATE TABLE moves (LIKE stage_changes) PARTITION BY HASH (id);
CREATE TABLE moves_0 PARTITION OF moves FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE moves_1 PARTITION OF moves FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE moves_2 PARTITION OF moves FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO moves SELECT * FROM stage_changes;
ANALYZE moves;
CREATE FUNCTION histories() RETURNS TABLE (kind text, period timestamptz, line text)
	LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	history bytea := (SELECT crm_stage_history(deal_id, move_no, reverts_no, from_stage_id, to_stage_id, entered_at, changed_at) FROM moves);
	cohort bytea := (SELECT crm_deal_cohort(id, status, stage_id, stage_entered_at) FROM deals);
	ids uuid[] := (SELECT array_agg(id ORDER BY position) FROM stages WHERE name LIKE 'Stage 1%');
	statuses text[] := (SELECT array_agg(deal_status ORDER BY position) FROM stages WHERE name LIKE 'Stage 1%');
BEGIN
	FOREACH period IN ARRAY ARRAY[NULL, '2024-02-10'::timestamptz] LOOP
		FOREACH kind IN ARRAY ARRAY['visit', 'first', 'latest', 'cumulative'] LOOP
			RETURN QUERY SELECT kind, period, t::text FROM crm_stage_times(history, cohort, ids, kind, period) AS t;
		END LOOP;
		FOREACH kind IN ARRAY ARRAY['direct', 'reached'] LOOP
			RETURN QUERY SELECT kind, period, t::text FROM crm_stage_steps(history, cohort, ids, statuses, kind, period) AS t;
		END LOOP;
	END LOOP;
END $$;
BEGIN;		-- the same now()
SET LOCAL max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT * FROM histories();
CREATE FUNCTION partial_aggregates(question text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || question INTO plan;
	RETURN (SELECT count(*) FROM regexp_matches(plan::text, '"Partial Mode": "Partial"', 'g'));
END $$;
SELECT partial_aggregates($$SELECT crm_stage_history(deal_id, move_no, reverts_no, from_stage_id, to_stage_id, entered_at, changed_at) FROM moves$$);
SET LOCAL enable_partitionwise_aggregate = on;
SELECT partial_aggregates($$SELECT crm_stage_history(deal_id, move_no, reverts_no, from_stage_id, to_stage_id, entered_at, changed_at) FROM moves$$);
DISCARD PLANS;
CREATE TABLE by_partition AS SELECT * FROM histories();
SET LOCAL enable_partitionwise_aggregate = off;
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0;
SELECT partial_aggregates($$SELECT crm_stage_history(deal_id, move_no, reverts_no, from_stage_id, to_stage_id, entered_at, changed_at) FROM moves$$);
DISCARD PLANS;
CREATE TABLE parallel AS SELECT * FROM histories();
SELECT (SELECT count(*) > 200 FROM serial) AS many,
	(SELECT count(*) FROM (TABLE serial EXCEPT TABLE by_partition) AS x) AS differ,
	(SELECT count(*) FROM (TABLE serial EXCEPT TABLE parallel) AS x) AS differ_too;
CREATE TABLE by_function AS SELECT m, x.* FROM unnest(ARRAY['visit', 'first', 'latest', 'cumulative']) AS m,
	time_in_stage('00000000-0000-0000-0000-000000000001', m, true) AS x;
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT count(*) AS differ FROM (TABLE by_function EXCEPT SELECT m, x.* FROM unnest(ARRAY['visit', 'first', 'latest', 'cumulative']) AS m,
	time_in_stage('00000000-0000-0000-0000-000000000001', m, true) AS x) AS y;
COMMIT;

RESET search_path;
DROP SCHEMA analytics_random CASCADE;
