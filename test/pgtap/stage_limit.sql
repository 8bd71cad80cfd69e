-- A pipeline has 1,000 stages at most, however they are added.
BEGIN;
\ir include/setup.sql
SELECT plan(7);

INSERT INTO pipelines (id, name) VALUES (id('many'), 'Many'), (id('some'), 'Some');
SELECT lives_ok($$INSERT INTO stages (pipeline_id, name, position)
    SELECT t.id('many'), 'Stage ' || i, i FROM generate_series(1, 999) AS i$$, '999 stages in one statement');
SELECT lives_ok($$INSERT INTO stages (pipeline_id, name) VALUES (t.id('many'), 'Stage 1000')$$, 'and one at the end');
SELECT is(error_of($$INSERT INTO stages (pipeline_id, name) VALUES (t.id('many'), 'Stage 1001')$$),
    E'23514\na pipeline cannot have more than 1000 stages\nArchived stages count, too.\nDelete stages that are not needed, or use several pipelines.',
    'one more is refused');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name, position) VALUES (t.id('many'), 'Stage 1001', 5000)$$, '23514', NULL,
    'also at a position');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name, position)
    SELECT t.id('some'), 'Stage ' || i, i FROM generate_series(1, 1001) AS i$$, '23514', NULL, '1,001 stages in one statement');
SELECT lives_ok($$UPDATE stages SET name = name || '!' WHERE pipeline_id = t.id('many')$$, 'those that are there are written');
SELECT lives_ok($$SELECT count(*) FROM funnel(t.id('many'))$$, 'and reported');

SELECT * FROM finish();
ROLLBACK;
