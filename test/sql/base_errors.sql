-- Errors raised from SQL functions.

CREATE FUNCTION find(id int) RETURNS int
BEGIN ATOMIC
	SELECT CASE WHEN find.id > 0 OR crm_raise('PT404', format('deal %s does not exist', find.id), hint => 'Look it up first.') THEN find.id END;
END;
SELECT find(1);
SELECT find(-1);
\echo :LAST_ERROR_SQLSTATE
DROP FUNCTION find;

SELECT crm_raise('23514', 'a 100% message', 'with %s detail', 'and %d hint');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_raise('22P02', 'bad');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_raise('42501', 'no');
\echo :LAST_ERROR_SQLSTATE
SELECT crm_raise('PT499', 'the last one');
\echo :LAST_ERROR_SQLSTATE

-- What SQL may not raise.
CREATE FUNCTION raised(condition text, message text DEFAULT 'text') RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM crm_raise(condition, message);
	RETURN 'nothing';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT c AS condition, raised(c)
FROM unnest(ARRAY['00000', '01000', '42P01', 'XX000', '55000', '40001', 'P0001', 'PT500', 'PT4', 'PT4x0', 'PT4000', '22', '2200', '22é', '23 01', '22a01', '', NULL]) AS c;
SELECT raised('PT404', NULL), raised(NULL, NULL), raised('XX000', NULL);
SELECT crm_raise('P0001', 'the original');
DROP FUNCTION raised;
