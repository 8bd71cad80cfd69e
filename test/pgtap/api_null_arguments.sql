-- An argument that is null counts as not given, in every function of a CRM: clients
-- send null for what a form left empty.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();
INSERT INTO deals (id, title, amount) VALUES (id('A'), 'A', 100);
INSERT INTO deal_contacts (deal_id, contact_id) VALUES (id('A'), id('Ann'));
INSERT INTO exchange_rates (base, quote, rate) VALUES ('EUR', 'USD', 1.1);

-- What a function needs; each that takes more stands in the catalog.
CREATE TABLE t.needed (function text, arguments text);
INSERT INTO t.needed VALUES
    ('context_for_deal', format('deal_id => %L', id('A'))), ('context_for_person', format('person_id => %L', id('Ann'))),
    ('correct_move', format('deal_id => %L, changed_at => now()', id('A'))), ('create_pipeline', 'name => ''New'''), ('delete_stage', format('stage_id => %L', id('Disqualified'))),
    ('changes_since', 'at => ''2020-01-01'''), ('stage_flow', format('pipeline_id => %L', id('Sales'))),
    ('exchange_rate', 'base => ''EUR'', quote => ''USD'''), ('funnel', format('pipeline_id => %L', id('Sales'))),
    ('deal_history', format('deal_id => %L', id('A'))), ('exchange_rate', 'base => ''EUR'', quote => ''USD'''), ('funnel', format('pipeline_id => %L', id('Sales'))),
    ('move_deal', format('deal_id => %L, stage_id => %L', id('A'), id('Qualified'))),
    ('pipeline_summary', format('pipeline_id => %L', id('Sales'))),
    ('pipeline_summary_as_of', format('pipeline_id => %L, at => now()', id('Sales'))),
    ('pipeline_trend', format('pipeline_id => %L, from_at => now() - interval ''1 hour''', id('Sales'))),
    ('pipeline_waterfall', format('pipeline_id => %L, from_at => now() - interval ''1 hour''', id('Sales'))),
    ('stage_conversion', format('pipeline_id => %L', id('Sales'))), ('stage_probabilities', format('pipeline_id => %L', id('Sales'))),
    ('time_in_stage', format('pipeline_id => %L', id('Sales')));
CREATE VIEW t.optional AS
    SELECT p.proname AS function, a.name AS argument, a.type::regtype AS type
    FROM pg_proc AS p CROSS JOIN LATERAL unnest(p.proargnames, p.proargtypes::oid[]) WITH ORDINALITY AS a (name, type, n)
    WHERE p.pronamespace = 'crm'::regnamespace AND a.n <= p.pronargs AND a.n > p.pronargs - p.pronargdefaults;
SELECT cmp_ok((SELECT count(*) FROM t.optional)::integer, '>', 60, 'there are optional arguments');

-- What a call returns, or how it fails; nothing of it stays.
CREATE FUNCTION t.call(function text, arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text; state text; message text;
BEGIN
    BEGIN
        EXECUTE format('SELECT jsonb_agg(to_jsonb(f))::text FROM crm.%I(%s) AS f', function, arguments) INTO result;
        RAISE SQLSTATE 'UNDOI';
    EXCEPTION WHEN SQLSTATE 'UNDOI' THEN
        RETURN regexp_replace(result, '"(id|as_of|created_at|updated_at|changed_at|stage_entered_at)": "[^"]*"', '"\1"', 'g');
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
        RETURN concat_ws(' ', state, message);
    END;
END $$;
SELECT is(t.call(o.function, concat_ws(', ', n.arguments, format('%I => NULL::%s', o.argument, o.type))), t.call(o.function, coalesce(n.arguments, '')),
    format('%s: %s null', o.function, o.argument))
FROM t.optional AS o LEFT JOIN t.needed AS n USING (function) ORDER BY o.function, o.argument;
SELECT is_empty($$SELECT function, t.call(function, coalesce(arguments, '')) FROM (SELECT DISTINCT function FROM t.optional) AS o LEFT JOIN t.needed USING (function)
    WHERE t.call(function, coalesce(arguments, '')) ~ '^[0-9A-Z]{5} '$$, 'none of these calls fails');

SELECT * FROM finish();
ROLLBACK;
