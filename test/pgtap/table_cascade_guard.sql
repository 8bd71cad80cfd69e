-- A foreign key deletes rows, or sets columns to null, with the rights of the table's
-- owner, but with the search_path and temporary tables of the session: the owner's
-- triggers run only if their functions have a closed path of their own.
BEGIN;
\set owner cascade_owner
\ir include/setup.sql
\ir include/roles.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(30);

CREATE ROLE cascade_writer;
GRANT TEMPORARY ON DATABASE :DBNAME TO cascade_writer;
CREATE SCHEMA app AUTHORIZATION cascade_owner;
GRANT USAGE ON SCHEMA app TO cascade_writer;
SET LOCAL ROLE cascade_owner;
SELECT extensions.crm_grant_access('crm', 'cascade_writer', 'admin') \g /dev/null
CREATE TABLE app.people (id uuid PRIMARY KEY, name text);
CREATE TABLE app.users (id uuid PRIMARY KEY, name text);
GRANT SELECT, DELETE ON app.people, app.users TO cascade_writer;
INSERT INTO app.people VALUES (t.id('person'), 'person');
INSERT INTO app.users VALUES (t.id('user'), 'user');
SELECT extensions.crm_link('crm', 'deal_contacts.contact_id', 'app.people', on_delete => 'cascade'),
    extensions.crm_link('crm', 'deals.owner_id', 'app.users', on_delete => 'set null') \g /dev/null
INSERT INTO crm.deals (id, title, owner_id) VALUES (t.id('d'), 'd', t.id('user'));
INSERT INTO crm.deal_contacts (deal_id, contact_id) VALUES (t.id('d'), t.id('person'));
INSERT INTO crm.tags (id, name) VALUES (t.id('tag'), 'tag');
INSERT INTO crm.deal_tags (deal_id, tag_id) VALUES (t.id('d'), t.id('tag'));
SELECT crm.create_pipeline('Empty', '["a"]') \g /dev/null
CREATE TABLE crm.log (what text);
CREATE FUNCTION crm.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO log VALUES (TG_OP);
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
RESET ROLE;

-- What the writer, or the owner, is told; what is done is undone.  The writer has a
-- temporary table in the way, whose trigger tells as whom it runs.
CREATE FUNCTION t.trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'struck as %', current_user; END $$;
CREATE FUNCTION t.told(trigger text, statement text, who name DEFAULT 'cascade_writer', function text DEFAULT 'SELECT') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text := 'done';
BEGIN
    BEGIN
        EXECUTE 'SET LOCAL ROLE cascade_owner';
        EXECUTE function;
        EXECUTE trigger;
        EXECUTE format('SET LOCAL ROLE %I', who);
        IF who = 'cascade_writer' THEN
            CREATE TEMPORARY TABLE log (what text);
            GRANT ALL ON log TO PUBLIC;
            CREATE TRIGGER trap BEFORE INSERT ON log FOR EACH ROW EXECUTE FUNCTION t.trap();
        END IF;
        PERFORM set_config('search_path', 'crm, pg_catalog', true);
        EXECUTE statement;
    EXCEPTION WHEN OTHERS THEN
        result := SQLSTATE || ' ' || SQLERRM;
    END;
    RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN result;
END $$;
CREATE FUNCTION t.before(tab text, event text, level text DEFAULT 'ROW') RETURNS text LANGUAGE sql AS $$
    SELECT format('CREATE TRIGGER aa_note BEFORE %s ON crm.%I FOR EACH %s EXECUTE FUNCTION crm.note()', event, tab, level)
$$;
CREATE FUNCTION t.refused(tab text) RETURNS text LANGUAGE sql AS $$
    SELECT format('42501 trigger "aa_note" of table "%s" would run with the rights of the table''s owner', tab)
$$;

SELECT is(told('SELECT', statement), 'done', statement || ': without triggers')
FROM unnest('{DELETE FROM crm.deals,DELETE FROM crm.tags,DELETE FROM crm.pipelines WHERE name = ''Empty'',DELETE FROM app.people,DELETE FROM app.users}'::text[]) AS statement;
SELECT is(told(before(tab, event, level), statement), refused(tab), format('%s: a trigger of %s for each %s', statement, tab, level))
FROM (VALUES ('deal_contacts', 'DELETE', 'DELETE FROM crm.deals'), ('deal_tags', 'DELETE', 'DELETE FROM crm.tags'),
        ('stages', 'DELETE', 'DELETE FROM crm.pipelines WHERE name = ''Empty'''), ('deal_contacts', 'DELETE', 'DELETE FROM app.people'),
        ('deals', 'UPDATE OF owner_id', 'DELETE FROM app.users')) AS v (tab, event, statement),
    unnest('{ROW,STATEMENT}'::text[]) AS level;


-- Expressions that call a function of the owner's.
SET LOCAL ROLE cascade_owner;
CREATE FUNCTION crm.noted(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES ($1); RETURN true; END $$;
-- From PostgreSQL 17 on an index is built with a path that has no log.
CREATE FUNCTION crm.same(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF to_regclass('log') IS NOT NULL THEN PERFORM FROM log; END IF;
    RETURN $1;
END $$;
CREATE FUNCTION crm.pass() RETURNS trigger LANGUAGE plpgsql SET search_path = crm, pg_temp AS $$ BEGIN RETURN NULL; END $$;
RESET ROLE;
CREATE TABLE t.expressions (what text, command text, statement text, function text);
INSERT INTO t.expressions VALUES
    ('a condition', 'CREATE TRIGGER aa_note AFTER DELETE ON crm.deal_tags FOR EACH ROW WHEN (crm.noted(OLD.id::text)) EXECUTE FUNCTION crm.pass()', 'DELETE FROM crm.tags', 'crm.noted(pg_catalog.text)'),
    ('a CHECK', 'ALTER TABLE crm.deals ADD CHECK (crm.noted(title)) NOT VALID', 'DELETE FROM app.users', 'crm.noted(pg_catalog.text)'),
    ('an index', 'CREATE INDEX ON crm.deals (crm.same(title))', 'DELETE FROM app.users', 'crm.same(pg_catalog.text)'),
    ('a predicate', 'CREATE INDEX ON crm.deals (title) WHERE crm.same(title) IS NOT NULL', 'DELETE FROM app.users', 'crm.same(pg_catalog.text)'),
    ('a generated column', 'ALTER TABLE crm.deals ADD again text GENERATED ALWAYS AS (crm.same(title)) STORED', 'DELETE FROM app.users', 'crm.same(pg_catalog.text)');
SELECT is(told(command, statement), format('42501 function %s, which table "%s" calls, would run with the rights of the table''s owner',
        function, substring(command FROM 'crm\.(deals|deal_tags)')), what)
FROM t.expressions;
SELECT isnt(left(told(command, statement, function => format('ALTER FUNCTION %s SET search_path = crm, pg_temp', function)), 5), '42501', what || ' with a closed path')
FROM t.expressions WHERE what <> 'a condition';
SELECT is(told('ALTER TABLE crm.deals ADD CHECK (crm.noted(title)) NOT VALID', 'DELETE FROM crm.tags'), 'done', 'a CHECK that is not asked');

SELECT is(told(before('deal_tags', 'DELETE'), 'DELETE FROM crm.deals', function => 'ALTER FUNCTION crm.note() SET search_path = crm'),
    refused('deal_tags'), 'a path that leaves pg_temp first');
SELECT is(told(before('deal_tags', 'DELETE'), 'DELETE FROM crm.deals', function => 'ALTER FUNCTION crm.note() SET search_path = crm, pg_temp'),
    'done', 'a closed path');
SELECT is(told(before('deal_tags', 'DELETE'), 'DELETE FROM crm.deals', 'cascade_owner'), 'done', 'the owner');
-- As in plain PostgreSQL.
SELECT is(told(before('deal_tags', 'DELETE'), 'DELETE FROM crm.deal_tags'), 'P0001 struck as cascade_writer', 'a statement of the writer''s own runs all as the writer');
SELECT is(told(before('deals', 'UPDATE OF title'), 'DELETE FROM app.users'), 'done', 'triggers for other columns do not matter');

SELECT * FROM finish();
ROLLBACK;
