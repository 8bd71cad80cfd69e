-- crm_grant_access() and crm_revoke_access(): each level on each table and
-- function, no right for anybody else, and who may grant.
BEGIN;
\ir include/setup.sql
\ir include/request.sql
SELECT no_plan();
CREATE ROLE ga_owner;
CREATE ROLE ga_read;
CREATE ROLE ga_write;
CREATE ROLE ga_admin;
CREATE ROLE ga_agent;
CREATE ROLE "ga ""odd"" role";
CREATE ROLE ga_deputy;
CREATE ROLE ga_other;
SELECT format('GRANT CREATE ON DATABASE %I TO ga_owner', current_database()) \gexec
-- The CRM is of an owner who is no superuser.
REVOKE USAGE ON SCHEMA extensions FROM PUBLIC;
GRANT USAGE ON SCHEMA extensions TO ga_owner, ga_deputy;
DROP SCHEMA crm CASCADE;
SET LOCAL ROLE ga_owner;
SELECT 'crm_install: ' || extensions.crm_install('crm') \g /dev/null
RESET ROLE;

-- What anybody may do before and after: nothing.
CREATE FUNCTION t.public_rights() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT format('%s on %s', a.privilege_type, o.name)
    FROM (SELECT coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) AS acl, oid::regclass::text AS name
            FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v', 'S', 'p', 'm', 'f')
        UNION ALL SELECT attacl, attrelid::regclass || '.' || attname FROM pg_attribute
            WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'crm'::regnamespace)
        UNION ALL SELECT coalesce(proacl, acldefault('f', proowner)), oid::regprocedure::text
            FROM pg_proc WHERE pronamespace = 'crm'::regnamespace
        -- not the row types, to which the server grants no less
        UNION ALL SELECT coalesce(typacl, acldefault('T', typowner)), oid::regtype::text
            FROM pg_type WHERE typnamespace = 'crm'::regnamespace AND typtype <> 'c' AND typelem = 0
        UNION ALL SELECT coalesce(nspacl, acldefault('n', nspowner)), nspname
            FROM pg_namespace WHERE nspname = 'crm') AS o (acl, name)
        CROSS JOIN LATERAL aclexplode(o.acl) AS a
    WHERE a.grantee = 0
$$;
SELECT is_empty('SELECT t.public_rights()', 'install grants nothing to PUBLIC');
SELECT is_empty($$SELECT a.grantee::regrole FROM pg_class AS c, aclexplode(c.relacl) AS a
    WHERE c.relnamespace = 'crm'::regnamespace AND a.grantee <> 'ga_owner'::regrole$$, 'nor to any role');

-- With contacts, owners and organizations linked, there are three views more.
SET LOCAL ROLE ga_owner;
CREATE SCHEMA ga_people;
CREATE TABLE ga_people.people (id uuid PRIMARY KEY, name text);
SELECT extensions.crm_link('crm', 'deal_contacts.contact_id', 'ga_people.people') \g /dev/null
SELECT extensions.crm_link('crm', 'deals.owner_id', 'ga_people.people') \g /dev/null
SELECT extensions.crm_link('crm', 'deals.organization_id', 'ga_people.people') \g /dev/null
SELECT extensions.crm_grant_access('crm', 'ga_read', 'read') \g /dev/null
SELECT extensions.crm_grant_access('crm', 'ga_write', 'write') \g /dev/null
SELECT extensions.crm_grant_access('crm', 'ga_admin', 'admin') \g /dev/null
SELECT extensions.crm_grant_access('crm', 'ga_agent', 'agent') \g /dev/null
SELECT extensions.crm_grant_access('crm', 'ga "odd" role', 'read') \g /dev/null
GRANT USAGE ON SCHEMA ga_people TO ga_read, ga_write, ga_admin, ga_agent;
GRANT SELECT ON ga_people.people TO ga_read, ga_write, ga_admin, ga_agent;
RESET ROLE;
SELECT is_empty('SELECT t.public_rights()', 'granting grants nothing to PUBLIC');
SELECT ok(has_schema_privilege('ga "odd" role', 'crm', 'USAGE'), 'names of roles are quoted');

-- Each level on each table: letters as \dp has them; columns of which a role
-- may update some only.
CREATE FUNCTION t.rights(role name) RETURNS TABLE (tab name, rights text) LANGUAGE sql AS $$
    SELECT c.relname, concat(
        CASE WHEN has_table_privilege(role, c.oid, 'SELECT') THEN 'r' END,
        CASE WHEN has_table_privilege(role, c.oid, 'INSERT') THEN 'a' END,
        CASE WHEN has_table_privilege(role, c.oid, 'UPDATE') THEN 'w' END,
        CASE WHEN has_table_privilege(role, c.oid, 'DELETE') THEN 'd' END,
        CASE WHEN has_table_privilege(role, c.oid, 'TRUNCATE, REFERENCES, TRIGGER') THEN '!' END,
        CASE WHEN NOT has_table_privilege(role, c.oid, 'UPDATE') THEN
            (SELECT '(' || string_agg(a.attname, ' ' ORDER BY a.attname) || ')' FROM pg_attribute AS a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND has_column_privilege(role, c.oid, a.attnum, 'UPDATE')) END)
    FROM pg_class AS c
    WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND c.relname <> 'stage_totals'
    ORDER BY c.relname COLLATE "C"
$$;
-- Each level on each table and view; every one of the CRM stands here but stage_totals, which is nobody's.
CREATE TABLE t.relations (name name, read text, write text, admin text, agent text);
INSERT INTO t.relations VALUES
    ('contacts', 'r', 'r', 'r', 'r'),
    ('deal_changes', 'r', 'r', 'r', 'r'),
    ('deal_facts', 'r', 'r', 'r', 'r'),
    ('move_facts', 'r', 'r', 'r', 'r'),
    ('deal_contacts', 'r', 'rawd', 'rawd', 'ra(is_primary role)'),
    ('deal_tags', 'r', 'rawd', 'rawd', 'ra'),
    ('deal_pushes', 'r', 'r', 'r', 'r'),
    ('deals', 'r', 'rawd', 'rawd', 'ra(amount expected_close_date forecast_category lost_at lost_reason pipeline_id probability stage_entered_at stage_id status title won_at)'),
    ('exchange_rates', 'r', 'r', 'rawd', 'r'),
    ('organizations', 'r', 'r', 'r', 'r'),
    ('owners', 'r', 'r', 'r', 'r'),
    ('pipeline_stage_summary', 'r', 'r', 'r', 'r'),
    ('pipelines', 'r', 'r', 'rawd', 'r'),
    ('rotting_deals', 'r', 'r', 'r', 'r'),
    ('stage_changes', 'r', 'r', 'r', 'r'),
    ('stage_forecast_categories', 'r', 'r', 'r', 'r'),
    ('stage_visits', 'r', 'r', 'r', 'r'),
    ('stages', 'r', 'r', 'rawd', 'r'),
    ('tags', 'r', 'rawd', 'rawd', 'ra');
SELECT set_eq(format('SELECT * FROM t.rights(%L)', 'ga_' || level), format('SELECT name, %I FROM t.relations', level), level || ': tables')
FROM unnest('{read,write,admin,agent}'::text[]) AS level;
SELECT is_empty($$SELECT c.relname FROM pg_class AS c, unnest('{ga_read,ga_write,ga_admin,ga_agent}'::name[]) AS r
    WHERE c.relnamespace = 'crm'::regnamespace AND c.relname IN ('stage_changes', 'deal_changes', 'stage_totals')
    AND (has_any_column_privilege(r, c.oid, 'INSERT, UPDATE') OR has_table_privilege(r, c.oid, 'DELETE, TRUNCATE'))$$,
    'nobody but the owner writes history and totals');

-- Each level on each function; every function of the CRM stands here.
CREATE TABLE t.functions (name text, levels text);
INSERT INTO t.functions VALUES
    ('owner', 'read write admin agent'), ('owner', 'read write admin agent'), ('owner', 'read write admin agent'),
    ('old_owner', 'read write admin agent'), ('new_owner', 'read write admin agent'), ('organization', 'read write admin agent'),
    ('deals', 'read write admin agent'), ('deals', 'read write admin agent'),
    ('pipeline_summary', 'read write admin agent'), ('context_for_person', 'read write admin agent'),
    ('stage_changes', 'read write admin agent'), ('deal', 'read write admin agent'), ('deal', 'read write admin agent'),
    ('deal', 'read write admin agent'), ('deal', 'read write admin agent'), ('deal', 'read write admin agent'),
    ('deal_changes', 'read write admin agent'), ('stage_visits', 'read write admin agent'), ('deal_pushes', 'read write admin agent'),
    ('stage', 'read write admin agent'), ('stage', 'read write admin agent'), ('stage', 'read write admin agent'),
    ('stage', 'read write admin agent'), ('pipeline', 'read write admin agent'), ('pipeline', 'read write admin agent'),
    ('pipeline', 'read write admin agent'), ('next_stage', 'read write admin agent'), ('next_pipeline', 'read write admin agent'),
    ('pipeline_stage_summary', 'read write admin agent'), ('pipeline_stage_summary', 'read write admin agent'),
    ('stage_forecast_categories', 'read write admin agent'),
    ('from_stage', 'read write admin agent'), ('to_stage', 'read write admin agent'),
    ('from_pipeline', 'read write admin agent'), ('to_pipeline', 'read write admin agent'),
    ('weighted_value', 'read write admin agent'), ('summary', 'read write admin agent'),
    ('contacts', 'read write admin agent'), ('deals', 'read write admin agent'),
    ('time_in_stage', 'read write admin agent'), ('stage_conversion', 'read write admin agent'),
    ('funnel', 'read write admin agent'), ('win_rate', 'read write admin agent'),
    ('sales_cycle', 'read write admin agent'), ('sales_velocity', 'read write admin agent'),
    ('recurring_revenue', 'read write admin agent'), ('rotting_deals', 'read write admin agent'),
    ('stage_probabilities', 'read write admin agent'), ('forecast', 'read write admin agent'),
    ('slippage', 'read write admin agent'), ('pipeline_waterfall', 'read write admin agent'),
    ('exchange_rate', 'read write admin agent'),
    ('lost_reasons', 'read write admin agent'), ('stage_flow', 'read write admin agent'),
    ('changes_since', 'read write admin agent'),
    ('pipeline_summary_as_of', 'read write admin agent'), ('pipeline_trend', 'read write admin agent'),
    ('context_for_deal', 'read write admin agent'), ('mcp', 'read write admin agent'), ('mcp', 'read write admin agent'),
    ('move_deal', 'write admin agent'), ('undo_move', 'write admin agent'), ('set_primary_contact', 'write admin agent'),
    ('create_pipeline', 'admin'), ('set_default_pipeline', 'admin'), ('reorder_stages', 'admin'),
    ('delete_stage', 'admin'), ('apply_stage_probability', 'admin');
SELECT results_eq($$SELECT p.proname::text || ': ' || concat_ws(' ', CASE WHEN has_function_privilege('ga_read', p.oid, 'EXECUTE') THEN 'read' END,
        CASE WHEN has_function_privilege('ga_write', p.oid, 'EXECUTE') THEN 'write' END,
        CASE WHEN has_function_privilege('ga_admin', p.oid, 'EXECUTE') THEN 'admin' END,
        CASE WHEN has_function_privilege('ga_agent', p.oid, 'EXECUTE') THEN 'agent' END) COLLATE "C"
    FROM pg_proc AS p WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN (SELECT name FROM t.functions) ORDER BY 1$$,
    $$SELECT name || ': ' || levels COLLATE "C" FROM t.functions ORDER BY 1$$, 'functions by level');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'crm'::regnamespace
    AND p.proname NOT IN (SELECT r.name FROM extensions.crm_access_rules() AS r WHERE r.kind = 'function')$$,
    'the rules know every function of a CRM');
SELECT is_empty($$SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v')
    AND c.relname <> 'stage_totals' AND c.relname NOT IN (SELECT r.name FROM extensions.crm_access_rules() AS r WHERE r.kind = 'table')$$,
    'and every table');

-- The rights are enough, without any on the extension's schema.
SELECT ok(NOT has_schema_privilege('ga_admin', 'extensions', 'USAGE'), 'no role may use the extension''s schema');
SELECT is(rpc('ga_admin', '{}', 'create_pipeline', '{"name": "Sales", "is_default": true, "stages": ["Lead", {"name": "Offer", "probability": 0.5},
    {"name": "Won", "deal_status": "won"}, {"name": "Lost", "deal_status": "lost"}]}') #>> '{0,name}', 'Sales', 'admin makes a pipeline');
CREATE FUNCTION t.stage(name text) RETURNS uuid LANGUAGE sql AS $$ SELECT s.id FROM crm.stages AS s WHERE s.name = stage.name $$;
CREATE FUNCTION t.try(role name, statement text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(r ->> 'code', 'ok') FROM t.request(role, '{}', statement || ' RETURNING to_jsonb(1)') AS r $$;
INSERT INTO ga_people.people VALUES (id('Ann'), 'Ann'), (id('Ben'), 'Ben');
-- %1$s is the level; outcomes at read, write, admin, agent.
CREATE TABLE t.attempts (n serial, what text, statement text, outcome text);
INSERT INTO t.attempts (what, statement, outcome) VALUES
    ('create a deal', $$INSERT INTO crm.deals (id, title, amount) VALUES (md5('%1$s deal')::uuid, '%1$s', 5)$$, '42501 ok ok ok'),
    ('edit its title', $$UPDATE crm.deals SET title = title WHERE id = md5('%1$s deal')::uuid$$, '42501 ok ok ok'),
    ('edit its description', $$UPDATE crm.deals SET description = description WHERE id = md5('%1$s deal')::uuid$$, '42501 ok ok 42501'),
    ('move a deal', $$UPDATE crm.deals SET stage_id = t.stage('Offer') WHERE id = md5('%1$s deal')::uuid$$, '42501 ok ok ok'),
    ('win it', $$UPDATE crm.deals SET status = 'won' WHERE id = md5('%1$s deal')::uuid$$, '42501 ok ok ok'),
    ('link a contact', $$INSERT INTO crm.deal_contacts (deal_id, contact_id) VALUES (md5('%1$s deal')::uuid, md5('Ann')::uuid)$$, '42501 ok ok ok'),
    ('link it again', $$INSERT INTO crm.deal_contacts (deal_id, contact_id) VALUES (md5('%1$s deal')::uuid, md5('Ann')::uuid)
        ON CONFLICT (deal_id, contact_id) DO NOTHING$$, '42501 ok ok ok'),
    ('give the link a role', $$UPDATE crm.deal_contacts SET role = 'buyer' WHERE deal_id = md5('%1$s deal')::uuid$$, '42501 ok ok ok'),
    ('turn the link to another', $$UPDATE crm.deal_contacts SET contact_id = md5('Ben')::uuid WHERE deal_id = md5('%1$s deal')::uuid$$, '42501 ok ok 42501'),
    ('make a tag', $$INSERT INTO crm.tags (id, name) VALUES (md5('%1$s tag')::uuid, '%1$s')$$, '42501 ok ok ok'),
    ('tag a deal', $$INSERT INTO crm.deal_tags (deal_id, tag_id) VALUES (md5('%1$s deal')::uuid, md5('%1$s tag')::uuid)$$, '42501 ok ok ok'),
    ('untag', $$DELETE FROM crm.deal_tags WHERE deal_id = md5('%1$s deal')::uuid$$, '42501 ok ok 42501'),
    ('unlink', $$DELETE FROM crm.deal_contacts WHERE deal_id = md5('%1$s deal')::uuid$$, '42501 ok ok 42501'),
    ('delete the deal', $$DELETE FROM crm.deals WHERE id = md5('%1$s deal')::uuid$$, '42501 ok ok 42501'),
    ('add a stage', $$INSERT INTO crm.stages (pipeline_id, name) SELECT id, '%1$s' FROM crm.pipelines LIMIT 1$$, '42501 42501 ok 42501'),
    ('rename a pipeline', $$UPDATE crm.pipelines SET name = name$$, '42501 42501 ok 42501'),
    ('write history', $$INSERT INTO crm.stage_changes (deal_id) VALUES (md5('x')::uuid)$$, '42501 42501 42501 42501'),
    ('delete history', $$DELETE FROM crm.stage_changes$$, '42501 42501 42501 42501');
GRANT USAGE ON SCHEMA t TO PUBLIC;
CREATE FUNCTION t.outcomes(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE outcome text := '';
BEGIN
    FOR i IN 1 .. 4 LOOP
        outcome := concat_ws(' ', nullif(outcome, ''), t.try(('{ga_read,ga_write,ga_admin,ga_agent}'::name[])[i],
            format(statement, ('{read,write,admin,agent}'::text[])[i])));
    END LOOP;
    RETURN outcome;
END $$;
SELECT is(t.outcomes(statement), outcome, 'who may ' || what) FROM t.attempts ORDER BY n;

-- Functions, as RPC.
INSERT INTO deals (id, title) VALUES (id('D'), 'D');
INSERT INTO deal_contacts (deal_id, contact_id) VALUES (id('D'), id('Ann'));
CREATE FUNCTION t.rpc_codes(function text, body jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(coalesce(t.rpc(role, '{}', function, body) ->> 'code', 'ok'), ' ' ORDER BY n)
    FROM unnest('{ga_read,ga_write,ga_admin,ga_agent}'::name[]) WITH ORDINALITY AS r (role, n) $$;
SELECT is(rpc_codes('pipeline_summary', jsonb_build_object('pipeline_id', (SELECT id FROM pipelines))), 'ok ok ok ok', 'rpc/pipeline_summary');
SELECT is(rpc_codes('context_for_person', jsonb_build_object('person_id', id('Ann'))), 'ok ok ok ok', 'rpc/context_for_person');
SELECT is(rpc_codes('context_for_deal', jsonb_build_object('deal_id', id('D'))), 'ok ok ok ok', 'rpc/context_for_deal');
SELECT is((SELECT string_agg(coalesce(request(r, '{}', $$SELECT crm.mcp('{"jsonrpc": "2.0", "id": 1, "method": "ping"}')$$) ->> 'code', 'ok'), ' ')
    FROM unnest('{ga_read,ga_write,ga_admin,ga_agent}'::name[]) AS r), 'ok ok ok ok', 'rpc/mcp');
SELECT is(rpc_codes('move_deal', jsonb_build_object('deal_id', id('D'), 'stage_id', stage('Lost'), 'lost_reason', 'price')), '42501 ok ok ok', 'rpc/move_deal');
SELECT is(rpc_codes('undo_move', jsonb_build_object('deal_id', id('D'))), '42501 ok PT409 PT409', 'rpc/undo_move');
SELECT is(rpc('ga_agent', '{}', 'move_deal', jsonb_build_object('deal_id', id('D'), 'stage_id', stage('Won'))) #>> '{0,status}', 'won', 'an agent wins a deal');
SELECT is(rpc('ga_agent', '{}', 'undo_move', jsonb_build_object('deal_id', id('D'))) #>> '{0,status}', 'open', 'and takes it back');
SELECT is(rpc_codes('set_primary_contact', jsonb_build_object('deal_id', id('D'), 'contact_id', id('Ann'))), '42501 ok ok ok', 'rpc/set_primary_contact');
SELECT is(rpc_codes('set_default_pipeline', jsonb_build_object('pipeline_id', (SELECT id FROM pipelines))), '42501 42501 ok 42501', 'rpc/set_default_pipeline');
SELECT is(rpc_codes('reorder_stages', jsonb_build_object('pipeline_id', (SELECT id FROM pipelines),
    'stage_ids', (SELECT jsonb_agg(id ORDER BY name) FROM stages))), '42501 42501 ok 42501', 'rpc/reorder_stages');
SELECT is(rpc_codes('apply_stage_probability', jsonb_build_object('stage_id', stage('Offer'))), '42501 42501 ok 42501', 'rpc/apply_stage_probability');
SELECT is(rpc_codes('delete_stage', jsonb_build_object('stage_id', stage('admin'))), '42501 42501 ok 42501', 'rpc/delete_stage');
SELECT is(get('ga_read', '{}', 'SELECT d.title, crm.weighted_value(d), (SELECT count(*) FROM crm.stage_changes(d)) AS moves,
    (SELECT string_agg(c.name, '','') FROM crm.contacts(d) AS c) AS contacts FROM crm.deals AS d WHERE title = ''D'''),
    '[{"title": "D", "weighted_value": null, "moves": 4, "contacts": "Ann"}]', 'who may read may embed');

-- A level takes the place of the one before.
SET LOCAL ROLE ga_owner;
SELECT extensions.crm_grant_access('crm', 'ga_admin', 'agent') \g /dev/null
RESET ROLE;
SELECT results_eq($$SELECT * FROM t.rights('ga_admin')$$, $$SELECT * FROM t.rights('ga_agent')$$, 'from admin to agent');
SELECT ok(NOT has_function_privilege('ga_admin', 'crm.delete_stage(uuid, uuid)', 'EXECUTE'), 'functions, too');
SET LOCAL ROLE ga_owner;
SELECT extensions.crm_grant_access('crm', 'ga_admin', 'agent') \g /dev/null
GRANT TRUNCATE ON deals TO ga_admin;
CREATE TABLE mine (id int);
GRANT SELECT ON mine TO ga_admin;
SELECT extensions.crm_revoke_access('crm', 'ga_admin') \g /dev/null
RESET ROLE;
SELECT is_empty($$SELECT * FROM t.rights('ga_admin') WHERE rights <> '' AND tab <> 'mine'$$, 'revoking leaves nothing, not even what was granted by hand');
SELECT ok(NOT has_schema_privilege('ga_admin', 'crm', 'USAGE'), 'not the schema');
SELECT ok(has_table_privilege('ga_admin', 'crm.mine', 'SELECT'), 'but the user''s own tables as they were');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'crm'::regnamespace
    AND has_function_privilege('ga_admin', p.oid, 'EXECUTE')$$, 'no function');
SELECT lives_ok($$SELECT extensions.crm_revoke_access('crm', 'ga_admin')$$, 'revoking twice is no error');

-- Who may grant.
SET LOCAL ROLE ga_other;
SELECT throws_ok($$SELECT extensions.crm_grant_access('crm', 'ga_other', 'read')$$, '42501', NULL, 'a stranger cannot');
RESET ROLE;
GRANT USAGE ON SCHEMA extensions TO ga_read, ga_other;
SET LOCAL ROLE ga_other;
SELECT is(split_part(error_of($$SELECT extensions.crm_grant_access('crm', 'ga_other', 'read')$$), E'\n', 2),
    'permission denied to grant or revoke access to the CRM in schema "crm"', 'even one who may call the function');
SET LOCAL ROLE ga_read;
SELECT throws_ok($$SELECT extensions.crm_grant_access('crm', 'ga_other', 'read')$$, '42501', NULL, 'nor one who has the rights');
SELECT throws_ok($$SELECT extensions.crm_revoke_access('crm', 'ga_write')$$, '42501', NULL, 'nor can such a one revoke');
RESET ROLE;
SELECT lives_ok($$SELECT extensions.crm_revoke_access('crm', 'ga_read')$$, 'a superuser can');
SET LOCAL ROLE ga_owner;
GRANT USAGE ON SCHEMA crm TO ga_deputy WITH GRANT OPTION;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO ga_deputy WITH GRANT OPTION;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO ga_deputy WITH GRANT OPTION;
SET LOCAL ROLE ga_deputy;
SELECT lives_ok($$SELECT extensions.crm_grant_access('crm', 'ga_other', 'read')$$, 'who has the rights with grant option can');
SELECT is(split_part(error_of($$SELECT extensions.crm_grant_access('crm', 'ga_other', 'write')$$), E'\n', 3),
    'It takes its owner, ga_owner, or the grant option for DELETE on table crm.deal_contacts.', 'but no more than that');
RESET ROLE;
SELECT results_eq($$SELECT * FROM t.rights('ga_other') WHERE rights <> '' AND tab <> 'mine'$$, $$SELECT * FROM t.rights('ga_deputy') WHERE tab <> 'mine'$$, 'that gave the rights');
SET LOCAL ROLE ga_owner;
SELECT lives_ok($$SELECT extensions.crm_revoke_access('crm', 'ga_other')$$, 'the owner revokes what is theirs');
SET LOCAL ROLE ga_deputy;
SELECT lives_ok($$SELECT extensions.crm_revoke_access('crm', 'ga_other')$$, 'who granted it revokes it');
RESET ROLE;
SELECT is_empty($$SELECT * FROM t.rights('ga_other') WHERE rights <> ''$$, 'then it is gone');

-- Errors.
SELECT is(error_of($$SELECT extensions.crm_grant_access('crm', 'ga_read', 'root')$$),
    E'22023\nunrecognized level "root"\nThe levels are read, write, admin and agent.', 'an unknown level');
SELECT is(error_of($$SELECT extensions.crm_grant_access('crm', 'ga_nobody', 'read')$$), E'42704\nrole "ga_nobody" does not exist', 'an unknown role');
SELECT is(error_of($$SELECT extensions.crm_grant_access('crm', 'public', 'read')$$), E'42704\nrole "public" does not exist', 'PUBLIC is no role');
SELECT is(error_of($$SELECT extensions.crm_revoke_access('nowhere', 'ga_read')$$), E'3F000\nschema "nowhere" does not exist', 'an unknown schema');
SELECT alike(error_of($$SELECT extensions.crm_grant_access('public', 'ga_read', 'read')$$), E'PT404\nschema "public" holds no CRM%', 'a schema without a CRM');
SELECT alike(error_of($$SELECT extensions.crm_grant_access('crm', 'ga_owner', 'read')$$), E'22023\nrole "ga_owner" owns%', 'the owner keeps all rights');
SELECT is(error_of(format('SELECT extensions.crm_grant_access(%s)', a)), E'22004\n' || m || ' must not be null', m || ' is required')
FROM (VALUES ($$NULL, 'ga_read', 'read'$$, 'schema name'), ($$'crm', NULL, 'read'$$, 'role name'), ($$'crm', 'ga_read', NULL$$, 'level')) AS v (a, m);

-- Not of the CRM, and not granted: a function of the user's with a name of ours,
-- which runs with its owner's rights.
CREATE FUNCTION crm.deal(text) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT $1';
REVOKE EXECUTE ON FUNCTION crm.deal(text) FROM PUBLIC;
ALTER FUNCTION crm.deal(text) OWNER TO ga_owner;
SELECT extensions.crm_grant_access('crm', 'ga_read', 'admin') \g /dev/null
SELECT ok(NOT has_function_privilege('ga_read', 'crm.deal(text)', 'EXECUTE'), 'functions that run with another''s rights are not granted');

SELECT * FROM finish();
ROLLBACK;
