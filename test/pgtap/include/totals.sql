-- For the tests of stage_totals; after setup.sql.
SET LOCAL search_path = crm, t, extensions;

-- What crm_check_totals() must say after each write; and plain SQL of our own.
CREATE FUNCTION t.exact(what text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN is_empty('SELECT * FROM crm_check_totals()', what || ': exact')
        || E'\n' || is_empty($q$
            SELECT stage_id, currency, value_period, sum(n), sum(none), sum(unweighted), sum(v), sum(w)
            FROM (SELECT stage_id, currency, value_period, 1 AS n, (amount IS NULL)::int AS none, (probability IS NULL)::int AS unweighted,
                    coalesce(amount, 0) AS v, coalesce(amount * probability, 0) AS w
                FROM crm.deals WHERE archived_at IS NULL
                UNION ALL
                SELECT stage_id, currency, value_period, -deals, -deals_without_amount, -deals_without_probability, -value, -weighted_value
                FROM crm.stage_totals) AS x
            GROUP BY 1, 2, 3
            HAVING (sum(n), sum(none), sum(unweighted), sum(v), sum(w)) <> (0, 0, 0, 0, 0)$q$, what || ': by hand')
        || E'\n' || is_empty($q$
            SELECT p.name FROM crm.pipelines AS p
            WHERE crm_pipeline_totals('crm', p.id) IS DISTINCT FROM (
                SELECT crm_pipeline_summary(d.stage_id, d.amount, d.currency, d.probability, d.value_period)
                FROM crm.deals AS d WHERE d.pipeline_id = p.id AND d.archived_at IS NULL)$q$,
            what || ': as the aggregate has it');
END $$;

-- How many rows a statement writes into stage_totals.
CREATE FUNCTION t.written(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
BEGIN
    SELECT count(*) INTO before FROM crm.stage_totals;
    EXECUTE statement;
    RETURN (SELECT count(*) FROM crm.stage_totals) - before;
END $$;

CREATE FUNCTION t.pending() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM crm.stage_totals WHERE value_period <> 'complete'
$$;
