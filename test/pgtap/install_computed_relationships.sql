-- Computed relationships and fields, as PostgREST finds and uses them; and that
-- every part of the API has a comment, for OpenAPI.
BEGIN;
\ir include/setup.sql
\ir include/request.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
CREATE ROLE em_reader;
SELECT extensions.crm_grant_access('crm', 'em_reader', 'read') \g /dev/null
INSERT INTO deals (id, title, amount, probability) VALUES (id('A'), 'A', 100, 0.25), (id('B'), 'B', NULL, 0.5);
UPDATE deals SET stage_id = id('Qualified') WHERE id = id('A');
UPDATE deals SET stage_id = id('Renewed') WHERE id = id('A');

-- What PostgREST takes for a relationship: one argument, of a table's row type,
-- and the rows of a table; to one if it says ROWS 1.  That is the contract.
CREATE FUNCTION t.relationships() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT format('%s.%s -> %s%s', p.proargtypes[0]::regtype, p.proname, p.prorettype::regtype, CASE p.prorows WHEN 1 THEN '' ELSE '[]' END)
        COLLATE "C"
    FROM pg_proc AS p
    WHERE p.pronamespace = 'crm'::regnamespace AND p.pronargs = 1 AND p.proretset
        AND p.proargtypes[0] IN (SELECT reltype FROM pg_class WHERE relkind IN ('r', 'v', 'p'))
        AND p.prorettype IN (SELECT reltype FROM pg_class WHERE relkind IN ('r', 'v', 'p'))
    ORDER BY 1
$$;
SELECT results_eq('SELECT * FROM t.relationships()', $$VALUES ('deal_changes.deal -> deals'), ('deal_changes.pipeline -> pipelines'),
    ('deal_changes.stage -> stages'), ('deal_pushes.deal -> deals'), ('deals.deal_changes -> deal_changes[]'), ('deals.deal_pushes -> deal_pushes[]'),
    ('deals.stage_changes -> stage_changes[]'), ('deals.stage_visits -> stage_visits[]'),
    ('pipeline_stage_summary.pipeline -> pipelines'), ('pipeline_stage_summary.stage -> stages'),
    ('pipelines.pipeline_stage_summary -> pipeline_stage_summary[]'), ('rotting_deals.deal -> deals'),
    ('stage_changes.deal -> deals'), ('stage_changes.from_pipeline -> pipelines'), ('stage_changes.from_stage -> stages'),
    ('stage_changes.to_pipeline -> pipelines'), ('stage_changes.to_stage -> stages'), ('stage_forecast_categories.stage -> stages'),
    ('stage_visits.deal -> deals'), ('stage_visits.next_pipeline -> pipelines'), ('stage_visits.next_stage -> stages'),
    ('stage_visits.pipeline -> pipelines'), ('stage_visits.stage -> stages'), ('stages.pipeline_stage_summary -> pipeline_stage_summary[]'),
    ('stages.stage_forecast_categories -> stage_forecast_categories')$$, 'the relationships');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'crm'::regnamespace AND p.pronargs = 1
    AND p.proargtypes[0] IN (SELECT reltype FROM pg_class WHERE reltype <> 0) AND p.proargnames IS NOT NULL$$,
    'their argument has no name: they are no remote procedures');

-- As PostgREST embeds: a lateral join of the function.
CREATE FUNCTION t.embed(tab text, function text, columns text) RETURNS text LANGUAGE sql AS $$
    SELECT format('SELECT t.*, e.* FROM crm.%I AS t LEFT JOIN LATERAL (SELECT coalesce(json_agg(r), ''[]'') AS embedded FROM
        (SELECT %s FROM crm.%I(t) AS f) AS r) AS e ON true', tab, columns, function) $$;
SELECT is(jsonb_path_query_array(get('em_reader', '{}', embed('stage_changes', 'deal', 'f.title') || ' ORDER BY move_no'), '$[*].embedded[*].title'),
    '["A", "A"]', 'stage_changes.deal');
SELECT is(jsonb_path_query_array(get('em_reader', '{}', embed('stage_changes', f, 'f.name') || ' ORDER BY move_no'), '$[*].embedded[*].name'),
    names::jsonb, 'stage_changes.' || f)
FROM (VALUES ('from_stage', '["Lead", "Qualified"]'), ('to_stage', '["Qualified", "Renewed"]'),
    ('from_pipeline', '["Sales", "Sales"]'), ('to_pipeline', '["Sales", "Renewals"]')) AS v (f, names);
SELECT is(jsonb_path_query_array(get('em_reader', '{}', embed('deals', 'stage_changes', 'f.to_status') || ' ORDER BY title'), '$[*].embedded'),
    '[[{"to_status": "open"}, {"to_status": "won"}], []]', 'deals.stage_changes');
SELECT is(jsonb_path_query_array(get('em_reader', '{}', embed('deals', f, c) || ' ORDER BY title'), '$[*].embedded'), rows::jsonb, 'deals.' || f)
FROM (VALUES ('deal_changes', 'f.change', '[[{"change": "created"}], [{"change": "created"}]]'),
    ('stage_visits', 'f.visit_no', '[[{"visit_no": 1}, {"visit_no": 2}, {"visit_no": 3}], [{"visit_no": 1}]]'),
    ('deal_pushes', 'f.months', '[[], []]')) AS v (f, c, rows);
SELECT is(jsonb_path_query_array(get('em_reader', '{}', embed(tab, f, c) || ' ORDER BY 1, 2, 3, 4, 5'), '$[*].embedded[*].*'), names::jsonb, tab || '.' || f)
FROM (VALUES ('deal_changes', 'deal', 'f.title', '["A", "B"]'), ('deal_changes', 'stage', 'f.name', '["Lead", "Lead"]'),
    ('deal_changes', 'pipeline', 'f.name', '["Sales", "Sales"]'),
    ('stages', 'pipeline_stage_summary', 'f.deals', '[1, 1]'), ('pipelines', 'pipeline_stage_summary', 'f.deals', '[1, 1]'),
    ('pipeline_stage_summary', 'pipeline', 'f.name', '["Sales", "Renewals"]'), ('pipeline_stage_summary', 'stage', 'f.name', '["Lead", "Renewed"]')) AS v (tab, f, c, names);
SELECT is(jsonb_path_query_array(get('em_reader', '{}', embed('stage_visits', f, c) || format(' WHERE t.deal_id = %L ORDER BY visit_no', id('A'))), '$[*].embedded[*].name'), names::jsonb, 'stage_visits.' || f)
FROM (VALUES ('stage', 'f.name', '["Lead", "Qualified", "Renewed"]'), ('next_stage', 'f.name', '["Qualified", "Renewed"]'),
    ('pipeline', 'f.name', '["Sales", "Sales", "Renewals"]'), ('next_pipeline', 'f.name', '["Sales", "Renewals"]')) AS v (f, c, names);
SELECT is(get('em_reader', '{}', 'SELECT title, deals.weighted_value FROM deals ORDER BY 1'),
    '[{"title": "A", "weighted_value": 100.00000000}, {"title": "B", "weighted_value": null}]', 'deals.weighted_value');
SELECT is(get('em_reader', '{}', 'SELECT p.name, p.summary -> ''total_deals'' AS n FROM pipelines AS p ORDER BY 1'),
    '[{"name": "Renewals", "n": 1}, {"name": "Sales", "n": 1}]', 'pipelines.summary');

-- For the row that the statement itself makes: PostgREST's RETURNING.
CREATE FUNCTION t.made(query text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT t.request('em_writer', '{}', 'WITH pgrst_source AS (' || query || ') SELECT jsonb_agg(to_jsonb(pgrst_source)) FROM pgrst_source') $$;
CREATE ROLE em_writer;
SELECT extensions.crm_grant_access('crm', 'em_writer', 'admin') \g /dev/null
SELECT is((SELECT q #- '{0,made,as_of}' FROM made(format('INSERT INTO pipelines (id, name) VALUES (%L, %L) RETURNING crm.summary(pipelines) AS made', id('New'), 'New')) AS q),
    jsonb_build_array(jsonb_build_object('made', crm.pipeline_summary(id('New')) - 'as_of')), 'pipelines.summary of a new row is that of an empty pipeline');
SELECT is(made(format('INSERT INTO pipelines (id, name) VALUES (%L, %L) ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name RETURNING crm.summary(pipelines) ->> ''name'' AS made', id('New'), 'Newer')) #>> '{0,made}',
    'New', 'of a row that is changed, that before the change');
SELECT is(made(format('DELETE FROM pipelines WHERE id = %L RETURNING crm.summary(pipelines) -> ''total_deals'' AS made', id('New'))) #>> '{0,made}', '0', 'of a row that is deleted');
SELECT is(made($q$INSERT INTO deals (title, amount, probability) VALUES ('C', 10, 0.5) RETURNING crm.weighted_value(deals) AS w,
    (SELECT count(*) FROM crm.stage_changes(deals)) AS h, (SELECT count(*) FROM crm.deal_changes(deals)) AS c, (SELECT count(*) FROM crm.deal_pushes(deals)) AS p,
    crm.context_for_deal(id) #>> '{deal,title}' AS context$q$), '[{"w": 5.00000000, "h": 0, "c": 0, "p": 0, "context": "C"}]', 'all of them work for a new deal');
SELECT is(made(format('INSERT INTO stages (pipeline_id, name) VALUES (%L, ''S'') RETURNING (SELECT count(*) FROM crm.pipeline_stage_summary(stages)) AS s, (SELECT count(*) FROM crm.stage_forecast_categories(stages)) AS f', id('Renewals'))),
    '[{"f": 0, "s": 0}]', 'and for a new stage');
SELECT is(get('em_reader', '{}', format('SELECT crm.pipeline_summary(%L)', id('none'))) ->> 'code', 'PT404', 'one that does not exist is still not found');
DELETE FROM stages WHERE name = 'S';
DELETE FROM deals WHERE title = 'C';

-- The planner inlines them: no function is called in the plan.
CREATE FUNCTION t.plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json, VERBOSE) ' || query INTO plan;
    RETURN plan;
END $$;
SELECT unalike(plan_of(format('SELECT e.* FROM crm.%I AS t LEFT JOIN LATERAL crm.%I(t) AS e ON true', split_part(r, '.', 1),
    split_part(split_part(r, '.', 2), ' ', 1))), format('%%"Function Name": "%s"%%', split_part(split_part(r, '.', 2), ' ', 1)), 'inlined: ' || r) FROM t.relationships() AS r;
SELECT unalike(plan_of('SELECT crm.weighted_value(d) FROM deals AS d'), '%weighted_value%', 'inlined: deals.weighted_value');

-- Without the right to call it, no embedding; row security is the reader's.
REVOKE EXECUTE ON FUNCTION crm.deal(stage_changes) FROM em_reader;
SELECT is(get('em_reader', '{}', embed('stage_changes', 'deal', 'f.title')) ->> 'status', '403', 'EXECUTE is needed');
GRANT EXECUTE ON FUNCTION crm.deal(stage_changes) TO em_reader;

-- The user adds columns, with defaults and without, and changes their types;
-- the functions return them.
ALTER TABLE deals ADD COLUMN region text NOT NULL DEFAULT 'EMEA', ADD COLUMN seen_at timestamptz DEFAULT clock_timestamp(), ADD next_step text;
ALTER TABLE stages ADD COLUMN goal integer NOT NULL DEFAULT 3;
ALTER TABLE stage_changes ADD COLUMN note text DEFAULT 'none';
ALTER TABLE pipelines ADD COLUMN team uuid DEFAULT gen_random_uuid();
ALTER TABLE stages ALTER goal TYPE bigint;
SELECT is(jsonb_path_query_array(get('em_reader', '{}', embed('stage_changes', 'deal', 'f.region')), '$[*].embedded[*].region'),
    '["EMEA", "EMEA"]', 'columns added later: deal');
SELECT is(jsonb_path_query_array(get('em_reader', '{}', embed('stage_changes', 'to_stage', 'f.goal')), '$[*].embedded[*].goal'),
    '[3, 3]', 'to_stage');
SELECT is(jsonb_path_query_array(get('em_reader', '{}', embed('deals', 'stage_changes', 'f.note')), '$[*].embedded[*].note'),
    '["none", "none"]', 'stage_changes');
SELECT is(get('em_reader', '{}', 'SELECT count(deals.weighted_value) AS n FROM deals'), '[{"n": 1}]', 'weighted_value');
SELECT lives_ok('ALTER TABLE deals DROP COLUMN region', 'such a column goes again');
SELECT is(jsonb_path_query_array(get('em_reader', '{}', embed('stage_changes', 'deal', 'f.title')), '$[*].embedded[*].title'),
    '["A", "A"]', 'and the function still works');

-- Linked contacts.
CREATE TABLE public.people (id uuid PRIMARY KEY, name text);
INSERT INTO public.people VALUES (id('Ann'), 'Ann'), (id('Ben'), 'Ben');
INSERT INTO deal_contacts (deal_id, contact_id) VALUES (id('A'), id('Ann')), (id('A'), id('Ben')), (id('B'), id('Ann'));
SELECT extensions.crm_link('crm', 'deal_contacts.contact_id', 'public.people') \g /dev/null
SELECT extensions.crm_grant_access('crm', 'em_reader', 'read') \g /dev/null
GRANT SELECT ON public.people TO em_reader;
SELECT results_eq($$SELECT * FROM t.relationships() AS r WHERE r ~ 'contacts'$$,
    $$VALUES ('contacts.deals -> deals[]'), ('deals.contacts -> contacts[]')$$, 'linking contacts makes two relationships');
SELECT is(jsonb_path_query_array(get('em_reader', '{}', embed('deals', 'contacts', 'f.name') || ' ORDER BY title'), '$[*].embedded[*].name'),
    '["Ann", "Ben", "Ann"]', 'deals.contacts');
SELECT is(jsonb_path_query_array(get('em_reader', '{}', embed('contacts', 'deals', 'f.title') || ' ORDER BY name'), '$[*].embedded[*].title'),
    '["A", "B", "A"]', 'contacts.deals');
REVOKE SELECT ON public.people FROM em_reader;
SELECT is(get('em_reader', '{}', embed('deals', 'contacts', 'f.name')) ->> 'status', '403', 'contacts are read with the reader''s rights');
SELECT lives_ok($$SELECT extensions.crm_unlink('crm', 'deal_contacts.contact_id')$$, 'unlinking');
SELECT is_empty($$SELECT * FROM t.relationships() AS r WHERE r ~ 'contacts'$$, 'takes them away');

-- After ALTER SCHEMA ... RENAME: they name the schema.
ALTER SCHEMA crm RENAME TO "Büro ""2""";
SELECT bag_has($$SELECT c.object FROM extensions.crm_check('Büro "2"') AS c WHERE c.problem ~ 'crm_embed'$$,
    $$VALUES ('function deal(stage_changes)'), ('function summary(pipelines)')$$, 'crm_check tells which ones name the old one');
SELECT lives_ok($$SELECT extensions.crm_embed('Büro "2"')$$, 'made anew');
SELECT is_empty($$SELECT * FROM extensions.crm_check('Büro "2"')$$, 'then nothing is wrong');
SELECT is((SELECT count(f.title) FROM "Büro ""2""".stage_changes AS c, "Büro ""2""".deal(c) AS f), 2::bigint, 'in a schema with another name');
SELECT ok(has_function_privilege('em_reader', format('%I.deal(%1$I.stage_changes)', 'Büro "2"'), 'EXECUTE'), 'rights stay');
ALTER SCHEMA "Büro ""2""" RENAME TO crm;
SELECT extensions.crm_embed('crm') \g /dev/null
GRANT USAGE ON SCHEMA extensions, t TO em_reader;
SET LOCAL ROLE em_reader;
SELECT is(split_part(t.error_of($$SELECT extensions.crm_embed('crm')$$), E'\n', 1), '42501', 'crm_embed is for the owner');
RESET ROLE;

-- OpenAPI: every table, column and function says what it is; functions that are
-- remote procedures have a title, a body, and names for their arguments.
SELECT matches(obj_description('crm'::regnamespace, 'pg_namespace'), E'^CRM\\n\\n[A-Z].*\\.$', 'the schema has a title and a text');
CREATE SCHEMA own;
COMMENT ON SCHEMA own IS 'Mine';
SELECT extensions.crm_install('own') \g /dev/null
SELECT is(obj_description('own'::regnamespace, 'pg_namespace'), 'Mine', 'or the user''s own');
SELECT is_empty($$SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v')
    AND obj_description(c.oid, 'pg_class') IS NULL$$, 'every table has a comment');
SELECT is_empty($$SELECT c.relname, a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
    AND a.attname NOT IN ('seen_at', 'next_step', 'goal', 'note', 'team') AND col_description(c.oid, a.attnum) IS NULL$$, 'every column has one');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'crm'::regnamespace
    AND obj_description(p.oid, 'pg_proc') IS NULL$$, 'every function has one');
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc AS p WHERE p.pronamespace = 'crm'::regnamespace AND p.proargnames IS NOT NULL
    AND obj_description(p.oid, 'pg_proc') !~ E'^[^\n]{5,100}\n\n.'$$, 'one that is called has a title, an empty line, and text');
SELECT is_empty($$SELECT p.oid::regprocedure, a FROM pg_proc AS p, unnest(p.proargnames[:p.pronargs]) AS a
    WHERE p.pronamespace = 'crm'::regnamespace
    AND a <> ALL ('{deal_id,stage_id,pipeline_id,contact_id,person_id}') AND strpos(obj_description(p.oid, 'pg_proc'), a) = 0
    AND NOT (p.proname = 'create_pipeline' AND a IN ('description', 'external_id', 'metadata'))$$,
    'which speaks of the arguments that do not speak for themselves');

SELECT * FROM finish();
ROLLBACK;
