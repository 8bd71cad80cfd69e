-- Requests as PostgREST runs them, after include/setup.sql: in the role and
-- with the claims that the token names, the search path at the CRM's schema.

-- Answers the JSON that the query returns (as one row, one column), or
-- {"status": ..., "code": ..., ...} if it fails; effects stay.  The path is
-- PostgREST's: the exposed schema, then db-extra-search-path.
CREATE FUNCTION t.request(role name, claims jsonb, query text, method text DEFAULT 'POST') RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    answer jsonb; state text; message text; detail text; hint text;
    path text := current_setting('search_path');
BEGIN
    PERFORM set_config('request.jwt.claims', claims::text, true), set_config('request.method', method, true);
    BEGIN
        EXECUTE format('SET LOCAL ROLE %I', role);
        SET LOCAL search_path = crm, public;
        EXECUTE query INTO answer;
        RESET ROLE;
        PERFORM set_config('search_path', path, true);
        RETURN answer;
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
            detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        RETURN jsonb_build_object('status', t.http_status(state, message), 'code', state, 'message', message,
            'details', nullif(detail, ''), 'hint', nullif(hint, ''));
    END;
END $$;

-- The status that PostgREST 16 answers an error of an authenticated request
-- with: pgErrorStatus in its source.
CREATE FUNCTION t.http_status(state text, message text) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN state ~ '^(08|53)' AND state <> '53400' THEN 503
        WHEN state ~ '^0[LP]' OR state ~ '^28' OR state = '42501' THEN 403
        WHEN state IN ('23503', '23505') THEN 409
        WHEN state = '25006' THEN 405
        WHEN state = '22023' AND message ~ '^role.*does not exist$' THEN 401
        WHEN state IN ('42883', '42P01') THEN 404
        WHEN state = '57P01' THEN 503
        WHEN state ~ '^PT[0-9]{3}$' THEN substr(state, 3)::integer
        WHEN state = 'P0001' THEN 400
        WHEN state ~ '^(09|25|2D|38|39|3B|40|53|54|55|57|58|F0|HV|P0|XX)' OR state IN ('21000', '42P17') THEN 500
        ELSE 400
    END
$$;

-- A function by POST, its arguments by name from the body, as RPC.
CREATE FUNCTION t.rpc(role name, claims jsonb, function text, body jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    arguments text;
    types text;
BEGIN
    SELECT string_agg(format('%1$I := pgrst_body.%1$I', a.name), ', '),
        string_agg(format('%I %s', a.name, a.type::regtype), ', ')
    INTO arguments, types
    FROM pg_proc AS p CROSS JOIN LATERAL unnest(p.proargnames, p.proargtypes::oid[]) AS a (name, type)
    WHERE p.pronamespace = 'crm'::regnamespace AND p.proname = function AND body ? a.name;
    RETURN t.request(role, claims, format($q$
        WITH pgrst_source AS (SELECT pgrst_call.* FROM json_to_record(%L) AS pgrst_body (%s),
            LATERAL (SELECT crm.%I(%s) AS pgrst_scalar) AS pgrst_call)
        SELECT coalesce(jsonb_agg(pgrst_scalar), '[]') FROM pgrst_source $q$,
        body, types, function, arguments));
END $$;

-- Rows into a table, with the columns of the body; on_conflict as the parameter
-- of that name, resolution as in the header Prefer.
CREATE FUNCTION t.post(role name, claims jsonb, tab text, body jsonb, on_conflict text DEFAULT NULL,
    resolution text DEFAULT 'merge-duplicates') RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    columns text; types text; assigned text;
BEGIN
    SELECT string_agg(quote_ident(k), ', '), string_agg(format('%1$I = EXCLUDED.%1$I', k), ', '),
        string_agg(format('%I %s', k, format_type(a.atttypid, a.atttypmod)), ', ')
    INTO columns, assigned, types
    FROM (SELECT DISTINCT jsonb_object_keys(r) AS k FROM jsonb_array_elements(
            CASE jsonb_typeof(body) WHEN 'array' THEN body ELSE jsonb_build_array(body) END) AS r) AS keys
        JOIN pg_attribute AS a ON a.attrelid = format('crm.%I', tab)::regclass AND a.attname = k;
    RETURN t.request(role, claims, format($q$
        WITH pgrst_source AS (INSERT INTO crm.%I (%s)
            SELECT %s FROM json_to_recordset(%L) AS pgrst_body (%s) %s RETURNING crm.%I.*)
        SELECT coalesce(jsonb_agg(to_jsonb(pgrst_source.*)), '[]') FROM pgrst_source $q$,
        tab, columns, columns,
        CASE jsonb_typeof(body) WHEN 'array' THEN body ELSE jsonb_build_array(body) END, types,
        CASE WHEN on_conflict IS NULL THEN ''
            WHEN resolution = 'ignore-duplicates' THEN format('ON CONFLICT (%s) DO NOTHING', on_conflict)
            ELSE format('ON CONFLICT (%s) DO UPDATE SET %s', on_conflict, assigned) END,
        tab));
END $$;

-- A change of the rows that a condition selects.
CREATE FUNCTION t.patch(role name, claims jsonb, tab text, condition text, body jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    assigned text; types text;
BEGIN
    SELECT string_agg(format('%1$I = pgrst_body.%1$I', k), ', '),
        string_agg(format('%I %s', k, format_type(a.atttypid, a.atttypmod)), ', ')
    INTO assigned, types
    FROM jsonb_object_keys(body) AS k
        JOIN pg_attribute AS a ON a.attrelid = format('crm.%I', tab)::regclass AND a.attname = k;
    RETURN t.request(role, claims, format($q$
        WITH pgrst_source AS (UPDATE crm.%1$I SET %2$s FROM json_to_record(%3$L) AS pgrst_body (%4$s)
            WHERE %5$s RETURNING crm.%1$I.*)
        SELECT coalesce(jsonb_agg(to_jsonb(pgrst_source.*)), '[]') FROM pgrst_source $q$,
        tab, assigned, body, types, condition), 'PATCH');
END $$;

-- What a query (FROM ... or a SELECT) returns, as an array of objects.
CREATE FUNCTION t.get(role name, claims jsonb, query text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT t.request(role, claims, format('SELECT coalesce(jsonb_agg(to_jsonb(q.*)), ''[]'') FROM (%s) AS q', query), 'GET')
$$;
