-- Code of the owner's that a move runs with the owner's rights, be it a trigger,
-- a default, a CHECK, a generated column, an index or a domain, finds nothing
-- that the writer has put in the way of its names: neither by search_path nor
-- among temporary tables and types.
BEGIN;
\set owner own_owner
\ir include/setup.sql
\ir include/roles.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(53);

CREATE ROLE own_mallory;
SELECT extensions.crm_grant_access('crm', 'own_mallory', 'write') \g /dev/null
GRANT TEMPORARY ON DATABASE :DBNAME TO own_mallory;
CREATE SCHEMA evil AUTHORIZATION own_mallory;
CREATE TABLE t.stolen (how text, by_role name);
GRANT INSERT ON t.stolen TO PUBLIC;

-- What the owner's code uses; note() has no search_path of its own.
SET LOCAL ROLE own_owner;
CREATE TABLE crm.last_mover (mover text, path text, actor text);
CREATE FUNCTION crm.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO last_mover VALUES (shout(current_user::text), current_setting('search_path'), session_user);
    RETURN NEW;
END $$;
CREATE FUNCTION crm.note_by_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO crm.last_mover VALUES (current_user::text, current_setting('search_path'), session_user);
    RETURN NEW;
END $$;
CREATE FUNCTION crm.note_by_path() RETURNS trigger LANGUAGE plpgsql SET search_path = crm, pg_temp AS $$
BEGIN
    INSERT INTO last_mover VALUES (current_user::text, current_setting('search_path'), session_user);
    RETURN NEW;
END $$;
-- pg_temp is looked at first, as PostgreSQL has it.
CREATE FUNCTION crm.note_by_careless_path() RETURNS trigger LANGUAGE plpgsql SET search_path = crm AS $$
BEGIN
    INSERT INTO last_mover VALUES (current_user::text, current_setting('search_path'), session_user);
    RETURN NEW;
END $$;
CREATE FUNCTION crm.empty_it() RETURNS trigger LANGUAGE plpgsql SET search_path = crm AS $$
BEGIN
    TRUNCATE last_mover;
    RETURN NEW;
END $$;
CREATE FUNCTION crm.shouted(anyelement) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN shout($1::text);
END $$;
CREATE FUNCTION crm.typed(anyelement) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN $1::text::trap;
END $$;
CREATE FUNCTION crm.counted(anyelement) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN (SELECT count(*) FROM last_mover);
END $$;
RESET ROLE;

-- Mallory's: functions, operators and types in a schema of the path, temporary
-- tables with triggers, temporary types.
SET LOCAL ROLE own_mallory;
CREATE FUNCTION evil.steal(how text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO t.stolen VALUES (how, current_user);
    RETURN true;
END $$;
CREATE FUNCTION evil.shout(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.steal('function'); RETURN $1; END $$;
CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.steal('namesake'); RETURN $1; END $$;
CREATE FUNCTION evil.steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.steal('trigger'); RETURN NEW; END $$;
CREATE DOMAIN evil.trap AS text CHECK (evil.steal('domain'));
CREATE FUNCTION evil.set_traps(traps text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF traps ~ 'table' THEN
        CREATE TEMPORARY TABLE last_mover (mover text, path text, actor text);
        GRANT ALL ON last_mover TO PUBLIC;
        CREATE TRIGGER trap BEFORE INSERT ON last_mover FOR EACH ROW EXECUTE FUNCTION evil.steal();
        CREATE TRIGGER trap_truncate BEFORE TRUNCATE ON last_mover EXECUTE FUNCTION evil.steal();
    ELSIF traps ~ 'view' THEN
        CREATE TEMPORARY VIEW last_mover AS SELECT 'x' AS mover, 'y' AS path, 'z' AS actor WHERE evil.steal('view');
        GRANT ALL ON last_mover TO PUBLIC;
    END IF;
    IF traps ~ 'type' THEN
        CREATE DOMAIN pg_temp.trap AS text CHECK (evil.steal('temporary domain'));
    END IF;
END $$;
RESET ROLE;

-- Mallory moves a deal, whatever the owner's tables have got; what is done is
-- undone.  Returns the error, or who did what by which path.
CREATE FUNCTION t.moved(traps text, variation text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    BEGIN
        INSERT INTO crm.deals (id, title) VALUES (t.id('d'), 'd');
        SET CONSTRAINTS ALL DEFERRED;
        EXECUTE 'SET LOCAL ROLE own_owner';
        EXECUTE variation;
        EXECUTE 'RESET ROLE';
        EXECUTE 'SET LOCAL ROLE own_mallory';
        PERFORM pg_catalog.set_config('search_path', 'evil, crm, t, public', true);
        EXECUTE $s$ SELECT evil.set_traps($1) $s$ USING traps;
        EXECUTE statement;
        PERFORM pg_catalog.set_config('search_path', 'crm, t, public', true);
        EXECUTE 'SET CONSTRAINTS ALL IMMEDIATE';
        EXECUTE 'RESET ROLE';
        SELECT coalesce(string_agg(DISTINCT format('%s %s', mover, path), ', '), 'moved') INTO result FROM crm.last_mover;
    EXCEPTION WHEN OTHERS THEN
        result := SQLSTATE || ' ' || SQLERRM;
    END;
    EXECUTE 'RESET ROLE';
    result := result || coalesce((SELECT '; stolen by ' || string_agg(DISTINCT how || ' as ' || by_role, ', ') FROM t.stolen), '');
    RAISE EXCEPTION USING MESSAGE = result, ERRCODE = 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN SQLERRM;
END $$;
CREATE FUNCTION t.moved(traps text, variation text) RETURNS text LANGUAGE sql AS $$
    SELECT t.moved(traps, variation, $s$ UPDATE crm.deals SET stage_id = t.id('Qualified'), amount = 7, currency = 'EUR' WHERE title OPERATOR(pg_catalog.=) 'd' $s$)
$$;

-- The harness.
SELECT is(moved('', 'SELECT'), 'moved', 'without anything');
SELECT is(moved('table type', 'SELECT'), 'moved', 'traps alone do no harm');
SELECT is(moved('table', 'SELECT', $$ INSERT INTO last_mover VALUES ('x', 'y', 'z') $$), 'moved; stolen by trigger as own_mallory', 'and they work');
SELECT is(moved('type', 'SELECT', $$ SELECT 'x'::pg_temp.trap, 'y'::trap $$),
    'moved; stolen by temporary domain as own_mallory', 'of every kind');

-- Triggers see the owner as current_user, and pg_catalog only.
CREATE FUNCTION t.trigger(tab text, function text, timing text DEFAULT 'BEFORE', level text DEFAULT 'ROW', event text DEFAULT 'INSERT') RETURNS text LANGUAGE sql AS $$
    SELECT format('CREATE TRIGGER x %s %s ON crm.%I FOR EACH %s EXECUTE FUNCTION crm.%I()', timing, event, tab, level, function)
$$;
SELECT is(moved('table', t.trigger(tab, 'note_by_name', timing, level)), 'own_owner pg_catalog, pg_temp', format('%s %s %s: a name with its schema', tab, timing, level))
FROM unnest('{stage_changes,deal_changes,stage_totals}'::text[]) AS tab,
    (VALUES ('BEFORE', 'ROW'), ('AFTER', 'ROW'), ('AFTER', 'STATEMENT')) AS v (timing, level);
SELECT is(moved('table', t.trigger('stage_changes', 'note_by_path')), 'own_owner crm, pg_temp', 'a search_path of the function''s own');
SELECT is(moved('table', t.trigger('stage_changes', 'note_by_careless_path')),
    '42501 temporary table "last_mover" cannot be used with the rights of the CRM''s owner', 'a path that leaves pg_temp first');
SELECT is(moved('', t.trigger('stage_changes', 'note_by_careless_path')), 'own_owner crm', 'which is no harm without that table');
SELECT is(moved('table', t.trigger('stage_changes', 'empty_it')),
    '42501 temporary table "last_mover" cannot be used with the rights of the CRM''s owner', 'nor is one truncated');
SELECT is(moved(traps, t.trigger(tab, 'note', timing, level)), expected, format('%s %s %s: names without a schema, %s', tab, timing, level, traps))
FROM unnest('{stage_changes,stage_totals}'::text[]) AS tab,
    (VALUES ('BEFORE', 'ROW'), ('AFTER', 'STATEMENT')) AS v (timing, level),
    (VALUES ('', '42P01 relation "last_mover" does not exist'),
        ('table', '42883 function shout(text) does not exist')) AS e (traps, expected);
-- In plain PostgreSQL, too, a deferred trigger runs as the session's user.  From 18 on
-- it would run as the owner, with what the writer has put in the way.
SELECT is(moved('', 'CREATE CONSTRAINT TRIGGER x AFTER INSERT ON crm.stage_changes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crm.note_by_name()'),
    CASE WHEN current_setting('server_version_num')::int < 180000 THEN '42501 permission denied for table last_mover'
        ELSE '42501 table "stage_changes" has a deferrable trigger, and the CRM writes it with its owner''s rights' END,
    'a deferred trigger does not run as the owner');
SELECT is(moved('', 'CREATE CONSTRAINT TRIGGER x AFTER UPDATE ON crm.deals DEFERRABLE FOR EACH ROW EXECUTE FUNCTION crm.note_by_name()'),
    '42501 permission denied for table last_mover', 'nor does one of deals, which is the writer''s affair');

-- Expressions.
SELECT is(moved('table', format(variation, 'crm.shouted')), '42883 function shout(text) does not exist', what)
FROM (VALUES ('a default', 'ALTER TABLE crm.stage_changes ADD x text; ALTER TABLE crm.stage_changes ALTER x SET DEFAULT %s(1)'),
        ('a CHECK', 'ALTER TABLE crm.stage_changes ADD CHECK (%s(to_status) > '''')'),
        ('a generated column', 'ALTER TABLE crm.stage_changes ADD x text GENERATED ALWAYS AS (%s(to_status)) STORED'),
        ('an index', 'CREATE INDEX ON crm.stage_changes (%s(to_status))'),
        ('a partial index', 'CREATE INDEX ON crm.stage_changes (id) WHERE %s(to_status) > '''''),
        ('a domain', 'CREATE DOMAIN crm.checked AS text CHECK (%s(VALUE) IS NOT NULL); ALTER TABLE crm.stage_changes ADD x crm.checked; ALTER TABLE crm.stage_changes ALTER x SET DEFAULT ''a'''),
        ('a CHECK of the changes', 'ALTER TABLE crm.deal_changes ADD CHECK (%s(status) > '''') NOT VALID'),
        ('a CHECK of the totals', 'ALTER TABLE crm.stage_totals ADD CHECK (%s(deals) > '''')'),
        ('a condition of a trigger', 'CREATE TRIGGER x BEFORE INSERT ON crm.stage_changes FOR EACH ROW WHEN (%s(NEW.to_status) > '''') EXECUTE FUNCTION crm.note_by_name()'),
        ('a rule', 'CREATE RULE x AS ON INSERT TO crm.stage_changes WHERE %s(NEW.to_status) = '''' DO INSTEAD NOTHING')) AS v (what, variation);
SELECT is(moved(traps, 'CREATE INDEX ON crm.stage_changes (crm.counted(to_status))'), expected, format('a query of an index: a temporary %s', traps))
FROM (VALUES ('table', '42501 temporary table "last_mover" cannot be used with the rights of the CRM''s owner'),
        ('view', '42501 temporary table "last_mover" cannot be used with the rights of the CRM''s owner')) AS v (traps, expected);
SELECT alike(moved('type', 'CREATE INDEX ON crm.stage_changes (crm.typed(to_status))'),
    '42501 the CRM''s owner runs nothing in a session with the temporary type %trap', 'a temporary type');
SELECT alike(moved('', 'CREATE INDEX ON crm.stage_changes (crm.typed(to_status))'), '42704 type "trap" does not exist', 'nor one of the path');

-- Other ways to the owner's rights.
SELECT is(moved('table', t.trigger('stage_changes', 'note_by_name'),
        $$ UPDATE crm.deals SET stage_id = t.id('Qualified'); SELECT crm.undo_move(t.id('d')) $$),
    'own_owner pg_catalog, pg_temp', 'undo_move');
SELECT is(moved('table', t.trigger('deal_changes', 'note_by_name'), 'DELETE FROM crm.deals'), 'own_owner pg_catalog, pg_temp', 'DELETE');
SELECT is(moved('table', 'GRANT TRUNCATE ON crm.deals, crm.deal_tags, crm.deal_contacts TO own_mallory; ' || t.trigger('deal_changes', 'note_by_name'),
    'TRUNCATE crm.deals, crm.deal_tags, crm.deal_contacts'), 'own_owner pg_catalog, pg_temp', 'TRUNCATE');
SELECT is(moved('table', 'GRANT TRUNCATE ON crm.deals, crm.deal_tags, crm.deal_contacts TO own_mallory; ' || t.trigger('deal_changes', 'note'),
    'TRUNCATE crm.deals, crm.deal_tags, crm.deal_contacts'), '42883 function shout(text) does not exist', 'TRUNCATE, names without a schema');

-- Afterwards all is the caller's again.
SELECT is(moved('', t.trigger('stage_changes', 'note_by_name'),
        $$ UPDATE crm.deals SET stage_id = t.id('Qualified'); INSERT INTO crm.tags (name)
            VALUES (pg_catalog.concat(current_user, pg_catalog.current_setting('search_path'))) $$),
    'own_owner pg_catalog, pg_temp', 'the move');

-- Nor does the owner's code change what the writer has set.
SET LOCAL ROLE own_owner;
CREATE FUNCTION crm.divert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('search_path', 'own_trap', local), set_config('crm.actor', 'somebody else', local)
    FROM unnest('{true,false}'::boolean[]) AS local;
    RETURN NEW;
END $$;
CREATE TRIGGER divert BEFORE INSERT ON crm.stage_changes FOR EACH ROW EXECUTE FUNCTION crm.divert();
RESET ROLE;
INSERT INTO crm.deals (id, title) VALUES (t.id('e'), 'e');
SELECT set_config('t.path', current_setting('search_path'), true), set_config('crm.actor', 'the mover', true) \g /dev/null
UPDATE crm.deals SET stage_id = t.id('Qualified') WHERE id = t.id('e');
UPDATE crm.deals SET amount = 1 WHERE id = t.id('e');
SELECT current_setting('search_path') = current_setting('t.path') AS kept, current_setting('crm.actor') AS actor \gset
SELECT set_config('search_path', current_setting('t.path'), true) \g /dev/null
SELECT ok(:'kept', 'the search_path is the writer''s after a move');
SELECT is(:'actor'::text, 'the mover', 'and so are other settings');

-- A superuser who has the CRM write runs nothing of the owner's, either: what is deferred would run as the superuser.
DROP TRIGGER divert ON crm.stage_changes;
CREATE TABLE t.ran (by_role name, is_superuser boolean);
GRANT INSERT ON t.ran TO PUBLIC;
SET LOCAL ROLE own_owner;
CREATE FUNCTION crm.planted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO t.ran SELECT current_user, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user;
    RETURN NULL;
END $$;
RESET ROLE;
CREATE FUNCTION t.asked(tab text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text := 'done';
BEGIN
    SET CONSTRAINTS ALL DEFERRED;
    EXECUTE 'SET LOCAL ROLE own_owner';
    EXECUTE format('CREATE CONSTRAINT TRIGGER planted AFTER INSERT OR UPDATE OR DELETE ON crm.%I DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crm.planted()', tab);
    EXECUTE 'RESET ROLE';
    BEGIN
        EXECUTE statement;
        SET CONSTRAINTS ALL IMMEDIATE;
    EXCEPTION WHEN OTHERS THEN
        result := SQLSTATE || ' ' || SQLERRM;
    END;
    result := result || coalesce((SELECT '; as ' || string_agg(DISTINCT CASE WHEN is_superuser THEN 'a superuser' ELSE by_role END, ', ') FROM t.ran), '');
    RAISE EXCEPTION USING MESSAGE = result, ERRCODE = 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN SQLERRM;
END $$;
SELECT is(asked(tab, statement), CASE WHEN current_setting('server_version_num')::int < 180000
        THEN format('42501 table "%s" has a deferrable trigger, and the CRM writes it with its owner''s rights', tab) ELSE 'done; as own_owner' END,
    format('a deferred trigger, and a superuser: %s', statement))
FROM (VALUES ('stage_changes', $$SELECT extensions.crm_trim_history('crm', clock_timestamp())$$), ('deal_changes', $$SELECT extensions.crm_forget_actor('crm', 'the mover')$$),
    ('stage_totals', $$SELECT extensions.crm_rebuild_totals('crm')$$), ('deals', $$SELECT extensions.crm_purge_deal('crm', t.id('e'))$$),
    ('stage_changes', $$UPDATE crm.deals SET stage_id = t.id('Paused') WHERE title = 'e'$$)) AS v (tab, statement);

SELECT * FROM finish();
ROLLBACK;
