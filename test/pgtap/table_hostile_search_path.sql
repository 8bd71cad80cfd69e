-- What the code does by query, with the owner's rights or the caller's, means
-- the CRM's tables and PostgreSQL's operators, whatever the caller's search
-- path holds, and runs as the owner nothing that others have put beside it.
BEGIN;
\set owner crm_owner
\ir include/setup.sql
\ir include/roles.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(71);

CREATE ROLE crm_mallory;
GRANT USAGE ON SCHEMA crm TO crm_mallory;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA crm TO crm_mallory;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO crm_mallory;

-- Mallory's schema: functions and operators that fit better than what is meant,
-- and tables, types and temporary tables of our names.
CREATE SCHEMA evil AUTHORIZATION crm_mallory;
SET LOCAL ROLE crm_mallory;
CREATE FUNCTION evil.strike() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'hijacked as %', current_user USING ERRCODE = 'EV1LS';
END $$;
DO $$
DECLARE
    l text;
    r text;
    operator text;
BEGIN
    FOR l, r IN SELECT a, b FROM unnest('{uuid,text,integer,bigint,boolean,numeric,timestamptz}'::text[]) AS a,
        unnest('{uuid,text,integer,bigint,boolean,numeric,timestamptz}'::text[]) AS b
    LOOP
        EXECUTE format('CREATE FUNCTION evil.op(%s, %s) RETURNS boolean LANGUAGE sql AS ''SELECT evil.strike()''', l, r);
        FOREACH operator IN ARRAY '{=,<>,<,>,<=,>=,||,-,+,->>}'::text[]
        LOOP
            EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.op, LEFTARG = %s, RIGHTARG = %s)', operator, l, r);
        END LOOP;
    END LOOP;
END $$;
DO $$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT name, args FROM (VALUES
            ('unnest', 'uuid[]'), ('unnest', 'anyarray'), ('format', 'text, uuid, text'), ('format', 'text, uuid'),
            ('format', 'text, text, bigint'), ('string_agg', 'text, text'), ('quote_literal', 'text'), ('left', 'text, integer'),
            ('count', ''), ('min', 'integer'), ('row_number', ''), ('clock_timestamp', ''), ('now', ''), ('btrim', 'text'), ('lower', 'text'),
            ('jsonb_object_field_text', 'jsonb, text'), ('jsonb_exists', 'jsonb, text'), ('to_jsonb', 'anyelement'),
            ('crm_uuid_v7', ''), ('crm_is_currency', 'text'), ('crm_current_actor', ''),
            ('crm_current_tenant', ''), ('crm_raise', 'text, text, text, text'), ('crm_undo_move', 'regnamespace, uuid')) AS v (name, args)
    LOOP
        EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS boolean LANGUAGE sql AS ''SELECT evil.strike()''', f.name, f.args);
    END LOOP;
END $$;
CREATE DOMAIN evil.uuid AS pg_catalog.uuid CHECK (evil.strike());
CREATE DOMAIN evil.text AS pg_catalog.text CHECK (evil.strike());
CREATE DOMAIN evil.jsonb AS pg_catalog.jsonb CHECK (evil.strike());
CREATE DOMAIN evil.timestamptz AS pg_catalog.timestamptz CHECK (evil.strike());
CREATE VIEW evil.stage_changes AS SELECT evil.strike();
CREATE VIEW evil.deals AS SELECT evil.strike();
CREATE TEMPORARY TABLE deals (id pg_catalog.uuid);
CREATE TEMPORARY TABLE stages (id pg_catalog.uuid, deal_status pg_catalog.text);
CREATE TEMPORARY TABLE pipelines (id pg_catalog.uuid);
CREATE TEMPORARY TABLE stage_changes (id pg_catalog.uuid);
CREATE TEMPORARY TABLE contacts (id pg_catalog.uuid);
RESET ROLE;

-- As mallory, in mallory's search path.  The statement is written without
-- operators, as these would be mallory's.
CREATE FUNCTION t.in_evil_path(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    PERFORM set_config('search_path', 'pg_temp, evil, pg_catalog, crm', true);
    EXECUTE 'SET LOCAL ROLE crm_mallory';
    BEGIN
        EXECUTE statement;
        result := 'ok';
    EXCEPTION WHEN OTHERS THEN
        result := pg_catalog.concat_ws(' ', SQLSTATE, SQLERRM);
    END;
    RESET ROLE;
    PERFORM pg_catalog.set_config('search_path', 'crm, t', true);
    RETURN result;
END $$;

SELECT is(in_evil_path('SELECT 1::integer OPERATOR(pg_catalog.=) 1'), 'ok', 'the harness itself is clean');
SELECT is(in_evil_path('SELECT 1::numeric = 1::integer'), 'EV1LS hijacked as crm_mallory', 'and the path is evil');

CREATE FUNCTION t.quiet(statement text, what text) RETURNS text LANGUAGE sql AS $$
    SELECT is(t.in_evil_path(statement), 'ok', what)
$$;
SELECT quiet(format($$INSERT INTO crm.deals (id, title, amount) VALUES (%L, 'one', 10), (%L, 'two', 20)$$, id('one'), id('two')), 'insert deals');
SELECT quiet(format($$UPDATE crm.deals SET stage_id = %L WHERE id OPERATOR(pg_catalog.=) %L$$, id('Qualified'), id('one')), 'move one');
SELECT quiet(format($$UPDATE crm.deals SET stage_id = %L$$, id('Paused')), 'move many');
SELECT quiet($$UPDATE crm.deals SET status = 'won'$$, 'win');
SELECT quiet($$UPDATE crm.deals SET status = 'open'$$, 'reopen by history');
SELECT is(count(*), 7::bigint, 'all moves are in the history of the CRM') FROM crm.stage_changes;
SELECT quiet(format('SELECT crm.undo_move(%L)', id('one')), 'undo_move');
SELECT quiet(format('SELECT extensions.crm_undo_move(''crm'', %L)', id('two')), 'crm_undo_move');
SELECT quiet(format('SELECT crm.move_deal(%L, %L, lost_reason => ''x'', expected_stage_id => %L)', id('one'), id('Lost'), id('Won')), 'move_deal');
SELECT is(in_evil_path(format('SELECT crm.move_deal(%L, %L, expected_stage_id => %L)', id('one'), id('Lost'), id('Won'))),
    format('PT409 deal %s is not in the expected stage', id('one')), 'move_deal, not where expected');
SELECT quiet(format($$INSERT INTO crm.stages (id, pipeline_id, name) VALUES (%L, %L, 'new'), (%L, %2$L, 'other')$$, id('new'), id('Sales'), id('other')), 'add stages');
SELECT quiet(format($$UPDATE crm.stages SET deal_status = 'won' WHERE id OPERATOR(pg_catalog.=) %L$$, id('new')), 'change the status of a stage');
SELECT is(in_evil_path(format($$UPDATE crm.stages SET deal_status = 'open' WHERE id OPERATOR(pg_catalog.=) %L$$, id('Lost'))),
    '23514 deal_status of stage "Lost" cannot change while deals stand in it', 'of a stage in use');
SELECT is(in_evil_path(format($$DELETE FROM crm.stages WHERE id OPERATOR(pg_catalog.=) %L$$, id('Lost'))),
    '23503 stage "Lost" cannot be deleted while deals stand in it', 'delete a stage in use');
SELECT quiet(format('SELECT crm.reorder_stages(%L, %L)', id('Sales'), (SELECT array_agg(s.id ORDER BY s.position DESC) FROM crm.stages AS s WHERE pipeline_id = id('Sales'))), 'reorder_stages');
SELECT is(in_evil_path(format('SELECT crm.reorder_stages(%L, %L)', id('Sales'), ARRAY[id('Due')])),
    '22023 stage_ids must name all stages of the pipeline that are not archived, each once', 'reorder_stages, wrong ones');
SELECT quiet(format('SELECT crm.delete_stage(%L, %L)', id('Lost'), id('Disqualified')), 'delete_stage with deals');
SELECT quiet(format('SELECT crm.delete_stage(%L)', id('other')), 'delete_stage');
SELECT quiet(format('SELECT crm.apply_stage_probability(%L)', id('Lead')), 'apply_stage_probability');
SELECT quiet($$SELECT crm.create_pipeline('P', '["a", {"name": "b", "deal_status": "won"}]', is_default => true)$$, 'create_pipeline');
SELECT quiet(format('SELECT crm.set_default_pipeline(%L)', id('Sales')), 'set_default_pipeline');
SELECT quiet(format('INSERT INTO crm.deal_contacts (deal_id, contact_id) VALUES (%L, %L)', id('one'), id('person')), 'link a contact');
SELECT quiet(format('SELECT crm.set_primary_contact(%L, %L)', id('one'), id('person')), 'set_primary_contact');
SELECT quiet(format('SELECT crm.context_for_person(%L)', id('person')), 'context_for_person');
SELECT quiet(format('SELECT crm.pipeline_summary(%L)', id('Sales')), 'pipeline_summary');
SELECT quiet('SELECT pipeline_name, deals FROM crm.pipeline_stage_summary', 'pipeline_stage_summary');
SELECT quiet('SELECT extensions.crm_installations()', 'crm_installations');
SELECT quiet('SELECT extensions.crm_installed_version(''crm'')', 'crm_installed_version');
SELECT is(in_evil_path('SELECT extensions.crm_install(''evil'')'), '42710 schema "evil" is not empty', 'crm_install in a schema full of traps');
SELECT is(in_evil_path('SELECT extensions.crm_link(''crm'', ''deal_contacts.contact_id'', ''crm.tags'')'), '42501 must be owner of the CRM in schema "crm"', 'crm_link');

-- Tools of agents: errors end in the reply.
CREATE FUNCTION t.reply_in_evil_path(method text, params text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message json := format('{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}', method, params);
    result text;
BEGIN
    PERFORM set_config('search_path', 'pg_temp, evil, pg_catalog, crm', true);
    EXECUTE 'SET LOCAL ROLE crm_mallory';
    BEGIN
        EXECUTE 'SELECT pg_catalog.textin(pg_catalog.json_out(crm.mcp($1)))' USING message INTO result;
    EXCEPTION WHEN OTHERS THEN
        result := pg_catalog.concat_ws(' ', SQLSTATE, SQLERRM);
    END;
    RESET ROLE;
    PERFORM pg_catalog.set_config('search_path', 'crm, t', true);
    RETURN result;
END $$;
SELECT is(regexp_count(reply_in_evil_path('tools/list', '{}'), '"inputSchema"') > 20, true, 'mcp lists its tools');
SELECT ok(r LIKE '%"isError":false%', format('mcp: %s', name)) || CASE WHEN r LIKE '%"isError":false%' THEN '' ELSE E'\n# ' || r END
FROM (VALUES ('deals_list', '{"limit":1,"search":"o","archived":false}'), ('deals_list', format('{"stage_id":"%s"}', id('Due'))),
        ('deals_create', format('{"id":"%s","title":"three","amount":5,"metadata":{"a":1}}', id('three'))),
        ('deals_get', format('{"id":"%s"}', id('three'))),
        ('deals_update', format('{"id":"%s","title":"drei","expected_version":1}', id('three'))),
        ('tags_create', format('{"id":"%s","name":"tag"}', id('tag'))),
        ('deals_tag', format('{"deal_id":"%s","tag_id":"%s"}', id('three'), id('tag'))),
        ('deals_link_contact', format('{"deal_id":"%s","contact_id":"%s","role":"x"}', id('three'), id('person'))),
        ('deals_link_contact', format('{"deal_id":"%s","contact_id":"%s","role":"y"}', id('three'), id('person'))),
        ('deals_untag', format('{"deal_id":"%s","tag_id":"%s"}', id('three'), id('tag'))),
        ('deals_unlink_contact', format('{"deal_id":"%s","contact_id":"%s"}', id('three'), id('person'))),
        ('deals_move', format('{"deal_id":"%s","stage_id":"%s"}', id('three'), id('Due'))),
        ('deals_undo_move', format('{"deal_id":"%s"}', id('three'))),
        ('report_value', format('{"report":"pipeline_summary","pipeline_id":"%s"}', id('Sales'))), ('report_value', '{"report":"forecast","pipeline_id":"Sales","limit":1}'),
        ('report_flow', '{"report":"deal_history","deal_id":"drei","limit":1}'), ('find', '{"text":"drei r"}'), ('stages_list', '{"limit":1}'),
        ('deals_list', '{"order":"amount","descending":true,"limit":1,"amount_min":1,"created_from":"2024-01-01","status":["open","won"],"tag_id":"tag","fields":["stage","tags","title"]}'),
        ('deals_move', '{"deal_id":"drei","stage_id":"Qualified"}'),
        ('context_for_person', format('{"person_id":"%s"}', id('person'))),
        ('context_for_deal', format('{"deal_id":"%s"}', id('three'))),
        ('pipelines_create_with_stages', '{"name":"Q","stages":["a"]}'),
        ('stages_list', '{"limit":2}'),
        ('deals_delete', format('{"id":"%s"}', id('three')))) AS v (name, arguments),
    reply_in_evil_path('tools/call', format('{"name":"%s","arguments":%s}', name, arguments)) AS r;

-- A function that runs with its owner's rights and has a BEGIN ATOMIC body is
-- as safe with ours in it as with PostgreSQL's.
CREATE FUNCTION t.undo(deal uuid) RETURNS void LANGUAGE sql SECURITY DEFINER
BEGIN ATOMIC
    SELECT crm.undo_move(deal);
END;
UPDATE crm.deals SET stage_id = id('Due') WHERE id = id('two');
SELECT quiet(format('SELECT t.undo(%L)', id('two')), 'undo_move with the rights of another');

-- Rights of the owner of a table do not reach what others put beside it.  Here
-- mallory may create in the schema of a superuser's tables, which look like
-- those of a CRM.
CREATE SCHEMA common;
GRANT CREATE, USAGE ON SCHEMA common TO crm_mallory;
CREATE SCHEMA shop;
GRANT CREATE, USAGE ON SCHEMA shop TO crm_mallory;
CREATE TABLE shop.deals (LIKE crm.deals INCLUDING DEFAULTS);
CREATE TABLE shop.stages (LIKE crm.stages INCLUDING DEFAULTS);
INSERT INTO shop.deals SELECT * FROM crm.deals;
INSERT INTO shop.stages SELECT * FROM crm.stages;
GRANT SELECT, UPDATE, DELETE, REFERENCES ON ALL TABLES IN SCHEMA shop TO crm_mallory;
SET LOCAL ROLE crm_mallory;
CREATE VIEW shop.stage_changes AS SELECT c.* FROM crm.stage_changes AS c WHERE evil.strike();
CREATE VIEW shop.pipelines AS SELECT p.* FROM crm.pipelines AS p WHERE current_user = 'crm_mallory' OR evil.strike();
CREATE VIEW common.stage_changes AS SELECT c.* FROM crm.stage_changes AS c WHERE evil.strike();
CREATE VIEW common.pipelines AS SELECT p.* FROM crm.pipelines AS p WHERE current_user = 'crm_mallory' OR evil.strike();
CREATE VIEW common.deals AS SELECT d.* FROM crm.deals AS d WHERE evil.strike();
RESET ROLE;
SELECT is(as_role('crm_mallory', format('SELECT extensions.crm_undo_move(''shop'', %L)', id('one'))),
    E'42501\ntables "deals" and "stage_changes" of schema "shop" have different owners\n'
        'The first one''s owner would run what the other one attached to its table.\nGive all tables of the CRM to the same owner.',
    'crm_undo_move on a table of another');
SELECT is(split_part(as_role('crm_mallory', format('SELECT extensions.crm_reorder_stages(''shop'', %L, ''{}'')', id('Sales'))), E'\n', 2),
    'tables "stages" and "pipelines" of schema "shop" have different owners', 'crm_reorder_stages on a table of another');

-- A table of deals whose history somebody else has made.
CREATE TABLE common.d (LIKE crm.deals INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE common.d ADD FOREIGN KEY (stage_id) REFERENCES crm.stages, ADD FOREIGN KEY (pipeline_id) REFERENCES crm.pipelines;
SELECT format('CREATE TRIGGER r BEFORE INSERT OR UPDATE ON common.d FOR EACH ROW EXECUTE FUNCTION extensions.crm_deal_rules(%L)',
    extensions.crm_version()) \gexec
SELECT format('CREATE TRIGGER a AFTER UPDATE ON common.d REFERENCING OLD TABLE AS o NEW TABLE AS n
    FOR EACH STATEMENT EXECUTE FUNCTION extensions.crm_deal_audit(%L, ''history'')', extensions.crm_version()) \gexec
SELECT alike(error_of(format($$INSERT INTO common.d SELECT * FROM crm.deals WHERE id = %L; UPDATE common.d SET stage_id = %L$$, id('two'), id('Due'))),
    E'42501\ntables "d" and "stage_changes" of schema "common" have different owners%', 'a move is not recorded by what others made');
CREATE TABLE common.s (LIKE crm.stages INCLUDING DEFAULTS);
INSERT INTO common.s SELECT * FROM crm.stages;
ALTER TABLE common.s ADD FOREIGN KEY (pipeline_id) REFERENCES crm.pipelines;
SELECT format('CREATE TRIGGER r BEFORE INSERT OR UPDATE OR DELETE ON common.s FOR EACH ROW
    EXECUTE FUNCTION extensions.crm_stage_rules(%L, ''pipeline_id'')', extensions.crm_version()) \gexec
SELECT alike(error_of($$DELETE FROM common.s$$), E'42501\ntables "s" and "deals" of schema "common" have different owners%', 'nor are deals looked for there');
SELECT alike(error_of(format($$INSERT INTO common.s (pipeline_id, name) VALUES (%L, 'x')$$, id('Sales'))),
    E'42501\ntables "s" and "pipelines" of schema "common" have different owners%', 'nor pipelines');

-- With REFERENCES, which is enough for a foreign key, one does not read the
-- names and probabilities of stages.
GRANT REFERENCES ON crm.stages, crm.pipelines TO crm_mallory;
REVOKE SELECT ON crm.stages, crm.pipelines FROM crm_mallory;
SET LOCAL ROLE crm_mallory;
CREATE TABLE evil.d (LIKE crm.deals INCLUDING DEFAULTS);
ALTER TABLE evil.d ADD FOREIGN KEY (stage_id) REFERENCES crm.stages, ADD FOREIGN KEY (pipeline_id) REFERENCES crm.pipelines;
SELECT format('CREATE TRIGGER r BEFORE INSERT OR UPDATE ON evil.d FOR EACH ROW EXECUTE FUNCTION extensions.crm_deal_rules(%L)',
    extensions.crm_version()) \gexec
RESET ROLE;
SELECT alike(as_role('crm_mallory', format($$INSERT INTO evil.d (title, stage_id) VALUES ('x', %L)$$, id('Due'))),
    E'42501\nthe owner of table "d" may not read all of table "%"\n%', 'a table of one''s own that refers to stages of others');
GRANT SELECT ON crm.stages, crm.pipelines TO crm_mallory;
SELECT is(outcome('crm_mallory', format($$INSERT INTO evil.d (title, stage_id) VALUES ('x', %L)$$, id('Due'))), 'ok', 'with SELECT it may');
ALTER TABLE crm.stages ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_of_them ON crm.stages USING (true);
SELECT is(outcome('crm_mallory', format($$INSERT INTO evil.d (title, stage_id) VALUES ('x', %L)$$, id('Due'))), '42501', 'but not past row security');

-- What others have put beside the extension is not bound by a new CRM.
GRANT CREATE ON SCHEMA extensions TO crm_mallory;
SET LOCAL ROLE crm_mallory;
CREATE FUNCTION extensions.crm_is_currency(varchar) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM evil.strike(); RETURN true; END';
RESET ROLE;
SELECT is(error_of('SELECT extensions.crm_install(''another'')'),
    E'42501\nfunction extensions.crm_is_currency(character varying) stands beside the extension\n'
        'It would run in place of the extension''s own, and its owner is crm_mallory.\n'
        'Drop it, or give it another schema.', 'a planted function');
DROP FUNCTION extensions.crm_is_currency(varchar);
SET LOCAL ROLE crm_mallory;
CREATE FUNCTION extensions.harmless(uuid) RETURNS uuid LANGUAGE sql AS 'SELECT $1';
CREATE OPERATOR extensions.>= (FUNCTION = evil.op, LEFTARG = numeric, RIGHTARG = integer);
RESET ROLE;
SELECT alike(error_of('SELECT extensions.crm_install(''another'')'),
    E'42501\nrole crm_mallory may create objects in schema "extensions"\n%', 'nor may others create there');
REVOKE CREATE ON SCHEMA extensions FROM crm_mallory;
SELECT is(error_of('SELECT extensions.crm_install(''another'')'), 'no error', 'other functions and operators may stand there');
SELECT is_empty($$SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend
    WHERE refobjid = 'extensions.>=(numeric, integer)'::regoperator AND deptype = 'n'$$, 'and are not bound');

SELECT * FROM finish();
ROLLBACK;
