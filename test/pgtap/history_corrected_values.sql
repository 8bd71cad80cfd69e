-- What a deal was worth at the time of a move follows that time when it is corrected.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(12);

CREATE FUNCTION t.change(moment text, change text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('crm.effective_at', moment, true);
    EXECUTE format('UPDATE crm.deals SET %s WHERE id = t.id(''x'')', change);
    PERFORM set_config('crm.effective_at', '', true);
END $$;
CREATE FUNCTION t.worth() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(concat_ws(' ', to_char(c.changed_at, 'MM-DD'), coalesce(trim_scale(c.amount)::text, 'none'), c.currency, c.value_period), ', ' ORDER BY c.move_no)
    FROM crm.stage_changes AS c WHERE c.deal_id = t.id('x')
$$;
-- The moves that have another amount than the summary of their time.
CREATE FUNCTION t.differ() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(format('%s: %s, not %s', c.changed_at, c.amount, s.value), '; ' ORDER BY c.move_no)
    FROM crm.stage_changes AS c CROSS JOIN LATERAL (
        SELECT sum((p.summary #>> ARRAY[status, 'total_value'])::numeric) AS value
        FROM (SELECT crm.pipeline_summary_as_of(t.id('Sales'), c.changed_at) AS summary) AS p, unnest('{open,won,lost}'::text[]) AS status) AS s
    WHERE c.deal_id = t.id('x') AND c.amount IS DISTINCT FROM s.value
$$;

INSERT INTO deals (id, title, stage_id, amount, created_at) VALUES (id('x'), 'x', id('Lead'), 10, '2024-01-01');
SELECT change('2024-02-01', format('stage_id = %L', id('Qualified'))) \g /dev/null
SELECT change('2024-02-10', 'amount = 20, value_period = ''annual''') \g /dev/null
SELECT is(worth(), '02-01 10 USD one_time', 'as it was recorded');
SELECT correct_move(id('x'), '2024-02-05', 1) \g /dev/null
SELECT is(worth(), '02-05 10 USD one_time', 'a correction that passes no change of values');
SELECT correct_move(id('x'), '2024-02-20', 1) \g /dev/null
SELECT is(worth(), '02-20 20 USD annual', 'one that does');
SELECT is((SELECT c.superseded #>> '{stage_changes,0,amount}' FROM deal_changes AS c WHERE c.deal_id = id('x') AND c.change = 'corrected' ORDER BY c.changed_at DESC LIMIT 1),
    '10.0000', 'what it was is kept');
SELECT change('2024-03-01', format('stage_id = %L', id('Won'))) \g /dev/null
SELECT change('2024-03-10', 'amount = 50') \g /dev/null
SELECT change('2024-03-15', 'amount = NULL') \g /dev/null
UPDATE deals SET won_at = '2024-03-12' WHERE id = id('x');
SELECT is(worth(), '02-20 20 USD annual, 03-12 50 USD annual', 'by won_at; the other move stays');
UPDATE deals SET won_at = '2024-03-20', amount = 70 WHERE id = id('x');
SELECT is(worth(), '02-20 20 USD annual, 03-20 none USD annual', 'none at that time; a change of the same statement is later');
SELECT is(differ(), '2024-03-20 00:00:00+00: , not 0', 'as summaries of the past have it');
SELECT replace_history(id('x'), jsonb_build_array(
    jsonb_build_object('stage_id', id('Lead'), 'at', '2023-12-01'), jsonb_build_object('stage_id', id('Qualified'), 'at', '2024-01-05'),
    jsonb_build_object('stage_id', id('Won'), 'at', '2024-03-11')), 'test') \g /dev/null
SELECT is(worth(), '01-05 10 USD one_time, 03-11 50 USD annual', 'a whole history');
SELECT is(differ(), NULL, 'which summaries have, too');

-- With a move that changes a value in the same statement.
SELECT extensions.crm_purge_deal('crm', id('x')) \g /dev/null
INSERT INTO deals (id, title, stage_id, amount, created_at) VALUES (id('x'), 'x', id('Lead'), 10, '2024-01-01');
SELECT change('2024-02-01', format('stage_id = %L, amount = 11', id('Qualified'))) \g /dev/null
SELECT correct_move(id('x'), '2024-01-20', 1) \g /dev/null
SELECT is(worth(), '01-20 11 USD one_time', 'a change that was written with the move goes along');

-- Random changes and moves, then random corrections.
SELECT setseed(0.4);
DO $$
DECLARE
    moment timestamptz = '2024-02-02';
    stages uuid[] = ARRAY[t.id('Lead'), t.id('Qualified'), t.id('Paused')];
BEGIN
    FOR n IN 1..60 LOOP
        moment := moment + (1 + random() * 5) * interval '1 day';
        IF random() < 0.5 THEN
            PERFORM t.change(moment::text, format('amount = %s', n));
        ELSE
            PERFORM t.change(moment::text, format('stage_id = %L', stages[n % 3 + 1]));
        END IF;
    END LOOP;
END $$;
SELECT is(differ(), NULL, 'random moves as recorded');
DO $$
DECLARE
    move crm.stage_changes;
    next timestamptz;
BEGIN
    FOR n IN 1..60 LOOP
        SELECT * INTO move FROM crm.stage_changes WHERE deal_id = t.id('x') ORDER BY random() LIMIT 1;
        SELECT coalesce(min(changed_at), '2024-12-01') INTO next FROM crm.stage_changes WHERE deal_id = t.id('x') AND move_no > move.move_no;
        PERFORM crm.correct_move(t.id('x'), move.entered_at + random() * (next - move.entered_at), move.move_no);
    END LOOP;
END $$;
SELECT is(differ(), NULL, 'and corrected');

SELECT * FROM finish();
ROLLBACK;
