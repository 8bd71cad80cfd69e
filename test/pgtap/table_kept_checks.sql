-- What a session keeps of one statement for the next: the CHECKs of deals, what stores the
-- rows of history and totals, and where a stage stood.  Each follows what is altered.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
INSERT INTO deals (id, title, stage_id) SELECT id('deal ' || n), 'deal ' || n, id('Lead') FROM generate_series(1, 3) AS n;

-- Whether the session keeps the CHECKs of the table.
CREATE FUNCTION t.keeps(tab text) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM pg_backend_memory_contexts WHERE name = 'crm ready checks' AND ident = tab)
$$;
-- Past the rules, which say most of it themselves.
CREATE FUNCTION t.past_rules(assignment text) RETURNS text LANGUAGE plpgsql SET session_replication_role = replica AS $$
BEGIN
    RETURN (SELECT concat_ws(' ', m[1], m[2]) FROM regexp_match(t.error_of(format('UPDATE crm.deals SET %s WHERE id = %L', assignment, t.id('deal 1'))),
        '^(\w+)(?:.*constraint "(\w+)")?') AS m);
END $$;

-- ---- the CHECKs ----

SELECT is(past_rules('version = version + 1'), 'no', 'a row that fits');
SELECT ok(keeps('deals'), 'the CHECKs are kept');
SELECT is(past_rules('amount = ''NaN'''), '23514 deals_amount_check', 'and refuse a row by the name of the rule');
SELECT is(past_rules('metadata = ''[]'''), '23514 deals_metadata_check', 'also by a domain');
SELECT is(past_rules('version = version + 1'), 'no', 'and let the next one pass');
PREPARE edit AS UPDATE deals SET description = $1 WHERE id = id('deal 1');
EXECUTE edit('one');
SELECT lives_ok('EXECUTE edit(''two'')', 'a prepared statement');

ALTER DOMAIN value_period DROP CONSTRAINT deals_value_period_check;
SELECT is(past_rules('value_period = ''weekly'''), 'no', 'a domain that lost its constraint asks for nothing');
SELECT is(past_rules('value_period = ''annual'''), 'no', 'whatever it is');
ALTER DOMAIN value_period ADD CONSTRAINT only_annual CHECK (VALUE = 'annual');
SELECT is(past_rules('value_period = ''weekly'''), '23514 only_annual', 'one that got a constraint asks for it');
SELECT ok(keeps('deals'), 'and is kept');
ALTER DOMAIN value_period DROP CONSTRAINT only_annual;
ALTER DOMAIN value_period ADD CONSTRAINT only_monthly CHECK (VALUE = 'monthly') NOT VALID;
SELECT is(past_rules('value_period = ''annual'''), '23514 only_monthly', 'replaced by another one');
ALTER DOMAIN value_period DROP CONSTRAINT only_monthly;
ALTER DOMAIN forecast_category SET NOT NULL;
SELECT is(past_rules('version = version + 1'), '23502', 'a domain that is not null now');
ALTER DOMAIN forecast_category DROP NOT NULL;
SELECT is(past_rules('version = version + 1'), 'no', 'and null again');

ALTER TABLE deals ADD CONSTRAINT small CHECK (amount < 1000) NOT VALID;
SELECT is(past_rules('amount = 1000, currency = ''EUR'''), '23514 small', 'a CHECK of the user''s');
SELECT ok(keeps('deals'), 'that calls PostgreSQL''s functions only is kept');
ALTER TABLE deals RENAME CONSTRAINT small TO limited;
SELECT is(past_rules('amount = 1000, currency = ''EUR'''), '23514 limited', 'under its new name');
ALTER TABLE deals RENAME amount TO value;
SELECT is(past_rules('value = 1000, currency = ''EUR'''), '23514 limited', 'of a column that was renamed');
ALTER TABLE deals RENAME value TO amount;
ALTER TABLE deals DROP CONSTRAINT limited;
SELECT is(past_rules('amount = 1000, currency = ''EUR'''), 'no', 'and no longer');
ALTER TABLE deals DROP COLUMN description, ADD COLUMN description varchar(5) NOT NULL DEFAULT 'none' CHECK (description <> 'never');
SELECT is(past_rules('description = ''never'''), '23514 deals_description_check', 'columns that came and went');

-- Code of the user's may change and run queries: PostgreSQL asks it anew each time.
CREATE FUNCTION t.allowed(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1 <> 'no'; END $$;
ALTER TABLE deals ADD CONSTRAINT own CHECK (t.allowed(title)) NOT VALID;
SELECT is(past_rules('title = ''no'''), '23514 own', 'a CHECK that calls a function of the user''s');
SELECT ok(NOT keeps('deals'), 'is not kept, nor are those beside it');
SELECT is(past_rules('amount = ''NaN'''), '23514 deals_amount_check', 'which refuse as before');
CREATE OR REPLACE FUNCTION t.allowed(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1 <> 'yes' $$;
SELECT is(past_rules('title = ''yes'''), '23514 own', 'the function as it is now');
ALTER TABLE deals DROP CONSTRAINT own;
CREATE OR REPLACE FUNCTION t.allowed(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN $1 <> 'yes'; END $$;
ALTER DOMAIN value_period ADD CONSTRAINT own CHECK (t.allowed(VALUE));
SELECT is(past_rules('value_period = ''yes'''), '23514 own', 'a domain that calls one');
SELECT ok(NOT keeps('deals'), 'is not kept either');
ALTER DOMAIN value_period DROP CONSTRAINT own;
ALTER TABLE deals ADD CONSTRAINT whole CHECK (deals IS NOT NULL OR title <> 'whole') NOT VALID;
SELECT is(past_rules('title = ''whole'''), '23514 whole', 'a CHECK of the whole row');
SELECT ok(NOT keeps('deals'), 'nor is that one');
ALTER TABLE deals DROP CONSTRAINT whole;
SELECT is(past_rules('version = version + 1'), 'no', 'without them');
SELECT ok(keeps('deals'), 'they are kept again');

-- The rights of whoever writes, though another role's statement made them ready.
CREATE ROLE kept_writer;
GRANT USAGE ON SCHEMA crm, t TO kept_writer;
GRANT SELECT, UPDATE ON deals TO kept_writer;
SET LOCAL ROLE kept_writer;
SELECT is(error_of($$UPDATE deals SET rank = 'b' WHERE title = 'deal 2'$$), 'no error', 'another role writes');
RESET ROLE;
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', p.oid::regprocedure) FROM pg_proc AS p WHERE proname = 'crm_check_deal' \gexec
SET LOCAL ROLE kept_writer;
SELECT is(error_of($$UPDATE deals SET rank = 'c' WHERE title = 'deal 2'$$), E'42501\npermission denied for function crm_check_deal',
    'but not without the right to call the CHECK''s function');
RESET ROLE;
SELECT is(past_rules('version = version + 1'), 'no', 'which the owner still has');

-- A statement goes on with the CHECKs that it began with.
CREATE FUNCTION t.alter_domain() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.title = 'deal 1' THEN
        ALTER DOMAIN crm.forecast_category ADD CONSTRAINT meanwhile CHECK (VALUE <> 'commit');
        UPDATE crm.stages SET name = name || '!' WHERE id = t.id('Paused');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_alter BEFORE UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION alter_domain();
SELECT is(error_of($$UPDATE deals SET rank = 'z'$$), 'no error', 'a domain that is altered while the statement runs');
DROP TRIGGER a_alter ON deals;
SELECT is(past_rules('forecast_category = ''commit'''), '23514 meanwhile', 'holds for the next one');

-- ---- history and totals ----

-- Each row is in the indexes that it belongs to: read by index and without, they are the same.
CREATE FUNCTION t.check_index(condition text, what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    by_index bigint; without bigint;
BEGIN
    EXECUTE 'SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off';
    EXECUTE 'SELECT count(*) FROM crm.stage_changes WHERE ' || condition INTO without;
    EXECUTE 'SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = on; SET LOCAL enable_indexonlyscan = on';
    EXECUTE 'SELECT count(*) FROM crm.stage_changes WHERE ' || condition INTO by_index;
    EXECUTE 'SET LOCAL enable_seqscan = on';
    RETURN NEXT cmp_ok(without, '>', 0::bigint, what || ': there are some');
    RETURN NEXT is(by_index, without, what || ': all in the index');
END $$;
UPDATE deals SET stage_id = id('Due') WHERE title = 'deal 2';
UPDATE deals SET stage_id = CASE title WHEN 'deal 2' THEN id('Contacted') ELSE id('Due') END;
SELECT 'undo: ' || undo_move(id('deal 3')) \g /dev/null
SELECT check_index($$from_pipeline_id <> to_pipeline_id AND to_pipeline_id = t.id('Renewals')$$, 'moves to another pipeline');
SELECT check_index($$reverts_no IS NOT NULL AND to_pipeline_id = t.id('Sales')$$, 'moves that take others back');
CREATE INDEX by_writer ON stage_changes (deal_id) WHERE recorded_by = 'somebody';
CREATE FUNCTION t.rename_writer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.recorded_by := 'somebody'; RETURN NEW; END $$;
CREATE TRIGGER rename BEFORE INSERT ON stage_changes FOR EACH ROW EXECUTE FUNCTION rename_writer();
UPDATE deals SET stage_id = id('Qualified') WHERE title = 'deal 1';
SELECT check_index($$recorded_by = 'somebody' AND deal_id = t.id('deal 1')$$, 'a row that a trigger has put into a partial index');
DROP TRIGGER rename ON stage_changes;
DROP INDEX by_writer;
ALTER TABLE stage_changes ADD COLUMN doubled integer GENERATED ALWAYS AS (2 * move_no) STORED;
CREATE INDEX by_doubled ON stage_changes (deal_id) WHERE doubled > 2;
UPDATE deals SET stage_id = id('Paused');
SELECT check_index($$doubled > 2 AND deal_id = t.id('deal 1')$$, 'by a generated column');
ALTER TABLE stage_changes DROP COLUMN doubled;
CREATE INDEX brin_recorded ON stage_changes USING brin (recorded_at);
CREATE INDEX gin_closing ON stage_changes USING gin (closing);
UPDATE deals SET stage_id = id('Won') WHERE title = 'deal 1';
UPDATE deals SET stage_id = id('Lead') WHERE title = 'deal 1';
SELECT check_index($$closing ? 'won_at'$$, 'an index that keeps state from row to row');
SELECT is(error_of($$UPDATE deals SET stage_id = t.id('Qualified'), move_no = 7 WHERE title = 'deal 1'$$), 'no error', 'further moves');
SAVEPOINT before_error;
ALTER TABLE stage_changes ADD CONSTRAINT none CHECK (false) NOT VALID;
SELECT alike(error_of($$UPDATE deals SET stage_id = t.id('Lead') WHERE title = 'deal 1'$$), '23514%"none"%', 'an error while a row is stored');
SELECT alike(error_of($$UPDATE deals SET stage_id = t.id('Lead') WHERE title = 'deal 1'$$), '23514%"none"%', 'and again');
ALTER TABLE stage_changes DROP CONSTRAINT none;
SELECT is(error_of($$UPDATE deals SET stage_id = t.id('Lead') WHERE title = 'deal 1'$$), 'no error', 'and none any more');

-- ---- stages ----

CREATE FUNCTION t.moved(stage text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE crm.deals SET stage_id = t.id(stage) WHERE id = t.id('deal 2');
    RETURN t.place('deal 2');
END $$;
SELECT is(moved('Qualified'), 'Sales / Qualified / open / 0.5000', 'a stage');
SELECT is(moved('Lead'), 'Sales / Lead / open / 0.1000', 'another one');
UPDATE stages SET probability = 0.6 WHERE id = id('Qualified');
SELECT is(moved('Qualified'), 'Sales / Qualified / open / 0.6000', 'the first one as it is now');
SELECT is(moved('Lead'), 'Sales / Lead / open / 0.1000', 'back');
UPDATE stages SET position = position + 100;
CLUSTER stages USING stages_pkey;
SELECT is(moved('Qualified'), 'Sales / Qualified / open / 0.6000', 'in a table that was rewritten');
INSERT INTO stages (id, pipeline_id, name, position, probability) VALUES (id('Short'), id('Sales'), 'Short', 99, 0.3);
SELECT is(moved('Short'), 'Sales / Short / open / 0.3000', 'a new one');
SELECT is(moved('Lead'), 'Sales / Lead / open / 0.1000', 'left');
SET LOCAL session_replication_role = replica;
DELETE FROM stages WHERE id = id('Short');
SET LOCAL session_replication_role = origin;
SELECT alike(error_of($$SELECT t.moved('Short')$$), '23503%does not exist%', 'and gone');

SELECT * FROM finish();
ROLLBACK;
