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
SELECT t.error_of('SELECT other_1.context_for_person()') LIKE '42725%' AS ambiguous, t.cached() - :before AS looked_up \gset
SELECT crm.context_for_person(t.id('nobody')) IS NOT NULL AS answered, t.cached() - :before AS called \gset

SELECT cmp_ok(:looked_up::bigint, '>', 2500000::bigint, 'PostgreSQL keeps all functions of a name that it looks up');
SELECT ok(:'ambiguous' AND :'answered', 'one of many is called');
SELECT cmp_ok(:called::bigint, '<', 1000000::bigint, 'a function of a CRM drops them when there are too many');

SELECT * FROM finish();
ROLLBACK;
