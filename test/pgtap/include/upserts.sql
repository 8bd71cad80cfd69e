-- Comparing INSERT ... ON CONFLICT DO UPDATE with the UPDATE that it becomes.
-- Needs the helpers of setup.sql.

-- All that the CRM stores, in one text.  Times of the test's own clock are 'now';
-- ids, which differ each time, are left out of the history: of a correction it
-- says only that there was one.
CREATE FUNCTION t.state() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text := '';
    tab text;
    rows text;
BEGIN
    FOREACH tab IN ARRAY ARRAY['pipelines', 'stages', 'deals', 'deal_contacts', 'tags', 'deal_tags', 'exchange_rates', 'stage_changes', 'deal_changes']
    LOOP
        EXECUTE format('SELECT string_agg(row, E''\n'' ORDER BY row) FROM (SELECT (to_jsonb(r) - ''{updated_at,recorded_at%s}''::text[]%s)::text AS row FROM crm.%I AS r) AS r',
            CASE WHEN tab LIKE '%changes' THEN ',id,correction_id' END,
            CASE WHEN tab LIKE '%changes' THEN ' || jsonb_build_object(''corrected'', correction_id IS NOT NULL)' END, tab) INTO rows;
        result := result || E'\n' || tab || E'\n' || coalesce(rows, '');
    END LOOP;
    SELECT result || E'\ntotals\n' || coalesce(string_agg(format('%s %s %s %s', stage_id, currency, value_period, totals), E'\n' ORDER BY stage_id, currency, value_period), '')
    INTO result
    FROM (SELECT stage_id, currency, value_period, crm_pipeline_summary(stage_id, amount, currency, probability, value_period)::text AS totals
        FROM crm.deals GROUP BY stage_id, currency, value_period) AS s;
    IF EXISTS (SELECT FROM crm_check_totals('crm')) THEN
        result := result || E'\ntotals are wrong';
    END IF;
    RETURN regexp_replace(result, t.now_pattern(), 'now', 'g');
END $$;
-- What times of today look like, in JSON and in messages.
CREATE FUNCTION t.now_pattern() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('(%s|%s)[T ][0-9:.]+\+00(:00)?', current_date, current_date + 1)
$$;
-- What a statement leads to: the state, or the error.  It is rolled back.
CREATE FUNCTION t.outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE statement;
    RAISE EXCEPTION USING ERRCODE = 'TT001', MESSAGE = t.state();
EXCEPTION
    WHEN SQLSTATE 'TT001' THEN
        RETURN SQLERRM;
    WHEN OTHERS THEN
        RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, t.now_pattern(), 'now', 'g');
END $$;

-- A case: a row of a table, one of its keys as ON CONFLICT names it, the columns of
-- the key, and what is given for some columns.
CREATE TYPE t.assignment AS (col text, value text);
CREATE FUNCTION t.upsert_of(tab text, key text, key_columns text[], old jsonb, given t.assignment[]) RETURNS text LANGUAGE sql AS $$
    WITH inserted AS (
        SELECT col, value FROM unnest(given)
        UNION ALL
        SELECT k, quote_nullable(old ->> k) FROM unnest(key_columns) AS k WHERE k NOT IN (SELECT col FROM unnest(given))
    )
    SELECT format('INSERT INTO crm.%I (%s) VALUES (%s) ON CONFLICT %s DO UPDATE SET %s', tab, string_agg(quote_ident(col), ', '),
        string_agg(value, ', '), key, (SELECT string_agg(format('%1$I = excluded.%1$I', col), ', ') FROM unnest(given)))
    FROM inserted
$$;
CREATE FUNCTION t.update_of(tab text, where_row text, given t.assignment[]) RETURNS text LANGUAGE sql AS $$
    SELECT format('UPDATE crm.%I SET %s WHERE %s', tab, string_agg(format('%I = %s', col, value), ', '), where_row) FROM unnest(given)
$$;

-- Some of the columns, each with NULL, its default, its old value or one of the choices.
CREATE FUNCTION t.random_assignments(choices jsonb, old jsonb, share float) RETURNS t.assignment[] LANGUAGE plpgsql AS $$
DECLARE
    result t.assignment[] := '{}';
    col text;
    values_of jsonb;
    kind float;
BEGIN
    WHILE result = '{}' LOOP
        FOR col, values_of IN SELECT * FROM jsonb_each(choices) LOOP
            CONTINUE WHEN random() > share;
            kind := random();
            result := result || ROW(col, CASE
                WHEN kind < 0.2 THEN 'NULL'
                WHEN kind < 0.3 THEN 'DEFAULT'
                WHEN kind < 0.55 OR jsonb_array_length(values_of) = 0 THEN quote_nullable(old ->> col)
                ELSE values_of ->> floor(random() * jsonb_array_length(values_of))::int END)::t.assignment;
        END LOOP;
    END LOOP;
    RETURN result;
END $$;
