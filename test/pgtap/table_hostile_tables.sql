-- Whoever owns a table may attach the trigger functions to it, and call the
-- others for it, however odd it is: that works, or ends in a clean error; never
-- in a crash, nor in an internal error (SQLSTATE XX000).
--
-- Everything a CRM does is done to one whose tables were varied.  After each
-- variation that is but a part of it, another one each time; with psql's
-- -v thorough=1 it is all, and more variations are tried: that takes minutes.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(52);
\if :{?thorough}
\else
\set thorough 0
\endif

-- How a statement ends: 'ok' or its SQLSTATE; nothing of it stays.
CREATE FUNCTION t.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RAISE SQLSTATE 'UNDOI';
EXCEPTION WHEN OTHERS THEN
    -- PostgreSQL's own foreign keys do not like rules.
    IF SQLSTATE LIKE 'XX%' AND SQLERRM NOT LIKE 'referential integrity query %' THEN
        RETURN SQLSTATE || ' ' || SQLERRM;
    END IF;
    RETURN CASE WHEN SQLSTATE = 'UNDOI' THEN 'ok' ELSE replace(SQLSTATE, 'XX000', 'xx000') END;
END $$;

-- Deals to write to: one that moved, one that did not, one that is lost.
INSERT INTO deals (id, title, amount) VALUES (id('moved'), 'moved', 1), (id('new'), 'new', 2), (id('lost'), 'lost', NULL);
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('moved');
UPDATE deals SET stage_id = id('Lost'), lost_reason = 'none' WHERE id = id('lost');
INSERT INTO tags (id, name) VALUES (id('tag'), 'tag');
INSERT INTO deal_tags (deal_id, tag_id) VALUES (id('new'), id('tag'));
INSERT INTO deal_contacts (deal_id, contact_id) VALUES (id('new'), id('contact')), (id('new'), id('other'));

-- A tool of agents, whose errors end in the reply.
CREATE FUNCTION t.mcp(method text, params text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    reply json := extensions.crm_mcp('crm', format('{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}', method, params)::json);
BEGIN
    IF reply #>> '{error,data,code}' LIKE 'XX%' OR reply IS NULL THEN
        RAISE EXCEPTION '%', reply USING ERRCODE = 'XXMCP';
    ELSIF reply -> 'error' IS NOT NULL OR reply #>> '{result,isError}' = 'true' THEN
        RAISE EXCEPTION '%', reply;
    END IF;
END $$;

-- All that a CRM does, in brief.
CREATE TABLE t.doings (statement text);
INSERT INTO t.doings VALUES
    ($$INSERT INTO crm.pipelines (name) VALUES ('x')$$),
    ($$INSERT INTO crm.pipelines (name, is_default) VALUES ('x', true)$$),
    ($$UPDATE crm.pipelines SET is_default = NOT is_default$$),
    ($$UPDATE crm.pipelines SET name = name || 'x', archived_at = now()$$),
    ($$DELETE FROM crm.pipelines$$),
    ($$INSERT INTO crm.stages (pipeline_id, name) VALUES (t.id('Sales'), 'x'), (t.id('Sales'), 'y')$$),
    ($$INSERT INTO crm.stages (pipeline_id, name, deal_status, probability) VALUES (t.id('Sales'), 'x', 'won', 1)$$),
    ($$UPDATE crm.stages SET deal_status = 'won'$$),
    ($$UPDATE crm.stages SET deal_status = 'lost', probability = 0 WHERE id = t.id('Due')$$),
    ($$UPDATE crm.stages SET name = name || 'x', archived_at = now()$$),
    ($$DELETE FROM crm.stages WHERE id = t.id('Due')$$),
    ($$DELETE FROM crm.stages$$),
    ($$INSERT INTO crm.deals (title) VALUES ('x'), ('y')$$),
    ($$INSERT INTO crm.deals (title, pipeline_id, amount) VALUES ('x', t.id('Renewals'), 3)$$),
    ($$INSERT INTO crm.deals (title, stage_id) VALUES ('x', t.id('Won'))$$),
    ($$INSERT INTO crm.deals (title, status) VALUES ('x', 'won')$$),
    ($$INSERT INTO crm.deals (title, stage_id, created_at, stage_entered_at) VALUES ('x', t.id('Lead'), '2020-01-01', '2021-01-01')$$),
    ($$INSERT INTO crm.deals (title, external_id) VALUES ('x', 'e') ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = 'y'$$),
    ($$UPDATE crm.deals SET title = title || 'x'$$),
    ($$UPDATE crm.deals SET stage_id = t.id('Paused') WHERE id = t.id('new')$$),
    ($$UPDATE crm.deals SET stage_id = t.id('Paused')$$),
    ($$UPDATE crm.deals SET pipeline_id = t.id('Renewals')$$),
    ($$UPDATE crm.deals SET status = 'won'$$),
    ($$UPDATE crm.deals SET status = 'open' WHERE id = t.id('lost')$$),
    ($$UPDATE crm.deals SET stage_id = t.id('Won'), won_at = now() WHERE id = t.id('lost')$$),
    ($$UPDATE crm.deals SET amount = 5, currency = NULL$$),
    ($$DELETE FROM crm.deals$$),
    ($$INSERT INTO crm.deal_contacts (deal_id, contact_id) VALUES (t.id('new'), t.id('x'))$$),
    ($$UPDATE crm.deal_contacts SET deal_id = t.id('lost')$$),
    ($$INSERT INTO crm.tags (name) VALUES ('x')$$),
    ($$UPDATE crm.tags SET color = 'red'$$),
    ($$INSERT INTO crm.deal_tags (deal_id, tag_id) VALUES (t.id('moved'), t.id('tag'))$$),
    ($$UPDATE crm.stage_changes SET changed_by = 'x'$$),
    ($$SELECT extensions.crm_undo_move('crm', t.id('moved'))$$),
    ($$SELECT extensions.crm_undo_move('crm', t.id('lost'))$$),
    ($$SELECT extensions.crm_undo_move('crm', t.id('new'))$$),
    ($$SELECT extensions.crm_move_deal('crm', t.id('new'), t.id('Lost'), NULL, 'x', NULL)$$),
    ($$SELECT extensions.crm_move_deal('crm', t.id('new'), t.id('Paused'), now(), NULL, t.id('Lead'))$$),
    ($$SELECT extensions.crm_move_deal('crm', t.id('lost'), t.id('Lost'), NULL, 'y', NULL)$$),
    ($$SELECT extensions.crm_move_deal('crm', t.id('lost'), t.id('Won'), NULL, NULL, t.id('Lead'))$$),
    ($$SELECT extensions.crm_set_default_pipeline('crm', t.id('Renewals'))$$),
    ($$SELECT extensions.crm_reorder_stages('crm', t.id('Renewals'), ARRAY[t.id('Churned'), t.id('Renewed'), t.id('Contacted'), t.id('Due')])$$),
    ($$SELECT extensions.crm_reorder_stages('crm', t.id('Renewals'), ARRAY[t.id('Churned')])$$),
    ($$SELECT extensions.crm_delete_stage('crm', t.id('Lost'), t.id('Won'))$$),
    ($$SELECT extensions.crm_delete_stage('crm', t.id('Lost'), NULL)$$),
    ($$SELECT extensions.crm_set_primary_contact('crm', t.id('new'), t.id('other'))$$),
    ($$SELECT extensions.crm_linked_row('crm', 'contacts', t.id('contact'))$$),
    ($$SELECT crm.pipeline_summary(t.id('Sales')), crm.pipeline_summary(t.id('Sales'), in_currency => 'EUR'), crm.forecast()$$),
    ($$SELECT crm.context_for_person(t.id('contact'))$$),
    ($$SELECT crm.move_deal(t.id('new'), t.id('Paused'))$$),
    ($$SELECT t.mcp('tools/list', '{}')$$),
    ($$SELECT t.mcp('tools/call', '{"name":"context_for_deal","arguments":{"deal_id":"22af645d-1859-cb5c-a6da-0c484f1f37ea"}}')$$),
    ($$SELECT extensions.crm_enable_events('crm'); INSERT INTO crm.deals (title) VALUES ('x'); UPDATE crm.deals SET stage_id = t.id('Paused')$$),
    ($$SELECT extensions.crm_grant_access('crm', 'pg_monitor', level), extensions.crm_revoke_access('crm', 'pg_monitor') FROM unnest('{read,write,admin,agent}'::text[]) AS level$$),
    ($$SELECT extensions.crm_embed('crm')$$),
    ($$SELECT extensions.crm_pipeline_totals('crm', t.id('Sales'))$$),
    ($$SELECT extensions.crm_rebuild_totals('crm'), extensions.crm_compact_totals('crm'), extensions.crm_check_totals('crm')$$),
    ($$SELECT crm.pipeline_summary_as_of(t.id('Sales'), clock_timestamp() - interval '1 ms'), crm.changes_since('2020-01-01')$$),
    ($$SELECT crm.pipeline_trend(t.id('Sales'), now() - interval '3 days', group_by => 'owner'), crm.pipeline_waterfall(t.id('Sales'), '-infinity')$$),
    ($$SELECT crm.funnel(t.id('Sales')), crm.time_in_stage(t.id('Sales')), crm.stage_flow(t.id('Sales')), crm.slippage()$$),
    ($$SELECT crm.correct_move(t.id('moved'), now() - interval '1 s', 1, 'x')$$),
    ($$SELECT crm.replace_history(t.id('moved'), jsonb_build_array(jsonb_build_object('stage_id', t.id('Lead'), 'at', now() - interval '1 day'),
        jsonb_build_object('stage_id', t.id('Qualified'), 'at', now())), 'x')$$),
    ($$UPDATE crm.deals SET won_at = now() - interval '1 s' WHERE status = 'won'$$),
    ($$SELECT crm.merge_deals(t.id('moved'), t.id('new')); SELECT crm.unmerge_deals(t.id('new'))$$),
    ($$SELECT extensions.crm_purge_deal('crm', t.id('moved')), extensions.crm_forget_actor('crm', SESSION_USER), extensions.crm_trim_history('crm', now())$$),
    ($$SELECT extensions.crm_export('crm'), extensions.crm_check('crm')$$),
    ($$TRUNCATE crm.deals CASCADE$$),
    ($$SELECT extensions.crm_link('crm', 'deal_contacts.contact_id', 'crm.tags'), extensions.crm_linked_row('crm', 'contacts', t.id('tag')), extensions.crm_unlink('crm', 'deal_contacts.contact_id')$$),
    ($$SELECT extensions.crm_installations(), extensions.crm_installed_version('crm'), extensions.crm_upgrade('crm')$$);

-- Of these, a part for each variation, the same each time.
CREATE FUNCTION t.chosen(variation text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT statement FROM t.doings
    WHERE current_setting('t.thorough') = '1' OR variation = 'SELECT' 
        OR variation LIKE 'CREATE TABLE t.child %' AND statement ~ 'as_of|trend|correct_move|replace_history|purge' OR hashtext(variation || statement) % 20 = 0
$$;
SELECT set_config('t.thorough', :'thorough', true) \g /dev/null

INSERT INTO t.doings
    SELECT format('SELECT t.mcp(''tools/call'', %L)', format('{"name":"%s","arguments":{%s}}', name, arguments))
    FROM (VALUES ('deals_list', '"limit":1'), ('deals_list', format('"stage_id":"%s","status":"open","search":"e","archived":true', id('Lead'))),
            ('deals_get', format('"id":"%s"', id('new'))), ('deals_create', format('"id":"%s","title":"x","amount":1,"tenant_id":"%s"', id('x'), id('x'))),
            ('deals_create', '"title":"x","metadata":{"a":[]}'), ('deals_update', format('"id":"%s","title":"x","expected_version":1', id('new'))),
            ('deals_delete', format('"id":"%s"', id('new'))), ('deals_move', format('"deal_id":"%s","stage_id":"%s"', id('new'), id('Paused'))),
            ('deals_tag', format('"deal_id":"%s","tag_id":"%s"', id('moved'), id('tag'))), ('deals_untag', format('"deal_id":"%s","tag_id":"%s"', id('new'), id('tag'))),
            ('deals_link_contact', format('"deal_id":"%s","contact_id":"%s","role":"x"', id('new'), id('contact'))),
            ('deals_unlink_contact', format('"deal_id":"%s","contact_id":"%s"', id('new'), id('contact'))),
            ('stages_list', '"limit":2'), ('pipelines_list', '"limit":1,"cursor":"AAAAAAAAAAAAAAAAAAAAAA=="'), ('tags_list', '"limit":1'),
            ('tags_create', '"name":"x"')) AS v (name, arguments);

-- Does that after a variation: how many statements ended well and how many
-- with errors, and all internal errors.  A variation that is itself impossible
-- is none.
CREATE FUNCTION t.vary(variation text) RETURNS TABLE (ok bigint, errors bigint, internal text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE variation;
    SELECT count(*) FILTER (WHERE o = 'ok'), count(*) FILTER (WHERE o <> 'ok'),
            string_agg(format('%s; %s: %s', variation, statement, o), E'\n') FILTER (WHERE o LIKE 'XX%')
        INTO ok, errors, internal
        FROM (SELECT t.outcome(d) AS o, d AS statement FROM t.chosen(variation) AS d OFFSET 0) AS x;
    RETURN NEXT;
    RAISE SQLSTATE 'UNDOI';
EXCEPTION WHEN OTHERS THEN
    IF SQLSTATE <> 'UNDOI' THEN
        RAISE DEBUG 'impossible: %: %', variation, SQLERRM;
    END IF;
END $$;

-- The variations to try, and the test that no statement meets an internal error.
CREATE TABLE t.variations (variation text);
CREATE FUNCTION t.all_clean(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    SELECT is(coalesce(string_agg(r.internal, E'\n'), CASE WHEN sum(r.errors) > 0 AND sum(r.ok) > 0 THEN 'clean' ELSE 'nothing tried' END), 'clean', what)
        INTO result FROM t.variations AS v, t.vary(v.variation) AS r;
    DELETE FROM t.variations;
    RETURN result;
END $$;

INSERT INTO variations VALUES ('SELECT');
SELECT all_clean('as installed');

CREATE VIEW t.columns AS
    SELECT c.relname AS tab, a.attname AS col, a.atttypid::regtype AS typ
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
        AND a.attname NOT IN ('description', 'color', 'rank', 'metadata', 'role', 'rotting_days', 'owner_id', 'organization_id');

INSERT INTO variations SELECT format('ALTER TABLE crm.%I DROP %I CASCADE', tab, col) FROM t.columns;
SELECT all_clean('without any one of the columns');

-- Other types, without what stood in their way.
CREATE DOMAIN t.some_uuid AS uuid;
CREATE DOMAIN t.some_text AS text NOT NULL DEFAULT 'x';
INSERT INTO variations
    SELECT format('ALTER TABLE crm.%I DROP %2$I CASCADE; ALTER TABLE crm.%1$I ADD %2$I %3$s', tab, col, new_type)
    FROM t.columns, unnest(ARRAY['text DEFAULT ''open''', 'integer DEFAULT 5', 't.some_uuid DEFAULT gen_random_uuid()',
        'boolean DEFAULT true', 'bigint DEFAULT 7', 't.some_text', 'jsonb DEFAULT ''{"won_at": "x"}''', 'uuid[]',
        'crm.tags', 'timestamp DEFAULT now()', 'varchar DEFAULT ''won''', '"char" DEFAULT ''a''']) WITH ORDINALITY AS y (new_type, n)
    WHERE y.n <= 3 OR :thorough = 1;
SELECT all_clean('with columns of other types');

-- Nulls where there are none.
CREATE FUNCTION t.no_triggers(tab text, statement text) RETURNS text LANGUAGE sql AS $$
    SELECT format('ALTER TABLE crm.%1$I DISABLE TRIGGER ALL; %2$s; ALTER TABLE crm.%1$I ENABLE TRIGGER ALL', tab, statement)
$$;
CREATE FUNCTION t.nullable(tab text, col text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    -- Keys go, and CHECKs of the column.
    SELECT string_agg(format('ALTER TABLE crm.%I DROP CONSTRAINT IF EXISTS %I CASCADE; ', tab, conname), '') INTO result
        FROM pg_constraint WHERE conrelid = format('crm.%I', tab)::regclass
        AND (contype = 'c' OR contype = 'p' AND conkey @> ARRAY[(SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = col)]);
    RETURN coalesce(result, '') || format('ALTER TABLE crm.%1$I ALTER %2$I DROP NOT NULL', tab, col);
END $$;
INSERT INTO variations
    SELECT nullable(tab, col) || '; ' || no_triggers(tab, format('UPDATE crm.%I SET %I = NULL', tab, col)) FROM t.columns;
SELECT all_clean('with nulls where there are none');
INSERT INTO variations
    SELECT nullable(tab, col) || format('; ALTER TABLE crm.%I ALTER %I SET DEFAULT NULL', tab, col) FROM t.columns;
SELECT all_clean('with nulls by default');
INSERT INTO variations
    SELECT nullable(tab, col) || format('; ALTER TABLE crm.%1$I ALTER %2$I DROP DEFAULT; CREATE FUNCTION t.forget() RETURNS trigger LANGUAGE plpgsql AS '
        '''BEGIN NEW.%2$I := NULL; RETURN NEW; END''; CREATE TRIGGER yy BEFORE INSERT OR UPDATE ON crm.%1$I FOR EACH ROW EXECUTE FUNCTION t.forget()', tab, col) FROM t.columns;
SELECT all_clean('with nulls by a trigger that runs before the rules');
INSERT INTO variations
    SELECT nullable(tab, col) || format('; CREATE FUNCTION t.forget() RETURNS trigger LANGUAGE plpgsql AS '
        '''BEGIN NEW.%2$I := NULL; RETURN NEW; END''; CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON crm.%1$I FOR EACH ROW EXECUTE FUNCTION t.forget()', tab, col) FROM t.columns;
SELECT all_clean('with nulls by a trigger that runs after the rules');

-- In a child of the table, which until PostgreSQL 18 need not have what its parent requires.
INSERT INTO variations
    SELECT format('CREATE TABLE t.child () INHERITS (crm.%1$I); ALTER TABLE t.child ALTER %2$I DROP NOT NULL; '
        'INSERT INTO t.child SELECT * FROM crm.%1$I; UPDATE t.child SET %2$I = NULL', c.tab, c.col)
    FROM t.columns AS c JOIN pg_attribute AS a ON a.attrelid = format('crm.%I', c.tab)::regclass AND a.attname = c.col AND a.attnotnull
    WHERE c.tab IN ('stage_changes', 'deal_changes');
INSERT INTO variations SELECT 'SELECT' WHERE current_setting('server_version_num')::int >= 180000;
SELECT all_clean('with children that have nulls');

-- Values that no rule allows, already there.
INSERT INTO variations
    SELECT nullable(tab, col) || '; ' || no_triggers(tab, format('UPDATE crm.%I SET %I = %s', tab, col, value))
    FROM t.columns, unnest(CASE typ::text
        WHEN 'text' THEN ARRAY['''''', '''nonsense''', 'repeat(''won'', 20000)']
        WHEN 'timestamp with time zone' THEN ARRAY['''infinity''', '''-infinity''', '''4714-11-24 BC''']
        WHEN 'numeric' THEN ARRAY['0.5']
        WHEN 'integer' THEN ARRAY['2147483647', '-2147483648']
        WHEN 'jsonb' THEN ARRAY['''[]''', '''{"won_at": 5, "lost_at": "x", "lost_reason": {}}''', '''{"won_at": "infinity"}''']
        ELSE '{}' END) AS value;
SELECT all_clean('with values that the rules do not allow');
INSERT INTO variations
    SELECT format('ALTER TABLE crm.%1$I DROP CONSTRAINT IF EXISTS %1$s_%2$s_check, ALTER %2$I TYPE numeric; %3$s', tab, col,
        no_triggers(tab, format('UPDATE crm.%I SET %I = %s', tab, col, value)))
    FROM t.columns, unnest('{''NaN'',''Infinity'',10::numeric ^ 60000,repeat(''1'', 100000)::numeric,-1}'::text[]) AS value
    WHERE typ = 'numeric'::regtype AND tab <> 'deals';
SELECT all_clean('with numbers beyond measure');

-- Indexes: none, or such that rows cannot be found by them.
CREATE VIEW t.keys AS
    SELECT DISTINCT tab, col FROM t.columns
    WHERE (tab, col) IN (VALUES ('pipelines', 'id'), ('pipelines', 'tenant_id'), ('stages', 'id'), ('stages', 'pipeline_id'),
        ('deals', 'id'), ('tags', 'id'), ('stage_changes', 'deal_id'));
CREATE FUNCTION t.drop_indexes(tab text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(CASE WHEN c.oid IS NULL THEN format('DROP INDEX crm.%I', i.relname)
            ELSE format('ALTER TABLE crm.%I DROP CONSTRAINT %I CASCADE', tab, c.conname) END, '; ')
    FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid LEFT JOIN pg_constraint AS c ON c.conindid = i.oid AND c.contype IN ('p', 'u')
    WHERE x.indrelid = format('crm.%I', tab)::regclass
$$;
CREATE FUNCTION t.again(tab text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE tab
        WHEN 'stages' THEN '; ALTER TABLE crm.deals ADD FOREIGN KEY (stage_id) REFERENCES crm.stages (id)'
        WHEN 'pipelines' THEN '; ALTER TABLE crm.deals ADD FOREIGN KEY (pipeline_id) REFERENCES crm.pipelines (id);
            ALTER TABLE crm.stages ADD FOREIGN KEY (pipeline_id) REFERENCES crm.pipelines (id) ON DELETE CASCADE'
        WHEN 'deals' THEN '; ALTER TABLE crm.deal_contacts ADD FOREIGN KEY (deal_id) REFERENCES crm.deals (id);
            ALTER TABLE crm.deal_tags ADD FOREIGN KEY (deal_id) REFERENCES crm.deals (id)'
        WHEN 'tags' THEN '; ALTER TABLE crm.deal_tags ADD FOREIGN KEY (tag_id) REFERENCES crm.tags (id)'
        ELSE '' END
$$;
INSERT INTO variations SELECT drop_indexes(tab) FROM t.keys GROUP BY tab;
SELECT all_clean('without indexes and foreign keys');
INSERT INTO variations
    SELECT drop_indexes(tab) || format('; ALTER TABLE crm.%I ADD UNIQUE (id) INCLUDE (tenant_id)', tab) || again(tab) || format(index, tab, col)
    FROM t.keys, unnest(ARRAY['; CREATE INDEX ON crm.%I USING hash (%I)', '; CREATE INDEX ON crm.%1$I (%2$I) WHERE false',
        '; CREATE INDEX ON crm.%1$I ((%2$I::text))', '; CREATE INDEX ON crm.%I (%I DESC NULLS FIRST)', '; CREATE INDEX ON crm.%I USING brin (%I)',
        '; CREATE INDEX ON crm.%1$I (%2$I, tenant_id, id); UPDATE pg_index SET indisvalid = false WHERE indrelid = ''crm.%1$I''::regclass']) AS index;
SELECT all_clean('with odd indexes');

-- Foreign keys to elsewhere.
CREATE TABLE t.bare (id uuid PRIMARY KEY);
CREATE TABLE t.ids (other uuid UNIQUE, id int, tenant_id text);
CREATE TABLE t.parts (LIKE crm.stages INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY HASH (id);
CREATE TABLE t.part_0 PARTITION OF t.parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE t.part_1 PARTITION OF t.parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO t.parts SELECT * FROM crm.stages;
INSERT INTO variations
    SELECT format('ALTER TABLE crm.%I DROP CONSTRAINT %I, ADD FOREIGN KEY (%I) REFERENCES %s NOT VALID', tab, conname, col, target)
    FROM (SELECT k.conrelid::regclass::text AS tab, k.conname, a.attname AS col
            FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
            WHERE k.contype = 'f' AND k.connamespace = 'crm'::regnamespace) AS f,
        unnest('{t.bare,t.ids (other),t.parts,crm.deals (id),crm.stages,crm.tags,crm.stage_changes (id)}'::text[]) AS target;
SELECT all_clean('with foreign keys to elsewhere');
INSERT INTO variations VALUES
    ('ALTER TABLE crm.deals DROP CONSTRAINT deals_stage_id_fkey'), ('ALTER TABLE crm.deals DROP CONSTRAINT deals_pipeline_id_fkey'),
    ('ALTER TABLE crm.stages DROP CONSTRAINT stages_pipeline_id_fkey'), ('ALTER TABLE crm.deal_tags DROP CONSTRAINT deal_tags_tag_id_fkey'),
    ('ALTER TABLE crm.stages ADD UNIQUE (id, pipeline_id); ALTER TABLE crm.deals DROP CONSTRAINT deals_stage_id_fkey,
        ADD FOREIGN KEY (stage_id, pipeline_id) REFERENCES crm.stages (id, pipeline_id) DEFERRABLE INITIALLY DEFERRED'),
    ('ALTER TABLE crm.deals ALTER CONSTRAINT deals_stage_id_fkey DEFERRABLE INITIALLY DEFERRED'),
    ('ALTER TABLE crm.deals DROP CONSTRAINT deals_stage_id_fkey, ADD FOREIGN KEY (stage_id) REFERENCES crm.stages ON DELETE SET NULL'),
    ('ALTER TABLE crm.deals DROP CONSTRAINT deals_stage_id_fkey, ADD FOREIGN KEY (stage_id) REFERENCES crm.stages ON DELETE CASCADE ON UPDATE CASCADE');
SELECT all_clean('without foreign keys, or with other ones');

-- History that is something else.
INSERT INTO variations VALUES
    ('DROP TABLE crm.stage_changes CASCADE'),
    ('ALTER TABLE crm.stage_changes RENAME TO history'),
    ('ALTER TABLE crm.stage_changes RENAME TO history; CREATE VIEW crm.stage_changes AS SELECT * FROM crm.history'),
    ('ALTER TABLE crm.stage_changes RENAME TO history; CREATE VIEW crm.stage_changes AS SELECT DISTINCT * FROM crm.history'),
    ('ALTER TABLE crm.stage_changes RENAME TO history; CREATE MATERIALIZED VIEW crm.stage_changes AS SELECT * FROM crm.history'),
    ('ALTER TABLE crm.stage_changes RENAME TO history; CREATE SEQUENCE crm.stage_changes'),
    ('ALTER TABLE crm.stage_changes RENAME TO history; CREATE TYPE crm.stage_changes AS (id uuid)'),
    ('ALTER TABLE crm.stage_changes RENAME TO history; CREATE INDEX stage_changes ON crm.history (id)'),
    ('ALTER TABLE crm.stage_changes RENAME TO history; CREATE TABLE crm.stage_changes (LIKE crm.history INCLUDING DEFAULTS) PARTITION BY LIST (to_status);
        CREATE TABLE crm.h PARTITION OF crm.stage_changes DEFAULT; INSERT INTO crm.stage_changes SELECT * FROM crm.history'),
    ('ALTER TABLE crm.stage_changes RENAME TO history; CREATE TABLE crm.stage_changes (LIKE crm.history INCLUDING DEFAULTS) PARTITION BY LIST (to_status)'),
    ('CREATE RULE r AS ON INSERT TO crm.stage_changes DO INSTEAD NOTHING'),
    ('CREATE RULE r AS ON INSERT TO crm.stage_totals DO INSTEAD NOTHING'),
    ('CREATE RULE r AS ON DELETE TO crm.stage_totals DO INSTEAD NOTHING'),
    ('DROP TABLE crm.stage_totals CASCADE'),
    ('ALTER TABLE crm.stage_totals RENAME TO other; CREATE VIEW crm.stage_totals AS SELECT * FROM crm.other'),
    ('CREATE RULE r AS ON INSERT TO crm.stage_changes DO INSTEAD DELETE FROM crm.deal_tags'),
    ('CREATE RULE r AS ON INSERT TO crm.stage_changes DO ALSO DELETE FROM crm.deal_tags'),
    ('CREATE RULE r AS ON INSERT TO crm.stage_changes WHERE NEW.move_no > 1 DO INSTEAD NOTHING'),
    ('ALTER TABLE crm.stage_changes ADD CHECK (move_no < 0) NOT VALID'),
    ('ALTER TABLE crm.stage_changes ADD needed int NOT NULL DEFAULT 1; ALTER TABLE crm.stage_changes ALTER needed DROP DEFAULT'),
    ('ALTER TABLE crm.stage_changes ADD made int GENERATED ALWAYS AS (move_no * 2) STORED, ADD serial int GENERATED ALWAYS AS IDENTITY'),
    ('ALTER TABLE crm.stage_changes ALTER changed_by TYPE varchar(2)'),
    ('ALTER TABLE crm.stage_changes SET UNLOGGED'),
    ('CREATE FUNCTION t.none() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END'';
        CREATE TRIGGER a BEFORE INSERT ON crm.stage_changes FOR EACH ROW EXECUTE FUNCTION t.none()'),
    ('CREATE FUNCTION t.down() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN UPDATE crm.deals SET stage_id = t.id(''''Due''''); RETURN NEW; END'';
        CREATE TRIGGER a BEFORE INSERT ON crm.stage_changes FOR EACH ROW EXECUTE FUNCTION t.down()'),
    ('CREATE FUNCTION t.down() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN UPDATE crm.deals SET stage_id = t.id(''''Due'''')
            WHERE stage_id <> t.id(''''Due''''); RETURN NULL; END'';
        CREATE TRIGGER a AFTER INSERT ON crm.stage_changes FOR EACH STATEMENT EXECUTE FUNCTION t.down()');
INSERT INTO variations VALUES
    ('DROP TABLE crm.deal_changes CASCADE'),
    ('ALTER TABLE crm.deal_changes RENAME TO history; CREATE VIEW crm.deal_changes AS SELECT * FROM crm.history'),
    ('ALTER TABLE crm.deal_changes RENAME TO history; CREATE MATERIALIZED VIEW crm.deal_changes AS SELECT * FROM crm.history'),
    ('ALTER TABLE crm.deal_changes RENAME TO history; CREATE INDEX deal_changes ON crm.history (id)'),
    ('ALTER TABLE crm.deal_changes RENAME TO history; CREATE TABLE crm.deal_changes (LIKE crm.history INCLUDING DEFAULTS) PARTITION BY LIST (change);
        CREATE TABLE crm.h PARTITION OF crm.deal_changes DEFAULT; INSERT INTO crm.deal_changes SELECT * FROM crm.history'),
    ('ALTER TABLE crm.deal_changes RENAME TO history; CREATE TABLE crm.deal_changes (LIKE crm.history INCLUDING DEFAULTS) PARTITION BY LIST (change)'),
    ('CREATE RULE r AS ON INSERT TO crm.deal_changes DO INSTEAD NOTHING'),
    ('CREATE RULE r AS ON INSERT TO crm.deal_changes DO ALSO DELETE FROM crm.deal_tags'),
    ('ALTER TABLE crm.deal_changes ALTER change DROP NOT NULL; CREATE TABLE crm.h AS TABLE crm.deal_changes; DELETE FROM crm.deal_changes;
        UPDATE crm.h SET change = NULL; INSERT INTO crm.deal_changes SELECT * FROM crm.h'),
    ('ALTER TABLE crm.deal_changes ALTER deal_id TYPE text'), ('ALTER TABLE crm.deal_changes ALTER version TYPE bigint'),
    ('ALTER TABLE crm.deal_changes DROP version CASCADE'), ('ALTER TABLE crm.deal_changes RENAME old_amount TO amount'),
    ('DROP INDEX crm.deal_changes_deal_id_changed_at_idx'),
    ('CREATE FUNCTION t.down() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN DELETE FROM crm.deals; RETURN NULL; END'';
        CREATE TRIGGER a AFTER INSERT ON crm.deal_changes FOR EACH STATEMENT EXECUTE FUNCTION t.down()');
SELECT all_clean('with another history');
INSERT INTO variations
    SELECT format('ALTER TABLE crm.%1$I RENAME TO other; CREATE VIEW crm.%1$I AS SELECT * FROM crm.other', tab)
    FROM unnest('{pipelines,stages,deals,deal_contacts}'::text[]) AS tab;
INSERT INTO variations
    SELECT format('ALTER TABLE crm.%I RENAME TO other', tab) FROM unnest('{pipelines,stages,deals,deal_contacts}'::text[]) AS tab;
SELECT all_clean('with renamed tables, and views in their place');

-- Defaults and triggers of the user's that interfere.
INSERT INTO variations VALUES
    ('ALTER TABLE crm.deals ADD x int NOT NULL DEFAULT 1 / (random() * 0)::int'),
    ('ALTER TABLE crm.deals ADD x int GENERATED ALWAYS AS (version * 2) STORED'),
    ('ALTER TABLE crm.deals ADD x int NOT NULL GENERATED BY DEFAULT AS IDENTITY'),
    ('ALTER TABLE crm.deals ADD x t.some_text'),
    ('CREATE FUNCTION t.default_stage() RETURNS uuid LANGUAGE plpgsql AS ''BEGIN
            UPDATE crm.stages SET name = name || 1, deal_status = ''''open''''; RETURN t.id(''''Lead''''); END'';
        ALTER TABLE crm.deals ALTER stage_id SET DEFAULT t.default_stage()'),
    ('CREATE FUNCTION t.drop_index() RETURNS uuid LANGUAGE plpgsql AS ''BEGIN
            ALTER TABLE crm.stages DROP CONSTRAINT stages_pkey CASCADE; RETURN t.id(''''Lead''''); END'';
        ALTER TABLE crm.deals ALTER stage_id SET DEFAULT t.drop_index()'),
    ('CREATE FUNCTION t.drop_stages() RETURNS uuid LANGUAGE plpgsql AS ''BEGIN
            DROP TABLE crm.stages CASCADE; RETURN t.id(''''Lead''''); END'';
        ALTER TABLE crm.deals ALTER stage_id SET DEFAULT t.drop_stages()'),
    ('CREATE FUNCTION t.drop_stages() RETURNS uuid LANGUAGE plpgsql AS ''BEGIN
            DROP TABLE crm.stages CASCADE; RETURN t.id(''''Lead''''); END'';
        ALTER TABLE crm.stages ALTER position SET DEFAULT length(t.drop_stages()::text)'),
    ('CREATE FUNCTION t.other_tenant() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN NEW.tenant_id := gen_random_uuid(); RETURN NEW; END'';
        CREATE TRIGGER aa BEFORE INSERT OR UPDATE ON crm.deals FOR EACH ROW EXECUTE FUNCTION t.other_tenant()'),
    ('CREATE FUNCTION t.other_id() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN NEW.id := gen_random_uuid(); RETURN NEW; END'';
        CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON crm.deals FOR EACH ROW EXECUTE FUNCTION t.other_id()'),
    ('CREATE FUNCTION t.again() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN UPDATE crm.deals SET title = title || 1 WHERE id = NEW.id; RETURN NULL; END'';
        CREATE TRIGGER aa AFTER UPDATE OF stage_id ON crm.deals FOR EACH ROW EXECUTE FUNCTION t.again()'),
    ('CREATE FUNCTION t.vanish() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN DELETE FROM crm.deals WHERE id = NEW.id; RETURN NULL; END'';
        CREATE TRIGGER aa AFTER UPDATE ON crm.deals FOR EACH ROW EXECUTE FUNCTION t.vanish()'),
    ('ALTER TABLE crm.deals DISABLE TRIGGER zz_crm_deal_rules'), ('ALTER TABLE crm.deals DISABLE TRIGGER zz_crm_deal_audit_update'),
    ('ALTER TABLE crm.stages DISABLE TRIGGER USER'), ('SET LOCAL session_replication_role = replica'),
    ('CREATE TABLE crm.big_deals (LIKE crm.deals) INHERITS (crm.deals); INSERT INTO crm.big_deals SELECT * FROM crm.deals'),
    ('CREATE RULE r AS ON UPDATE TO crm.deals DO INSTEAD NOTHING'), ('CREATE RULE r AS ON UPDATE TO crm.deals DO INSTEAD DELETE FROM crm.tags'),
    ('CREATE RULE r AS ON UPDATE TO crm.pipelines DO INSTEAD NOTHING'), ('CREATE RULE r AS ON DELETE TO crm.stages DO INSTEAD NOTHING'),
    ('CREATE RULE r AS ON UPDATE TO crm.deal_contacts DO INSTEAD NOTHING'), ('CREATE RULE r AS ON UPDATE TO crm.stages DO INSTEAD NOTHING');
INSERT INTO variations
    SELECT format('CREATE FUNCTION t.other_id() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN NEW.%I := %s; RETURN NEW; END'';
        ALTER TABLE crm.deals DISABLE TRIGGER zz_crm_deal_rules;
        CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON crm.deals FOR EACH ROW EXECUTE FUNCTION t.other_id()', col, value)
    FROM (VALUES ('id', 'gen_random_uuid()'), ('stage_id', 't.id(''''Due'''')'), ('move_no', 'NULL'), ('status', '''''nonsense''''')) AS v (col, value);
SELECT all_clean('with defaults, triggers and rules of the user''s');

-- Trigger functions where they do not belong.
CREATE FUNCTION t.attach(function_name text, tab text, timing text, event text, level text, args text, transition text) RETURNS text LANGUAGE sql AS $$
    SELECT format('CREATE TRIGGER zz_odd %s %s ON crm.%I %s FOR EACH %s EXECUTE FUNCTION extensions.%I(%s)',
        timing, event, tab, transition, level, function_name, replace(args, 'VERSION', quote_literal(extensions.crm_version())))
$$;
INSERT INTO variations
    SELECT attach(f, tab, timing, event, level, args, transition)
    FROM unnest('{crm_pipeline_rules,crm_stage_rules,crm_deal_rules,crm_deal_audit,crm_deal_truncate,crm_totals_guard,crm_notify_events,crm_history_guard,crm_row_rules}'::text[]) AS f,
        unnest('{deals,stages,tags,stage_changes}'::text[]) AS tab,
        (VALUES ('BEFORE', 'TRUNCATE', 'STATEMENT', ''), ('BEFORE', 'INSERT OR UPDATE OR DELETE', 'ROW', ''), ('AFTER', 'INSERT OR UPDATE OR DELETE', 'ROW', ''),
            ('BEFORE', 'INSERT OR UPDATE OR DELETE', 'STATEMENT', ''), ('AFTER', 'INSERT OR UPDATE OR DELETE OR TRUNCATE', 'STATEMENT', ''),
            ('AFTER', 'UPDATE', 'STATEMENT', 'REFERENCING OLD TABLE AS o NEW TABLE AS n'), ('AFTER', 'UPDATE', 'STATEMENT', 'REFERENCING NEW TABLE AS n'),
            ('AFTER', 'UPDATE', 'ROW', 'REFERENCING OLD TABLE AS o NEW TABLE AS n'),
            ('AFTER', 'INSERT', 'STATEMENT', 'REFERENCING NEW TABLE AS n')) AS w (timing, event, level, transition),
        unnest(ARRAY['VERSION', '', 'VERSION, ''pipeline_id''', 'VERSION, ''name''', '''9.9.9''', 'VERSION, ''id'', ''id'', ''tenant_id''',
            'VERSION, ''history'', ''changes'', ''totals''']) WITH ORDINALITY AS a (args, n)
    WHERE a.n = 1 OR a.args LIKE '%totals%' AND f = 'crm_deal_audit' OR :thorough = 1;
SELECT all_clean('with trigger functions where they do not belong');
INSERT INTO variations
    SELECT format('ALTER TABLE crm.%I DISABLE TRIGGER USER; ', tab) || attach(f, tab, 'BEFORE', 'INSERT OR UPDATE', 'ROW', args, '')
    FROM unnest('{crm_pipeline_rules,crm_stage_rules,crm_deal_rules,crm_row_rules}'::text[]) AS f,
        unnest('{pipelines,deals,stages,tags,deal_tags,deal_contacts,stage_changes}'::text[]) AS tab,
        unnest(ARRAY['VERSION', '', 'VERSION, ''''', 'VERSION, ''pipeline_id''', 'VERSION, ''stage_id''', 'VERSION, ''title''', 'VERSION, ''nothing''', '''9.9.9''',
            'VERSION, ''deal_id'', ''deal_id'', ''deal_id''']) AS args;
SELECT all_clean('with the rules of another table');

-- The functions that take a schema, given every one there is.
SELECT is(string_agg(format('%s(%s): %s', f, c.oid::regnamespace, o), E'\n') FILTER (WHERE o LIKE 'XX%'), NULL, f || ', given every schema there is')
FROM (VALUES ('crm_undo_move', ''), ('crm_move_deal', ', t.id(''x''), NULL, NULL, NULL'), ('crm_reorder_stages', ', ARRAY[t.id(''x'')]'),
        ('crm_delete_stage', ', NULL'), ('crm_set_default_pipeline', ''), ('crm_set_primary_contact', ', t.id(''x'')'), ('crm_linked_row', ''), ('crm_linked_name', ''), ('crm_pipeline_totals', '')) AS v (f, rest),
    (SELECT oid FROM pg_namespace UNION ALL VALUES (0::oid), (4294967295)) AS c,
    outcome(format('SELECT extensions.%s(%s, %st.id(''x'')%s)', f, c.oid, CASE WHEN f LIKE 'crm_linked%' THEN '''contacts'', ' END, rest)) AS o
GROUP BY f;

-- A view, its INSTEAD OF triggers and its statement triggers.
CREATE VIEW t.tags AS SELECT * FROM crm.tags;
SELECT format('CREATE TRIGGER i INSTEAD OF INSERT OR UPDATE ON t.tags FOR EACH ROW EXECUTE FUNCTION extensions.crm_row_rules(%L)',
    extensions.crm_version()) \gexec
SELECT is(error_of($$INSERT INTO t.tags (name) VALUES ('x')$$),
    E'39P01\ntrigger function "crm_row_rules" must be fired BEFORE FOR EACH ROW', 'INSTEAD OF is refused');
SELECT format('CREATE TRIGGER b BEFORE UPDATE ON t.tags FOR EACH STATEMENT EXECUTE FUNCTION extensions.crm_history_guard(%L)',
    extensions.crm_version()) \gexec
SELECT alike(error_of($$UPDATE t.tags SET name = 'x'$$), E'42501\nrows of "tags" are never updated%', 'a guarded view');
SELECT alike(error_of('SELECT extensions.crm_deal_rules()'), '39P01%', 'a trigger function is not called otherwise');

-- A page of rows without an id.
CREATE SCHEMA keyless;
CREATE TABLE keyless.deals (id uuid);
INSERT INTO keyless.deals VALUES (NULL), (NULL);
SELECT alike(extensions.crm_mcp('keyless', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deals_list","arguments":{"limit":1}}}')::text,
    '%"items":[{}]%', 'mcp lists rows of nothing but nulls');

-- A column named as whatever we might call the row.
CREATE TABLE t.named (id uuid, r int, t int, c int, d int, crm_row_ int);
INSERT INTO t.named VALUES (id('x'), 1, 2, 3, 4, 5);
SELECT throws_ok($$CREATE FUNCTION crm.nothing(uuid) RETURNS t.named LANGUAGE crm AS ''$$, '42883', NULL, 'the language crm: a name of nothing');
SELECT throws_ok($$CREATE FUNCTION t.undo_move(deal_id text) RETURNS t.named LANGUAGE crm AS ''$$, '42883', NULL, 'other arguments');
SELECT throws_ok($$CREATE FUNCTION t.pipeline_summary(uuid, uuid, uuid, date, date, text) RETURNS text LANGUAGE crm AS ''$$, '42883', NULL, 'another result');
SELECT throws_ok($$CREATE FUNCTION t.undo_move(uuid) RETURNS SETOF t.named LANGUAGE crm AS ''$$, '42883', NULL, 'a set of it');
SET LOCAL check_function_bodies = off;
CREATE FUNCTION t.undo_move(uuid) RETURNS text LANGUAGE crm AS '';
SELECT throws_ok('SELECT t.undo_move(NULL)', '42883', NULL, 'nor is it called, whatever was checked');
CREATE FUNCTION t.delete_stage(uuid, uuid) RETURNS jsonb LANGUAGE crm AS '';
SELECT throws_ok('SELECT t.delete_stage(NULL, NULL)', '22004', NULL, 'in a schema without a CRM');
SELECT throws_ok($$SELECT t.delete_stage(id('x'), NULL)$$, 'PT404', NULL, 'in a schema without a CRM');

-- Partitioned tables: rows are found in the partitions, whatever the order of
-- their columns.
CREATE FUNCTION t.partition(tab text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    trigger record;
    columns text;
BEGIN
    EXECUTE format('ALTER TABLE crm.%1$I RENAME TO %1$s_1; CREATE TABLE crm.%1$I (LIKE crm.%1$s_1 INCLUDING DEFAULTS,
        PRIMARY KEY (id), UNIQUE (id, tenant_id)) PARTITION BY HASH (id);
        CREATE TABLE crm.%1$s_0 PARTITION OF crm.%1$I FOR VALUES WITH (MODULUS 2, REMAINDER 0)', tab);
    FOR trigger IN SELECT tgname, pg_get_triggerdef(oid) AS def FROM pg_trigger
        WHERE tgrelid = format('crm.%s_1', tab)::regclass AND NOT tgisinternal
    LOOP
        EXECUTE replace(trigger.def, format('ON crm.%s_1', tab), format('ON crm.%I', tab));
    END LOOP;
    -- The other partition has its columns the other way round.
    SELECT string_agg(format('%I %s %s %s', attname, format_type(atttypid, atttypmod), CASE WHEN attcollation = '"C"'::regcollation THEN 'COLLATE "C"' END,
            CASE WHEN attnotnull THEN 'NOT NULL' END), ', ' ORDER BY attnum DESC)
        INTO columns FROM pg_attribute WHERE attrelid = format('crm.%I', tab)::regclass AND attnum > 0;
    EXECUTE format('DROP TABLE crm.%1$s_1 CASCADE; CREATE TABLE crm.%1$s_1 (junk int, %2$s); ALTER TABLE crm.%1$s_1 DROP junk;
        ALTER TABLE crm.%1$I ATTACH PARTITION crm.%1$s_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1)', tab, columns);
END $$;
SELECT format('DROP FUNCTION IF EXISTS %s CASCADE', oid::regprocedure) FROM pg_proc WHERE pronamespace = 'crm'::regnamespace \gexec
DROP VIEW crm.pipeline_stage_summary;
TRUNCATE pipelines, stages, deals, deal_contacts, deal_tags, tags, stage_changes;
SELECT partition('pipelines'), partition('stages'), partition('deals') \g /dev/null
ALTER TABLE crm.stages ADD FOREIGN KEY (pipeline_id) REFERENCES crm.pipelines ON DELETE CASCADE;
ALTER TABLE crm.deals ADD FOREIGN KEY (pipeline_id) REFERENCES crm.pipelines, ADD FOREIGN KEY (stage_id) REFERENCES crm.stages;
ALTER TABLE crm.deal_contacts ADD FOREIGN KEY (deal_id) REFERENCES crm.deals;
SELECT is(error_of('SELECT t.make_pipelines()'), 'no error', 'partitioned: pipelines and stages');
SELECT is(error_of($$INSERT INTO crm.deals (id, title, stage_id) SELECT t.id('deal ' || n), n, t.id('Lead') FROM generate_series(1, 20) AS n$$), 'no error', 'deals');
SELECT is((SELECT count(DISTINCT tableoid) FROM crm.deals), 2::bigint, 'in both partitions');
SELECT is(error_of($$UPDATE crm.deals SET stage_id = t.id('Qualified')$$), 'no error', 'which move');
SELECT is(error_of($$UPDATE crm.deals SET status = 'won'$$), 'no error', 'are won');
SELECT is(error_of($$UPDATE crm.deals SET status = 'open'$$), 'no error', 'reopened');
SELECT is((SELECT count(*) FROM crm.stage_changes), 60::bigint, 'and recorded');
SELECT is(error_of($$SELECT extensions.crm_undo_move('crm', id) FROM crm.deals$$), 'no error', 'undone');
SELECT is((SELECT count(reverts_id) FROM crm.stage_changes), 20::bigint, 'and recorded');
SELECT is((SELECT count(*) FROM crm.deals WHERE stage_id = t.id('Won') AND won_at IS NOT NULL), 20::bigint, 'back where they were');
SELECT is(error_of($$INSERT INTO crm.deal_contacts (deal_id, contact_id) SELECT id, id FROM crm.deals$$), 'no error', 'contacts of them');
SELECT is(split_part(error_of($$INSERT INTO crm.deal_contacts (deal_id, contact_id) VALUES (t.id('none'), t.id('x'))$$), E'\n', 1), '23503', 'not of others');
SELECT is(split_part(error_of($$DELETE FROM crm.stages WHERE id = t.id('Won')$$), E'\n', 1), '23503', 'a stage in use');

SELECT * FROM finish();
ROLLBACK;
