-- Arithmetic, equality, hashing and storage of crm_summary.

CREATE FUNCTION s(text) RETURNS crm_summary LANGUAGE sql IMMUTABLE AS $$ SELECT $1::crm_summary $$;

SELECT s('[{"deals": 1, "value": 5}]') + '[{"deals": 2, "value": 0.5, "weighted_value": 1}]';
SELECT s('[{"deals": 1, "value": 5}]') - '[{"deals": 2, "value": 0.5, "weighted_value": 1}]';
SELECT s('[{"deals": 1}]') + '[{"deals": 1, "currency": "USD"}]' = '[{"deals": 1}, {"deals": 1, "currency": "USD"}]';
SELECT s('[{"deals": 1}]') - '[{"deals": 1}]', s('[]') + '[]', s('[]') - '[]';
SELECT s('[]') - '[{"deals": 1, "deals_without_amount": 1, "deals_without_probability": 4, "value": 2, "weighted_value": 3}]';
SELECT s('[{"deals": 1}]') + NULL, NULL - s('[{"deals": 1}]'), s('[]') = NULL;
SELECT s('[]') = '[]', s('[{"deals": 1}]') = '[{"deals": 2}]', s('[{"deals": 1}]') = '[{"deals": 1, "value": 1}]',
	s('[{"deals": 1}]') = '[{"deals": 1, "currency": "USD"}]', s('[{"deals": 1}]') <> '[]', s('[]') <> '[{}]';
SELECT '[{"deals": 9223372036854775807}]'::crm_summary + '[{"deals": 1}]';
SELECT '[{"deals": -9223372036854775808}]'::crm_summary - '[{"deals": 1}]';
SELECT '[]'::crm_summary - '[{"deals": -9223372036854775808}]';
SELECT '[]'::crm_summary - '[{"value": -17014118346046923173168730371588410.5728}]';
SELECT '[{"weighted_value": 1701411834604692317316873037158.84105727}]'::crm_summary + '[{"weighted_value": 0.00000001}]';

-- The laws of a group, over random summaries with keys in common
SELECT setseed(0.1);
CREATE TABLE x AS
SELECT id, crm_pipeline_summary(CASE WHEN random() < 0.9 THEN lpad((random() * 9)::int::text, 32, '0')::uuid END,
		CASE WHEN random() < 0.9 THEN ((random() - 0.5) * 1e6)::numeric(19, 4) END,
		(ARRAY['USD', 'EUR', 'GBP', NULL])[1 + (random() * 3)::int], CASE WHEN random() < 0.9 THEN random()::numeric(5, 4) END,
		(ARRAY['one_time', 'monthly', 'quarterly', 'annual', NULL])[1 + (random() * 4)::int]) AS s
FROM generate_series(1, 1200) g (g), LATERAL (SELECT (random() * 20)::int + 0 * g) i (id) GROUP BY id;
SELECT count(*) AS triples, bool_and((a.s + b.s) + c.s = a.s + (b.s + c.s)) AS associative, bool_and(a.s + b.s = b.s + a.s) AS commutative,
	bool_and(a.s + b.s - b.s = a.s) AS inverse, bool_and(a.s - b.s - c.s = a.s - (b.s + c.s)) AS minus,
	bool_and(a.s - a.s = '[]') AS nothing, bool_and(a.s + '[]' = a.s) AS neutral,
	bool_and((a.s = b.s) = (a.s - b.s = '[]')) AS equality, bool_and((a.s = b.s) = (a.s::text = b.s::text)) AS text,
	bool_and((a.s = b.s) <> (a.s <> b.s)) AS negator
FROM x a, x b, x c;
SELECT crm_pipeline_summary(s) = (SELECT sum FROM (WITH RECURSIVE r AS (
		SELECT -1 AS id, '[]'::crm_summary AS sum
		UNION ALL
		SELECT x.id, r.sum + x.s FROM r JOIN x ON x.id = r.id + 1) SELECT * FROM r) r ORDER BY id DESC LIMIT 1) AS sum_of_all FROM x;
-- of rows, as SQL adds them
SELECT count(*) AS differences FROM (
	SELECT r.* FROM (SELECT crm_pipeline_summary(s) FROM x) t (t), crm_summary_rows(t) r
	EXCEPT ALL
	SELECT stage_id, currency, value_period, sum(deals)::bigint, sum(deals_without_amount)::bigint, sum(deals_without_probability)::bigint, sum(value), sum(weighted_value)
	FROM x, crm_summary_rows(s) GROUP BY 1, 2, 3
) d;

-- Hashing: DISTINCT, GROUP BY, hash joins, hash partitions
CREATE TABLE many (id int, s crm_summary);
INSERT INTO many SELECT g, format('[{"deals": %s}, {"currency": "USD", "value": %s}]', 1 + g % 50, g % 2)::crm_summary FROM generate_series(1, 1000) g;
SELECT count(*), sum(n), min(n), max(n) FROM (SELECT s, count(*) n FROM many GROUP BY s) x;
SELECT count(*) FROM (SELECT DISTINCT s FROM many) x;
SELECT count(*) FROM (SELECT s FROM many EXCEPT SELECT s FROM many WHERE id <= 10) x;
SET enable_nestloop = off; SET enable_mergejoin = off;
SELECT count(*) FROM many a JOIN many b ON a.s = b.s AND a.id <> b.id;
RESET enable_nestloop; RESET enable_mergejoin;
SELECT count(DISTINCT crm_summary_hash(s)) > 45 AS spread, count(DISTINCT crm_summary_hash_extended(s, 7)) > 45 AS spread_too,
	bool_and(crm_summary_hash_extended(s, 0) <> crm_summary_hash_extended(s, 1)) AS seeded,
	bool_and((crm_summary_hash_extended(s, 0) & 4294967295)::bit(32) = crm_summary_hash(s)::bit(32)) AS consistent FROM many;
CREATE TABLE parted (s crm_summary) PARTITION BY HASH (s);
CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parted SELECT s FROM many;
SELECT count(DISTINCT tableoid), count(*) FROM parted;

-- Stored: short, compressed, out of line, in an index and a temporary file
CREATE TABLE stored (id int PRIMARY KEY, s crm_summary);
INSERT INTO stored
SELECT n, crm_pipeline_summary(CASE WHEN g > 0 THEN md5(g::text)::uuid END, g, 'USD', 0.5)
FROM unnest(ARRAY[1, 2, 10, 100, 10000]) n, generate_series(1, n) g GROUP BY n;
INSERT INTO stored VALUES (0, '[]');
CREATE INDEX ON stored USING hash (s);
SELECT id, pg_column_size(s) <= 80 * id + 8 AS compact FROM stored ORDER BY id;
SELECT a.id, a.s = b.s, a.s - b.s, (SELECT count(*) FROM crm_summary_rows(a.s)) AS rows
FROM stored a, LATERAL (SELECT crm_pipeline_summary(md5(g::text)::uuid, g, 'USD', 0.5) FROM generate_series(1, a.id) g) b (s) ORDER BY a.id;
SET enable_seqscan = off;
SELECT id FROM stored WHERE s = (SELECT s FROM stored WHERE id = 100);
RESET enable_seqscan;
SELECT id, r.* FROM stored, crm_summary_rows(s) r WHERE id IN (1, 2) ORDER BY id, stage_id;
-- rows come in order, and can be asked for in the select list, and left early
SELECT bool_and(before < stage_id) FROM (SELECT stage_id, lag(stage_id) OVER () AS before FROM stored, crm_summary_rows(s) WHERE id = 10000) x;
SELECT (crm_summary_rows(s)).deals FROM stored WHERE id <= 2 ORDER BY id;
SELECT count(*) FROM (SELECT FROM stored, crm_summary_rows(s) WHERE id = 10000 LIMIT 3) x;
SELECT count(*) FROM crm_summary_rows(NULL);

DROP TABLE x, many, parted, stored;
DROP FUNCTION s;
