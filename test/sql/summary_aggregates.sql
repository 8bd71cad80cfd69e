-- crm_pipeline_summary() over deals and over summaries, crm_weighted_value().

CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	detail text;
	hint text;
BEGIN
	EXECUTE command INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;

CREATE TABLE deal (id int, stage_id uuid, amount numeric, currency text, probability numeric, value_period text);
INSERT INTO deal VALUES
	(1, '00000000-0000-0000-0000-000000000001', 1000, 'USD', 0.5, 'one_time'),
	(2, '00000000-0000-0000-0000-000000000001', 0.0001, 'USD', 0.0001, 'one_time'),
	(3, '00000000-0000-0000-0000-000000000001', -250.25, 'USD', 1, NULL),
	(4, '00000000-0000-0000-0000-000000000001', 10, 'USD', 0.1, 'monthly'),
	(5, '00000000-0000-0000-0000-000000000001', NULL, 'USD', 0.5, 'one_time'),
	(6, '00000000-0000-0000-0000-000000000002', 70, 'EUR', NULL, 'annual'),
	(7, '00000000-0000-0000-0000-000000000002', NULL, NULL, NULL, 'one_time'),
	(8, NULL, 5, NULL, 0.2, 'quarterly'),
	(9, NULL, NULL, NULL, NULL, NULL);

SELECT r.* FROM (SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) FROM deal) s (s), crm_summary_rows(s) r;
SELECT r.* FROM (SELECT crm_pipeline_summary(stage_id, amount, currency, probability) FROM deal) s (s), crm_summary_rows(s) r;
SELECT crm_weighted_value(amount, probability) FROM deal;

-- Over no rows, and over nothing to weigh
SELECT crm_pipeline_summary(stage_id, amount, currency, probability) FROM deal WHERE false;
SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) FROM deal WHERE false;
SELECT crm_pipeline_summary(s) FROM (SELECT NULL::crm_summary WHERE false) x (s);
SELECT crm_pipeline_summary(s) FROM (VALUES (NULL::crm_summary), (NULL)) x (s);
SELECT crm_weighted_value(amount, probability) FROM deal WHERE false;
SELECT crm_weighted_value(amount, probability) FROM deal WHERE amount IS NULL OR probability IS NULL;
SELECT crm_weighted_value(0, 0), crm_weighted_value(1, 0), crm_weighted_value(-1, 0.5);

-- FILTER, GROUP BY, DISTINCT and ORDER BY; a stage without deals
SELECT id % 2 AS odd, r.deals, r.value FROM (
	SELECT id % 2, crm_pipeline_summary(stage_id, amount, currency, probability) FILTER (WHERE currency = 'USD')
	FROM deal GROUP BY 1) s (id, s), crm_summary_rows(s) r ORDER BY 1;
SELECT stage, crm_pipeline_summary(stage_id, amount, currency, probability) FILTER (WHERE deal.id IS NOT NULL) = '[]' AS empty
FROM (VALUES ('00000000-0000-0000-0000-000000000001'::uuid), ('00000000-0000-0000-0000-000000000003')) x (stage)
	LEFT JOIN deal ON stage_id = stage GROUP BY stage ORDER BY stage;
SELECT r.deals, r.value FROM (
	SELECT crm_pipeline_summary(DISTINCT NULL, x, 'USD', NULL) FROM (VALUES (1), (1.0), (2)) v (x)) s (s), crm_summary_rows(s) r;
SELECT crm_pipeline_summary(stage_id, amount, currency, probability ORDER BY id DESC)
	= crm_pipeline_summary(stage_id, amount, currency, probability ORDER BY id) FROM deal;
SELECT period, r.deals, r.value FROM (
	SELECT value_period, crm_pipeline_summary(NULL, amount, NULL, probability) FROM deal WHERE value_period IS NOT NULL
	GROUP BY ROLLUP (value_period)) s (period, s), crm_summary_rows(s) r ORDER BY 1;

-- Merging summaries is the summary of all.
SELECT crm_pipeline_summary(s) = (SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) FROM deal)
FROM (SELECT crm_pipeline_summary(stage_id, amount, currency, probability, value_period) FROM deal GROUP BY id % 3) x (s);

-- The limits of numeric(19,4) and numeric(5,4)
SELECT r.value, r.weighted_value FROM (
	SELECT crm_pipeline_summary(NULL, x, NULL, p)
	FROM (VALUES (999999999999999.9999, 1), (999999999999999.9999, 0.9999), (-0.0001, 0.0001)) v (x, p)) s (s), crm_summary_rows(s) r;
SELECT crm_weighted_value(x, 1) FROM (VALUES (-999999999999999.9999), (-999999999999999.9999)) v (x);

SELECT attempt(format('SELECT crm_weighted_value(%s, 1)', x)) AS amount
FROM unnest(ARRAY['1000000000000000', '-1000000000000000', '999999999999999.99990001', '1e30', '1e131000', '0.00001', '123.45678', '-1e-30', '1e-16000',
	$$'NaN'$$, $$'Infinity'$$, $$'-Infinity'$$]) WITH ORDINALITY AS u (x, n) ORDER BY n;
SELECT attempt(format('SELECT crm_weighted_value(1, %s)', x)) AS probability
FROM unnest(ARRAY['1.0001', '-0.0001', '25', '1e30', '0.33333', $$'NaN'$$, $$'Infinity'$$]) WITH ORDINALITY AS u (x, n) ORDER BY n;
-- also where there is nothing to weigh it with
SELECT attempt('SELECT crm_weighted_value(NULL, 2)');
SELECT attempt($$SELECT crm_weighted_value('NaN', NULL)$$);
SELECT attempt('SELECT crm_pipeline_summary(NULL, NULL, NULL, 2)');
SELECT attempt('SELECT crm_pipeline_summary(NULL, 0.00001, NULL, NULL)');
SELECT attempt($$SELECT crm_pipeline_summary(NULL, 'NaN'::numeric, NULL, NULL)$$);
-- as numerics are, with zeros that do not count, and in the long form
SELECT crm_weighted_value(12.50000000, 0.1000000000000), crm_weighted_value(1.00000, 1), crm_weighted_value(0.000000000, 0);
SELECT crm_weighted_value(x, x) FROM (VALUES (1::numeric(200, 100)), (0.25::numeric(200, 100)), (0::numeric(200, 100))) v (x);
SELECT crm_weighted_value(x, 1) FROM (VALUES (-12345.6789::numeric(200, 100)), (-1::numeric(200, 100))) v (x);

-- Currencies and periods
SELECT attempt(format('SELECT crm_pipeline_summary(NULL, 1, %L, 1, %L)', c, p))
FROM (VALUES ('usd', NULL), ('US', NULL), ('USDX', NULL), ('', NULL), ('U D', NULL), (repeat('USD', 1000000), NULL),
	('USD', ''), ('USD', 'weekly'), ('USD', 'Monthly'), ('USD', 'one_time '), ('USD', repeat('annual', 1000000))) v (c, p);
SELECT crm_pipeline_summary(NULL, 1, 'USD'::char(3), 1, 'annual'::varchar(20)) = crm_pipeline_summary(NULL, 1, 'USD', 1, 'annual');

-- Toasted arguments
CREATE TABLE wide (amount numeric(1000, 500), currency text, period text);
ALTER TABLE wide ALTER amount SET STORAGE external;
INSERT INTO wide VALUES (repeat('9', 400)::numeric, repeat('EUR', 100000), repeat('annual', 100000));
SELECT attempt('SELECT crm_weighted_value(amount, 1) FROM wide');
SELECT attempt('SELECT crm_pipeline_summary(NULL, 1, currency, 1) FROM wide');
SELECT attempt('SELECT crm_pipeline_summary(NULL, 1, NULL, 1, period) FROM wide');

-- The transition functions belong to aggregates.
SELECT attempt($$SELECT crm_summary_add_row('[]', NULL, 1, NULL, 1)$$);
SELECT attempt($$SELECT crm_summary_remove_row('[]', NULL, 1, NULL, 1, NULL)$$);
SELECT attempt($$SELECT crm_summary_merge('[]', '[]')$$);
SELECT attempt($$SELECT crm_summary_unmerge(NULL, NULL)$$);
SELECT attempt($$SELECT crm_weighted_value_add(NULL, 1, 1)$$);
SELECT attempt($$SELECT crm_weighted_value_remove(NULL, 1, 1)$$);
SELECT crm_summary_final('[{"deals": 1, "value": 2}]') = '[{"deals": 1, "value": 2}]', crm_summary_final(NULL);
SELECT crm_weighted_value_final('[]'), crm_weighted_value_final(NULL), crm_weighted_value_final('[{"deals": 1, "weighted_value": 2}]');

-- Two aggregates share a state, which a final function must leave as it is.
SELECT crm_pipeline_summary(stage_id, amount, currency, probability)::text = crm_pipeline_summary(stage_id, amount, currency, probability)::text,
	crm_weighted_value(amount, probability) FROM deal;

-- A state is a crm_summary also where an aggregate hands it out as it is.
CREATE AGGREGATE raw_summary(uuid, numeric, text, numeric, text) (
	SFUNC = crm_summary_add_row, STYPE = crm_summary, PARALLEL = SAFE);
CREATE AGGREGATE started_summary(uuid, numeric, text, numeric, text) (
	SFUNC = crm_summary_add_row, STYPE = crm_summary, INITCOND = '[{"deals": 100}]', COMBINEFUNC = crm_summary_merge, PARALLEL = SAFE);
CREATE TABLE state AS
SELECT raw_summary(stage_id, amount, currency, probability, value_period) AS raw,
	crm_pipeline_summary(stage_id, amount, currency, probability, value_period) AS final
FROM deal
UNION ALL
SELECT raw_summary(md5(g::text)::uuid, g, 'USD', 0.5, 'annual'), crm_pipeline_summary(md5(g::text)::uuid, g, 'USD', 0.5, 'annual')
FROM generate_series(1, 1000) g;
SELECT raw = final AS same, raw::text = final::text AS text, crm_summary_send(raw) = crm_summary_send(final) AS wire,
	crm_summary_hash(raw) = crm_summary_hash(final) AS hash, raw - final AS difference,
	raw + raw = final + final AS sum, pg_column_size(raw + '[]') = pg_column_size(final + '[]') AS trimmed,
	(SELECT count(*) FROM (SELECT * FROM crm_summary_rows(raw) EXCEPT SELECT * FROM crm_summary_rows(final)) x) AS rows
FROM state;
SELECT crm_pipeline_summary(raw) = crm_pipeline_summary(final) FROM state;
SELECT started_summary(stage_id, amount, currency, probability, value_period) - crm_pipeline_summary(stage_id, amount, currency, probability, value_period)
FROM deal;
-- aggregating on from a stored state leaves the stored one alone
CREATE AGGREGATE sum_summary(crm_summary) (SFUNC = crm_summary_merge, STYPE = crm_summary);
SELECT sum_summary(raw) = sum_summary(final) FROM state;
SELECT bool_and(raw = final) FROM state;

-- Overflow is an error, never another sum.
SELECT attempt(format('SELECT crm_pipeline_summary(s) FROM (VALUES (%L::crm_summary), (%L)) v (s)', a, b))
FROM (VALUES
	('[{"deals": 9223372036854775807}]', '[{"deals": 1}]'),
	('[{"deals": -9223372036854775808}]', '[{"deals": -1}]'),
	('[{"deals_without_amount": 9223372036854775807}]', '[{"deals_without_amount": 1}]'),
	('[{"deals_without_probability": 9223372036854775807}]', '[{"deals_without_probability": 1}]'),
	('[{"value": 17014118346046923173168730371588410.5727}]', '[{"value": 0.0001}]'),
	('[{"value": -17014118346046923173168730371588410.5728}]', '[{"value": -0.0001}]'),
	('[{"weighted_value": 1701411834604692317316873037158.84105727}]', '[{"weighted_value": 0.00000001}]'),
	('[{"weighted_value": 1701411834604692317316873037158.84105727}]', '[{"weighted_value": -0.00000001}]')) v (a, b);

-- Moving windows: deals leave by the inverse.
SELECT id, frame.deals, frame.value, frame.weighted_value, weighted
FROM (SELECT id, crm_pipeline_summary(NULL, amount, NULL, probability) OVER w, crm_weighted_value(amount, probability) OVER w
	FROM deal WINDOW w AS (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)) x (id, s, weighted), crm_summary_rows(s) frame ORDER BY id;
-- a frame that runs empty
SELECT id, crm_pipeline_summary(NULL, amount, NULL, probability) OVER w AS summary, crm_weighted_value(amount, probability) OVER w AS weighted
FROM deal WHERE id > 7 WINDOW w AS (ORDER BY id ROWS BETWEEN 2 FOLLOWING AND 3 FOLLOWING);
-- NULL summaries in a frame
SELECT i, crm_pipeline_summary(s) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) = '[{"deals": 1}]' AS one
FROM (VALUES (1, '[{"deals": 1}]'::crm_summary), (2, NULL), (3, NULL), (4, '[{"deals": 1}]')) v (i, s);

DROP AGGREGATE raw_summary(uuid, numeric, text, numeric, text), started_summary(uuid, numeric, text, numeric, text), sum_summary(crm_summary);
DROP TABLE deal, wide, state;
DROP FUNCTION attempt;
