-- A session remembers where the stages stood that it looked up: whatever
-- happens to them meanwhile, the next move finds what is there now.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('stage_lookup');
SET search_path = stage_lookup, public;
INSERT INTO pipelines (id, name) VALUES (md5('p0')::uuid, 'Sales'), (md5('p1')::uuid, 'More sales');
INSERT INTO stages (id, pipeline_id, name, position, probability)
	SELECT md5(n::text)::uuid, md5('p' || n / 1001)::uuid, 'Stage ' || n, n, 0.1 FROM generate_series(1, 2000) AS n;
INSERT INTO deals (id, title, stage_id) VALUES (md5('d')::uuid, 'Deal', md5('1999')::uuid);

-- on the last page of the table, in the index and where it is known to be
CREATE FUNCTION move(stage integer) RETURNS text LANGUAGE sql AS $$
	UPDATE deals SET stage_id = md5(stage::text)::uuid RETURNING move_no || ': ' || probability
$$;
SELECT move(2000);
SELECT move(1999);
SELECT move(2000);

-- another version of the row, elsewhere or on the same page
UPDATE stages SET probability = 0.2 WHERE position = 1999;
SELECT move(1999);
UPDATE stages SET probability = 0.3 WHERE position = 2000;
VACUUM stages;
UPDATE stages SET probability = 0.4 WHERE position = 2000;
SELECT move(2000);

-- the table ends before that place
DELETE FROM stages WHERE position < 1990;
VACUUM FULL stages;
SELECT move(1999);
SELECT move(2000);

-- no more there, and there again
SELECT move(1999);
BEGIN;
DELETE FROM stages WHERE position = 2000;
SELECT move(2000);
ROLLBACK;
SELECT move(2000);
SELECT move(1999);
DELETE FROM stages WHERE position = 2000;
VACUUM stages;
INSERT INTO stages (id, pipeline_id, name, position, probability) VALUES (md5('other')::uuid, md5('p1')::uuid, 'Other', 3000, 0.5);
SELECT move(2000);
INSERT INTO stages (id, pipeline_id, name, position, probability) VALUES (md5('2000')::uuid, md5('p1')::uuid, 'Back', 2000, 0.6);
SELECT move(2000);

-- one that was there in a transaction that failed
BEGIN;
INSERT INTO stages (id, pipeline_id, name, position, probability) VALUES (md5('1')::uuid, md5('p0')::uuid, 'New', 1, 0.7);
SELECT move(1);
ROLLBACK;
SELECT move(1);

-- another column, filled in without touching the rows
SELECT move(1999);
ALTER TABLE stages ADD note text DEFAULT 'x';
SELECT move(2000);

DROP SCHEMA stage_lookup CASCADE;
