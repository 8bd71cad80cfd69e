-- The rules of stages: position, probability, what is fixed, stages in use.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(54);

CREATE FUNCTION t.deal(name text, stage text DEFAULT 'Lead') RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, stage_id, stage_entered_at) VALUES (t.id(name), name, t.id(stage), '2024-01-01')
$$;
CREATE FUNCTION t.positions(pipeline text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(format('%s %s', position, name), ', ' ORDER BY position) FROM crm.stages WHERE pipeline_id = t.id(pipeline)
$$;

-- Position: the end, if none is given.
INSERT INTO pipelines (id, name) VALUES (id('P'), 'P'), (id('Q'), 'Q');
INSERT INTO stages (pipeline_id, name) VALUES (id('P'), 'a');
SELECT is(positions('P'), '1 a', 'the first stage has the position 1');
INSERT INTO stages (pipeline_id, name) VALUES (id('P'), 'b'), (id('Q'), 'x'), (id('P'), 'c');
SELECT is(positions('P'), '1 a, 2 b, 3 c', 'several by one statement: one after the other');
SELECT is(positions('Q'), '1 x', 'each pipeline has its own order');
INSERT INTO stages (pipeline_id, name, position) VALUES (id('P'), 'far', 100);
INSERT INTO stages (pipeline_id, name, position) VALUES (id('P'), 'end', NULL);
SELECT is(positions('P'), '1 a, 2 b, 3 c, 100 far, 101 end', 'the end is behind the last; NULL is not given');
INSERT INTO stages (pipeline_id, name, position) VALUES (id('P'), 'front', 0), (id('P'), 'before', -3);
SELECT is(positions('P'), '-3 before, 0 front, 1 a, 2 b, 3 c, 100 far, 101 end', 'a position given is taken as it is');
UPDATE stages SET archived_at = now() WHERE name = 'end';
INSERT INTO stages (pipeline_id, name) VALUES (id('P'), 'last');
SELECT is(position, 102, 'behind archived ones, too') FROM stages WHERE name = 'last';
UPDATE stages SET position = NULL WHERE name = 'last';
SELECT is(position, 102, 'UPDATE: NULL is not given') FROM stages WHERE name = 'last';
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name, position) VALUES (id('P'), 'dup', 2)$$, '23505',
    'duplicate key value violates unique constraint "stages_position_key"', 'a position once in a pipeline');
SELECT lives_ok($$INSERT INTO stages (pipeline_id, name, position) VALUES (id('P'), 'dup', 2) ON CONFLICT DO NOTHING$$, 'ON CONFLICT DO NOTHING needs no target');
INSERT INTO stages (pipeline_id, name, position) VALUES (id('Q'), 'max', 2147483647);
SELECT is(error_of($$INSERT INTO stages (pipeline_id, name) VALUES (id('Q'), 'more')$$),
    E'22003\nno position is left at the end of the pipeline\nGive the stages smaller positions with reorder_stages.', 'no position is left');

-- Names.
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name) VALUES (id('P'), 'A')$$, '23505',
    'duplicate key value violates unique constraint "stages_name_key"', 'a name once in a pipeline, whatever its case');
SELECT lives_ok($$INSERT INTO stages (pipeline_id, name, position) VALUES (id('Q'), 'A', 5)$$, 'but in another one again');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name) VALUES (id('P'), ' ')$$, '23514', NULL, 'a blank name is none');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name) VALUES (id('P'), NULL)$$, '23502', NULL, 'nor is NULL');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name) VALUES (NULL, 'n')$$, '23502', NULL, 'a stage has a pipeline');
SELECT is(error_of($$INSERT INTO stages (pipeline_id, name) VALUES (id('nowhere'), 'n')$$),
    format(E'23503\npipeline_id "%s" does not exist\nKey is not present in table "pipelines".\nGive the id of a row that is there.', id('nowhere')), 'one that is there');

-- deal_status and probability.
SELECT results_eq($$SELECT deal_status, probability FROM stages WHERE name = 'a'$$, $$VALUES ('open', NULL::numeric)$$, 'open, without a probability');
INSERT INTO stages (pipeline_id, name, deal_status) VALUES (id('P'), 'w', 'won'), (id('P'), 'l', 'lost');
SELECT results_eq($$SELECT probability FROM stages WHERE name IN ('w', 'l') ORDER BY name DESC$$, $$VALUES (1.0000), (0.0000)$$, 'won is 1, lost is 0');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name, deal_status, probability) VALUES (id('P'), 'n', 'won', 0.9)$$, '23514',
    'probability is 1 where the status is won, not 0.9', 'won is certain');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name, deal_status, probability) VALUES (id('P'), 'n', 'lost', 0.1)$$, '23514',
    'probability is 0 where the status is lost, not 0.1', 'lost is hopeless');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name, probability) VALUES (id('P'), 'n', 1.1)$$, '23514',
    'probability 1.1 is not between 0 and 1', 'no more than 1');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name, deal_status) VALUES (id('P'), 'n', 'closed')$$, '23514',
    '"closed" is not a status of deals', 'no other status');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name, rotting_days) VALUES (id('P'), 'n', 0)$$, '23514', NULL, 'rotting takes a day at least');
UPDATE stages SET probability = NULL WHERE name IN ('w', 'l');
SELECT results_eq($$SELECT probability FROM stages WHERE name IN ('w', 'l') ORDER BY name DESC$$, $$VALUES (1.0000), (0.0000)$$, 'UPDATE: NULL is not given for won and lost');
UPDATE stages SET deal_status = NULL WHERE name = 'w';
SELECT is(deal_status, 'won', 'UPDATE: nor as deal_status') FROM stages WHERE name = 'w';

-- What never changes.
SELECT throws_ok($$UPDATE stages SET pipeline_id = id('Q') WHERE name = 'a'$$, '23514', 'column "pipeline_id" of table "stages" never changes', 'the pipeline');
SELECT throws_ok($$UPDATE stages SET id = id('other') WHERE name = 'a'$$, '23514', 'column "id" of table "stages" never changes', 'the id');
SELECT throws_ok($$UPDATE stages SET tenant_id = id('other') WHERE name = 'a'$$, '23514', 'column "tenant_id" of table "stages" never changes', 'the tenant');
UPDATE stages SET pipeline_id = NULL, id = NULL, tenant_id = NULL, updated_at = '1999-01-01' WHERE name = 'b';
SELECT ok(pipeline_id = id('P') AND id IS NOT NULL AND tenant_id IS NOT NULL AND updated_at BETWEEN now() AND clock_timestamp(), 'NULLs are not given, updated_at is kept')
FROM stages WHERE name = 'b';

-- A stage in use keeps its deal_status.
SELECT deal('d1', 'Qualified') \g /dev/null
SELECT is(error_of($$UPDATE stages SET deal_status = 'won' WHERE id = id('Qualified')$$),
    E'23514\ndeal_status of stage "Qualified" cannot change while deals stand in it\nDeals in it: ''d1''.\n'
    'Move the deals first, or add another stage.', 'deal_status of a stage in use');
UPDATE deals SET archived_at = now() WHERE id = id('d1');
SELECT throws_ok($$UPDATE stages SET deal_status = 'won' WHERE id = id('Qualified')$$, '23514',
    'deal_status of stage "Qualified" cannot change while deals stand in it', 'archived deals stand there, too');
SELECT lives_ok($$UPDATE stages SET deal_status = 'open', name = 'Qualified!', probability = 0.6, position = 20, archived_at = NULL WHERE id = id('Qualified')$$,
    'all else may change');
UPDATE deals SET stage_id = id('Paused') WHERE id = id('d1');
UPDATE stages SET deal_status = 'won' WHERE id = id('Qualified');
SELECT is(probability, 1.0000, 'once it is empty deal_status changes, and the probability with it') FROM stages WHERE id = id('Qualified');
UPDATE stages SET deal_status = 'lost', probability = probability WHERE id = id('Qualified');
SELECT is(probability, 0.0000, 'one that is resent belongs to the old status') FROM stages WHERE id = id('Qualified');
UPDATE stages SET deal_status = 'open' WHERE id = id('Qualified');
SELECT is(probability, NULL, 'as does that of a closed stage that opens') FROM stages WHERE id = id('Qualified');
UPDATE stages SET deal_status = 'won' WHERE id = id('Qualified');
UPDATE stages SET deal_status = 'open', probability = 0.4 WHERE id = id('Qualified');
SELECT is(probability, 0.4, 'one that is written is taken') FROM stages WHERE id = id('Qualified');
SELECT throws_ok($$UPDATE stages SET deal_status = 'won', probability = 0.5 WHERE id = id('Qualified')$$, '23514', NULL, 'if it fits the status');
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('d1');
UPDATE deals SET stage_id = id('Paused') WHERE id = id('d1');
SELECT lives_ok($$UPDATE stages SET deal_status = 'lost' WHERE id = id('Qualified')$$, 'history does not keep a stage from changing');

-- Deleting.
SELECT is(error_of($$DELETE FROM stages WHERE id = id('Paused')$$),
    E'23503\nstage "Paused" cannot be deleted while deals stand in it\nDeals in it: ''d1''.\n'
    'Use delete_stage(stage_id, move_deals_to), or move the deals first.', 'a stage in use is not deleted');
SELECT deal('title ' || i, 'Paused') FROM generate_series(1, 9) AS i \g /dev/null
SELECT deal(repeat('long', 30), 'Paused') \g /dev/null
SELECT matches(error_of($$DELETE FROM stages WHERE id = id('Paused')$$), E'\nDeals in it: (''[^'']{1,40}'', ){2}''[^'']{1,40}'' and others\.\n', 'of many deals some are named');
SELECT is(error_of($$DELETE FROM stages WHERE id = id('Qualified')$$),
    E'23503\nstage "Qualified!" cannot be deleted, as the history of deals speaks of it\nReports on the past would lose what happened in it.\n'
    'Archive it: set archived_at, or call delete_stage, which does so.', 'nor is an empty one that deals went through');
SELECT is(delete_stage(id('Qualified')), '{"moved": 0, "deleted": false, "archived": true}', 'delete_stage archives it');
INSERT INTO stages (id, pipeline_id, name) VALUES (id('unused'), id('Sales'), 'unused');
SELECT is(delete_stage(id('unused')), '{"moved": 0, "deleted": true, "archived": false}', 'and deletes one that was never used');
CREATE ROLE stage_editor;
GRANT USAGE ON SCHEMA crm, t, extensions TO stage_editor;
GRANT SELECT, UPDATE, DELETE, INSERT ON stages TO stage_editor;
SET LOCAL ROLE stage_editor;
SELECT is(error_of($$DELETE FROM stages WHERE id = id('Paused')$$),
    E'23503\nstage "Paused" cannot be deleted while deals stand in it\nThere are deals in it.\n'
    'Use delete_stage(stage_id, move_deals_to), or move the deals first.', 'who may not read deals is not told which');
SELECT lives_ok($$INSERT INTO stages (pipeline_id, name) VALUES (id('Sales'), 'by an editor')$$, 'who adds a stage at the end needs no right on pipelines');
SELECT lives_ok($$UPDATE stages SET deal_status = 'won' WHERE name = 'by an editor'$$, 'nor who edits one');
RESET ROLE;

-- A pipeline goes with its stages if neither deals nor history refer to them.
SELECT throws_ok($$DELETE FROM pipelines WHERE id = id('Sales')$$, '23503', 'stage "Paused" cannot be deleted while deals stand in it', 'a pipeline with deals stays');
DELETE FROM deals WHERE pipeline_id = id('Sales');
SELECT throws_ok($$DELETE FROM pipelines WHERE id = id('Sales')$$, '23503', NULL, 'and one that history speaks of');
INSERT INTO pipelines (id, name) VALUES (id('Unused'), 'Unused');
INSERT INTO stages (pipeline_id, name) VALUES (id('Unused'), 'a'), (id('Unused'), 'b');
SELECT lives_ok($$DELETE FROM pipelines WHERE id = id('Unused')$$, 'one that was never used goes');
SELECT is((SELECT count(*) FROM stages WHERE pipeline_id = id('Unused')), 0::bigint, 'with its stages');
SELECT deal('d2', 'Due') \g /dev/null
SELECT lives_ok($$TRUNCATE pipelines CASCADE$$, 'TRUNCATE ... CASCADE is the owner''s');
SELECT is((SELECT count(*) FROM stage_changes), 3::bigint, 'and leaves the history');

-- Everything by one statement, users' triggers included.
CREATE FUNCTION t.user_stage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.name = 'skip' THEN RETURN NULL; END IF;
    IF NEW.name LIKE 'Won%' THEN NEW.deal_status := 'won'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER mine BEFORE INSERT OR UPDATE ON stages FOR EACH ROW EXECUTE FUNCTION t.user_stage();
WITH p AS (INSERT INTO pipelines (id, name) VALUES (id('R'), 'R') RETURNING id)
INSERT INTO stages (pipeline_id, name) SELECT id, n FROM p, unnest(ARRAY['a', 'skip', 'b', 'Won it']) WITH ORDINALITY AS u (n, i) ORDER BY i;
SELECT results_eq($$SELECT position, name, deal_status, probability FROM stages WHERE pipeline_id = id('R') ORDER BY position$$,
    $$VALUES (1, 'a', 'open', NULL::numeric), (2, 'b', 'open', NULL), (3, 'Won it', 'won', 1.0000)$$, 'the rules see what users'' triggers made');
INSERT INTO stages (pipeline_id, name, position) VALUES (id('R'), 'a', 9)
ON CONFLICT (pipeline_id, extensions.crm_name_key(name)) WHERE archived_at IS NULL DO UPDATE SET position = EXCLUDED.position;
SELECT is(positions('R'), '2 b, 3 Won it, 9 a', 'upsert by name');

SELECT * FROM finish();
ROLLBACK;
