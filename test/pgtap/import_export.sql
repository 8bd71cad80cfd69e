-- What crm_export() writes is all of a CRM: put into an empty one, it is the same.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
SET LOCAL client_min_messages = warning;

ALTER TABLE deals ADD COLUMN region text DEFAULT 'EMEA', ADD COLUMN twice numeric GENERATED ALWAYS AS (amount * 2) STORED, ADD COLUMN "a ""b""" bytea;
INSERT INTO deals (id, title, description, stage_id, amount, currency, external_id, metadata, region, "a ""b""") VALUES
    (t.id('a'), E'Two\nlines, "quoted" \\ back\tslash', '', t.id('Lead'), 123456789012345.6789, 'EUR', 'ä€', '{"k": [1, null, "x"]}', NULL, '\x00ff'),
    (t.id('b'), 'B', NULL, t.id('Lead'), NULL, NULL, NULL, '{}', '', NULL), (t.id('c'), 'C', NULL, t.id('Due'), 5, 'EUR', NULL, '{}', 'x', NULL);
UPDATE deals SET stage_id = t.id('Qualified') WHERE id IN (t.id('a'), t.id('b'));
UPDATE deals SET amount = 7, currency = 'USD', title = 'BB' WHERE id = t.id('b');
UPDATE deals SET stage_id = t.id('Won') WHERE id = t.id('a');
SELECT undo_move(t.id('a')) \g /dev/null
UPDATE deals SET stage_id = t.id('Lost'), lost_reason = 'price' WHERE id = t.id('a');
SELECT correct_move(t.id('c'), now() - interval '5 days', 0) \g /dev/null
UPDATE deals SET archived_at = now() WHERE id = t.id('c');
DELETE FROM deals WHERE id = t.id('b');
UPDATE stages SET archived_at = now() WHERE id = t.id('Paused');
INSERT INTO deal_contacts (deal_id, contact_id, role, is_primary) VALUES (t.id('a'), t.id('p'), 'buyer', true);
INSERT INTO tags (name, color) VALUES ('hot', '#f00');
INSERT INTO deal_tags (deal_id, tag_id) SELECT t.id('a'), id FROM tags;
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2024-01-01', 1.0912345678901);

SELECT extensions.crm_install('copy') \g /dev/null
SELECT extensions.crm_prepare_import('imp') \g /dev/null
INSERT INTO imp.lines (text) SELECT extensions.crm_export('crm');
SELECT throws_ok($$SELECT extensions.crm_import_export('copy', 'imp')$$, '22023', 'table "deals" has no column "a "b"", which the export has', 'no column is forgotten');
ALTER TABLE copy.deals ADD COLUMN region text DEFAULT 'EMEA', ADD COLUMN twice numeric GENERATED ALWAYS AS (amount * 2) STORED, ADD COLUMN "a ""b""" bytea;
SET LOCAL timezone = 'Asia/Kolkata';
SET LOCAL datestyle = 'SQL, DMY';
SELECT results_eq($$SELECT table_name FROM extensions.crm_import_export('copy', 'imp') WHERE number = 0$$, $$SELECT NULL::text WHERE false$$, 'each table gets rows');
SELECT set_eq(format('TABLE copy.%I', name), format('TABLE crm.%I', name), name || ' is the same') FROM extensions.crm_export_tables();
SELECT is_empty($$SELECT * FROM extensions.crm_check_totals('copy')$$, 'the totals are right');
SELECT is((SELECT md5(string_agg(l, '|')) FROM (SELECT extensions.crm_export('copy') AS l ORDER BY 1) AS x), (SELECT md5(string_agg(l, '|')) FROM (SELECT extensions.crm_export('crm') AS l ORDER BY 1) AS x), 'exported again it is the same');
INSERT INTO imp.lines (text) SELECT extensions.crm_export('crm');
SELECT throws_ok($$SELECT extensions.crm_import_export('copy', 'imp')$$, '23505', 'table "pipelines" has rows of the export already', 'what is there is not overwritten');
UPDATE imp.lines SET text = left(text, 20) WHERE line = 3;
SELECT is(split_part(t.error_of($$SELECT extensions.crm_import_export('copy', 'imp')$$), E'\n', 2), 'line 3 is not JSON', 'a file that ends too early');
SELECT is(current_setting('crm.restoring'), 'off', 'nothing is left switched on');

-- CSV: what crm_import_fields() reads back.
SELECT results_eq($$SELECT extensions.crm_import_fields(l, ',') FROM extensions.crm_export('crm', 'csv', 'deal_tags') AS l LIMIT 1$$, $$SELECT array_agg(attname::text COLLATE "default" ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'crm.deal_tags'::regclass AND attnum > 0$$, 'a header');
SELECT is((SELECT array_agg((extensions.crm_import_fields(l, ','))[array_position(h.names, 'title')] ORDER BY l) FROM extensions.crm_export('crm', 'csv', 'deals') AS l,
        (SELECT extensions.crm_import_fields(x, ',') AS names FROM extensions.crm_export('crm', 'csv', 'deals') AS x LIMIT 1) AS h WHERE l LIKE '%Two%'),
    (SELECT array_agg(title) FROM deals WHERE id = t.id('a')), 'a title with all that CSV has to quote');
SELECT throws_ok($$SELECT extensions.crm_export('crm', 'xml')$$, '22023', 'there is no format "xml"', 'an unknown format');
SELECT throws_ok($$SELECT extensions.crm_export('crm', 'csv')$$, '22023', 'a CSV file is of one table: name it', 'CSV of no table');
SELECT throws_ok($$SELECT extensions.crm_export('crm', 'jsonl', 'stage_totals')$$, '22023', 'crm_export() has no table "stage_totals"', 'an unknown table');
SELECT throws_ok($$SELECT extensions.crm_export('t')$$, '22023', 'there is no CRM in schema "t"', 'no CRM');

SELECT * FROM finish();
ROLLBACK;
