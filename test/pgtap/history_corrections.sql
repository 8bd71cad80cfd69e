-- Corrections of when moves happened, and of whole histories.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(95);

CREATE FUNCTION t.moves(deal text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(concat_ws(' ', c.move_no, a.name, to_char(c.entered_at, 'MM-DD'), b.name, to_char(c.changed_at, 'MM-DD'),
        'back ' || c.reverts_no, substr(coalesce(c.closing ->> 'won_at', c.closing ->> 'lost_at'), 6, 5)), E'\n' ORDER BY c.move_no), 'none')
    FROM crm.stage_changes AS c JOIN crm.stages AS a ON a.id = c.from_stage_id JOIN crm.stages AS b ON b.id = c.to_stage_id
    WHERE c.deal_id = t.id(deal)
$$;
CREATE FUNCTION t.times(deal text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(' ', to_char(d.created_at, 'MM-DD'), to_char(d.stage_entered_at, 'MM-DD'), to_char(coalesce(d.won_at, d.lost_at), 'MM-DD'), d.move_no)
    FROM crm.deals AS d WHERE d.id = t.id(deal)
$$;
CREATE FUNCTION t.move(deal text, stage text, at timestamptz) RETURNS void LANGUAGE sql AS $$
    UPDATE crm.deals SET stage_id = t.id(stage), stage_entered_at = at WHERE id = t.id(deal)
$$;
CREATE FUNCTION t.deal(name text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, title, stage_id, amount, created_at) VALUES (t.id(name), name, t.id('Lead'), 100, '2024-01-01');
    SELECT t.move(name, 'Qualified', '2024-01-10');
    SELECT t.move(name, 'Won', '2024-04-02');
$$;
SELECT id('Won') IS NOT NULL AND EXISTS (SELECT FROM stages WHERE id = id('Won')) AS ok \gset
SELECT ok(:'ok', 'the stages of the test');

-- won_at alone corrects the move that won the deal.
SELECT deal('a') \g /dev/null
SET LOCAL crm.reason = 'signed on the 31st';
UPDATE deals SET won_at = '2024-03-31' WHERE id = id('a');
SET LOCAL crm.reason = '';
SELECT is(times('a'), '01-01 03-31 03-31 2', 'the deal''s own times');
SELECT is(moves('a'), E'1 Lead 01-01 Qualified 01-10\n2 Qualified 01-10 Won 03-31', 'the move');
SELECT is((SELECT array_agg(won_deals ORDER BY period_start) FROM forecast(id('Sales'))), '{1}', 'one month has it');
SELECT is((SELECT period_start FROM forecast(id('Sales'))), '2024-03-01', 'March');
SELECT is((SELECT w.deals FROM pipeline_waterfall(id('Sales'), '2024-03-01', '2024-04-01') AS w WHERE w.bar = 'won'), -1::bigint, 'the waterfall of March');
SELECT is(pipeline_summary_as_of(id('Sales'), '2024-04-01') #>> '{won,total_deals}', '1', 'and 1 April as it was');
SELECT is((SELECT won FROM win_rate(id('Sales'), 'closed', '2024-03-01', '2024-04-01')), 1::bigint, 'win_rate');
SELECT is((SELECT to_jsonb(c) - '{id,recorded_at,changed_at,superseded,stage_entered_at}'::text[] FROM deal_changes AS c WHERE c.deal_id = id('a') AND c.change = 'corrected')
    @> jsonb_build_object('reason', 'signed on the 31st', 'version', 4, 'move_no', 2, 'status', 'won', 'changed_by', session_user, 'old_amount', 100, 'new_amount', 100),
    true, 'who and why');
SELECT is((SELECT c.superseded #>> '{stage_changes,0,changed_at}' FROM deal_changes AS c WHERE c.deal_id = id('a') AND c.change = 'corrected'), '2024-04-02T00:00:00+00:00', 'what was');
SELECT is((SELECT c.superseded #>> '{deals,won_at}' FROM deal_changes AS c WHERE c.deal_id = id('a') AND c.change = 'corrected'), '2024-04-02T00:00:00+00:00', 'the deal''s time, too');
UPDATE deals SET won_at = won_at, title = 'again' WHERE id = id('a');
SELECT is((SELECT count(*) FROM deal_changes WHERE deal_id = id('a') AND change = 'corrected'), 1::bigint, 'the same time again corrects nothing');

-- Between its neighbours' times; equal is between.
SELECT alike(error_of($$UPDATE deals SET won_at = '2024-01-09' WHERE id = id('a')$$), E'23514\nmove 2 of deal %cannot have been at 2024-01-09%\nThe deal entered the stage that it left at 2024-01-10%', 'before the move before');
SELECT alike(error_of($$UPDATE deals SET won_at = '2023-12-31' WHERE id = id('a')$$), E'23514\nwon_at of deal %created at 2024-01-01%', 'before the deal was created');
SELECT alike(error_of($$UPDATE deals SET won_at = now() + interval '1 hour' WHERE id = id('a')$$), E'23514\nwon_at of deal %in the future%', 'in the future');
SELECT alike(error_of($$SELECT correct_move(id('a'), '2024-04-01', 1)$$), E'23514\nmove 1 of deal %\nMove 2 was at 2024-03-31%', 'after the next move');
SELECT alike(error_of($$SELECT correct_move(id('a'), '2024-01-11', 0)$$), E'23514\nthe beginning of deal %\nMove 1 was at 2024-01-10%', 'the beginning, after the first move');
SELECT is((correct_move(id('a'), '2024-03-31', 1)).move_no, 2, 'equal to the next one');
SELECT is(moves('a'), E'1 Lead 01-01 Qualified 03-31\n2 Qualified 03-31 Won 03-31', 'is allowed');
SELECT is((correct_move(id('a'), '2024-01-01', 1)).move_no, 2, 'equal to the one before');
SELECT is((correct_move(id('a'), '2023-12-24', 0, 'found the mail')).created_at, '2023-12-24', 'when it came into being');
SELECT is(moves('a'), E'1 Lead 12-24 Qualified 01-01\n2 Qualified 01-01 Won 03-31', 'the first visit');
SELECT is((SELECT (changed_at, stage_entered_at)::text FROM deal_changes WHERE deal_id = id('a') AND change = 'created'), '("2023-12-24 00:00:00+00","2023-12-24 00:00:00+00")', 'and its record');
SELECT is((correct_move(id('a'), clock_timestamp() + interval '5 seconds')).won_at <= clock_timestamp(), true, 'a clock ahead is the present');
-- The time that the move has already.
CREATE TEMP TABLE corrections AS SELECT (SELECT d.version FROM deals AS d WHERE d.id = id('a')), count(*) FROM deal_changes WHERE deal_id = id('a') AND change = 'corrected';
SELECT is((correct_move(d.id, d.stage_entered_at)).stage_entered_at, d.stage_entered_at, 'the last move, at the same time') FROM deals AS d WHERE d.id = id('a');
SELECT is((correct_move(d.id, d.created_at, 0)).created_at, d.created_at, 'the beginning, at the same time') FROM deals AS d WHERE d.id = id('a');
SELECT results_eq($$SELECT (SELECT d.version FROM deals AS d WHERE d.id = id('a')), count(*) FROM deal_changes WHERE deal_id = id('a') AND change = 'corrected'$$,
    'SELECT * FROM corrections', 'nothing is written then');
UPDATE deals SET created_at = '2023-12-01' WHERE id = id('a');
SELECT is((correct_move(id('a'), '2023-12-24', 0)).created_at, '2023-12-24', 'created_at that was another one follows');
SELECT alike(error_of($$SELECT correct_move(id('a'), clock_timestamp() + interval '1 minute')$$), E'23514\ndeal %in the future%', 'by no more than the tolerance');
SELECT alike(error_of($$SELECT correct_move(id('a'), 'infinity')$$), E'22023\n%', 'infinite');
SELECT alike(error_of($$SELECT correct_move(id('a'), NULL)$$), E'22004\n%', 'no time');

-- The date of the day on which it entered the stage.
SELECT deal('day') \g /dev/null
SELECT correct_move(id('day'), '2024-01-10 15:00', 1) \g /dev/null
UPDATE deals SET won_at = '2024-01-10' WHERE id = id('day');
SELECT is((SELECT won_at FROM deals WHERE id = id('day')), '2024-01-10 15:00', 'is that moment');

-- What was taken back.
SELECT deal('u') \g /dev/null
SELECT undo_move(id('u')) \g /dev/null
SELECT alike(error_of($$SELECT correct_move(id('u'), '2024-04-01', 2)$$), E'PT409\n%\nIt was taken back%', 'a move that was taken back');
SELECT alike(error_of($$SELECT correct_move(id('u'), '2024-04-01', 3)$$), E'PT409\n%\nIt took another move back%', 'and what took it back');
SELECT is((correct_move(id('u'), '2024-05-05')).stage_entered_at, '2024-05-05', 'the last one that stands, past what was taken back');
SELECT is(moves('u'), E'1 Lead 01-01 Qualified 05-05\n2 Qualified 05-05 Won 05-05\n3 Won 05-05 Qualified ' || to_char(now(), 'MM-DD') || ' back 2 05-05', 'which does not begin before');
SELECT lives_ok($$SELECT undo_move(id('u'))$$, 'it can be taken back');

-- Closed, reopened, closed again.
SELECT deal('r') \g /dev/null
SELECT move('r', 'Lead', '2024-05-01'), move('r', 'Lost', '2024-06-01') \g /dev/null
SELECT correct_move(id('r'), '2024-03-15', 2) \g /dev/null
SELECT is(moves('r'), E'1 Lead 01-01 Qualified 01-10\n2 Qualified 01-10 Won 03-15\n3 Won 03-15 Lead 05-01 03-15\n4 Lead 05-01 Lost 06-01', 'what was cleared follows');
SELECT undo_move(id('r')), undo_move(id('r')) \g /dev/null
SELECT is(times('r'), '01-01 03-15 03-15 6', 'and comes back');

-- Numbers that there are not, deals that are no more.
SELECT alike(error_of($$SELECT correct_move(id('a'), '2024-01-01', 3)$$), E'PT404\ndeal %has no move 3%', 'not reached');
SELECT alike(error_of($$SELECT correct_move(id('a'), '2024-01-01', -1)$$), E'PT404\n%', 'below 0');
SELECT alike(error_of($$SELECT correct_move(id('nobody'), '2024-01-01')$$), E'PT404\n%', 'no deal');
SELECT deal('x') \g /dev/null
CREATE TEMP TABLE x AS SELECT * FROM deals WHERE id = id('x');
DELETE FROM deals WHERE id = id('x');
SELECT alike(error_of($$SELECT correct_move(id('x'), '2024-01-01')$$), E'PT404\n%', 'a deleted deal');
INSERT INTO deals (id, title, stage_id) VALUES (id('x'), 'x', id('Lead'));
SELECT alike(error_of($$SELECT correct_move(id('x'), '2024-04-01', 2)$$), E'PT409\n%before the deal was deleted%', 'a move of an earlier life');
SELECT alike(error_of($$SELECT replace_history(id('x'), '[{"stage_id": null, "at": "2024-01-01"}]', 'x')$$), E'PT409\n%', 'nor its history');

-- A deal that never moved, and one that was inserted won.
INSERT INTO deals (id, title, stage_id, won_at) VALUES (id('w'), 'w', id('Won'), '2024-03-10');
UPDATE deals SET won_at = '2024-03-20' WHERE id = id('w');
SELECT is(times('w'), '03-10 03-20 03-20 0', 'inserted won');
SELECT is((SELECT changed_at FROM deal_changes WHERE deal_id = id('w') AND change = 'created'), '2024-03-20', 'begins as it is won');

-- replace_history
SELECT deal('h') \g /dev/null
SELECT replace_history(id('h'), jsonb_build_array(
    jsonb_build_object('stage_id', id('Lead'), 'at', '2023-11-01'), jsonb_build_object('stage_id', id('Lost'), 'at', '2023-11-20', 'lost_reason', 'price'),
    jsonb_build_object('stage_id', id('Qualified'), 'at', '2024-02-01', 'actor', 'ann'), jsonb_build_object('stage_id', id('Won'), 'at', '2024-03-30')), 'from the old CRM') \g /dev/null
SELECT is(moves('h'), E'1 Lead 11-01 Lost 11-20\n2 Lost 11-20 Qualified 02-01 11-20\n3 Qualified 02-01 Won 03-30', 'a fuller history');
SELECT is(times('h'), '11-01 03-30 03-30 3', 'which the deal follows');
SELECT is((SELECT jsonb_array_length(superseded -> 'stage_changes') FROM deal_changes WHERE deal_id = id('h') AND change = 'corrected'), 2, 'the old one is kept');
SELECT is((SELECT count(*) FROM deal_changes WHERE change = 'erased'), 0::bigint, 'nothing is missing');
SELECT alike(error_of($$SELECT replace_history(id('h'), jsonb_build_array(jsonb_build_object('stage_id', id('Lead'), 'at', '2023-11-01')), 'x')$$), E'23514\nthe history of deal %must end in stage%', 'it ends where the deal stands');
SELECT alike(error_of($$SELECT replace_history(id('h'), jsonb_build_array(jsonb_build_object('stage_id', id('Lead'), 'at', '2023-11-02'), jsonb_build_object('stage_id', id('Won'), 'at', '2023-11-01')), 'x')$$), E'23514\nelement 2 of history cannot be%', 'time does not run backwards');
SELECT alike(error_of($$SELECT replace_history(id('h'), '[{"stage_id": "00000000-0000-4000-8000-000000000009", "at": "2024-01-01"}]', 'x')$$), E'23503\n%', 'an unknown stage');
SELECT alike(error_of($$SELECT replace_history(id('h'), '[{"at": "2024-01-01"}]', 'x')$$), E'22023\nelement 1 of history has no stage_id%', 'no stage');
SELECT is(error_of(format($$SELECT replace_history(id('h'), jsonb_build_array(jsonb_build_object('stage_id', id('Lead'), 'at', '2023-11-01'), '%s'::jsonb), 'x')$$, element)),
    concat(E'22023\nelement 2 of history has an invalid ', said, E'\nEach element has stage_id and at, and may have actor, probability and lost_reason.'), said)
FROM (VALUES ('{"stage_id": "7", "at": "2024-01-01"}', 'stage_id: invalid input syntax for type uuid: "7"'), ('{"at": "30.02.2024"}', 'at: date/time field value out of range: "30.02.2024"'),
    ('{"at": {}}', 'at: invalid input syntax for type timestamp with time zone: "{}"'), ('{"at": "2024-01-01", "probability": "high"}', 'probability: invalid input syntax for type numeric: "high"')) AS v (element, said);
SELECT alike(error_of(format($$SELECT replace_history(id('h'), jsonb_build_array(jsonb_build_object('stage_id', id('Lead'), 'at', '2023-11-01', 'probability', %s), jsonb_build_object('stage_id', id('Won'), 'at', '2023-11-02')), 'x')$$, probability)),
    E'22023\nelement 1 of history has a probability%', probability || ' is no probability') FROM unnest('{-0.7,7,1e40}'::numeric[]) AS probability;

-- A later change is after those of the history that was replaced, of the same time too.
SELECT deal('renumbered') \g /dev/null
SET LOCAL crm.effective_at = '2024-05-01';
UPDATE deals SET amount = 200 WHERE id = id('renumbered');
SET LOCAL crm.effective_at = '';
SELECT replace_history(id('renumbered'), jsonb_build_array(jsonb_build_object('stage_id', id('Won'), 'at', '2024-01-01')), 'no moves') \g /dev/null
UPDATE deals SET stage_id = id('Lead'), stage_entered_at = '2024-02-01', amount = 300 WHERE id = id('renumbered');
SELECT is((SELECT string_agg(concat_ws(' ', to_char(changed_at, 'MM-DD'), move_no, new_amount::int), ', ' ORDER BY version)
    FROM deal_changes WHERE deal_id = id('renumbered') AND change IN ('created', 'updated')), '01-01 0 100, 05-01 0 200, 05-01 0 300', 'numbers of the new history');
SELECT is((SELECT sum(open_value) FROM pipeline_trend(id('Sales'), '2024-03-01', '2024-03-01', group_by => 'deal') WHERE group_key::uuid = id('renumbered')), 100::numeric,
    'what it was worth before all of them');

-- The history that is there already; what an element leaves out is not compared.
CREATE FUNCTION t.written(deal text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(' ', (SELECT d.version FROM crm.deals AS d WHERE d.id = t.id(deal)),
        (SELECT string_agg(c.id::text, ' ' ORDER BY c.id) FROM crm.deal_changes AS c WHERE c.deal_id = t.id(deal)),
        (SELECT string_agg(c.id::text, ' ' ORDER BY c.id) FROM crm.stage_changes AS c WHERE c.deal_id = t.id(deal)))
$$;
CREATE FUNCTION t.writes(deal text, history text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    before text := t.written(deal);
    result boolean;
BEGIN
    IF (crm.replace_history(t.id(deal), history::jsonb, 'again')).id <> t.id(deal) THEN
        RAISE 'another deal';
    END IF;
    RAISE EXCEPTION USING errcode = 'TT000', message = (t.written(deal) <> before)::text;
EXCEPTION WHEN SQLSTATE 'TT000' THEN
    RETURN SQLERRM;
END $$;
CREATE FUNCTION t.element(stage text, at text, said jsonb = '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('stage_id', t.id(stage), 'at', at) || said
$$;
SELECT deal('s') \g /dev/null
SELECT deal('never moved'), undo_move(id('never moved')), undo_move(id('never moved')) \g /dev/null
INSERT INTO deals (id, title, stage_id, created_at) VALUES (id('new'), 'new', id('Lead'), '2024-01-01');
INSERT INTO deals (id, title, stage_id, won_at) VALUES (id('won'), 'won', id('Won'), '2024-03-10');
SELECT deal('early'), deal('edited') \g /dev/null
UPDATE deals SET created_at = '2023-12-01' WHERE id = id('early');
UPDATE deals SET amount = 7 WHERE id = id('edited');
UPDATE deals SET won_at = '2024-03-31' WHERE id = id('edited');
SELECT is(writes(deal, history::text), expected, what) FROM (VALUES
    ('s', jsonb_build_array(element('Lead', '2024-01-01'), element('Qualified', '2024-01-10'), element('Won', '2024-04-02')), false, 'as the triggers wrote it'),
    ('s', jsonb_build_array(element('Lead', '2024-01-01'), element('Qualified', '2024-01-10', jsonb_build_object('actor', session_user)), element('Won', '2024-04-02', '{"probability": 0.2}')), false, 'with who, and a probability that a won deal does not have'),
    ('s', jsonb_build_array(element('Lead', '2024-01-01'), element('Qualified', '2024-01-10', '{"actor": "zed"}'), element('Won', '2024-04-02')), true, 'who else'),
    ('s', jsonb_build_array(element('Lead', '2024-01-01'), element('Qualified', '2024-01-10', '{"probability": 0.77}'), element('Won', '2024-04-02')), true, 'another probability'),
    ('s', jsonb_build_array(element('Lead', '2024-01-01'), element('Qualified', '2024-01-11'), element('Won', '2024-04-02')), true, 'another time'),
    ('s', jsonb_build_array(element('Lead', '2024-01-02'), element('Qualified', '2024-01-10'), element('Won', '2024-04-02')), true, 'another beginning'),
    ('s', jsonb_build_array(element('Lost', '2024-01-01'), element('Qualified', '2024-01-10'), element('Won', '2024-04-02')), true, 'another first stage'),
    ('s', jsonb_build_array(element('Lead', '2024-01-01'), element('Won', '2024-04-02')), true, 'a move less'),
    ('h', jsonb_build_array(element('Lead', '2023-11-01'), element('Lost', '2023-11-20', '{"lost_reason": "price"}'), element('Qualified', '2024-02-01', '{"actor": "ann"}'), element('Won', '2024-03-30')), false, 'as replaced before'),
    ('h', jsonb_build_array(element('Lead', '2023-11-01'), element('Lost', '2023-11-20', '{"lost_reason": "time"}'), element('Qualified', '2024-02-01'), element('Won', '2024-03-30')), true, 'lost for another reason'),
    ('never moved', jsonb_build_array(element('Lead', '2024-01-01')), true, 'without the moves that were taken back'),
    ('never moved', jsonb_build_array(element('Lead', '2024-01-01'), element('Qualified', '2024-01-10'), element('Won', '2024-04-02'), element('Qualified', now()::text), element('Lead', now()::text)), true, 'nor is taking back a move'),
    ('new', jsonb_build_array(element('Lead', '2024-01-01')), false, 'only created'),
    ('new', jsonb_build_array(element('Lead', '2024-01-02')), true, 'later'),
    ('won', jsonb_build_array(element('Won', '2024-03-10')), false, 'created and won'),
    ('early', jsonb_build_array(element('Lead', '2024-01-01'), element('Qualified', '2024-01-10'), element('Won', '2024-04-02')), true, 'created_at is another one'),
    ('edited', jsonb_build_array(element('Lead', '2024-01-01'), element('Qualified', '2024-01-10'), element('Won', '2024-03-31')), false, 'corrected, and of another value since')
) AS v (deal, history, expected, what);

-- Who.
CREATE ROLE correction_writer;
CREATE ROLE correction_admin;
SELECT extensions.crm_grant_access('crm', 'correction_writer', 'write'), extensions.crm_grant_access('crm', 'correction_admin', 'admin') \g /dev/null
SELECT deal('g') \g /dev/null
GRANT USAGE ON SCHEMA t TO correction_writer, correction_admin;
SET LOCAL ROLE correction_writer;
SELECT throws_ok($$SELECT crm.correct_move(t.id('g'), '2024-04-01')$$, '42501', NULL, 'the level write does not correct moves');
UPDATE deals SET won_at = '2024-04-01' WHERE id = id('g');
SELECT is((SELECT changed_at FROM stage_changes WHERE deal_id = id('g') AND move_no = 2), '2024-04-01', 'but when it closed a deal');
UPDATE deals SET stage_entered_at = '2024-01-05', move_no = -1 WHERE id = id('g');
SELECT is(times('g'), '01-01 04-01 04-01 2', 'nothing is said by the number that lets a deal follow its history');
RESET ROLE;
SET LOCAL ROLE correction_admin;
SELECT is((correct_move(id('g'), '2024-03-31')).won_at, '2024-03-31', 'admin does');
RESET ROLE;

-- The guard lets through what is kept whole, nothing else.
SELECT throws_ok($$UPDATE stage_changes SET changed_at = now(), correction_id = (SELECT c.id FROM deal_changes AS c WHERE c.deal_id = id('g') AND c.change = 'corrected' LIMIT 1) WHERE deal_id = id('g')$$,
    '42501', 'rows of "stage_changes" are never updated', 'a correction is good for once');
SELECT is_empty('SELECT * FROM extensions.crm_check_totals(''crm'')', 'the totals');
-- What stands in the way of a correction: rules of the owner's, and triggers.
SELECT deal('ruled') \g /dev/null
CREATE FUNCTION t.under(variation text, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    EXECUTE variation;
    said := t.error_of(command);
    RAISE EXCEPTION USING errcode = 'TT000', message = coalesce(said, 'nothing');
EXCEPTION WHEN SQLSTATE 'TT000' THEN
    RETURN SQLERRM;
END $$;
SELECT is(under(format('CREATE RULE r AS ON UPDATE TO crm.%s DO INSTEAD %s', tab, instead), format('SELECT correct_move(%L, %L, %s)', id('ruled'), at, no)),
    format(E'39P01\na rule of table "%s" replaces the extension\'s UPDATE\nDrop the rule.', tab), format('a rule: %s, %s', tab, instead))
FROM (VALUES ('stage_changes', 'NOTHING', '2024-01-11', 1), ('deal_changes', 'NOTHING', '2023-12-31', 0),
    ('stage_changes', 'SELECT 1', '2024-01-11', 1)) AS v (tab, instead, at, no);
CREATE FUNCTION t.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
SELECT alike(under('CREATE TRIGGER t BEFORE UPDATE ON crm.stage_changes FOR EACH ROW EXECUTE FUNCTION t.nothing()', format('SELECT correct_move(%L, %L, 1)', id('ruled'), '2024-01-11')),
    E'39P01\nthe history of deal % could not be corrected\n%let it pass rows that set correction_id.', 'a trigger');
SELECT alike(under(variation, format('SELECT replace_history(%L, %L, %L)', id('ruled'), format('[{"stage_id": "%s", "at": "2024-01-02"}, {"stage_id": "%s", "at": "2024-02-01"}]', id('Lead'), id('Won')), 'why')),
    format(E'39P01\n%%A trigger or a rule of table "%s" suppressed some of its rows.\n%%', tab), 'a history replaced: ' || variation)
FROM (VALUES ('CREATE RULE r AS ON INSERT TO crm.stage_changes DO INSTEAD NOTHING', 'stage_changes'),
    ('CREATE TRIGGER t BEFORE INSERT ON crm.stage_changes FOR EACH ROW EXECUTE FUNCTION t.nothing()', 'stage_changes'),
    ('CREATE RULE r AS ON UPDATE TO crm.deal_changes DO INSTEAD NOTHING', 'deal_changes')) AS v (variation, tab);
SELECT is(times('ruled'), '01-01 04-02 04-02 2', 'and nothing has changed');

SELECT * FROM finish();
ROLLBACK;
