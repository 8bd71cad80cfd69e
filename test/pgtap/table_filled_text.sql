-- The word auto in a status, the default of the column, is not given: in every
-- statement, as null is.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
CREATE FUNCTION t.stands(deal text) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', s.name, d.status, d.move_no) FROM crm.deals AS d JOIN crm.stages AS s ON s.id = d.stage_id WHERE d.id = t.id(deal) $$;

INSERT INTO deals (id, title, status) VALUES (id('a'), 'a', 'auto'), (id('b'), 'b', DEFAULT);
INSERT INTO deals (id, title, status, stage_id, external_id) VALUES (id('w'), 'w', 'auto', id('Won'), 'w');
SELECT is(stands('a'), 'Lead open 0', 'inserted');
SELECT is(stands('b'), 'Lead open 0', 'by DEFAULT');
SELECT is(stands('w'), 'Won won 0', 'in a stage');
UPDATE deals SET status = 'auto' WHERE id = id('w');
UPDATE deals SET status = DEFAULT, title = 'w2' WHERE id = id('w');
SELECT is(stands('w'), 'Won won 0', 'an UPDATE leaves the status');
UPDATE deals SET status = 'auto', stage_id = id('Won') WHERE id = id('a');
SELECT is(stands('a'), 'Won won 1', 'and follows the stage');
INSERT INTO deals (external_id, title) VALUES ('w', 'w3')
    ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = excluded.title, status = excluded.status;
SELECT is(stands('w'), 'Won won 0', 'an upsert leaves the status');
INSERT INTO deals (external_id, title, status) VALUES ('w', 'w3', 'auto')
    ON CONFLICT (tenant_id, external_id) DO UPDATE SET status = 'auto';
SELECT is(stands('w'), 'Won won 0', 'whatever it says');
SELECT throws_ok($$UPDATE deals SET status = '' WHERE id = t.id('w')$$, '23514', NULL, 'anything else is a status, or none');

INSERT INTO stages (id, pipeline_id, name, deal_status) VALUES (id('new'), id('Sales'), 'New', 'auto'), (id('new won'), id('Sales'), 'New won', 'won');
UPDATE stages SET deal_status = 'auto', rotting_days = 3 WHERE id IN (id('new'), id('new won'));
SELECT results_eq($$SELECT deal_status, rotting_days FROM stages WHERE id IN (t.id('new'), t.id('new won')) ORDER BY name$$,
    $$VALUES ('open', 3), ('won', 3)$$, 'a stage likewise');

-- A text of the user's own has what was given.
ALTER TABLE deals ADD note text NOT NULL DEFAULT '';
ALTER TABLE deals ADD region text NOT NULL DEFAULT 'EMEA';
UPDATE deals SET note = 'x';
UPDATE deals SET note = 'auto', region = 'auto' WHERE id = id('w');
SELECT results_eq($$SELECT note, region FROM deals WHERE id = t.id('w')$$, $$VALUES ('auto', 'auto')$$, 'in other columns it is a value');
SELECT * FROM finish();
ROLLBACK;
