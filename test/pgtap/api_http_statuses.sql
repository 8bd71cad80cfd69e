-- Every refusal of the CRM, and the HTTP status that PostgREST gives it: the
-- table of docs/postgrest.md, asserted function by function and table by table.
BEGIN;
\ir include/setup.sql
\ir include/request.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
CREATE ROLE st_admin;
CREATE ROLE st_reader;
SELECT extensions.crm_grant_access('crm', 'st_admin', 'admin'), extensions.crm_grant_access('crm', 'st_reader', 'read') \g /dev/null
INSERT INTO deals (id, title, amount, external_id) VALUES (id('A'), 'A', 100, 'a');
INSERT INTO deals (id, title, status) VALUES (id('W'), 'W', 'won');
INSERT INTO tags (id, name) VALUES (id('hot'), 'hot');
INSERT INTO deal_contacts (deal_id, contact_id, is_primary) VALUES (id('A'), id('Ann'), true);
INSERT INTO stages (id, pipeline_id, name, archived_at) VALUES (id('Old'), id('Sales'), 'Old', '2020-01-01');
INSERT INTO pipelines (id, name, archived_at) VALUES (id('Gone'), 'Gone', '2020-01-01');
-- Moved twice, one of the moves taken back; deleted and put back.
INSERT INTO deals (id, title, stage_entered_at) VALUES (id('M'), 'M', '2024-01-01'), (id('Twice'), 'Twice', '2024-01-01');
UPDATE deals SET stage_id = id('Qualified'), stage_entered_at = '2024-02-01' WHERE id = id('M');
UPDATE deals SET stage_id = id('Paused'), stage_entered_at = '2024-03-01' WHERE id = id('M');
SELECT undo_move(id('M')) \g /dev/null
DELETE FROM deals WHERE id = id('Twice');
INSERT INTO deals (id, title) VALUES (id('Twice'), 'Twice');

-- The code and the status of an answer; or 'ok'.
CREATE FUNCTION t.said(answer jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN jsonb_typeof(answer) = 'array' THEN 'ok' ELSE concat_ws(' ', answer ->> 'code', answer ->> 'status') END $$;
CREATE FUNCTION t.ids(body jsonb) RETURNS jsonb LANGUAGE sql AS $$
    -- "@name" stands for the id of that name
    SELECT coalesce(jsonb_object_agg(k, CASE WHEN v #>> '{}' ~ '^@' THEN to_jsonb(t.id(substr(v #>> '{}', 2))) ELSE v END), '{}')
    FROM jsonb_each(body) AS e (k, v) $$;

-- Functions.
CREATE TABLE t.calls (n serial, function text, body jsonb, said text, why text);
INSERT INTO t.calls (function, body, said, why) VALUES
    ('create_pipeline', '{"name": "sales"}', '23505 409', 'the name is taken'),
    ('create_pipeline', '{"name": " "}', '23514 400', 'the name is blank'),
    ('create_pipeline', '{"name": null}', '22004 400', 'there is no name'),
    ('create_pipeline', '{"name": "x", "stages": {}}', '22023 400', 'stages is no array'),
    ('create_pipeline', '{"name": "x", "stages": [{"name": "a", "weight": 1}]}', '22023 400', 'a stage has an unknown key'),
    ('create_pipeline', '{"name": "x", "stages": ["a", "A"]}', '23505 409', 'two stages have the same name'),
    ('create_pipeline', '{"name": "x", "currency": "BUCKS"}', '23514 400', 'the currency is none'),
    ('set_default_pipeline', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('set_default_pipeline', '{"pipeline_id": "@Gone"}', '23514 400', 'the pipeline is archived'),
    ('set_default_pipeline', '{"pipeline_id": null}', '22004 400', 'the argument is null'),
    ('reorder_stages', '{"pipeline_id": "@nothing", "stage_ids": []}', 'PT404 404', 'there is no such pipeline'),
    ('reorder_stages', '{"pipeline_id": "@Sales", "stage_ids": []}', '22023 400', 'a stage is missing'),
    ('delete_stage', '{"stage_id": "@nothing"}', 'PT404 404', 'there is no such stage'),
    ('delete_stage', '{"stage_id": "@Lead"}', '23503 409', 'deals stand in it'),
    ('delete_stage', '{"stage_id": "@Lead", "move_deals_to": "@nothing"}', '23503 409', 'there is no such stage to move them to'),
    ('delete_stage', '{"stage_id": "@Lead", "move_deals_to": "@Lead"}', '22023 400', 'the two are the same'),
    ('apply_stage_probability', '{"stage_id": "@nothing"}', 'PT404 404', 'there is no such stage'),
    ('apply_stage_probability', '{"stage_id": "@Paused"}', '22023 400', 'the stage has no probability'),
    ('move_deal', '{"deal_id": "@nothing", "stage_id": "@Lead"}', 'PT404 404', 'there is no such deal'),
    ('move_deal', '{"deal_id": "@A", "stage_id": "@nothing"}', '23503 409', 'there is no such stage'),
    ('move_deal', '{"deal_id": "@A", "stage_id": "@Won", "expected_stage_id": "@Qualified"}', 'PT409 409', 'the deal stands elsewhere'),
    ('move_deal', '{"deal_id": "@A", "stage_id": "@Old"}', '23514 400', 'the stage is archived'),
    ('move_deal', '{"deal_id": "@A", "stage_id": "@Won", "effective_at": "2001-01-01"}', '23514 400', 'it would move before it entered its stage'),
    ('move_deal', '{"deal_id": "@A", "stage_id": "@Won", "effective_at": "2999-01-01"}', '23514 400', 'it would move in the future'),
    ('move_deal', '{"deal_id": "@A", "stage_id": "@Won", "effective_at": "soon"}', '22007 400', 'the time is none'),
    ('move_deal', '{"deal_id": "@A", "stage_id": "@Won", "lost_reason": "price"}', '22023 400', 'deals are not lost there'),
    ('move_deal', '{"deal_id": "A", "stage_id": "@Won"}', '22P02 400', 'an id is no uuid'),
    ('move_deal', '{"deal_id": null, "stage_id": "@Won"}', '22004 400', 'an id is null'),
    ('undo_move', '{"deal_id": "@nothing"}', 'PT404 404', 'there is no such deal'),
    ('undo_move', '{"deal_id": "@A"}', 'PT409 409', 'there is no move to take back'),
    ('correct_move', '{"deal_id": "@nothing", "changed_at": "2024-02-02"}', 'PT404 404', 'there is no such deal'),
    ('correct_move', '{"deal_id": "@M", "changed_at": "2024-02-02", "move_no": 4}', 'PT404 404', 'there is no such move'),
    ('correct_move', '{"deal_id": "@M", "changed_at": "2024-02-02", "move_no": 2}', 'PT409 409', 'the move was taken back'),
    ('correct_move', '{"deal_id": "@M", "changed_at": "2023-12-31", "move_no": 1}', '23514 400', 'the deal was not there yet'),
    ('correct_move', '{"deal_id": "@M", "changed_at": "2024-02-02", "move_no": 0}', '23514 400', 'the next move was before'),
    ('correct_move', '{"deal_id": "@M", "changed_at": "2999-01-01"}', '23514 400', 'that is in the future'),
    ('correct_move', '{"deal_id": "@M", "changed_at": "infinity"}', '22023 400', 'the time is infinite'),
    ('correct_move', '{"deal_id": "@M", "changed_at": "soon"}', '22007 400', 'the time is none'),
    ('correct_move', '{"deal_id": "@M", "changed_at": null}', '22004 400', 'there is no time'),
    ('replace_history', '{"deal_id": "@M", "history": {}, "reason": ""}', '22023 400', 'history is no array'),
    ('replace_history', '{"deal_id": "@M", "history": [{"at": "2024-01-01"}], "reason": ""}', '22023 400', 'an element lacks its stage'),
    ('replace_history', '{"deal_id": "@M", "history": [{"stage_id": "x", "at": "2024-01-01"}], "reason": ""}', '22023 400', 'an id is not a uuid'),
    ('replace_history', '{"deal_id": "@M", "history": null, "reason": ""}', '22004 400', 'there is no history'),
    ('set_primary_contact', '{"deal_id": "@nothing", "contact_id": "@Ann"}', 'PT404 404', 'there is no such deal'),
    ('set_primary_contact', '{"deal_id": "@A", "contact_id": "@Ben"}', 'PT404 404', 'the contact is not linked'),
    ('context_for_person', '{"person_id": null}', '22004 400', 'the argument is null'),
    ('context_for_deal', '{"deal_id": "@nothing"}', 'PT404 404', 'there is no such deal'),
    ('context_for_deal', '{"deal_id": null}', '22004 400', 'the argument is null'),
    ('context_for_person', '{"person_id": "@Ann", "max_deals": 101}', '22023 400', 'that is too many'),
    ('deal_history', '{"deal_id": "@nothing"}', 'PT404 404', 'there is no such deal'),
    ('merge_deals', '{"keep": "@A", "merge": "@nothing"}', 'PT404 404', 'there is no such deal'),
    ('merge_deals', '{"keep": "@A", "merge": "@A"}', '22023 400', 'it is the same deal'),
    ('unmerge_deals', '{"merged": "@A"}', 'PT409 409', 'it is not merged'),
    ('time_in_stage', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('stage_conversion', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('funnel', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('win_rate', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('sales_cycle', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('sales_velocity', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('recurring_revenue', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('rotting_deals', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('stage_probabilities', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('forecast', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('exchange_rate', '{"base": "EUR", "quote": "USD"}', '22023 400', 'there is no rate'),
    ('pipeline_summary', '{"pipeline_id": "@Sales", "in_currency": "BUCKS"}', '22023 400', 'the currency is none'),
    ('pipeline_summary_as_of', '{"pipeline_id": "@nothing", "at": "2024-01-01"}', 'PT404 404', 'there is no such pipeline'),
    ('pipeline_summary_as_of', '{"pipeline_id": "@Sales", "at": "2999-01-01"}', '22023 400', 'that is in the future'),
    ('pipeline_summary_as_of', '{"pipeline_id": "@Sales", "at": "2024-01-01", "in_currency": "BUCKS"}', '22023 400', 'the currency is none'),
    ('pipeline_page', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('pipeline_chart', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('pipeline_trend', '{"pipeline_id": "@nothing", "from_at": "2024-01-01"}', 'PT404 404', 'there is no such pipeline'),
    ('pipeline_trend', '{"pipeline_id": "@Sales", "from_at": "2024-01-01", "step": "decade"}', '22023 400', 'there is no such step'),
    ('pipeline_trend', '{"pipeline_id": "@Sales", "from_at": "1924-01-01"}', '22023 400', 'these are too many steps'),
    ('forecast', '{"period": "decade"}', '22023 400', 'there is no such period'),
    ('lost_reasons', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('lost_reasons', '{"group_by": "nothing"}', '22023 400', 'there is no such dimension'),
    ('win_rate', '{"time_zone": "Mars"}', '22023 400', 'there is no such time zone'),
    ('win_rate', '{"in_currency": "EUR", "max_rate_age": -1}', '22023 400', 'nothing is that old'),
    ('stage_flow', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('stage_flow', '{"pipeline_id": "@Sales", "period": "decade"}', '22023 400', 'there is no such choice'),
    ('changes_since', '{"at": "2024-01-01", "pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('changes_since', '{"at": "2024-01-01", "max_rows": 0}', '22023 400', 'too few'),
    ('changes_since', '{"at": "2024-01-01", "after_cursor": "x"}', '22023 400', 'that is no cursor'),
    ('changes_since', '{"at": null}', '22004 400', 'the argument is null'),
    ('forecast', '{"target": 1}', '22023 400', 'the target has no currency'),
    ('slippage', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('slippage', '{"group_by": "nothing"}', '22023 400', 'there is no such dimension'),
    ('pipeline_waterfall', '{"pipeline_id": "@nothing", "from_at": "2024-01-01"}', 'PT404 404', 'there is no such pipeline'),
    ('pipeline_waterfall', '{"pipeline_id": "@Sales", "from_at": null}', '22004 400', 'the argument is null'),
    ('pipeline_waterfall', '{"pipeline_id": "@Sales", "from_at": "2024-02-01", "to_at": "2024-01-01"}', '22023 400', 'the end is before the beginning'),
    ('pipeline_summary', '{"pipeline_id": "@nothing"}', 'PT404 404', 'there is no such pipeline'),
    ('pipeline_summary', '{"pipeline_id": "@Sales", "closing_from": "2026-02-01", "closing_to": "2026-01-01"}', '22023 400', 'the range is empty'),
    ('pipeline_summary', '{"pipeline_id": null}', '22004 400', 'the argument is null');
INSERT INTO t.calls (function, body, said, why)
    SELECT 'replace_history', jsonb_build_object('deal_id', id(deal), 'reason', 'log',
        'history', jsonb_build_array(jsonb_build_object('stage_id', id(stage), 'at', '2024-01-01'), jsonb_build_object('stage_id', id('Qualified'), 'at', at))), said, why
    FROM (VALUES ('nothing', 'Lead', '2024-02-01', 'PT404 404', 'there is no such deal'),
        ('Twice', 'Lead', '2024-02-01', 'PT409 409', 'it was deleted and put back'),
        ('M', 'nothing', '2024-02-01', '23503 409', 'there is no such stage'),
        ('M', 'Old', '2024-02-01', '23514 400', 'the stage was archived then'),
        ('M', 'Lead', '2023-12-31', '23514 400', 'times run backwards'),
        ('M', 'Lead', '2999-01-01', '23514 400', 'that is in the future'),
        ('A', 'Lead', '2024-02-01', '23514 400', 'the deal stands elsewhere')) AS v (deal, stage, at, said, why);
SELECT is(said(rpc('st_admin', '{}', function, ids(body))), said, function || ': ' || why) FROM t.calls ORDER BY n;
SELECT is_empty($$SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'crm'::regnamespace AND proargnames IS NOT NULL
    AND proname <> 'mcp' EXCEPT SELECT function FROM t.calls$$, 'every function of the API has a row in t.calls');
SELECT is(said(rpc('st_reader', '{}', function, '{}'::jsonb || ids(body))), '42501 403', function || ': the role may not')
FROM (SELECT DISTINCT ON (function) function, body FROM t.calls
    WHERE function NOT IN ('pipeline_summary', 'context_for_person', 'context_for_deal', 'deal_history',
        'time_in_stage', 'stage_conversion', 'funnel', 'win_rate', 'sales_cycle', 'sales_velocity', 'recurring_revenue', 'rotting_deals',
        'stage_probabilities', 'forecast', 'exchange_rate', 'slippage', 'pipeline_waterfall',
        'pipeline_summary_as_of', 'pipeline_trend', 'pipeline_page', 'pipeline_chart', 'lost_reasons', 'stage_flow', 'changes_since') ORDER BY function, n) AS f;
SELECT is(rpc('st_admin', '{}', 'move_deal', ids('{"deal_id": "@A", "stage_id": "@Won", "expected_stage_id": "@Qualified"}')) - 'message',
    jsonb_build_object('code', 'PT409', 'status', 409, 'hint', 'Read the deal again before you move it.',
        'details', (SELECT format('It stands in stage "Lead" (%s), since %s, not in stage "Qualified" (%s).', id('Lead'), stage_entered_at, id('Qualified'))
            FROM deals WHERE id = id('A'))), 'a conflict says what is, and what to do');

-- Rows into tables, and changes of them.
CREATE TABLE t.writes (n serial, method text, tab text, condition text, body jsonb, said text, why text);
INSERT INTO t.writes (method, tab, condition, body, said, why) VALUES
    ('POST', 'deals', NULL, '{"title": "x", "stage_id": "@nothing"}', '23503 409', 'there is no such stage'),
    ('POST', 'deals', NULL, '{"title": "x", "pipeline_id": "@nothing"}', '23503 409', 'there is no such pipeline'),
    ('POST', 'deals', NULL, '{"title": "x", "pipeline_id": "@Renewals", "stage_id": "@Lead"}', '23514 400', 'they contradict each other'),
    ('POST', 'deals', NULL, '{"title": "x", "status": "lost"}', '23514 400', 'the stage is ambiguous'),
    ('POST', 'deals', NULL, '{"title": "x", "pipeline_id": "@Gone"}', '23514 400', 'the pipeline is archived'),
    ('POST', 'deals', NULL, '{"title": "x", "status": "pending"}', '23514 400', 'there is no such status'),
    ('POST', 'deals', NULL, '{"title": "x", "amount": "much"}', '22P02 400', 'the amount is no number'),
    ('POST', 'deals', NULL, '{"title": "x", "amount": 1e30}', '22003 400', 'the amount is too large'),
    ('POST', 'deals', NULL, '{"title": "x", "amount": 1, "currency": "BUCKS"}', '23514 400', 'the currency is none'),
    ('POST', 'deals', NULL, '{"title": "x", "probability": 2}', '23514 400', 'the probability is none'),
    ('POST', 'deals', NULL, '{"amount": 1}', '23502 400', 'there is no title'),
    ('POST', 'deals', NULL, '{"title": "x", "external_id": "a"}', '23505 409', 'the external id is taken'),
    ('POST', 'deals', NULL, '{"title": "x", "id": "@A"}', '23505 409', 'the id is taken'),
    ('POST', 'pipelines', NULL, '{"name": "x", "is_default": true}', '23505 409', 'there is a default pipeline'),
    ('POST', 'stages', NULL, '{"name": "x", "pipeline_id": "@nothing"}', '23503 409', 'there is no such pipeline'),
    ('POST', 'stages', NULL, '{"name": "x", "pipeline_id": "@Sales", "position": 1}', '23505 409', 'the position is taken'),
    ('POST', 'exchange_rates', NULL, '{"base": "EUR", "quote": "EUR", "rate": 1}', '23514 400', 'the two currencies are the same'),
    ('POST', 'tags', NULL, '{"name": "HOT"}', '23505 409', 'the name is taken'),
    ('POST', 'deal_tags', NULL, '{"deal_id": "@A", "tag_id": "@nothing"}', '23503 409', 'there is no such tag'),
    ('POST', 'deal_contacts', NULL, '{"deal_id": "@A", "contact_id": "@Ann"}', '23505 409', 'the contact is linked'),
    ('POST', 'deal_contacts', NULL, '{"deal_id": "@nothing", "contact_id": "@Ann"}', '23503 409', 'there is no such deal'),
    ('POST', 'deal_contacts', NULL, '{"deal_id": "@A", "contact_id": "@Ben", "is_primary": true}', '23505 409', 'there is a primary contact'),
    ('POST', 'stage_changes', NULL, '{"deal_id": "@A"}', '42501 403', 'history is written by moves'),
    ('POST', 'pipeline_stage_summary', NULL, '{"pipeline_id": "@Sales"}', '42501 403', 'a view'),
    ('POST', 'stage_visits', NULL, '{"deal_id": "@A"}', '42501 403', 'a view'),
    ('POST', 'rotting_deals', NULL, '{"deal_id": "@A"}', '42501 403', 'a view'),
    ('POST', 'stage_forecast_categories', NULL, '{"stage_id": "@Lead"}', '42501 403', 'a view'),
    ('POST', 'deal_pushes', NULL, '{"deal_id": "@A"}', '42501 403', 'a view'),
    ('PATCH', 'stage_visits', 'true', '{"deal_id": "@A"}', '42501 403', 'a view'),
    ('PATCH', 'deals', 'deals.title = ''A''', '{"id": "@B"}', '23514 400', 'an id never changes'),
    ('PATCH', 'deals', 'deals.title = ''A''', '{"stage_entered_at": "2020-01-01T00:00:00Z"}', '23514 400', 'a time without a move'),
    ('PATCH', 'deals', 'deals.title = ''A''', '{"lost_reason": "price"}', '23514 400', 'the deal is not lost'),
    ('PATCH', 'deals', 'deals.title = ''nothing''', '{"title": "x"}', 'ok', 'no row is no error: ask for one object'),
    ('PATCH', 'stages', 'stages.name = ''Lead''', '{"deal_status": "won"}', '23514 400', 'deals stand in it'),
    ('PATCH', 'stages', 'stages.name = ''Lead''', '{"pipeline_id": "@Renewals"}', '23514 400', 'a stage stays in its pipeline'),
    ('PATCH', 'stage_changes', 'true', '{"changed_by": "x"}', '42501 403', 'history never changes'),
    ('PATCH', 'pipelines', 'pipelines.name = ''Sales''', '{"is_default": null}', 'ok', 'null means not given');
SELECT is(CASE method WHEN 'POST' THEN said(post('st_admin', '{}', tab, ids(body)))
    ELSE said(patch('st_admin', '{}', tab, condition, ids(body))) END, said, concat_ws(' ', method, tab || ':', why)) FROM t.writes ORDER BY n;
SELECT is(said(post('st_reader', '{}', tab, ids(body))), '42501 403', 'POST ' || tab || ': the role may not')
FROM (SELECT DISTINCT ON (tab) tab, body FROM t.writes WHERE method = 'POST' ORDER BY tab, n) AS w;
SELECT is(said(request('st_admin', '{}', format('WITH d AS (DELETE FROM %I RETURNING 1) SELECT ''[]''::jsonb FROM d', v))), '42501 403', 'DELETE ' || v || ': a view')
FROM unnest('{pipeline_stage_summary,stage_visits,rotting_deals,stage_forecast_categories,deal_pushes,deal_facts,move_facts}'::text[]) AS v;
SELECT is(t.error_of(format('INSERT INTO %I DEFAULT VALUES', v)), format(E'42501\nview "%s" cannot be written\nWrite "%s", from which it is computed.', v, tab), v || ': not by the owner either')
FROM (VALUES ('pipeline_stage_summary', 'deals'), ('stage_visits', 'deals'), ('rotting_deals', 'deals'), ('stage_forecast_categories', 'stages'), ('deal_pushes', 'deals'), ('deal_facts', 'deals'), ('move_facts', 'deals')) AS v (v, tab);
SELECT is(said(request('st_admin', '{}', format('WITH d AS (DELETE FROM stages WHERE id = %L RETURNING 1) SELECT ''[]''::jsonb FROM d', id('Lead')))),
    '23503 409', 'DELETE stages: deals stand in it');
SELECT is(said(request('st_admin', '{}', format('WITH d AS (DELETE FROM pipelines WHERE id = %L RETURNING 1) SELECT ''[]''::jsonb FROM d', id('Sales')))),
    '23503 409', 'DELETE pipelines: deals are in it');
SELECT is(said(request('st_admin', '{}', format('WITH d AS (DELETE FROM stages WHERE id = %L RETURNING 1) SELECT ''[]''::jsonb FROM d', id('Paused')))),
    '23503 409', 'DELETE stages: history speaks of it');

-- Nothing that a request can cause ends as an error of the server, and messages
-- speak of no internals.
CREATE TABLE t.answers AS
    SELECT rpc('st_admin', '{}', function, ids(body)) AS answer FROM t.calls
    UNION ALL SELECT CASE method WHEN 'POST' THEN post('st_admin', '{}', tab, ids(body)) ELSE patch('st_admin', '{}', tab, condition, ids(body)) END FROM t.writes;
SELECT is_empty($$SELECT answer FROM t.answers WHERE answer ->> 'status' >= '500'$$, 'no status of 500 or more');
SELECT is_empty($$SELECT answer FROM t.answers WHERE concat(answer ->> 'message', answer ->> 'details') ~ 'Failing row|field overflow|check constraint|not-null'$$,
    'each says what is expected');
SELECT is_empty($$SELECT answer FROM t.answers WHERE answer ->> 'code' ~ '^(PT|22023|42501)' AND concat(answer ->> 'message', answer ->> 'details', answer ->> 'hint')
    ~ 'crm_|SPI|trigger|pg_|\.c\M|regclass'$$, 'messages are fit to be shown');

-- What the owner has erased.
SELECT extensions.crm_trim_history('crm', '2024-02-15') \g /dev/null
SELECT is(said(rpc('st_admin', '{}', 'pipeline_summary_as_of', ids('{"pipeline_id": "@Sales", "at": "2024-01-15"}'))), 'PT410 410', 'pipeline_summary_as_of: the history was erased');
SELECT is(said(rpc('st_admin', '{}', 'pipeline_trend', ids('{"pipeline_id": "@Sales", "from_at": "2024-01-15", "step": "quarter"}'))), 'PT410 410', 'pipeline_trend: the history was erased');
SELECT is(said(rpc('st_admin', '{}', 'pipeline_waterfall', ids('{"pipeline_id": "@Sales", "from_at": "2024-01-15"}'))), 'PT410 410', 'pipeline_waterfall: the history was erased');

SELECT * FROM finish();
ROLLBACK;
