-- crm_cohort() and crm_stage_history() over queries of one's own
\set SHOW_CONTEXT never
SET timezone = 'UTC';
CREATE TABLE cases (id uuid, moves int, stage uuid, status text, since timestamptz);
CREATE TABLE stays (case_id uuid, n int, stage uuid, next uuid, since timestamptz, until timestamptz);
CREATE FUNCTION s(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
	SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION history(figures text, undone_deals uuid[] DEFAULT NULL, undone_moves int[] DEFAULT NULL,
		a timestamptz DEFAULT NULL, b timestamptz DEFAULT NULL,
		stages uuid[] DEFAULT ARRAY[s(1), s(2), s(3), s(4)],
		statuses text[] DEFAULT '{open,open,won,lost}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT crm_stage_history((SELECT crm_cohort(id, moves, stage, status, since, stages, statuses,
			undone_deals, undone_moves, figures, a, b) FROM cases),
		case_id, n, stage, next, since, until) FROM stays $$;
CREATE FUNCTION lines(history jsonb) RETURNS TABLE (line text) LANGUAGE sql AS $$
	SELECT replace(x::text, '00000000-0000-0000-0000-00000000', '')
	FROM jsonb_array_elements(history -> 'stages' || (history -> 'steps')) AS x $$;

-- no rows, no deals, no stays
SELECT history('visit');
INSERT INTO stays VALUES (s(101), 1, s(1), s(2), '2024-01-01', '2024-01-02');
SELECT history('visit') IS NULL AS no_cohort;
INSERT INTO cases VALUES (s(101), 3, s(3), 'won', '2024-01-09'), (s(102), 0, s(1), 'open', '2024-01-05'), (s(103), 0, NULL, 'lost', NULL);
INSERT INTO stays VALUES (s(101), 2, s(2), s(1), '2024-01-02', '2024-01-05'), (s(101), 3, s(1), s(3), '2024-01-05', '2024-01-09');
UPDATE cases SET stage = NULL;
SELECT lines(history('visit'));
SELECT lines(history('first'));
SELECT lines(history('latest'));
SELECT lines(history('cumulative'));
-- in any order, with present stays, in a period
UPDATE cases SET stage = s(3) WHERE id = s(101);
UPDATE cases SET stage = s(1) WHERE id = s(102);
SELECT lines(history('reached'));
SELECT lines(history('direct'));
CREATE TABLE backwards AS SELECT * FROM stays ORDER BY n DESC;
SELECT history('reached') = crm_stage_history((SELECT crm_cohort(id, moves, stage, status, since, ARRAY[s(1), s(2), s(3), s(4)],
	'{open,open,won,lost}', NULL, NULL, 'reached', NULL, NULL) FROM cases), case_id, n, stage, next, since, until) AS same FROM backwards;
SELECT lines(history('reached', a => '2024-01-02', b => '2024-01-05'));
-- moves that were taken back; of deals that are not there, or have no such move
SELECT lines(history('reached', ARRAY[s(101), s(101), s(7), s(101), s(101)], ARRAY[2, 3, 1, 0, 4]));
-- rows that say nothing; infinite times; stages that were not asked for
BEGIN;
INSERT INTO stays VALUES (NULL, 1, s(1), NULL, NULL, NULL), (s(102), NULL, s(1), NULL, NULL, NULL),
	(s(102), 1, NULL, NULL, NULL, NULL), (s(102), 1, s(9), s(1), '2024-01-01', '2024-01-02'), (s(104), 1, s(1), s(2), now(), now());
UPDATE cases SET stage = NULL;
INSERT INTO stays VALUES (s(102), 1, s(2), NULL, '-infinity', '2024-01-02'), (s(103), 1, s(2), NULL, '2024-01-01', NULL);
SELECT lines(history('visit'));
ROLLBACK;
-- a microsecond, 300 years, and more than there is
BEGIN;
DELETE FROM stays;
UPDATE cases SET stage = NULL;
INSERT INTO stays VALUES (s(101), 1, s(1), s(2), '2024-01-01', '2024-01-01 00:00:00.000001'), (s(102), 1, s(1), s(2), '1724-01-01', '2024-01-01');
SELECT lines(history('visit'));
INSERT INTO stays SELECT s(103), 1, s(1), s(2), '4713-01-01 BC', '294276-01-01';
SELECT lines(history('visit'));
ROLLBACK;
-- more stages than a machine word has bits
BEGIN;
INSERT INTO cases SELECT s(1000), 99, s(200), 'open', '2024-06-01';
INSERT INTO stays SELECT s(1000), n, s(100 + n), s(101 + n), '2024-01-01'::timestamptz + n * interval '1 day',
	'2024-01-02'::timestamptz + n * interval '1 day' FROM generate_series(1, 99) AS n;
SELECT figures, jsonb_array_length(h -> 'stages') AS stages, jsonb_array_length(h -> 'steps') AS steps
FROM unnest(ARRAY['visit', 'cumulative', 'direct', 'reached']) AS figures,
	history(figures, stages => (SELECT array_agg(s(n) ORDER BY n) FROM generate_series(101, 200) AS n),
		statuses => array_fill('open'::text, ARRAY[100])) AS h;
ROLLBACK;

-- what is refused
SELECT history('visits');
SELECT history(NULL);
SELECT history('visit', stages => ARRAY[s(1)]);
SELECT history('visit', stages => ARRAY[s(1), s(1)], statuses => '{open,open}');
SELECT history('visit', stages => ARRAY[s(1), NULL], statuses => '{open,open}');
SELECT history('visit', stages => ARRAY[s(1)], statuses => '{opened}');
SELECT history('visit', ARRAY[s(1)]);
SELECT crm_cohort(s(1), -1, NULL, 'open', NULL, NULL, NULL, NULL, NULL, 'visit', NULL, NULL);
SELECT crm_cohort(s(1), 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'visit', NULL, NULL);
INSERT INTO stays SELECT * FROM stays WHERE n = 2;
SELECT history('visit');
UPDATE stays SET n = 5 WHERE n = 2;
SELECT history('visit');
UPDATE stays SET n = 0 WHERE n = 5;
SELECT history('visit');
DELETE FROM stays WHERE n = 0;
INSERT INTO cases SELECT * FROM cases LIMIT 1;
SELECT history('visit');
-- so many moves that memory would not do
TRUNCATE cases;
INSERT INTO cases VALUES (s(101), 2147483647, NULL, 'open', NULL);
SELECT history('visit');
UPDATE cases SET moves = 3;
-- no cohort, whatever the bytes
SELECT crm_stage_history(c, s(1), 1, s(1), NULL, NULL, NULL) FROM (VALUES (''::bytea)) AS x (c);
SELECT crm_stage_history(c, s(1), 1, s(1), NULL, NULL, NULL) FROM (SELECT decode(repeat('00', 100), 'hex')) AS x (c);
CREATE FUNCTION attempt(cohort bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN crm_stage_history(cohort, s(101), 1, s(1), s(2), now(), now()) IS NULL;
EXCEPTION WHEN invalid_parameter_value OR program_limit_exceeded THEN
	RETURN SQLSTATE;
END $$;
SELECT setseed(0.5);
WITH cohort AS MATERIALIZED (
	SELECT crm_cohort(id, 1, stage, status, since, ARRAY[s(1), s(2)], '{open,won}', ARRAY[s(101)], ARRAY[1], f, NULL, NULL) AS c
	FROM (SELECT DISTINCT * FROM cases) AS x, unnest(ARRAY['visit', 'latest', 'direct', 'reached']) AS f GROUP BY f
), damaged AS MATERIALIZED (
	SELECT set_byte(c, floor(random() * length(c))::integer, floor(random() * 256)::integer) AS c, n FROM cohort, generate_series(1, 150) AS n
	UNION ALL
	SELECT substr(c, 1, n), n FROM cohort, generate_series(0, length(c)) AS n WHERE n < length(c)
)
SELECT count(*) > 1000 AS many, count(*) FILTER (WHERE a = '22023') > 300 AS refused,
	count(*) FILTER (WHERE a NOT IN ('false', '22023', '54000')) AS odd
FROM (SELECT attempt(c) AS a FROM damaged) AS x;

DROP TABLE cases, stays, backwards;
DROP FUNCTION history, lines, attempt, s;
