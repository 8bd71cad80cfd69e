-- Names of pipelines, stages and tags: compared as readers compare them, free again once the row is archived.
BEGIN;
\ir include/setup.sql
SELECT no_plan();

INSERT INTO pipelines (name) VALUES ('Hot'), (E'Caf\u00E9');
INSERT INTO stages (pipeline_id, name) SELECT id, n FROM pipelines, unnest(ARRAY['Hot', E'Caf\u00E9']) AS n WHERE name = 'Hot';
INSERT INTO tags (name) VALUES ('Hot'), (E'Caf\u00E9');

CREATE TEMP TABLE variants AS SELECT * FROM (VALUES
    ('hot', 'case'), (' Hot ', 'spaces'), (E'Hot\t', 'a tab'), (E'\u00A0Hot', 'no-break space'), (E'H\u200Bot', 'zero width'),
    (E'\uFEFFHot', 'byte order mark'), (E'Ho\u00ADt', 'soft hyphen'), (E'\u202EHot', 'mark of direction'), (E'\uFF28\uFF4F\uFF54', 'full width'),
    (E'Cafe\u0301', 'decomposed'), (E'CAFE\u0301 ', 'decomposed, case and space')) AS v (name, how);

SELECT throws_ok(format('INSERT INTO pipelines (name) VALUES (%L)', v.name), '23505',
    'duplicate key value violates unique constraint "pipelines_name_key"', 'pipelines: ' || v.how) FROM variants AS v;
SELECT throws_ok(format('INSERT INTO stages (pipeline_id, name) SELECT id, %L FROM pipelines WHERE name = ''Hot''', v.name), '23505',
    'duplicate key value violates unique constraint "stages_name_key"', 'stages: ' || v.how) FROM variants AS v;
SELECT throws_ok(format('INSERT INTO tags (name) VALUES (%L)', v.name), '23505',
    'duplicate key value violates unique constraint "tags_name_key"', 'tags: ' || v.how) FROM variants AS v;
SELECT lives_ok(format('INSERT INTO tags (name) VALUES (%L)', name), 'another name: ' || name)
FROM (VALUES ('Hot lead'), ('Hotlead'), ('Cafe'), (E'\U0001F525'), (E'\U0001F600')) AS v (name);
INSERT INTO tags (name) VALUES (E' Cold\u00A0 ');
SELECT is((SELECT name FROM tags WHERE extensions.crm_name_key(name) = 'cold'), E' Cold\u00A0 ', 'a name is stored as it was written');

-- Nothing to see is no name.
CREATE TEMP TABLE blanks AS SELECT * FROM (VALUES ('', 'empty'), ('  ', 'spaces'), (E'\t\r\n', 'controls'), (E'\u00A0\u3000', 'wide spaces'),
    (E'\u200B\u200D\uFEFF', 'zero width'), (E'\u00AD\u202E', 'soft hyphen, direction'), (E'\u2800', 'the blank of Braille'), (E'\u3164', 'the filler of Hangul')) AS v (name, how);
INSERT INTO deals (id, title, stage_id) SELECT id('deal'), 'a deal', s.id FROM stages AS s WHERE name = 'Hot';
SELECT throws_ok(format('INSERT INTO pipelines (name) VALUES (%L)', b.name), '23514',
    'name must not be blank', 'a pipeline''s name: ' || b.how) FROM blanks AS b;
SELECT throws_ok(format('UPDATE stages SET name = %L WHERE name = ''Hot''', b.name), '23514',
    'name must not be blank', 'a stage''s name: ' || b.how) FROM blanks AS b;
SELECT throws_ok(format('INSERT INTO tags (name) VALUES (%L)', b.name), '23514',
    'name must not be blank', 'a tag''s name: ' || b.how) FROM blanks AS b;
SELECT throws_ok(format('UPDATE deals SET title = %L', b.name), '23514',
    'title must not be blank', 'a title: ' || b.how) FROM blanks AS b;
SELECT throws_ok(format('INSERT INTO deal_contacts (deal_id, contact_id, role) VALUES (id(''deal''), id(''who''), %L)', b.name), '23514',
    'role must not be blank', 'a role: ' || b.how) FROM blanks AS b;
SELECT lives_ok($$UPDATE deals SET title = E'\u200B \u00E9'$$, 'a title that begins with what does not show');

-- Archived rows keep their names and positions, and leave them to others.
UPDATE stages SET archived_at = now() WHERE name = 'Hot';
SELECT lives_ok($$INSERT INTO stages (pipeline_id, name, position) SELECT id, 'HOT', 1 FROM pipelines WHERE name = 'Hot'$$, 'name and position of an archived stage');
SELECT throws_ok($$UPDATE stages SET archived_at = NULL WHERE name = 'Hot'$$, '23505', NULL, 'which cannot come back beside it');
SELECT lives_ok($$UPDATE stages SET archived_at = NULL, name = 'Hot (old)', position = 9 WHERE name = 'Hot'$$, 'but under another name at another position');
UPDATE pipelines SET archived_at = now() WHERE name = 'Hot';
SELECT lives_ok($$INSERT INTO pipelines (name) VALUES ('hot')$$, 'the name of an archived pipeline');
SELECT throws_ok($$UPDATE pipelines SET archived_at = NULL WHERE name = 'Hot'$$, '23505', 'duplicate key value violates unique constraint "pipelines_name_key"', 'which cannot come back beside it');

-- PostgreSQL takes what is in a unique index without a predicate for a key: updates of it wait for rows that refer to the row.
SELECT is_empty($$SELECT i.indexrelid::regclass FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
    WHERE i.indrelid = 'stages'::regclass AND a.attname IN ('position', 'name') AND i.indisunique AND i.indpred IS NULL$$, 'neither the position nor the name of a stage is a key');

SELECT * FROM finish();
ROLLBACK;
