-- However the deals are grouped, split up and put together, the sums are those of SQL's exact numeric.

-- Does the plan of a query have what the path names?
CREATE FUNCTION plan_has(query text, path jsonpath) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan::jsonb @? path;
END
$$;

CREATE TABLE stages AS SELECT n, md5('stage ' || n)::uuid AS id FROM generate_series(1, 12) n;

-- 200,000 deals of 100,000 owners: amounts of every length and sign, with gaps
CREATE TABLE deal (
	id int, owner int, stage_id uuid, amount numeric(19,4), currency text, probability numeric(5,4), value_period text
) PARTITION BY HASH (owner);
CREATE TABLE deal_0 PARTITION OF deal FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE deal_1 PARTITION OF deal FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE deal_2 PARTITION OF deal FOR VALUES WITH (MODULUS 3, REMAINDER 2);
SELECT setseed(0.2);
INSERT INTO deal
SELECT g, g % 100000, (SELECT array_agg(id ORDER BY n) FROM stages)[1 + (random() * 12)::int],
	CASE WHEN random() < 0.9 THEN round((random() - 0.3)::numeric * 10::numeric ^ (random() * 15)::int, (random() * 4)::int) END,
	(ARRAY['USD', 'EUR', 'JPY', NULL])[1 + (random() * 3)::int],
	CASE WHEN random() < 0.9 THEN round(random()::numeric, (random() * 4)::int) END,
	(ARRAY['one_time', 'monthly', 'quarterly', 'annual', NULL])[1 + (random() * 4)::int]
FROM generate_series(1, 200000) g;
ANALYZE deal;

-- What SQL says
CREATE VIEW by_sql AS
SELECT stage_id, currency, coalesce(value_period, 'one_time') AS value_period, count(*) AS deals, count(*) FILTER (WHERE amount IS NULL) AS deals_without_amount,
	count(*) FILTER (WHERE probability IS NULL) AS deals_without_probability,
	coalesce(sum(amount), 0) AS value, coalesce(sum(amount * probability), 0) AS weighted_value
FROM deal GROUP BY 1, 2, 3;
CREATE TABLE truth AS SELECT json_agg(t)::text::crm_summary AS s FROM by_sql t;
SELECT count(*) AS keys FROM by_sql;
CREATE TABLE owner_truth AS SELECT owner, count(*) AS deals, count(*) FILTER (WHERE amount IS NULL) AS deals_without_amount,
	count(*) FILTER (WHERE probability IS NULL) AS deals_without_probability,
	coalesce(sum(amount), 0) AS value, coalesce(sum(amount * probability), 0) AS weighted_value, sum(amount * probability) AS weighted_sum
FROM deal GROUP BY owner;

-- One group
SET max_parallel_workers_per_gather = 0;
SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) = (SELECT s FROM truth) AS one_group,
	crm_weighted_value(amount, probability) = (SELECT sum(amount * probability) FROM deal) AS weighted FROM deal;

-- 100,000 groups: hashed, hashed with hardly any memory, and sorted
CREATE VIEW owner_groups AS
SELECT owner, crm_pipeline_summary(stage_id, amount, currency, probability, value_period) AS s, crm_weighted_value(amount, probability) AS w
FROM deal GROUP BY owner;
CREATE FUNCTION owners_agree() RETURNS TABLE (groups bigint, agree boolean, differences bigint) LANGUAGE sql AS $$
	SELECT count(*), crm_pipeline_summary(g.s) = (SELECT s FROM truth), count(*) FILTER (WHERE g.w IS DISTINCT FROM t.weighted_sum
		OR (t.deals, t.deals_without_amount, t.deals_without_probability, t.value, t.weighted_value) IS DISTINCT FROM (SELECT
			(sum(r.deals)::bigint, sum(r.deals_without_amount)::bigint, sum(r.deals_without_probability)::bigint, sum(r.value), sum(r.weighted_value)) FROM crm_summary_rows(g.s) r))
	FROM owner_groups g JOIN owner_truth t USING (owner)
$$;
SET enable_sort = off; SET work_mem = '512MB';
SELECT plan_has('SELECT * FROM owner_groups', '$.** ? (@."Node Type" == "Aggregate" && @.Strategy == "Hashed")') AS hashed;
SELECT * FROM owners_agree();
SET work_mem = '64kB';
SELECT * FROM owners_agree();
RESET work_mem; RESET enable_sort; SET enable_hashagg = off;
SELECT plan_has('SELECT * FROM owner_groups', '$.** ? (@."Node Type" == "Aggregate" && @.Strategy == "Sorted")') AS sorted;
SELECT * FROM owners_agree();
RESET enable_hashagg;

-- Parallel: partial aggregates meet in a final one.
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
PREPARE one_group AS
SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) AS s, crm_pipeline_summary(stage_id, amount, currency, probability) AS four,
	crm_weighted_value(amount, probability) AS w FROM deal;
SELECT plan_has('EXECUTE one_group', '$.** ? (@."Node Type" == "Gather").** ? (@."Partial Mode" == "Partial")') AS partial,
	plan_has('EXECUTE one_group', '$.** ? (@."Partial Mode" == "Finalize")') AS finalize;
CREATE TABLE parallel_result AS EXECUTE one_group;
SELECT s = (SELECT s FROM truth) AS one_group, w = (SELECT sum(amount * probability) FROM deal) AS weighted,
	four = (SELECT crm_pipeline_summary(r.stage_id, NULL, r.currency, NULL) - crm_pipeline_summary(r.stage_id, NULL, r.currency, NULL) FROM crm_summary_rows(s) r)
		+ (SELECT json_agg(x)::text::crm_summary FROM (SELECT stage_id, currency, sum(deals) AS deals, sum(deals_without_amount) AS deals_without_amount,
			sum(deals_without_probability) AS deals_without_probability,
			sum(value) AS value, sum(weighted_value) AS weighted_value FROM by_sql GROUP BY 1, 2) x) AS four
FROM parallel_result;
-- of summaries
CREATE TABLE summaries AS SELECT owner, s FROM owner_groups;
ANALYZE summaries;
SELECT plan_has('SELECT crm_pipeline_summary(s) FROM summaries', '$.** ? (@."Node Type" == "Gather").** ? (@."Partial Mode" == "Partial")') AS partial;
SELECT crm_pipeline_summary(s) = (SELECT s FROM truth) AS of_summaries FROM summaries;
-- groups
SELECT plan_has('SELECT stage_id, crm_pipeline_summary(stage_id, amount, currency, probability, value_period) FROM deal GROUP BY 1',
	'$.** ? (@."Node Type" starts with "Gather").** ? (@."Partial Mode" == "Partial")') AS partial;
SELECT count(*) AS groups, crm_pipeline_summary(s) = (SELECT s FROM truth) AS agree FROM (
	SELECT stage_id, crm_pipeline_summary(stage_id, amount, currency, probability, value_period) AS s FROM deal GROUP BY 1) x;
-- JIT-compiled expressions call the same functions
SET jit = on; SET jit_above_cost = 0; SET jit_optimize_above_cost = 0; SET jit_inline_above_cost = 0;
SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) = (SELECT s FROM truth) AS jit FROM deal;
RESET jit; RESET jit_above_cost; RESET jit_optimize_above_cost; RESET jit_inline_above_cost;

-- Partitionwise: whole groups by partition, or partial ones, parallel too
SET enable_partitionwise_aggregate = on;
SELECT plan_has('SELECT * FROM owner_groups', '$.** ? (@."Node Type" == "Append").Plans[*] ? (@."Node Type" == "Aggregate")') AS partitionwise;
SELECT * FROM owners_agree();
SET max_parallel_workers_per_gather = 0;
SELECT plan_has('SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) FROM deal',
	'$.** ? (@."Node Type" == "Append").Plans[*] ? (@."Partial Mode" == "Partial")') AS partitionwise_partial;
SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) = (SELECT s FROM truth) AS one_group,
	crm_weighted_value(amount, probability) = (SELECT sum(amount * probability) FROM deal) AS weighted FROM deal;
RESET enable_partitionwise_aggregate;

-- Moving windows: each frame is what it would be alone
SELECT count(*), bool_and(s = (SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) FROM deal d WHERE d.id BETWEEN w.id - 999 AND w.id)) AS summaries,
	bool_and(weighted = (SELECT sum(amount * probability) FROM deal d WHERE d.id BETWEEN w.id - 999 AND w.id)) AS weighted
FROM (SELECT id, crm_pipeline_summary(stage_id, amount, currency, probability, value_period) OVER w, crm_weighted_value(amount, probability) OVER w
	FROM deal WHERE id <= 20000 WINDOW w AS (ORDER BY id ROWS 999 PRECEDING)) w (id, s, weighted)
WHERE id IN (1, 2, 999, 1000, 1001, 12345, 20000);
-- of summaries
SELECT count(*), bool_and(s = (SELECT crm_pipeline_summary(s) FROM summaries d WHERE d.owner BETWEEN w.owner - 9 AND w.owner)) AS summaries
FROM (SELECT owner, crm_pipeline_summary(s) OVER (ORDER BY owner ROWS 9 PRECEDING) FROM summaries) w (owner, s) WHERE owner % 5000 = 7;
-- of keys that come and go
SELECT count(*), bool_and((SELECT array_agg(value ORDER BY value) FROM crm_summary_rows(s)) =
	(SELECT array_agg(m::numeric ORDER BY m) FROM generate_series(greatest(1, n - 9), n) m)) AS keys_come_and_go
FROM (SELECT n, crm_pipeline_summary(md5(n::text)::uuid, n, 'USD', 1) OVER (ORDER BY n ROWS 9 PRECEDING) FROM generate_series(1, 3000) n) w (n, s);

-- Thousands of keys in one summary, many of them alike but for a few bits
SELECT count(*) AS keys, sum(deals) AS deals, sum(value) AS value FROM (
	SELECT crm_pipeline_summary(lpad(to_hex(n % 20000), 32, '0')::uuid, 1, 'USD', 1) FROM generate_series(1, 100000) n) s (s), crm_summary_rows(s);
SELECT count(*) AS keys, sum(deals) AS deals, sum(value) AS value FROM (
	SELECT crm_pipeline_summary(rpad(lpad(to_hex(n % 20000), 8, '0'), 32, '0')::uuid, 1, 'USD', 1) FROM generate_series(1, 100000) n) s (s), crm_summary_rows(s);
SELECT count(*) AS keys, sum(deals) AS deals FROM (
	SELECT crm_pipeline_summary(NULL, 1, chr(65 + n % 26) || chr(65 + n / 26 % 26) || chr(65 + n / 676 % 26), 1, (ARRAY['one_time', 'monthly', 'quarterly', 'annual'])[1 + n / 17576 % 4])
	FROM generate_series(1, 100000) n) s (s), crm_summary_rows(s);

DROP VIEW by_sql, owner_groups CASCADE;
DROP TABLE stages, deal, truth, owner_truth, parallel_result, summaries;
DROP FUNCTION plan_has, owners_agree;
