-- crm_stage_history(), crm_deal_cohort(), crm_stage_times() and crm_stage_steps() over queries of one's own
\set SHOW_CONTEXT never
SET timezone = 'UTC';
CREATE TABLE cases (id uuid, stage uuid, status text, since timestamptz);
CREATE TABLE stays (case_id uuid, n int, reverts int, stage uuid, next uuid, since timestamptz, until timestamptz);
CREATE FUNCTION s(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
	SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION n(id uuid) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT right(id::text, 12)::integer $$;
CREATE FUNCTION history() RETURNS bytea LANGUAGE sql AS $$
	SELECT crm_stage_history(case_id, n, reverts, stage, next, since, until) FROM stays $$;
CREATE FUNCTION cohort() RETURNS bytea LANGUAGE sql AS $$ SELECT crm_deal_cohort(id, status, stage, since) FROM cases $$;
CREATE FUNCTION times(measure text, a timestamptz DEFAULT NULL, b timestamptz DEFAULT NULL, history bytea DEFAULT history(),
		cohort bytea DEFAULT cohort(), stages uuid[] DEFAULT ARRAY[s(1), s(2), s(3), s(4)], percentiles boolean DEFAULT true)
	RETURNS TABLE (line text) LANGUAGE sql AS $$
	SELECT format('%s: %s deals (%s open, %s won, %s lost), %s visits, total %s, longest %s, median %s, p90 %s', n(stage_id), deals,
		open_deals, won_deals, lost_deals, visits, trim_scale(total_seconds), trim_scale(longest_seconds),
		coalesce(trim_scale(median_seconds)::text, 'null'), coalesce(trim_scale(p90_seconds)::text, 'null'))
	FROM crm_stage_times(history, cohort, stages, measure, a, b, percentiles) $$;
CREATE FUNCTION steps(rule text, a timestamptz DEFAULT NULL, b timestamptz DEFAULT NULL, history bytea DEFAULT history(),
		cohort bytea DEFAULT cohort(), stages uuid[] DEFAULT ARRAY[s(1), s(2), s(3), s(4)],
		statuses text[] DEFAULT '{open,open,won,lost}') RETURNS TABLE (line text) LANGUAGE sql AS $$
	SELECT CASE WHEN to_stage_id IS NULL THEN format('%s: %s deals (%s open, %s won, %s lost), %s to won', n(from_stage_id), deals,
			open_deals, won_deals, lost_deals, to_won)
		ELSE format('%s to %s: %s', n(from_stage_id), n(to_stage_id), deals) END
	FROM crm_stage_steps(history, cohort, stages, statuses, rule, a, b) $$;

-- no rows, no deals, no stays, no stages
SELECT times('visit'), steps('reached');
SELECT count(*) FROM crm_stage_times(NULL, NULL, NULL);
SELECT count(*) FROM crm_stage_steps(NULL, NULL, NULL, NULL);
INSERT INTO stays VALUES (s(101), 1, NULL, s(1), s(2), '2024-01-01', '2024-01-02');
SELECT times('visit');
SELECT times('visit', cohort => NULL);
INSERT INTO cases VALUES (s(101), NULL, 'won', '2024-01-09'), (s(102), NULL, 'open', '2024-01-05'), (s(103), NULL, 'lost', NULL);
SELECT times('visit', history => NULL);
SELECT times('visit', stages => NULL);
INSERT INTO stays VALUES (s(101), 2, NULL, s(2), s(1), '2024-01-02', '2024-01-05'), (s(101), 3, NULL, s(1), s(3), '2024-01-05', '2024-01-09');
SELECT times('visit');
SELECT times('visit', percentiles => false);
SELECT times('visit', percentiles => NULL);
SELECT times('first');
SELECT times('latest');
SELECT times('cumulative');
-- in any order, with present stays, in a period
UPDATE cases SET stage = s(3) WHERE id = s(101);
UPDATE cases SET stage = s(1) WHERE id = s(102);
SELECT steps('reached');
SELECT steps('direct');
CREATE FUNCTION backwards() RETURNS bytea LANGUAGE sql AS $$
	SELECT crm_stage_history(case_id, n, reverts, stage, next, since, until ORDER BY n DESC) FROM stays $$;
SELECT count(*) FROM (SELECT steps('reached') EXCEPT SELECT steps('reached', history => backwards())) AS x;
SELECT count(*) FROM (SELECT times('latest') EXCEPT SELECT times('latest', history => backwards())) AS x;
SELECT steps('reached', '2024-01-02', '2024-01-05');
SELECT times('visit', '2024-01-02', '2024-01-05');
-- without what is not needed
SELECT count(*) FROM (SELECT steps('reached') EXCEPT
	SELECT steps('reached', history => (SELECT crm_stage_history(case_id, n, reverts, stage, NULL, NULL, NULL) FROM stays))) AS x;
SELECT steps('direct', history => (SELECT crm_stage_history(case_id, n, reverts, stage, NULL, since, until) FROM stays));

-- moves that were taken back, before or after; of deals that are not there, or have no such move
BEGIN;
INSERT INTO stays VALUES (s(101), 4, 2, s(1), s(2), '2024-01-05', '2024-01-06'), (s(7), 2, 1, s(1), s(2), '2024-01-05', '2024-01-06'),
	(s(101), 5, 0, s(1), s(2), '2024-01-05', '2024-01-06'), (s(101), 6, 77, NULL, NULL, NULL, NULL);
SELECT steps('reached');
SELECT count(*) FROM (SELECT steps('reached') EXCEPT SELECT steps('reached', history => backwards())) AS x;
-- done again, and taken back again
INSERT INTO stays VALUES (s(101), 7, NULL, s(2), s(1), '2024-01-02', '2024-01-05'), (s(101), 8, 7, s(1), s(2), '2024-01-05', '2024-01-06'),
	(s(101), 9, NULL, s(2), s(1), '2024-01-02', '2024-01-04');
UPDATE cases SET stage = NULL;
SELECT times('visit');
ROLLBACK;
-- numbers with gaps, huge ones and twice the same: nobody is refused, and the order of the rows tells nothing
BEGIN;
INSERT INTO stays VALUES (s(101), 2147483647, NULL, s(4), NULL, '2024-01-09', '2024-01-10'), (s(102), 500000000, NULL, s(2), s(1), '2024-01-01', '2024-01-04'),
	(s(103), -2147483648, NULL, s(1), s(2), '2024-01-01', '2024-01-02'), (s(103), 7, NULL, s(2), s(4), '2024-01-02', '2024-01-03'),
	(s(103), 7, NULL, s(2), s(1), '2024-01-04', '2024-01-09'), (s(103), 7, NULL, s(2), s(4), '2024-01-02', '2024-01-03');
SELECT steps('reached');
SELECT count(*) FROM (SELECT steps('reached') EXCEPT SELECT steps('reached', history => backwards())) AS x;
UPDATE cases SET stage = NULL;
SELECT times('latest');
SELECT count(*) FROM (SELECT times('latest') EXCEPT SELECT times('latest', history => backwards())) AS x;
ROLLBACK;
-- rows that say nothing; infinite times; stages that were not asked for
BEGIN;
INSERT INTO stays VALUES (NULL, 1, NULL, s(1), NULL, NULL, NULL), (s(102), NULL, NULL, s(1), NULL, NULL, NULL),
	(s(102), 1, NULL, NULL, NULL, NULL, NULL), (s(102), 1, NULL, s(9), s(1), '2024-01-01', '2024-01-02'), (s(104), 1, NULL, s(1), s(2), now(), now()),
	(s(102), 1, NULL, s(2), NULL, '-infinity', '2024-01-02'), (s(103), 1, NULL, s(2), NULL, '2024-01-01', NULL), (s(103), 2, NULL, s(2), NULL, '2024-01-01', 'infinity');
INSERT INTO cases VALUES (NULL, s(1), 'open', now());
UPDATE cases SET stage = NULL;
SELECT times('visit');
ROLLBACK;
-- a microsecond, 300 years, and more than there is
BEGIN;
DELETE FROM stays;
UPDATE cases SET stage = NULL;
INSERT INTO stays VALUES (s(101), 1, NULL, s(1), s(2), '2024-01-01', '2024-01-01 00:00:00.000001'), (s(102), 1, NULL, s(1), s(2), '1724-01-01', '2024-01-01');
SELECT times('visit');
INSERT INTO stays VALUES (s(103), 1, NULL, s(1), s(2), '4713-01-01 BC', '294276-01-01'), (s(103), 2, NULL, s(1), s(2), '4713-01-01 BC', '200000-01-01'),
	(s(103), 3, NULL, s(1), s(2), '4713-01-01 BC', '200000-01-01');
SELECT times('visit');
SELECT times('cumulative');
ROLLBACK;
-- more stages than a machine word has bits, and more than a pipeline may have
BEGIN;
INSERT INTO cases SELECT s(5000), s(1101), 'open', '2024-06-01';
INSERT INTO stays SELECT s(5000), n, NULL, s(100 + n), s(101 + n), '2024-01-01'::timestamptz + n * interval '1 day',
	'2024-01-02'::timestamptz + n * interval '1 day' FROM generate_series(1, 1000) AS n;
SELECT (SELECT count(*) FROM times('visit', stages => ids)) AS stages,
	(SELECT count(*) FILTER (WHERE line LIKE '%deal%') || ', ' || count(*) FILTER (WHERE line LIKE '% to 1%') FROM steps('direct', stages => ids, statuses => all_open)) AS direct,
	(SELECT count(*) FROM steps('reached', stages => ids, statuses => all_open)) AS reached
FROM (SELECT array_agg(s(n) ORDER BY n), array_fill('open'::text, ARRAY[1000]) FROM generate_series(101, 1100) AS n) AS x (ids, all_open);
SELECT times('visit', stages => (SELECT array_agg(s(n)) FROM generate_series(1, 1001) AS n));
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;

-- percentiles as percentile_cont() has them, whatever the figures and the memory are
CREATE TABLE many AS
	SELECT g AS set, s(10000 + n) AS id, s(1 + n % 3) AS stage, CASE g WHEN 1 THEN floor(random() * 1e12) WHEN 2 THEN n % 5 WHEN 3 THEN n
		WHEN 4 THEN -n WHEN 5 THEN floor(exp(random() * 28)) WHEN 6 THEN CASE WHEN n < 7 THEN 1e15 * (n % 2 * 2 - 1) ELSE n % 20011 END ELSE 7 END * interval '1 microsecond' AS duration
	FROM generate_series(1, 7) AS g, generate_series(1, 45000) AS n;
CREATE TABLE percentiles AS
	SELECT set, stage, percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM duration)) AS median,
		percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM duration)) AS p90 FROM many GROUP BY set, stage;
CREATE TABLE logs AS
	SELECT set, crm_stage_history(id, 1, NULL, stage, NULL, '2024-01-01', '2024-01-01'::timestamptz + duration) AS history,
		crm_deal_cohort(id, 'open', NULL, NULL) AS cohort FROM many GROUP BY set;
CREATE VIEW compared AS
	SELECT set, count(*) AS stages, bool_and(abs(median_seconds - median::numeric) < 0.000002 AND abs(p90_seconds - p90::numeric) < 0.000002) AS same
	FROM logs CROSS JOIN LATERAL crm_stage_times(history, cohort, ARRAY[s(1), s(2), s(3)]) AS t JOIN percentiles AS p USING (set)
	WHERE p.stage = t.stage_id GROUP BY set ORDER BY set;
SET temp_file_limit = 0;
SELECT * FROM compared;
SET work_mem = '64kB';
\set VERBOSITY sqlstate
SELECT * FROM compared;
\set VERBOSITY default
RESET temp_file_limit;
SELECT * FROM compared;
RESET work_mem;
DROP VIEW compared;

-- values that were combined by hand; in windows, whose states are read again and again
CREATE AGGREGATE combined(bytea) (SFUNC = crm_stage_history_combine, STYPE = bytea, FINALFUNC = crm_stage_history_final);
SELECT count(*) FROM (SELECT steps('direct') UNION ALL SELECT times('latest') EXCEPT ALL (
	SELECT steps('direct', history => h) FROM (SELECT combined(h) AS h FROM (
		SELECT crm_stage_history(case_id, n, reverts, stage, next, since, until) AS h FROM stays GROUP BY n UNION ALL SELECT NULL) AS x) AS y
	UNION ALL
	SELECT times('latest', history => h) FROM (SELECT combined(h) AS h FROM (
		SELECT crm_stage_history(case_id, n, reverts, stage, next, since, until) AS h FROM stays GROUP BY n UNION ALL SELECT NULL) AS x) AS y)) AS z;
SELECT n, (SELECT sum(visits) FROM crm_stage_times(h, cohort(), ARRAY[s(1), s(2)])) AS visits
FROM (SELECT n, crm_stage_history(case_id, n, reverts, stage, next, since, until) OVER (ORDER BY n) AS h FROM stays) AS x;
SELECT crm_stage_history_add(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

-- ids that differ in few bits, as somebody may choose them
SELECT deals, visits FROM crm_stage_times(
	(SELECT crm_stage_history(i, 1, NULL, s(1), NULL, '2024-01-01', '2024-01-02') FROM (SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n << 16), 12, '0'))::uuid AS i FROM generate_series(1, 50000) AS n) AS x),
	(SELECT crm_deal_cohort(i, 'open', NULL, NULL) FROM (SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n << 16), 12, '0'))::uuid AS i FROM generate_series(1, 50000) AS n) AS x),
	ARRAY[s(1)]);

-- cancelled, in each of the loops: at once, though in the order that a sort likes least
CREATE TABLE values_of AS SELECT
	(SELECT crm_stage_history(s(1), (n::bigint * 7919 % 1000003)::integer, CASE WHEN n % 2 = 0 THEN n END, s(1), s(1), '2024-01-01', '2024-01-01'::timestamptz + n * interval '1 second') FROM generate_series(1, 1500000) AS n) AS history,
	(SELECT crm_deal_cohort(s(1), 'open', NULL, NULL)) AS cohort;
CREATE FUNCTION is_cancelled(milliseconds integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	begun timestamptz := clock_timestamp();
BEGIN
	PERFORM crm_stage_times(history, cohort, ARRAY[s(1)]), crm_stage_steps(history, cohort, ARRAY[s(1)], '{open}') FROM values_of, generate_series(1, 100);
	RETURN false;
EXCEPTION WHEN query_canceled THEN
	RETURN clock_timestamp() < begun + milliseconds * interval '1 ms' + interval '1 s';
END $$;
SET statement_timeout = 50;
SELECT is_cancelled(50);
SET statement_timeout = 150;
SELECT is_cancelled(150);
SET statement_timeout = 400;
SELECT is_cancelled(400);
RESET statement_timeout;

-- what is refused
SELECT times('visits');
SELECT times(NULL);
SELECT steps('any');
SELECT steps(NULL);
SELECT steps('direct', stages => ARRAY[s(1)]);
SELECT times('visit', stages => ARRAY[s(1), s(1)]);
SELECT times('visit', stages => ARRAY[s(1), NULL]);
SELECT steps('direct', stages => ARRAY[s(1)], statuses => '{opened}');
SELECT steps('direct', stages => ARRAY[s(1)], statuses => ARRAY[NULL]);
SELECT crm_deal_cohort(s(1), NULL, NULL, NULL);
SELECT crm_deal_cohort(s(1), 'opened', NULL, NULL);
SELECT times('visit', cohort => (SELECT crm_deal_cohort(id, status, NULL, NULL) FROM (TABLE cases UNION ALL TABLE cases) AS x WHERE id = s(101)));
-- no such value, whatever the bytes; one in the place of the other
SELECT times('visit', history => '');
SELECT times('visit', cohort => history());
SELECT times('visit', history => decode(repeat('00', 100), 'hex'));
CREATE AGGREGATE from_bytes(uuid, integer, integer, uuid, uuid, timestamptz, timestamptz) (
	SFUNC = crm_stage_history_add, STYPE = bytea, INITCOND = '\x00112233445566778899');
SELECT from_bytes(case_id, n, reverts, stage, next, since, until) FROM stays;
CREATE FUNCTION attempt(history bytea, cohort bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT count(*) >= 0 FROM times('latest', history => history, cohort => cohort))
		AND (SELECT count(*) >= 0 FROM (SELECT combined(history) AS h) AS x, steps('direct', history => x.h, cohort => cohort));
EXCEPTION WHEN invalid_parameter_value OR program_limit_exceeded THEN
	RETURN SQLSTATE;
END $$;
SELECT setseed(0.5);
WITH sound AS MATERIALIZED (
	SELECT history() AS h, cohort() AS c, n FROM generate_series(1, 400) AS n
), damaged AS MATERIALIZED (
	SELECT set_byte(h, floor(random() * length(h))::integer, floor(random() * 256)::integer) AS h, c FROM sound
	UNION ALL
	SELECT h, set_byte(c, floor(random() * length(c))::integer, floor(random() * 256)::integer) FROM sound
	UNION ALL
	SELECT substr(h, 1, n), c FROM sound WHERE n < length(h)
	UNION ALL
	SELECT h, substr(c, 1, n) FROM sound WHERE n < length(c)
)
SELECT count(*) > 1000 AS many, count(*) FILTER (WHERE a = '22023') > 300 AS refused,
	count(*) FILTER (WHERE a NOT IN ('true', '22023')) AS odd
FROM (SELECT attempt(h, c) AS a FROM damaged) AS x;

DROP TABLE cases, stays, many, percentiles, logs, values_of;
DROP AGGREGATE combined(bytea);
DROP AGGREGATE from_bytes(uuid, integer, integer, uuid, uuid, timestamptz, timestamptz);
DROP FUNCTION times, steps, history, cohort, backwards, is_cancelled, attempt, s, n;
