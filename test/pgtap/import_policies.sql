-- What an import does where the files leave something open: each policy, with its
-- choices.  A case is a deal with its moves; told is what the import says of it.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
SELECT extensions.crm_prepare_import('imp') \g /dev/null
SET LOCAL client_min_messages = warning;
SET LOCAL crm.actor = 'importer';

-- Imports one deal of the pipeline Sales, and returns its history or why it has none:
-- STAGE since TIME, by ACTOR > STAGE ...; then its status, and the times of it.
CREATE FUNCTION t.import(deal text, moves text DEFAULT '', policies jsonb DEFAULT '{}', keep boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    told text;
    d text[] := string_to_array(deal, '|');
BEGIN
    PERFORM extensions.crm_prepare_import('imp');
    INSERT INTO imp.deals (external_id, title, pipeline, stage, status, created_at, closed_at, amount)
    VALUES ('x', 'X', 'Sales', d[1], d[2], d[3], d[4], d[5]);
    INSERT INTO imp.moves (external_id, from_stage, to_stage, at, actor)
    SELECT 'x', m[1], m[2], m[3], m[4] FROM (SELECT string_to_array(v, '|') AS m, n FROM string_to_table(moves, E'\n') WITH ORDINALITY AS v (v, n)
        WHERE v <> '' ORDER BY n) AS l;
    PERFORM extensions.crm_import('crm', 'test', 'imp', policies => policies);
    SELECT string_agg(format('%s %s %s: %s', r.file, r.line, r.column_name, r.reason), E'\n' ORDER BY r.file, r.line) INTO told FROM imp.rejects AS r;
    IF told IS NULL THEN
        SELECT string_agg(format('%s since %s', s.name, to_char(v.entered_at, 'MM-DD HH24:MI')), ' > ' ORDER BY v.visit_no)
            || format('; %s, created %s', d.status, to_char(d.created_at, 'MM-DD HH24:MI')) || coalesce(', closed ' || to_char(coalesce(d.won_at, d.lost_at), 'MM-DD HH24:MI'), '')
            INTO told
        FROM crm.deals AS d JOIN crm.stage_visits AS v ON v.deal_id = d.id JOIN crm.stages AS s ON s.id = v.stage_id
        WHERE d.external_id = 'x' GROUP BY d.id;
    END IF;
    IF NOT keep THEN
        DELETE FROM crm.deals WHERE external_id = 'x';
        DELETE FROM imp.imported;
    END IF;
    RETURN told;
END $$;

SELECT is(t.import('Qualified||2024-01-02 08:00', 'Lead|Qualified|2024-01-03|ann'), 'Lead since 01-02 08:00 > Qualified since 01-03 00:00; open, created 01-02 08:00', 'a plain history');
SELECT is(t.import('Qualified||2024-01-02 08:00', 'Lead|Qualified|2024-01-02|ann'), 'Lead since 01-02 08:00 > Qualified since 01-02 08:00; open, created 01-02 08:00', 'a date of the day of creation is its moment');
SELECT is(t.import('|won|2024-01-02 08:00|2024-01-09', 'Lead|Qualified|2024-01-09 10:00|'), 'Lead since 01-02 08:00 > Qualified since 01-09 10:00 > Won since 01-09 10:00; won, created 01-02 08:00, closed 01-09 10:00', 'as is one of the day of the last move');

-- out_of_order
SELECT is(t.import('Paused||2024-01-02', E'Qualified|Paused|2024-01-04|\nLead|Qualified|2024-01-03|'), 'Lead since 01-02 00:00 > Qualified since 01-03 00:00 > Paused since 01-04 00:00; open, created 01-02 00:00', 'out_of_order: sort');
SELECT is(t.import('Paused||2024-01-02', E'Qualified|Paused|2024-01-04|\nLead|Qualified|2024-01-03|', '{"out_of_order": "reject"}'), 'moves 2 at: the move is before that of line 3 (policy out_of_order)', 'out_of_order: reject');
-- ties
SELECT is(t.import('Qualified||2024-01-02', E'Paused|Qualified|2024-01-04|\nQualified|Paused|2024-01-04|\nLead|Qualified|2024-01-04|'), 'Lead since 01-02 00:00 > Qualified since 01-04 00:00 > Paused since 01-04 00:00 > Qualified since 01-04 00:00; open, created 01-02 00:00', 'ties: from and to put them in order');
SELECT is(t.import('Qualified||2024-01-02', E'|Lead|2024-01-02|\n|Paused|2024-01-04|\n|Qualified|2024-01-04|'), 'moves 3 at: several moves have this time, and nothing tells which was first (policy ties)', 'ties: reject');
SELECT is(t.import('Qualified||2024-01-02', E'|Lead|2024-01-02|\n|Paused|2024-01-04|\n|Qualified|2024-01-04|', '{"ties": "lines"}'), 'Lead since 01-02 00:00 > Paused since 01-04 00:00 > Qualified since 01-04 00:00; open, created 01-02 00:00', 'ties: lines');
SELECT is(t.import('Paused||2024-01-02', E'Lead|Paused|2024-01-04|\nLead|Paused|2024-01-04|\nPaused|Paused|2024-01-05|'), 'Lead since 01-02 00:00 > Paused since 01-04 00:00; open, created 01-02 00:00', 'a move that is told twice, and one within a stage');
-- gaps
SELECT is(t.import('Due||2024-01-02', E'Lead|Qualified|2024-01-03|'), 'deals 2 stage: there is no such stage in the pipeline (mapping, or policy unknown_stages)', 'a stage of another pipeline');
SELECT is(t.import('Paused||2024-01-02', E'Lead|Qualified|2024-01-03|\nLead|Paused|2024-01-04|'), 'moves 3 from_stage: the move before, in line 2, ended in "Qualified" (policy gaps)', 'gaps: reject');
SELECT is(t.import('Paused||2024-01-02', E'Lead|Qualified|2024-01-03|\nLead|Paused|2024-01-04|', '{"gaps": "bridge"}'), 'Lead since 01-02 00:00 > Qualified since 01-03 00:00 > Lead since 01-04 00:00 > Paused since 01-04 00:00; open, created 01-02 00:00', 'gaps: bridge');
SELECT is(t.import('Paused||2024-01-02', E'Lead|Qualified|2024-01-03|\nLead|Paused|2024-01-04|', '{"gaps": "ignore"}'), 'Lead since 01-02 00:00 > Qualified since 01-03 00:00 > Paused since 01-04 00:00; open, created 01-02 00:00', 'gaps: ignore');
-- missing_first_stage
SELECT is(t.import('Paused||2024-01-02', E'|Qualified|2024-01-03|\n|Paused|2024-01-04|'), 'Qualified since 01-03 00:00 > Paused since 01-04 00:00; open, created 01-02 00:00', 'missing_first_stage: first_known');
SELECT is(t.import('Paused||2024-01-02', E'|Qualified|2024-01-03|\n|Paused|2024-01-04|', '{"missing_first_stage": "first_open"}'), 'Lead since 01-02 00:00 > Qualified since 01-03 00:00 > Paused since 01-04 00:00; open, created 01-02 00:00', 'missing_first_stage: first_open');
SELECT matches(t.import('Paused||2024-01-02', E'|Qualified|2024-01-03|', '{"missing_first_stage": "reject"}'), 'no stage is known from then on until the first move, in line 2', 'missing_first_stage: reject');
SELECT is(t.import('Won||2024-01-02|2024-02-01'), 'Won since 02-01 00:00; won, created 01-02 00:00, closed 02-01 00:00', 'a closed deal of which nothing else is known begins there');
SELECT is(t.import('Won||2024-01-02|2024-02-01', '', '{"missing_first_stage": "first_open"}'), 'Lead since 01-02 00:00 > Won since 02-01 00:00; won, created 01-02 00:00, closed 02-01 00:00', 'or in the first open stage');
-- missing_created, undated, moved_before_created
SELECT is(t.import('Paused|', 'Lead|Paused|2024-01-04|'), 'Lead since 01-04 00:00 > Paused since 01-04 00:00; open, created 01-04 00:00', 'missing_created: first_move');
SELECT is(t.import('Paused|', 'Lead|Paused|2024-01-04|', '{"missing_created": "reject"}'), 'deals 2 created_at: no time of creation (policy missing_created)', 'missing_created: reject');
SELECT is(t.import('Paused|'), 'deals 2 created_at: no time at all (policy undated)', 'undated: reject');
SELECT matches(t.import('Paused|', '', '{"undated": "now"}'), '^Paused since ' || to_char(clock_timestamp(), 'MM-DD'), 'undated: now');
SELECT is(t.import('Qualified||2024-01-05 10:00', 'Lead|Qualified|2024-01-03|'), 'Lead since 01-03 00:00 > Qualified since 01-03 00:00; open, created 01-03 00:00', 'moved_before_created: first_move');
SELECT is(t.import('Qualified||2024-01-05 10:00', 'Lead|Qualified|2024-01-03|', '{"moved_before_created": "reject"}'), 'deals 2 created_at: a move, in line 2, is earlier (policy moved_before_created)', 'moved_before_created: reject');
-- closed_without_date, close_differs
SELECT is(t.import('Qualified|won|2024-01-02', 'Lead|Qualified|2024-01-03|'), 'deals 2 closed_at: closed, but when is not said (policy closed_without_date)', 'closed_without_date: reject');
SELECT is(t.import('Qualified|won|2024-01-02', 'Lead|Qualified|2024-01-03|', '{"closed_without_date": "last_known"}'), 'Lead since 01-02 00:00 > Qualified since 01-03 00:00 > Won since 01-03 00:00; won, created 01-02 00:00, closed 01-03 00:00', 'closed_without_date: last_known');
SELECT matches(t.import('Qualified|won|2024-01-02', 'Lead|Qualified|2024-01-03|', '{"closed_without_date": "now"}'), 'Won since ' || to_char(clock_timestamp(), 'MM-DD'), 'closed_without_date: now');
SELECT is(t.import('Won||2024-01-02|2024-01-20', 'Lead|Won|2024-01-10|'), 'Lead since 01-02 00:00 > Won since 01-10 00:00; won, created 01-02 00:00, closed 01-10 00:00', 'close_differs: history');
SELECT is(t.import('Won||2024-01-02|2024-01-20', 'Lead|Won|2024-01-10|', '{"close_differs": "closed_at"}'), 'Lead since 01-02 00:00 > Won since 01-20 00:00; won, created 01-02 00:00, closed 01-20 00:00', 'close_differs: closed_at');
SELECT is(t.import('Won||2024-01-02|2024-01-20', 'Lead|Won|2024-01-10|', '{"close_differs": "reject"}'), 'deals 2 closed_at: the history has another time (policy close_differs)', 'close_differs: reject');
SELECT is(t.import('|won|2024-01-02|2024-01-01'), 'deals 2 closed_at: is before the deal was created', 'closed before it was created');
SELECT is(t.import('|won|2024-01-02|2024-01-03', 'Lead|Qualified|2024-01-10|'), 'deals 2 closed_at: is before the last move', 'or before the last move');
-- ends_elsewhere
SELECT is(t.import('Paused||2024-01-02', 'Lead|Qualified|2024-01-03|'), 'deals 2 stage: the history ends in "Qualified" (policy ends_elsewhere)', 'ends_elsewhere: reject');
SELECT is(t.import('Paused||2024-01-02', 'Lead|Qualified|2024-01-03|', '{"ends_elsewhere": "history"}'), 'Lead since 01-02 00:00 > Qualified since 01-03 00:00; open, created 01-02 00:00', 'ends_elsewhere: history');
SELECT matches(t.import('Paused||2024-01-02', 'Lead|Qualified|2024-01-03|', '{"ends_elsewhere": "now"}'), '> Paused since ' || to_char(clock_timestamp(), 'MM-DD'), 'ends_elsewhere: now');
SELECT is(t.import('Lead||2024-01-02', E'Lead|Won|2024-01-03|\nWon|Lead|2024-01-05|'), 'Lead since 01-02 00:00 > Won since 01-03 00:00 > Lead since 01-05 00:00; open, created 01-02 00:00', 'a deal that is open again');
SELECT is(t.import('Lead|won|2024-01-02|2024-01-03', E'Lead|won|2024-01-03|\nwon|Lead|2024-01-05|\nLead|won|2024-01-06|'), 'Lead since 01-02 00:00 > Won since 01-03 00:00 > Lead since 01-05 00:00 > Won since 01-06 00:00; won, created 01-02 00:00, closed 01-06 00:00', 'won twice');
-- statuses, amounts
SELECT matches(t.import('Qualified|lost|2024-01-02|2024-01-03'), 'deals 2 status: the pipeline has no stage, or several, for deals that are lost', 'two stages for lost deals');
SELECT is(t.import('Won|open|2024-01-02|2024-01-03'), 'deals 2 status: contradicts the stage, which is for deals that are won', 'a status that contradicts the stage');
SELECT is(t.import('Lead||2024-01-02||1.23456'), 'deals 2 amount: has more than 4 decimals (policy amount_scale)', 'amount_scale: reject');
SELECT matches(t.import('Lead||2024-01-02||1.23456', '', '{"amount_scale": "round"}'), '^Lead', 'amount_scale: round');
SELECT matches(t.import('Lead||2999-01-02'), 'created_at: is in the future', 'a time in the future');
UPDATE crm.stages SET archived_at = '2024-02-01' WHERE name = 'Paused';
SELECT matches(t.import('Paused||2024-01-02'), '^Paused since', 'a stage before it was archived');
SELECT matches(t.import('Paused||2024-02-02'), 'the stage was archived', 'but not afterwards');

-- Again: changed here, deleted here, from elsewhere.
SELECT is(t.import('Lead||2024-01-02', '', '{}', true), 'Lead since 01-02 00:00; open, created 01-02 00:00', 'a deal');
UPDATE crm.deals SET stage_id = t.id('Qualified') WHERE external_id = 'x';
SELECT matches(t.import('Lead||2024-01-02', '', '{}', true), '^Lead since 01-02 00:00 > Qualified since', 'the same file leaves what was done since');
SELECT matches(t.import('Lead||2024-01-03', '', '{}', true), 'the deal was changed here since it was imported', 'changed_here: reject');
SELECT matches(t.import('Lead||2024-01-03', '', '{"changed_here": "keep"}', true), '^Lead since 01-02 00:00 > Qualified since', 'changed_here: keep');
SELECT is(t.import('Lead||2024-01-03', '', '{"changed_here": "replace"}', true), 'Lead since 01-03 00:00; open, created 01-03 00:00', 'changed_here: replace');
SELECT results_eq($$SELECT jsonb_array_length(superseded -> 'stage_changes'), reason, changed_by FROM crm.deal_changes WHERE change = 'corrected'$$, $$VALUES (1, 'imported from test', 'importer')$$, 'what was is kept');
SELECT is_empty($$SELECT FROM crm.deal_changes WHERE change = 'erased'$$, 'and no gap told');
SELECT is_empty($$SELECT * FROM extensions.crm_check_totals('crm')$$, 'the totals are right');
SELECT is(t.import('Won||2024-01-03', 'Lead|Won|2024-01-04|', '{}', true), 'Lead since 01-03 00:00 > Won since 01-04 00:00; won, created 01-03 00:00, closed 01-04 00:00', 'a fuller file');
SELECT is(t.import('Lead||2024-01-03', E'Lead|Won|2024-01-04|\nWon|Lead|2024-01-05|', '{}', true), 'Lead since 01-03 00:00 > Won since 01-04 00:00 > Lead since 01-05 00:00; open, created 01-03 00:00', 'and another one');
SELECT is((SELECT count(*) FROM crm.deals WHERE external_id = 'x'), 1::bigint, 'nothing doubles');
DELETE FROM crm.deals WHERE external_id = 'x';
SELECT matches(t.import('Lead||2024-01-03', '', '{}', true), 'has been deleted here', 'a deal that was deleted here');
INSERT INTO crm.deals (title, stage_id, external_id) VALUES ('mine', t.id('Lead'), 'x');
SELECT matches(t.import('Lead||2024-01-03', '', '{}', true), 'did not come from this source', 'a deal of one''s own');

SELECT throws_ok($$SELECT t.import('Lead||2024-01-03', '', '{"tie": "x"}')$$, '22023', 'there is no policy "tie"', 'an unknown policy');
SELECT throws_ok($$SELECT t.import('Lead||2024-01-03', '', '{"ties": "x"}')$$, '22023', 'policy "ties" cannot be "x"', 'an unknown choice');
SELECT throws_ok($$SELECT extensions.crm_import('nowhere', 'test', 'imp')$$, '22023', 'there is no CRM in schema "nowhere"', 'no CRM');
SELECT throws_ok($$SELECT extensions.crm_import('crm', 'test', 't')$$, '22023', 'schema "t" is none of an import', 'no import');
SELECT throws_ok($$SELECT extensions.crm_import('crm', '', 'imp')$$, '22023', NULL, 'no source');
-- an external_id that no index could take
SELECT extensions.crm_prepare_import('imp') \g /dev/null
INSERT INTO imp.deals (external_id, title, pipeline, stage, created_at)
SELECT string_agg(md5(i::text), ''), 'X', 'Sales', 'Lead', '2024-01-02' FROM generate_series(1, 500) AS i;
SELECT extensions.crm_import('crm', 'test', 'imp') \g /dev/null
SELECT is((SELECT string_agg(r.column_name || ' ' || r.reason, E'\n') FROM imp.rejects AS r), 'external_id has more than 2,000 bytes', 'an external_id that is too long');

SELECT is(current_setting('crm.restoring'), 'off', 'nothing is left switched on');
SELECT is_empty($$SELECT FROM pg_class WHERE relnamespace = 'imp'::regnamespace AND relname LIKE 'work\_%'$$, 'nor lying about');

SELECT * FROM finish();
ROLLBACK;
