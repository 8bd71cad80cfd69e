-- What every file of test/pgtap begins with, inside its transaction: the
-- extensions, a CRM in the schema crm (of the tenancy in the variable of that
-- name, owned by the role in the variable owner, which is made), and helpers in
-- the schema t.
--
-- A file runs as a superuser in a new, empty database:
--
--	createdb x && pg_prove -d x test/pgtap/deal_insert.sql
--
-- In a transaction now() stands still, while the rules ask the clock.

\if :{?tenancy}
\else
\set tenancy single
\endif

SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, YMD';
CREATE SCHEMA t;
CREATE EXTENSION pgtap SCHEMA t;
CREATE SCHEMA extensions;
CREATE EXTENSION crm SCHEMA extensions;
GRANT USAGE ON SCHEMA extensions TO PUBLIC;
\if :{?owner}
CREATE ROLE :"owner";
SELECT format('GRANT CREATE ON DATABASE %I TO %I', current_database(), :'owner') \gexec
SET LOCAL ROLE :"owner";
\endif
SELECT 'crm_install: ' || extensions.crm_install('crm', :'tenancy') \g /dev/null
RESET ROLE;
SET LOCAL search_path = crm, t;

-- A uuid for a name, the same each time.
CREATE FUNCTION t.id(name text) RETURNS uuid LANGUAGE sql IMMUTABLE
AS $$ SELECT md5(name)::uuid $$;

-- How a statement fails: SQLSTATE, message, detail, hint, each in a line.
CREATE FUNCTION t.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', state, message, nullif(detail, ''), nullif(hint, ''));
END $$;

-- Two pipelines.  Sales is the default one: a stage without a probability, two
-- ways to lose.  In Renewals won and lost are unambiguous, amounts in euros.
CREATE FUNCTION t.make_pipelines() RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.pipelines (id, name, is_default, currency) VALUES
        (t.id('Sales'), 'Sales', true, 'USD'),
        (t.id('Renewals'), 'Renewals', false, 'EUR');
    INSERT INTO crm.stages (id, pipeline_id, name, position, deal_status, probability) VALUES
        (t.id('Lead'), t.id('Sales'), 'Lead', 1, 'open', 0.1),
        (t.id('Qualified'), t.id('Sales'), 'Qualified', 2, 'open', 0.5),
        (t.id('Paused'), t.id('Sales'), 'Paused', 3, 'open', NULL),
        (t.id('Won'), t.id('Sales'), 'Won', 4, 'won', NULL),
        (t.id('Lost'), t.id('Sales'), 'Lost', 5, 'lost', NULL),
        (t.id('Disqualified'), t.id('Sales'), 'Disqualified', 6, 'lost', NULL),
        (t.id('Due'), t.id('Renewals'), 'Due', 10, 'open', 0.8),
        (t.id('Contacted'), t.id('Renewals'), 'Contacted', 20, 'open', 0.9),
        (t.id('Renewed'), t.id('Renewals'), 'Renewed', 30, 'won', NULL),
        (t.id('Churned'), t.id('Renewals'), 'Churned', 40, 'lost', NULL);
$$;

-- Where a deal stands, by names, and what goes with it.
CREATE FUNCTION t.place(deal text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('%s / %s / %s / %s', p.name, s.name, d.status, coalesce(d.probability::text, 'null'))
    FROM crm.deals AS d JOIN crm.pipelines AS p ON p.id = d.pipeline_id
        JOIN crm.stages AS s ON s.id = d.stage_id
    WHERE d.id = t.id(deal)
$$;

CREATE FUNCTION t.entered(deal text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT stage_entered_at FROM crm.deals WHERE id = t.id(deal)
$$;

-- The history of a deal, a line a move: number, from > to, time.
CREATE FUNCTION t.history(deal text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(format('%s: %s > %s at %s', c.move_no,
        coalesce(f.name, '?'), coalesce(s.name, '?'), c.changed_at), E'\n' ORDER BY c.move_no), 'none')
    FROM crm.stage_changes AS c
        LEFT JOIN crm.stages AS f ON f.id = c.from_stage_id
        LEFT JOIN crm.stages AS s ON s.id = c.to_stage_id
    WHERE c.deal_id = t.id(deal)
$$;
