-- What a session keeps between statements (prepared statements, columns, whose
-- rights it has, what is being undone) survives errors that are caught and
-- tables that are altered, renamed, dropped and made again.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(52);

INSERT INTO deals (id, title, stage_id) SELECT id('deal ' || n), 'deal ' || n, id('Lead') FROM generate_series(1, 10) AS n;

-- Whether history and deals agree: every move recorded, each where the one
-- before it ended, the deal where the last one ended and with its stage's status.
CREATE FUNCTION t.disorder() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(what, ', ') FROM (
        SELECT 'moves of ' || d.title || ' not all recorded' FROM crm.deals AS d
        WHERE (SELECT count(*) FROM crm.stage_changes AS c WHERE c.deal_id = d.id) <> d.move_no
            OR d.move_no > 0 AND (SELECT max(move_no) FROM crm.stage_changes AS c WHERE c.deal_id = d.id) <> d.move_no
        UNION ALL
        SELECT d.title || ' is not where it moved' FROM crm.deals AS d
            JOIN crm.stage_changes AS c ON c.deal_id = d.id AND c.move_no = d.move_no
        WHERE (c.to_stage_id, c.to_pipeline_id, c.to_status) IS DISTINCT FROM (d.stage_id, d.pipeline_id, d.status)
        UNION ALL
        SELECT 'a gap in the history of ' || c.deal_id FROM crm.stage_changes AS c
            JOIN crm.stage_changes AS p ON p.deal_id = c.deal_id AND p.move_no = c.move_no - 1
        WHERE p.to_stage_id <> c.from_stage_id
        UNION ALL
        SELECT d.title || ' differs from its stage' FROM crm.deals AS d LEFT JOIN crm.stages AS s ON s.id = d.stage_id
        WHERE (s.deal_status, s.pipeline_id) IS DISTINCT FROM (d.status, d.pipeline_id)) AS x (what)
$$;
CREATE FUNCTION t.moves(what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    disorder text;
BEGIN
    RETURN NEXT is(t.error_of($s$UPDATE crm.deals SET stage_id = t.id('Qualified') WHERE title = 'deal 1' AND stage_id <> t.id('Qualified');
        UPDATE crm.deals SET stage_id = t.id('Paused') WHERE title = 'deal 1';
        UPDATE crm.deals SET stage_id = t.id('Won'); UPDATE crm.deals SET stage_id = t.id('Lead')$s$), 'no error', what);
    -- What is prepared for the function lasts for the transaction otherwise.
    EXECUTE 'SELECT t.disorder()' INTO disorder;
    RETURN NEXT is(disorder, NULL, what || ': in order');
END $$;
SELECT moves('moves');

-- Errors in the midst of what is done as the owner, and caught.
CREATE FUNCTION t.fail_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'failed';
END $$;
CREATE TRIGGER fail BEFORE INSERT ON stage_changes FOR EACH ROW EXECUTE FUNCTION fail_once();
SELECT is(error_of($$UPDATE crm.deals SET stage_id = t.id('Due') WHERE title = 'deal 2'$$), E'P0001\nfailed', 'one move fails');
SELECT is(error_of($$UPDATE crm.deals SET stage_id = t.id('Due')$$), E'P0001\nfailed', 'many fail');
SELECT is(error_of($$SELECT crm.undo_move(t.id('deal 1'))$$), E'P0001\nfailed', 'an undo fails');
SELECT is(current_user, session_user, 'the user is the same');
DROP TRIGGER fail ON stage_changes;
SELECT moves('moves after that');
SELECT is((SELECT count(reverts_id) FROM stage_changes), 0::bigint, 'none of them reverts anything');

-- An undo that fails at the end of its statement leaves no trace in the session.
CREATE FUNCTION t.fail_later() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.reverts_id IS NOT NULL THEN
        RAISE EXCEPTION 'failed';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fail AFTER INSERT ON stage_changes FOR EACH ROW EXECUTE FUNCTION fail_later();
SELECT is(error_of($$SELECT crm.undo_move(t.id('deal 1'))$$), E'P0001\nfailed', 'an undo fails after all was written');
SELECT is(error_of($$UPDATE crm.deals SET stage_id = t.id('Won') WHERE id = t.id('deal 1')$$), 'no error',
    'the same move by hand is no undo');
DROP TRIGGER fail ON stage_changes;

-- Triggers of the user's that move deals themselves.
CREATE FUNCTION t.follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE crm.deals SET stage_id = NEW.to_stage_id WHERE title = 'deal 9' AND id <> NEW.deal_id;
    RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER INSERT ON stage_changes FOR EACH ROW EXECUTE FUNCTION follow();
SELECT moves('history whose trigger moves another deal');
UPDATE deals SET stage_id = id('Due') WHERE title = 'deal 1';
SELECT is((SELECT stage_id FROM deals WHERE title = 'deal 9'), id('Due'), 'which follows');
DROP TRIGGER follow ON stage_changes;
CREATE FUNCTION t.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE crm.deals SET description = coalesce(description, '') || '.' WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER touch AFTER UPDATE OF stage_id ON deals FOR EACH ROW EXECUTE FUNCTION touch();
SELECT moves('deals whose trigger updates the deal again');
SELECT is(error_of($$SELECT crm.undo_move(t.id('deal 1'))$$), 'no error', 'undo of one');
SELECT is(disorder(), NULL, 'in order');
DROP TRIGGER touch ON deals;

-- One statement that changes stages and deals.
SELECT alike(error_of($$WITH d AS (INSERT INTO crm.deals (title, stage_id) VALUES ('x', t.id('Due')) RETURNING 1)
    UPDATE crm.stages SET deal_status = 'won', probability = NULL WHERE id = t.id('Due') AND EXISTS (SELECT FROM d)$$), '23514%deals stand in it%',
    'a stage that the same statement has put a deal into keeps its status');
SELECT alike(error_of($$WITH d AS (INSERT INTO crm.deals (title, stage_id) VALUES ('x', t.id('Due')) RETURNING 1)
    DELETE FROM crm.stages WHERE id = t.id('Due') AND EXISTS (SELECT FROM d)$$), '23503%', 'and is not deleted');
CREATE FUNCTION t.close_stage(stage uuid, result anyelement) RETURNS anyelement LANGUAGE plpgsql AS $$
BEGIN
    UPDATE crm.deals SET stage_id = t.id('Contacted') WHERE stage_id = stage;
    UPDATE crm.stages SET deal_status = CASE deal_status WHEN 'open' THEN 'won' ELSE 'open' END, probability = NULL WHERE id = stage;
    RETURN result;
END $$;
SET LOCAL statement_timeout = '20s';
SELECT alike(error_of($$INSERT INTO crm.deals (title, stage_id) SELECT t.close_stage(t.id('Due'), 'x' || n), t.id('Due') FROM generate_series(1, 4) AS n$$), '%',
    'a statement whose own function changes the stage that it fills');
SELECT is(disorder(), NULL, 'leaves deals that agree with their stages');
SELECT alike(error_of($$INSERT INTO crm.deals (title, pipeline_id, stage_id) SELECT t.close_stage(t.id('Due'), 'y' || n), t.id('Renewals'),
    CASE n % 2 WHEN 0 THEN t.id('Due') END FROM generate_series(1, 4) AS n$$), '%', 'also when the stage is searched for');
SELECT is(disorder(), NULL, 'in order');
RESET statement_timeout;

-- Altered tables, with statements prepared and columns known.
ALTER TABLE deals DROP COLUMN description, ADD COLUMN note text NOT NULL DEFAULT 'none', ADD COLUMN description text;
SELECT moves('columns of deals dropped and added');
ALTER TABLE stage_changes ADD COLUMN note text DEFAULT 'none', ALTER recorded_by TYPE varchar(100);
SELECT moves('a column of history added, another altered');
ALTER TABLE stage_changes RENAME closing TO how_closed;
SELECT is(split_part(error_of($$UPDATE crm.deals SET stage_id = t.id('Due')$$), E'\n', 1), '42703', 'a column of history renamed');
ALTER TABLE stage_changes RENAME how_closed TO closing;
CREATE FUNCTION t.exchange() RETURNS void LANGUAGE sql AS $$
    ALTER TABLE crm.deals RENAME created_at TO x;
    ALTER TABLE crm.deals RENAME updated_at TO created_at;
    ALTER TABLE crm.deals RENAME x TO updated_at;
$$;
SELECT exchange() \g /dev/null
UPDATE deals SET created_at = '2020-01-01', updated_at = '2020-01-01' WHERE title = 'deal 3';
SELECT is((SELECT (created_at = '2020-01-01', updated_at > '2020-01-01')::text FROM deals WHERE title = 'deal 3'), '(t,t)',
    'columns that exchanged names go by their new ones');
SELECT exchange() \g /dev/null
SELECT moves('columns renamed');
DROP INDEX stages_name_key, deals_stage_id_rank_idx;
ALTER TABLE deal_tags DROP CONSTRAINT deal_tags_deal_id_fkey;
ALTER TABLE deal_contacts DROP CONSTRAINT deal_contacts_deal_id_fkey;
SELECT moves('indexes dropped');

-- Renamed schemas, and another CRM under the old name, in one session.
ALTER SCHEMA crm RENAME TO old_crm;
SELECT is(split_part(error_of($$UPDATE old_crm.deals SET stage_id = t.id('Won')$$), E'\n', 1), 'no error', 'a renamed schema');
SELECT is((SELECT count(*) FROM old_crm.stage_changes WHERE to_stage_id = id('Won') AND changed_at = (SELECT max(changed_at) FROM old_crm.stage_changes)) > 0, true,
    'its history is its own');
SELECT is((SELECT extensions.crm_install('crm')), 'crm', 'a CRM under the old name');
SELECT t.make_pipelines() \g /dev/null
INSERT INTO crm.deals (id, title, stage_id) SELECT id('deal ' || n), 'deal ' || n, id('Lead') FROM generate_series(1, 10) AS n;
SELECT moves('the new one moves');
UPDATE old_crm.deals SET stage_id = id('Lost') WHERE title = 'deal 4';
SELECT is((SELECT array_agg(n) FROM (SELECT count(*) AS n FROM old_crm.stage_changes WHERE to_stage_id = id('Lost')
    UNION ALL SELECT count(*) FROM crm.stage_changes WHERE to_stage_id = id('Lost')) AS x), '{1,0}', 'and the old one, each with its history');
SELECT is(error_of($$SELECT old_crm.undo_move(t.id('deal 4'))$$), 'no error', 'undo in the old one');
DROP SCHEMA crm CASCADE;
SELECT is((SELECT extensions.crm_install('crm', 'shared')), 'crm', 'a CRM dropped and made again, now shared');
SET LOCAL crm.tenant_id = 'acme';
SELECT t.make_pipelines() \g /dev/null
INSERT INTO crm.deals (id, title, stage_id) SELECT id('deal ' || n), 'deal ' || n, id('Lead') FROM generate_series(1, 10) AS n;
SELECT moves('that one moves');
ALTER SCHEMA crm RENAME TO between;
ALTER SCHEMA old_crm RENAME TO crm;
ALTER SCHEMA between RENAME TO old_crm;
UPDATE crm.deals SET stage_id = id('Disqualified') WHERE title = 'deal 5';
UPDATE old_crm.deals SET stage_id = id('Disqualified') WHERE title IN ('deal 5', 'deal 6');
SELECT is((SELECT array_agg(n) FROM (SELECT count(*) AS n FROM old_crm.stage_changes WHERE to_stage_id = id('Disqualified')
    UNION ALL SELECT count(*) FROM crm.stage_changes WHERE to_stage_id = id('Disqualified')) AS x), '{2,1}', 'schemas that exchanged names');

-- A schema renamed by a trigger that a move fires.
CREATE FUNCTION t.rename_schema() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_regnamespace('renamed') IS NULL THEN
        ALTER SCHEMA crm RENAME TO renamed;
        UPDATE renamed.deals SET stage_id = t.id('Paused') WHERE title = 'deal 7';
        UPDATE renamed.deals SET stage_id = t.id('Due') WHERE title IN ('deal 7', 'deal 8');
        ALTER SCHEMA renamed RENAME TO crm;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER rename AFTER INSERT ON crm.stage_changes FOR EACH ROW WHEN (NEW.to_status = 'lost') EXECUTE FUNCTION rename_schema();
SELECT is(error_of($$UPDATE crm.deals SET stage_id = t.id('Disqualified') WHERE title IN ('deal 1', 'deal 2')$$), 'no error', 'a trigger that renames the schema');
SELECT is(disorder(), NULL, 'in order');
DROP TRIGGER rename ON crm.stage_changes;

-- Roles that come and go.
CREATE ROLE crm_someone;
GRANT USAGE ON SCHEMA crm TO crm_someone;
GRANT SELECT, UPDATE ON crm.deals TO crm_someone;
SET LOCAL ROLE crm_someone;
UPDATE crm.deals SET stage_id = md5('Won')::uuid WHERE title = 'deal 10';
RESET ROLE;
DROP OWNED BY crm_someone;
DROP ROLE crm_someone;
CREATE ROLE crm_new_owner;
SELECT format('ALTER TABLE crm.%I OWNER TO crm_new_owner', relname) FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind = 'r' \gexec
GRANT USAGE ON SCHEMA crm TO crm_new_owner;
SELECT moves('another owner');
REVOKE INSERT ON crm.stage_changes FROM crm_new_owner;
SELECT is(split_part(error_of($$UPDATE crm.deals SET stage_id = t.id('Due')$$), E'\n', 1), '42501', 'an owner who took INSERT from himself');
GRANT INSERT ON crm.stage_changes TO crm_new_owner;
SELECT moves('and gave it back');

SELECT * FROM finish();
ROLLBACK;
