-- What the changes of values, the mapping and the file's own words may be: all of it is
-- told with its line, none of it is an error of a table of the CRM.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
SELECT extensions.crm_prepare_import('imp') \g /dev/null
SET LOCAL client_min_messages = warning;

-- Imports a deal with one change of a value; returns what is rejected.
CREATE FUNCTION t.change(field text, old_value text, new_value text, policies jsonb DEFAULT '{}', deal jsonb DEFAULT '{}') RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM extensions.crm_prepare_import('imp');
    DELETE FROM crm.deals WHERE external_id = 'x';
    DELETE FROM imp.imported;
    INSERT INTO imp.deals (external_id, title, pipeline, stage, created_at, amount, currency, owner)
    VALUES ('x', 'X', 'Sales', 'Lead', '2024-01-01', '10', deal ->> 'currency', deal ->> 'owner');
    INSERT INTO imp.value_changes (external_id, field, old_value, new_value, at) VALUES ('x', field, old_value, new_value, '2024-01-02');
    PERFORM extensions.crm_import('crm', 'test', 'imp', policies => policies);
    RETURN (SELECT string_agg(format('%s %s %s %s: %s', r.file, r.line, r.column_name, r.value, r.reason), E'\n' ORDER BY r.column_name) FROM imp.rejects AS r);
END $$;

SELECT is(t.change('currency', 'Taler', 'USD'), 'value_changes 2 old_value TALER: is no currency of ISO 4217 (mapping)', 'an old currency that is none');
SELECT is(t.change('currency', 'USD', 'Taler'), 'value_changes 2 new_value TALER: is no currency of ISO 4217 (mapping)', 'a new one');
SELECT is(t.change('value_period', 'weekly', 'monthly'), 'value_changes 2 old_value weekly: is not one_time, monthly, quarterly or annual (mapping)', 'a period');
SELECT is(t.change('value_period', 'one_time', 'weekly'), 'value_changes 2 new_value weekly: is not one_time, monthly, quarterly or annual (mapping)', 'another');
SELECT is(t.change('amount', '9999999999999999', '10'), 'value_changes 2 old_value 9999999999999999: has more than 15 digits before the decimal point',
    'an amount that is too large');
SELECT is(t.change('owner', 'ann', 'bob', '{"unknown_owners": "reject"}'),
    E'value_changes 2 new_value bob: is neither a uuid nor mapped (mapping, or policy unknown_owners)\n'
    'value_changes 2 old_value ann: is neither a uuid nor mapped (mapping, or policy unknown_owners)', 'owners that nobody knows');

-- The mapping holds for all lines, and for the words of the file as they are.
INSERT INTO imp.mapping (kind, value, target) VALUES ('currency', 'Taler', 'EUR'), ('currency', 'taler', 'USD'), ('value_period', 'weekly', 'monthly');
SELECT is(t.change('currency', 'Taler', 'taler', deal => '{"currency": "taler"}'), NULL, 'two words that differ by case are two currencies');
SELECT results_eq($$SELECT c.old_currency, c.new_currency FROM deal_changes AS c JOIN deals AS d ON d.id = c.deal_id WHERE d.external_id = 'x' ORDER BY c.changed_at$$,
    $$VALUES (NULL, 'EUR'), ('EUR', 'USD')$$, 'from the creation on');
SELECT is(t.change('value_period', 'weekly', 'annual'), NULL, 'so is a period');
SELECT results_eq($$SELECT c.old_value_period, c.new_value_period FROM deal_changes AS c JOIN deals AS d ON d.id = c.deal_id WHERE d.external_id = 'x' ORDER BY c.changed_at$$,
    $$VALUES (NULL, 'monthly'), ('monthly', 'annual')$$, 'with its first value');
SELECT is(t.change('note', NULL, NULL, deal => '{"currency": "Florin"}'), 'deals 2 currency Florin: is no currency of ISO 4217 (mapping)', 'what is rejected is told as the file has it');

-- A closed deal's planned date need not have passed, if the history closes it.
CREATE FUNCTION t.closed(moves text, policies jsonb DEFAULT '{}') RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM extensions.crm_prepare_import('imp');
    DELETE FROM crm.deals WHERE external_id = 'x';
    DELETE FROM imp.imported;
    INSERT INTO imp.deals (external_id, title, pipeline, stage, created_at, closed_at) VALUES ('x', 'X', 'Renewals', 'Renewed', '2024-01-01', '2099-01-01');
    INSERT INTO imp.moves (external_id, to_stage, at) SELECT 'x', split_part(m, '|', 1), split_part(m, '|', 2) FROM string_to_table(moves, ',') AS m WHERE m <> '';
    PERFORM extensions.crm_import('crm', 'test', 'imp', policies => policies);
    RETURN coalesce((SELECT string_agg(format('%s: %s', r.value, r.reason), E'\n') FROM imp.rejects AS r),
        (SELECT to_char(d.won_at, 'YYYY-MM-DD') FROM crm.deals AS d WHERE d.external_id = 'x'));
END $$;
SELECT is(t.closed('Due|2024-01-01,Renewed|2024-02-01'), '2024-02-01', 'the history closes it');
SELECT is(t.closed('Due|2024-01-01,Renewed|2024-02-01', '{"close_differs": "closed_at"}'), '2099-01-01: is in the future', 'the date counts');
SELECT is(t.closed(''), '2099-01-01: is in the future', 'nothing else tells it');

-- A person's name is kept where the id was computed from it.
SELECT extensions.crm_prepare_import('imp') \g /dev/null
INSERT INTO imp.deals (external_id, title, stage, created_at, contacts) VALUES ('p', 'P', 'Lead', '2024-01-01', '{Ann Hill,00000000-0000-4000-8000-000000000001}');
SELECT extensions.crm_import('crm', 'test', 'imp') \g /dev/null
SELECT bag_eq($$SELECT x.metadata FROM deal_contacts AS x JOIN deals AS d ON d.id = x.deal_id WHERE d.external_id = 'p'$$,
    $$VALUES ('{"name": "Ann Hill"}'::jsonb), ('{}')$$, 'the name of a contact');

-- The changes may name an owner who has left, the deal may not.
CREATE TABLE public.staff (id uuid PRIMARY KEY, name text);
INSERT INTO public.staff VALUES (t.id('ann'), 'ann');
SELECT extensions.crm_link('crm', 'deals.owner_id', 'public.staff') \g /dev/null
SELECT is(t.change('owner', t.id('gone')::text, t.id('ann')::text), NULL, 'an earlier owner who has left');
SELECT is(t.change('owner', t.id('ann')::text, t.id('gone')::text, '{"values_end_elsewhere": "history"}'),
    format('deals 2 owner %s: there is no such row in the table that owners are linked to (mapping)', t.id('gone')), 'but not the last one');

-- Files that cannot be taken apart.
INSERT INTO imp.lines (text) VALUES ('"id";"name"');
SELECT throws_ok($$SELECT extensions.crm_import_read('imp', 'deals', ',')$$, '22023', 'the header of file "deals" is not CSV with the delimiter ","', 'another delimiter');
TRUNCATE imp.lines;
INSERT INTO imp.lines (text) VALUES ('id;name');
SELECT is(t.error_of($$SELECT extensions.crm_import_read('imp', 'deals', ',', '{id,name}')$$),
    E'22023\nfile "deals" has no column "id", "name"\nIts columns are "id;name".\nIts delimiter may be another one than ",".', 'without quotes');
TRUNCATE imp.lines;
SELECT throws_ok($$SELECT extensions.crm_import_read('imp', 'deals')$$, '22023', 'file "deals" is empty', 'an empty one');
INSERT INTO imp.lines (text) VALUES ('"id","name"'), ('"1",""'), ('"",""');
SELECT is(extensions.crm_import_read('imp', 'deals'), 1::bigint, 'a row of empty fields is none');
SELECT is((SELECT fields FROM imp.rows WHERE file = 'deals'), '{"id": "1", "name": null}'::jsonb, 'an empty field with quotes is empty');

SELECT * FROM finish();
ROLLBACK;
