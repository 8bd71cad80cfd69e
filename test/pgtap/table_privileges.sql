-- What each role can do and cannot: a reader, a writer, one with the least that
-- moves deals, a stranger, and the owner, who is no superuser.
BEGIN;
\set owner crm_owner
\ir include/setup.sql
\ir include/roles.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(35);

CREATE ROLE crm_reader;
CREATE ROLE crm_writer;
CREATE ROLE crm_mover;
CREATE ROLE crm_stranger;
GRANT USAGE ON SCHEMA crm TO crm_reader, crm_writer, crm_mover;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO crm_reader, crm_writer;
GRANT INSERT, UPDATE, DELETE ON pipelines, stages, deals, deal_contacts, tags, deal_tags TO crm_writer;
GRANT SELECT (id), UPDATE (stage_id) ON deals TO crm_mover;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO crm_writer, crm_mover;

-- Two deals, of which one moved, and something in every table.
INSERT INTO deals (id, title, stage_id) VALUES (id('moved'), 'moved', id('Lead')), (id('new'), 'new', id('Lead'));
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('moved');
INSERT INTO tags (id, name) VALUES (id('tag'), 'tag');
INSERT INTO deal_tags (deal_id, tag_id) VALUES (id('new'), id('tag'));
INSERT INTO deal_contacts (deal_id, contact_id) VALUES (id('new'), id('contact'));

-- Each command on each table, by each role.
CREATE TABLE t.commands (tab text, command text, statement text);
INSERT INTO t.commands VALUES
    ('pipelines', 'insert', $$INSERT INTO crm.pipelines (name) VALUES ('x')$$),
    ('stages', 'insert', $$INSERT INTO crm.stages (pipeline_id, name) VALUES (md5('Sales')::uuid, 'x')$$),
    ('deals', 'insert', $$INSERT INTO crm.deals (title) VALUES ('x')$$),
    ('deal_contacts', 'insert', $$INSERT INTO crm.deal_contacts (deal_id, contact_id) VALUES (md5('new')::uuid, md5('x')::uuid)$$),
    ('tags', 'insert', $$INSERT INTO crm.tags (name) VALUES ('x')$$),
    ('deal_tags', 'insert', $$INSERT INTO crm.deal_tags (deal_id, tag_id) VALUES (md5('moved')::uuid, md5('tag')::uuid)$$),
    ('stage_changes', 'insert', $$INSERT INTO crm.stage_changes (tenant_id, deal_id, from_pipeline_id, from_stage_id,
        to_pipeline_id, to_stage_id, entered_at, changed_at, move_no, from_status, to_status, changed_by, recorded_by)
        SELECT tenant_id, id, pipeline_id, stage_id, pipeline_id, stage_id, now(), now(), 99, 'open', 'open', 'x', 'x'
        FROM crm.deals LIMIT 1$$),
    ('deal_changes', 'insert', $$INSERT INTO crm.deal_changes (tenant_id, deal_id, pipeline_id, stage_id, stage_entered_at,
        changed_at, move_no, version, change, status, changed_by, recorded_by)
        SELECT tenant_id, id, pipeline_id, stage_id, now(), now(), 99, 99, 'updated', 'open', 'x', 'x'
        FROM crm.deals LIMIT 1$$);
INSERT INTO t.commands
    SELECT tab, c.command, format(c.statement, tab) FROM t.commands, (VALUES
        ('select', 'SELECT FROM crm.%I'),
        ('update', 'UPDATE crm.%I SET tenant_id = tenant_id'),
        ('delete', 'DELETE FROM crm.%I WHERE false'),
        ('truncate', 'TRUNCATE crm.%I CASCADE')) AS c (command, statement);

CREATE FUNCTION t.allowed(role name) RETURNS TABLE (command text, allowed text, refused text) LANGUAGE sql AS $$
    SELECT command, string_agg(tab, ' ' ORDER BY tab) FILTER (WHERE result = 'ok'),
        string_agg(DISTINCT result, ' ') FILTER (WHERE result <> 'ok')
    FROM t.commands, t.outcome(role, statement) AS result
    GROUP BY 1 ORDER BY 1
$$;

SELECT results_eq($$SELECT * FROM allowed('crm_stranger')$$, $$VALUES
    ('delete', NULL, '42501'), ('insert', NULL, '42501'), ('select', NULL, '42501'),
    ('truncate', NULL, '42501'), ('update', NULL, '42501')$$, 'a stranger can do nothing');
SELECT results_eq($$SELECT * FROM allowed('crm_reader')$$, $$VALUES
    ('delete', NULL, '42501'), ('insert', NULL, '42501'),
    ('select', 'deal_changes deal_contacts deal_tags deals pipelines stage_changes stages tags', NULL),
    ('truncate', NULL, '42501'), ('update', NULL, '42501')$$, 'a reader can read');
SELECT results_eq($$SELECT * FROM allowed('crm_writer')$$, $$VALUES
    ('delete', 'deal_contacts deal_tags deals pipelines stages tags', '42501'),
    ('insert', 'deal_contacts deal_tags deals pipelines stages tags', '42501'),
    ('select', 'deal_changes deal_contacts deal_tags deals pipelines stage_changes stages tags', NULL),
    ('truncate', NULL, '42501'),
    ('update', 'deal_contacts deal_tags deals pipelines stages tags', '42501')$$, 'a writer can write all but history');
SELECT results_eq($$SELECT * FROM allowed('crm_owner')$$, $$VALUES
    ('delete', 'deal_changes deal_contacts deal_tags deals pipelines stage_changes stages tags', NULL),
    ('insert', 'deal_changes deal_contacts deal_tags deals pipelines stage_changes stages tags', NULL),
    ('select', 'deal_changes deal_contacts deal_tags deals pipelines stage_changes stages tags', NULL),
    ('truncate', 'deal_changes deal_contacts deal_tags deals pipelines stage_changes stages tags', NULL),
    ('update', 'deal_contacts deal_tags deals pipelines stages tags', '42501')$$, 'the owner can do all but update history');

-- History is never updated: not by its owner, nor by a superuser.
SELECT is(as_role('crm_owner', 'UPDATE crm.stage_changes SET changed_by = changed_by'),
    E'42501\nrows of "stage_changes" are never updated\nA move that was wrong is taken back with undo_move, a wrong time corrected with correct_move, anything else by changing the deal again; each of them adds a row. To erase a person or a deal call crm_forget_actor() or crm_purge_deal().',
    'the owner does not update history');
SELECT is(outcome('postgres', 'UPDATE crm.stage_changes SET changed_by = changed_by WHERE false'), '42501',
    'nor does a superuser, even without a row');
SELECT is(outcome('crm_owner', $$INSERT INTO crm.stage_changes SELECT * FROM crm.stage_changes
    ON CONFLICT (id) DO UPDATE SET changed_by = 'x'$$), '42501', 'nor does an upsert');
SELECT is(outcome('crm_owner', $$MERGE INTO crm.stage_changes AS c USING crm.deals AS d ON c.deal_id = d.id
    WHEN MATCHED THEN UPDATE SET changed_by = 'x'$$), '42501', 'nor does MERGE');

SELECT is(as_role('crm_owner', 'UPDATE crm.deal_changes SET changed_by = changed_by'),
    E'42501\nrows of "deal_changes" are never updated\nA move that was wrong is taken back with undo_move, a wrong time corrected with correct_move, anything else by changing the deal again; each of them adds a row. To erase a person or a deal call crm_forget_actor() or crm_purge_deal().',
    'nor is the history of values');

-- Who may write deals may move them, and nothing else is needed for that.
SELECT is(as_role('crm_writer', $$UPDATE crm.deals SET stage_id = md5('Qualified')::uuid WHERE title = 'new'$$), 'ok',
    'a writer moves a deal');
SELECT is(as_role('crm_mover', $$UPDATE crm.deals SET stage_id = md5('Lead')::uuid WHERE id = md5('new')::uuid$$), 'ok',
    'UPDATE of stage_id is enough to move a deal');
SELECT results_eq($$SELECT move_no, from_stage_id, to_stage_id, recorded_by FROM stage_changes WHERE deal_id = id('new') ORDER BY move_no$$,
    $$VALUES (1, id('Lead'), id('Qualified'), session_user::text COLLATE "default"), (2, id('Qualified'), id('Lead'), session_user::text)$$,
    'both moves are recorded');
SELECT is(outcome('crm_mover', $$UPDATE crm.deals SET title = 'x'$$), '42501', 'but no other column');
SELECT is(outcome('crm_mover', 'SELECT crm.undo_move(md5(''new'')::uuid)'), '42501', 'nor can such a one undo');
SELECT is(outcome('crm_writer', 'SELECT crm.undo_move(md5(''new'')::uuid)'), 'ok', 'a writer can');
SELECT is(outcome('crm_reader', 'SELECT crm.undo_move(md5(''new'')::uuid)'), '42501', 'a reader cannot call it');
SELECT is(outcome('crm_reader', 'SELECT extensions.crm_undo_move(''crm'', md5(''new'')::uuid)'), '42501',
    'nor what it calls');
SELECT is(outcome('crm_stranger', 'SELECT extensions.crm_undo_move(' || 'crm'::regnamespace::oid || ', md5(''new'')::uuid)'),
    '42501', 'nor can a stranger');
REVOKE SELECT ON stage_changes FROM crm_writer;
SELECT is(outcome('crm_writer', 'SELECT extensions.crm_undo_move(''crm'', md5(''new'')::uuid)'), 'ok',
    'undo needs no right on history');
SELECT is(outcome('crm_writer', $$UPDATE crm.deals SET status = 'won' WHERE id = md5('new')::uuid$$), 'ok', 'nor does winning');
UPDATE deals SET status = 'won' WHERE id = id('new');
SELECT is(outcome('crm_writer', $$UPDATE crm.deals SET status = 'open' WHERE id = md5('new')::uuid$$), 'ok', 'nor does reopening');
GRANT SELECT ON stage_changes TO crm_writer;

-- The role is the caller's again after every way out of what the owner did.
CREATE FUNCTION t.whoami_after(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    BEGIN
        EXECUTE statement;
        result := 'ok ';
    EXCEPTION WHEN OTHERS THEN
        result := SQLSTATE || ' ';
    END;
    result := result || current_user;
    -- Refused while the user is but borrowed.
    EXECUTE format('SET LOCAL ROLE %I', role);
    RESET ROLE;
    RETURN result;
END $$;
CREATE FUNCTION t.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'fails as %', current_user;
END $$;
SELECT is(whoami_after('crm_writer', $$UPDATE crm.deals SET stage_id = md5('Paused')::uuid$$), 'ok crm_writer', 'after a move');
CREATE TRIGGER fail BEFORE INSERT ON stage_changes FOR EACH ROW EXECUTE FUNCTION t.refuse();
SELECT is(whoami_after('crm_writer', $$UPDATE crm.deals SET stage_id = md5('Lead')::uuid$$), 'P0001 crm_writer',
    'after an error in the history''s triggers');
SELECT is(as_role('crm_writer', $$UPDATE crm.deals SET stage_id = md5('Lead')::uuid$$), E'P0001\nfails as crm_owner',
    'which the owner runs');
SELECT is(whoami_after('crm_writer', $$DELETE FROM crm.stages WHERE id = md5('Paused')::uuid$$), '23503 crm_writer',
    'after a refused deletion');
SELECT is(whoami_after('crm_writer', $$SELECT crm.undo_move(md5('new')::uuid)$$), 'P0001 crm_writer', 'after a failed undo');
DROP TRIGGER fail ON stage_changes;

-- Whatever the owner runs cannot become somebody else.
CREATE FUNCTION t.escape() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SET ROLE postgres;
    RETURN NEW;
END $$;
CREATE TRIGGER escape BEFORE INSERT ON stage_changes FOR EACH ROW EXECUTE FUNCTION t.escape();
SELECT is(outcome('crm_writer', $$UPDATE crm.deals SET stage_id = md5('Lead')::uuid$$), '42501', 'no SET ROLE in there');
DROP TRIGGER escape ON stage_changes;

-- Messages tell what the reader may read.
SELECT is(as_role('crm_writer', $$DELETE FROM crm.stages WHERE id = md5('Paused')::uuid$$),
    E'23503\nstage "Paused" cannot be deleted while deals stand in it\nDeals in it: ''moved'', ''new''.\n'
        'Use delete_stage(stage_id, move_deals_to), or move the deals first.', 'a writer reads which deals are in the way');
REVOKE SELECT ON deals FROM crm_writer;
SELECT is(as_role('crm_writer', $$DELETE FROM crm.stages WHERE id = md5('Paused')::uuid$$),
    E'23503\nstage "Paused" cannot be deleted while deals stand in it\nThere are deals in it.\n'
        'Use delete_stage(stage_id, move_deals_to), or move the deals first.', 'but not without the right to read deals');
SELECT is(as_role('crm_writer', $$UPDATE crm.stages SET deal_status = 'won' WHERE id = md5('Paused')::uuid$$),
    E'23514\ndeal_status of stage "Paused" cannot change while deals stand in it\nThere are deals in it.\n'
        'Move the deals first, or add another stage.', 'nor when the status of a stage is in question');
GRANT SELECT ON deals TO crm_writer;
SELECT alike(as_role('crm_writer', $$INSERT INTO crm.deals (title, status) VALUES ('x', 'lost')$$),
    E'23514\npipeline "Sales" has several stages%', 'a writer reads the name of the pipeline');
REVOKE SELECT ON pipelines, stages FROM crm_writer;
SELECT alike(as_role('crm_writer', $$INSERT INTO crm.deals (title, status) VALUES ('x', 'lost')$$),
    format(E'23514\npipeline %s has several stages%%', id('Sales')), 'but not without the right to read pipelines');
SELECT alike(as_role('crm_writer', $$UPDATE crm.deals SET stage_id = md5('Lost')::uuid, status = 'won'$$),
    format(E'23514\na deal in stage %s has the status lost%%', id('Lost')), 'nor the name of the stage');
UPDATE stages SET archived_at = '2020-01-01' WHERE id = id('Lost');
SELECT alike(as_role('crm_writer', $$UPDATE crm.deals SET stage_id = md5('Lost')::uuid$$),
    format(E'23514\nstage %s is archived%%', id('Lost')), 'nor when it is archived');
SELECT is(as_role('crm_writer', $$INSERT INTO crm.pipelines (name, is_default) VALUES ('Other', true)$$),
    format(E'23505\nthere is a default pipeline already\nIt is %s.\n'
        'Call set_default_pipeline to make another one the default.', id('Sales')), 'nor of the default pipeline');


SELECT * FROM finish();
ROLLBACK;
