-- What a session remembers of the functions of other CRMs, which have the names of its own: a bounded number.
BEGIN;
\ir include/setup.sql
SELECT plan(3);

-- As many functions of a name as 2,500 CRMs have.
DO $$
BEGIN
    FOR i IN 1..100 LOOP
        EXECUTE format('CREATE SCHEMA other_%s', i);
        FOR k IN 1..25 LOOP
            EXECUTE format('CREATE FUNCTION other_%s.context_for_person(%s) RETURNS jsonb LANGUAGE sql AS %L', i,
                repeat('integer DEFAULT NULL, ', k) || 'text DEFAULT NULL', 'SELECT NULL::jsonb');
        END LOOP;
    END LOOP;
END
$$;
CREATE FUNCTION t.cached() RETURNS bigint LANGUAGE sql AS
    $$SELECT used_bytes FROM pg_backend_memory_contexts WHERE name = 'CacheMemoryContext'$$;
SELECT t.cached() AS before \gset
-- This fails, so that it is not analyzed to its end; the next statement is.
SELECT t.error_of('SELECT other_1.context_for_person()') LIKE '42725%' AS ambiguous \gset
SELECT t.cached() - :before AS next \gset
PREPARE call AS SELECT crm.context_for_person(t.id('nobody')) IS NOT NULL AS answered;
SELECT t.cached() - :before AS prepared \gset
EXECUTE call \gset

SELECT cmp_ok(:next::bigint, '<', 1000000::bigint, 'functions that a statement looked up are dropped when there are too many');
SELECT cmp_ok(:prepared::bigint, '<', 1000000::bigint, 'also if it only prepares a call');
SELECT ok(:'ambiguous' AND :'answered', 'one of many is called');

SELECT * FROM finish();
ROLLBACK;
