-- Trying statements as other roles, after include/setup.sql.

-- What a statement does as a role: 'ok', or how it fails, as t.error_of has it.
-- Its effects stay.
CREATE FUNCTION t.as_role(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    result := t.error_of(statement);
    RESET ROLE;
    RETURN CASE result WHEN 'no error' THEN 'ok' ELSE result END;
END $$;

-- The same, but in brief: 'ok' or the SQLSTATE, and nothing of it stays.
CREATE FUNCTION t.outcome(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    BEGIN
        result := split_part(t.as_role(role, statement), E'\n', 1);
        RAISE SQLSTATE 'UNDOI';
    EXCEPTION WHEN SQLSTATE 'UNDOI' THEN
        NULL;
    END;
    RETURN result;
END $$;

-- What a query returns to a role, as text: columns with |, rows with newlines.
CREATE FUNCTION t.seen_by(role name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE format('SELECT string_agg(trim(''()'' FROM r::text), E''\n'') FROM (%s) AS r', query) INTO result;
    RESET ROLE;
    RETURN coalesce(translate(result, ',"', '|'), 'nothing');
END $$;

-- error_of() and seen_by() work inside what the roles are.
GRANT USAGE ON SCHEMA t TO PUBLIC;
