-- plpgsql_check finds nothing to say about the functions in PL/pgSQL: those that the tests share, and the benchmark's.
BEGIN;
\ir include/setup.sql
\ir include/request.sql
\ir include/roles.sql
\ir include/totals.sql
SELECT count(*) = 0 AS missing FROM pg_available_extensions WHERE name = 'plpgsql_check' \gset
\if :missing
SELECT plan(1);
SELECT skip('plpgsql_check is not there', 1);
\else
SELECT no_plan();
CREATE SCHEMA plpgsql_check;
CREATE EXTENSION plpgsql_check SCHEMA plpgsql_check;
SET LOCAL search_path = crm, extensions, public;
\ir ../../bench/plpgsql.sql
SET LOCAL search_path = crm, t, extensions, public;

-- The functions, and the table for those that are triggers.  The helpers execute
-- what the tests hand them: whether that is quoted is of no interest.
CREATE TABLE t.functions AS
SELECT p.oid::regprocedure AS function, coalesce(t.tgrelid, 0)::regclass AS relation,
    p.pronamespace <> 't'::regnamespace AS secure
FROM pg_proc AS p LEFT JOIN pg_trigger AS t ON t.tgfoid = p.oid
WHERE p.prolang = (SELECT oid FROM pg_language WHERE lanname = 'plpgsql')
    AND p.pronamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
    AND NOT EXISTS (SELECT FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname <> 'crm'
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e');
SELECT isnt_empty($$SELECT FROM t.functions WHERE relation <> 0$$, 'triggers are among them');
SELECT is_empty(format($$SELECT * FROM plpgsql_check.plpgsql_check_function(%L, %L, extra_warnings => true, security_warnings => %L)$$,
        function, relation, secure), concat_ws(' on ', function, nullif(relation, 0::regclass)))
FROM t.functions ORDER BY function::text, relation::text;
\endif

SELECT * FROM finish();
ROLLBACK;
