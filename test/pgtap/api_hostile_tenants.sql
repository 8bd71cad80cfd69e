-- Two tenants at every level of access do what comes to their mind, 4,000 times,
-- with ids of their own, of each other's, of a third tenant's, and of nobody's.
-- The third tenant loses and gives away nothing; nobody does what the level does
-- not allow; and the CRM stays whole.
--
-- Another course: psql -v seed=0.7 …; each failure names the statement.
BEGIN;
\set tenancy shared
\set owner host_owner
\ir include/setup.sql
\ir include/roles.sql
\if :{?seed}
\else
\set seed 0.42
\endif
\if :{?steps}
\else
\set steps 4000
\endif
SELECT plan(9);
SELECT setseed(:seed), set_config('t.steps', :'steps', true) \g /dev/null

CREATE FUNCTION t.role_of(level text) RETURNS name LANGUAGE sql IMMUTABLE AS $$ SELECT ('host_' || level)::name $$;
SELECT format('CREATE ROLE %I', t.role_of(l)) FROM unnest('{read,write,admin,agent}'::text[]) AS l \gexec
SELECT extensions.crm_grant_access('crm', t.role_of(l), l) FROM unnest('{read,write,admin,agent}'::text[]) AS l \g /dev/null

-- The tenants, alike; names of the victim's are secret.
CREATE TABLE t.ids (id uuid, whose text, kind text);
CREATE FUNCTION t.be(tenant text) RETURNS void LANGUAGE sql AS $$ SELECT set_config('crm.tenant_id', tenant, true) $$;
CREATE FUNCTION t.populate(who text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    secret text := CASE who WHEN 'victim' THEN 'SECRET ' ELSE '' END;
BEGIN
    PERFORM t.be(who);
    INSERT INTO crm.pipelines (id, name, is_default, currency, external_id) VALUES
        (t.id(who || 'p1'), secret || 'Sales', true, 'EUR', secret || 'p1'), (t.id(who || 'p2'), secret || 'Renewals', false, NULL, NULL);
    INSERT INTO crm.stages (id, pipeline_id, name, deal_status)
        SELECT t.id(format('%s%s%s', who, p, s)), t.id(who || p), secret || s, CASE s WHEN 's3' THEN 'won' WHEN 's4' THEN 'lost' ELSE 'open' END
        FROM unnest('{p1,p2}'::text[]) AS p, unnest('{s1,s2,s3,s4}'::text[]) AS s;
    INSERT INTO crm.deals (id, stage_id, title, amount, currency, owner_id, external_id, metadata)
        SELECT t.id(format('%sd%s', who, n)), t.id(format('%sp%ss%s', who, n % 2 + 1, n % 4 + 1)), format('%sdeal %s', secret, n), 1000 + n, 'EUR', t.id('person'),
            format('%sx%s', secret, n), jsonb_build_object('note', secret)
        FROM generate_series(1, 12) AS n;
    UPDATE crm.deals SET stage_id = t.id(who || 'p1s2') WHERE id IN (t.id(who || 'd1'), t.id(who || 'd2'), t.id(who || 'd12'));
    UPDATE crm.deals SET amount = 7777 WHERE id = t.id(who || 'd3');
    DELETE FROM crm.deals WHERE id = t.id(who || 'd12');
    INSERT INTO crm.tags (id, name) VALUES (t.id(who || 't1'), secret || 'hot');
    INSERT INTO crm.deal_tags (deal_id, tag_id) VALUES (t.id(who || 'd1'), t.id(who || 't1'));
    INSERT INTO crm.deal_contacts (id, deal_id, contact_id, role) VALUES (t.id(who || 'c1'), t.id(who || 'd1'), t.id('person'), secret || 'buyer');
    INSERT INTO crm.exchange_rates (id, base, quote, rate, valid_from) VALUES (t.id(who || 'r1'), 'EUR', 'USD', 2, '2020-01-01');
    INSERT INTO t.ids SELECT t.id(who || k), who, kind FROM (VALUES ('p1', 'pipeline'), ('p2', 'pipeline'), ('t1', 'tag'), ('c1', 'contact'), ('r1', 'rate')) AS v (k, kind)
        UNION ALL SELECT t.id(format('%sd%s', who, n)), who, 'deal' FROM generate_series(1, 12) AS n
        UNION ALL SELECT t.id(format('%s%s%s', who, p, s)), who, 'stage' FROM unnest('{p1,p2}'::text[]) AS p, unnest('{s1,s2,s3,s4}'::text[]) AS s;
END $$;
SELECT populate(who) FROM unnest('{victim,anna,mallory}'::text[]) AS who \g /dev/null
INSERT INTO t.ids SELECT t.id('nobody' || kind), 'nobody', kind FROM unnest('{pipeline,stage,deal,tag,contact,rate}'::text[]) AS kind;

-- All that a tenant has, and how much there is of it.
CREATE FUNCTION t.digest(who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text := '';
    part text;
    tab text;
BEGIN
    FOREACH tab IN ARRAY '{pipelines,stages,deals,deal_contacts,tags,deal_tags,exchange_rates,stage_changes,deal_changes}'::text[] LOOP
        EXECUTE format('SELECT format(''%%s %%s; '', count(*), md5(string_agg(r::text, '','' ORDER BY r::text))) FROM crm.%I AS r WHERE tenant_id = $1', tab)
            INTO part USING extensions.crm_external_uuid('tenant', who);
        result := result || tab || ' ' || part;
    END LOOP;
    RETURN result;
END $$;
CREATE FUNCTION t.rows() RETURNS bigint[] LANGUAGE sql AS $$
    SELECT ARRAY[(SELECT count(*) FROM crm.pipelines), (SELECT count(*) FROM crm.stages), (SELECT count(*) FROM crm.deals),
        (SELECT count(*) FROM crm.deal_contacts), (SELECT count(*) FROM crm.tags), (SELECT count(*) FROM crm.deal_tags),
        (SELECT count(*) FROM crm.exchange_rates), (SELECT count(*) FROM crm.stage_changes), (SELECT count(*) FROM crm.deal_changes)]
$$;

-- What they do: [kind] is an id of that kind, [word] a value.
CREATE TABLE t.deeds (n serial, statement text, writes boolean, admin boolean);
INSERT INTO t.deeds (statement, writes, admin) VALUES
    ('SELECT t.* FROM crm.[table] AS t', false, false),
    ('SELECT t.* FROM crm.[view] AS t', false, false),
    ('SELECT t.* FROM crm.[table] AS t WHERE t.tenant_id = extensions.crm_external_uuid(''tenant'', ''victim'')', false, false),
    ('SELECT t.* FROM crm.deals AS t WHERE t.id = [deal] OR t.external_id = ''SECRET x1''', false, false),
    ('SELECT crm.context_for_deal([deal])', false, false),
    ('SELECT crm.context_for_person(t.id(''person''))', false, false),
    ('SELECT crm.pipeline_summary([pipeline])', false, false),
    ('SELECT crm.pipeline_summary([pipeline], in_currency => ''USD'', tag_id => [tag])', false, false),
    ('SELECT crm.pipeline_summary_as_of([pipeline], now() - interval ''1 second'')', false, false),
    ('SELECT f FROM crm.pipeline_trend([pipeline], now() - interval ''1 day'') AS f', false, false),
    ('SELECT f FROM crm.[report]([pipeline]) AS f', false, false),
    ('SELECT crm.exchange_rate(''EUR'', ''USD'')', false, false),
    ('SELECT crm.mcp(''{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"[tool]","arguments":{}}}'')', false, false),
    ('SELECT extensions.crm_pipeline_totals(''crm'', [pipeline])', false, false),
    ('SELECT t.* FROM crm.stage_totals AS t', false, false),
    ('INSERT INTO crm.deals (title, stage_id) VALUES ([word], [stage]) RETURNING *', true, false),
    ('INSERT INTO crm.deals (id, title, pipeline_id) VALUES ([deal], [word], [pipeline]) RETURNING *', true, false),
    ('INSERT INTO crm.deals (id, title, tenant_id) VALUES ([deal], [word], extensions.crm_external_uuid(''tenant'', ''victim'')) RETURNING *', true, false),
    ('INSERT INTO crm.deals (id, title, external_id) VALUES ([deal], [word], ''SECRET guess'') ON CONFLICT (id) DO UPDATE SET title = EXCLUDED.title RETURNING *', true, false),
    ('UPDATE crm.deals SET stage_id = [stage] WHERE id = [deal] RETURNING *', true, false),
    ('UPDATE crm.deals SET pipeline_id = [pipeline] WHERE id = [deal] RETURNING *', true, false),
    ('UPDATE crm.deals SET status = [status] WHERE id = [deal] RETURNING *', true, false),
    ('UPDATE crm.deals SET tenant_id = extensions.crm_external_uuid(''tenant'', ''victim'') WHERE id = [deal]', true, false),
    ('UPDATE crm.deals SET amount = [amount], currency = ''EUR'' WHERE id = [deal]', true, false),
    ('UPDATE crm.deals SET move_no = 2147483647 WHERE id = [deal]', true, false),
    ('UPDATE crm.deals SET title = [word], archived_at = now()', true, false),
    ('DELETE FROM crm.deals WHERE id = [deal]', true, false),
    ('SELECT crm.move_deal([deal], [stage], expected_stage_id => [stage])', true, false),
    ('SELECT crm.move_deal([deal], [stage])', true, false),
    ('SELECT crm.undo_move([deal])', true, false),
    ('INSERT INTO crm.deal_contacts (deal_id, contact_id) VALUES ([deal], t.id(''person'')) RETURNING *', true, false),
    ('UPDATE crm.deal_contacts SET is_primary = true, role = [word] WHERE id = [contact] RETURNING *', true, false),
    ('SELECT crm.set_primary_contact([deal], t.id(''person''))', true, false),
    ('INSERT INTO crm.tags (name) VALUES ([word])', true, false),
    ('INSERT INTO crm.deal_tags (deal_id, tag_id) VALUES ([deal], [tag]) ON CONFLICT DO NOTHING', true, false),
    ('DELETE FROM crm.deal_tags WHERE deal_id = [deal]', true, false),
    ('DELETE FROM crm.tags WHERE id = [tag]', true, false),
    ('INSERT INTO crm.stage_changes (tenant_id, deal_id) VALUES (extensions.crm_current_tenant(), [deal])', true, true),
    ('UPDATE crm.stage_changes SET amount = 0', true, true),
    ('DELETE FROM crm.stage_changes', true, true),
    ('DELETE FROM crm.deal_changes WHERE deal_id = [deal]', true, true),
    ('INSERT INTO crm.stage_totals SELECT * FROM crm.stage_totals', true, true),
    ('TRUNCATE crm.deals CASCADE', true, true),
    ('INSERT INTO crm.stages (pipeline_id, name, deal_status) VALUES ([pipeline], [word], [status]) RETURNING *', true, true),
    ('UPDATE crm.stages SET name = [word], probability = NULL WHERE id = [stage] RETURNING *', true, true),
    ('UPDATE crm.stages SET pipeline_id = [pipeline] WHERE id = [stage]', true, true),
    ('UPDATE crm.stages SET deal_status = [status] WHERE id = [stage]', true, true),
    ('DELETE FROM crm.stages WHERE id = [stage]', true, true),
    ('SELECT crm.delete_stage([stage], [stage])', true, true),
    ('SELECT crm.apply_stage_probability([stage])', true, true),
    ('SELECT crm.reorder_stages([pipeline], ARRAY[[stage], [stage]])', true, true),
    ('SELECT crm.set_default_pipeline([pipeline])', true, true),
    ('SELECT crm.create_pipeline([word], ''["a", "b"]'')', true, true),
    ('DELETE FROM crm.pipelines WHERE id = [pipeline]', true, true),
    ('UPDATE crm.exchange_rates SET rate = 9 WHERE id = [rate] RETURNING *', true, true),
    ('SELECT extensions.crm_rebuild_totals(''crm'')', true, true),
    ('SELECT extensions.crm_grant_access(''crm'', current_user::text, ''admin'')', true, true),
    ('ALTER TABLE crm.deals DISABLE ROW LEVEL SECURITY', true, true),
    ('CREATE FUNCTION crm.planted() RETURNS int LANGUAGE sql AS ''SELECT 1''', true, true);

CREATE FUNCTION t.pick(choices text[]) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT choices[1 + floor(random() * cardinality(choices))::int] $$;
-- Half of the ids are one's own, for the deed to have an effect.
CREATE FUNCTION t.pick_id(who text, wanted text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    own boolean := random() < 0.5;
BEGIN
    RETURN (SELECT quote_literal(id) || '::uuid' FROM t.ids WHERE kind = wanted AND (NOT own OR whose = who) ORDER BY random() LIMIT 1);
END $$;
CREATE FUNCTION t.fill_in(who text, statement text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    kind text;
BEGIN
    LOOP
        kind := substring(statement FROM '\[([a-z]+)\]');
        EXIT WHEN kind IS NULL;
        statement := regexp_replace(statement, '\[' || kind || '\]', replace(CASE kind
            WHEN 'word' THEN t.pick(ARRAY['''x''', '''SECRET Sales''', '''''', 'NULL', '''' || repeat('y', 300) || ''''])
            WHEN 'status' THEN t.pick(ARRAY['''open''', '''won''', '''lost''', '''x''', 'NULL'])
            WHEN 'amount' THEN t.pick(ARRAY['1', '-5', '999999999999999.9999', '''NaN''', 'NULL'])
            WHEN 'table' THEN t.pick('{pipelines,stages,deals,deal_contacts,tags,deal_tags,exchange_rates,stage_changes,deal_changes}')
            WHEN 'view' THEN t.pick('{pipeline_stage_summary,stage_visits,rotting_deals,stage_forecast_categories,deal_pushes,deal_facts,move_facts}')
            WHEN 'report' THEN t.pick('{time_in_stage,funnel,stage_conversion,win_rate,sales_cycle,sales_velocity,slippage,stage_probabilities,recurring_revenue}')
            WHEN 'tool' THEN t.pick('{deals_list,stages_list,pipelines_list,tags_list}')
            ELSE t.pick_id(who, kind) END, '\', '\\'));
    END LOOP;
    RETURN statement;
END $$;

-- Does it, as the role and the tenant; returns all that they are told.
CREATE FUNCTION t.do_it(level text, who text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text := '';
    state text; message text; detail text; hint text;
    r record;
BEGIN
    PERFORM t.be(who);
    EXECUTE format('SET LOCAL ROLE %I', t.role_of(level));
    BEGIN
        IF statement ~ 'SELECT|RETURNING' AND statement !~ '^(INSERT INTO crm.stage_totals|CREATE)' THEN
            FOR r IN EXECUTE statement LOOP
                result := result || r::text;
            END LOOP;
        ELSE
            EXECUTE statement;
        END IF;
        result := '00000 ' || result;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        result := concat_ws(' ', state, message, detail, hint);
    END;
    RESET ROLE;
    RETURN result;
END $$;

CREATE TABLE t.log (n int, level text, who text, statement text, writes boolean, admin boolean, result text, before bigint[], after bigint[]);
CREATE TABLE t.start AS SELECT who, digest(who) FROM unnest('{victim}'::text[]) AS who;
DO $$
DECLARE
    deed t.deeds;
    level text;
    who text;
    statement text;
    before bigint[];
BEGIN
    FOR n IN 1 .. current_setting('t.steps')::int LOOP
        level := t.pick('{read,write,admin,agent}');
        who := t.pick('{anna,mallory}');
        SELECT * INTO deed FROM t.deeds ORDER BY random() LIMIT 1;
        statement := t.fill_in(who, deed.statement);
        before := t.rows();
        INSERT INTO t.log SELECT n, level, who, statement, deed.writes, deed.admin, t.do_it(level, who, statement), before, t.rows();
        -- so that there always is something to attack
        IF n % 400 = 0 THEN
            PERFORM t.populate(who || n);
            UPDATE t.ids SET whose = who WHERE whose = who || n;
        END IF;
    END LOOP;
END $$;

SELECT is(digest, (SELECT digest('victim')), 'the victim has what it had') FROM t.start;
-- What they wrote themselves may come back to them.
SELECT is_empty($$SELECT n, level, statement, result FROM t.log WHERE result ~ 'SECRET (deal|x[0-9]|p1|s[0-9]|hot|buyer|Renewals)' AND statement !~ 'SECRET'$$,
    'and gave nothing away');
SELECT is_empty($$SELECT n, level, statement, result FROM t.log WHERE result ~ '^(XX|P0|58)'$$, 'nothing is an internal error');
SELECT is_empty($$SELECT n, statement, result FROM t.log WHERE level = 'read' AND writes AND result LIKE '00000%' AND before <> after$$, 'who reads does not write');
SELECT is_empty($$SELECT n, statement FROM t.log WHERE level = 'agent' AND EXISTS (SELECT FROM unnest(before, after) AS c (b, a) WHERE a < b)$$, 'an agent deletes nothing');
SELECT is_empty($$SELECT n, level, statement FROM t.log WHERE level IN ('read', 'write', 'agent') AND admin AND before <> after$$, 'only admins change pipelines and stages');
SELECT is_empty($$SELECT n, level, statement FROM t.log WHERE after[8] < before[8] OR after[9] < before[9]$$, 'nobody removes history');
SELECT is_empty($$SELECT * FROM extensions.crm_check_totals('crm')$$, 'totals are right');
-- Everything has the tenant of what it belongs to, and the history is complete.
SELECT is_empty($$
    SELECT 'stage', s.id FROM crm.stages AS s JOIN crm.pipelines AS p ON p.id = s.pipeline_id WHERE p.tenant_id <> s.tenant_id
    UNION ALL SELECT 'deal', d.id FROM crm.deals AS d JOIN crm.stages AS s ON s.id = d.stage_id WHERE (s.tenant_id, s.pipeline_id) <> (d.tenant_id, d.pipeline_id)
    UNION ALL SELECT 'contact', c.id FROM crm.deal_contacts AS c JOIN crm.deals AS d ON d.id = c.deal_id WHERE c.tenant_id <> d.tenant_id
    UNION ALL SELECT 'tag', g.tag_id FROM crm.deal_tags AS g JOIN crm.deals AS d ON d.id = g.deal_id JOIN crm.tags AS t ON t.id = g.tag_id WHERE (g.tenant_id, g.tenant_id) <> (d.tenant_id, t.tenant_id)
    UNION ALL SELECT 'history', d.id FROM crm.deals AS d JOIN crm.stage_changes AS c ON c.deal_id = d.id AND c.tenant_id = d.tenant_id AND c.move_no = d.move_no
        WHERE c.to_stage_id <> d.stage_id
            -- it came back to another stage than it was deleted from
            AND NOT EXISTS (SELECT FROM crm.deal_changes AS x WHERE x.deal_id = d.id AND x.tenant_id = d.tenant_id AND x.change IN ('restored', 'recreated'))$$, 'and everything agrees');
SELECT diag(format('%s of %s statements went through', count(*) FILTER (WHERE result LIKE '00000%'), count(*))) FROM t.log;
SELECT * FROM finish();
ROLLBACK;
