-- Imports a CSV of opportunities, with the dates on which they moved, as deals
-- of a new pipeline.  For the shape of the file see sample_pipeline.csv.  To
-- fit another one, change the columns of csv_rows, the checks and the SELECTs.
--
--	psql -d DATABASE -v csv=FILE [-v pipeline=NAME] [-v crm=SCHEMA] -f import_csv.sql
--
-- One INSERT for all deals, then one UPDATE for each kind of move.  The triggers
-- record every move, dated by the stage_entered_at that the UPDATE writes together
-- with the stage.  All is one transaction: a file with a mistake leaves nothing
-- behind.

\set ON_ERROR_STOP on
\if :{?csv}
\else
	\warn 'name the file: psql -v csv=FILE -f import_csv.sql'
	\set csv ''
\endif
\if :{?pipeline}
\else
	\set pipeline 'Sales'
\endif
\if :{?crm}
\else
	\set crm crm
\endif

BEGIN;

-- The tables are in the CRM's schema, the functions named crm_* in the schema of
-- the extension.
SELECT extnamespace::regnamespace AS extension FROM pg_extension WHERE extname = 'crm' \gset
SET LOCAL search_path = :"crm", :extension, pg_temp;
-- The file's dates are days in UTC.
SET LOCAL timezone = 'UTC';

-- 1. The file as it is.

CREATE TEMP TABLE csv_rows (
	opportunity_id text,
	sales_agent text,
	product text,
	account text,
	deal_stage text,
	engage_date text,
	close_date text,
	close_value text,
	row_no integer GENERATED ALWAYS AS IDENTITY
) ON COMMIT DROP;

-- \copy does not expand variables, but a variable can hold the whole command.
\set copy '\\copy csv_rows (opportunity_id, sales_agent, product, account, deal_stage, engage_date, close_date, close_value) FROM ' :'csv' ' WITH (FORMAT csv, HEADER match, ENCODING ''UTF8'')'
:copy

-- 2. Refuse a file with mistakes, and say in which rows they are.

CREATE TEMP VIEW csv_problems AS
SELECT row_no, problem
FROM (SELECT *,
		deal_stage IN ('Engaging', 'Won', 'Lost') AS is_engaged,
		deal_stage IN ('Won', 'Lost') AS is_closed,
		'^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$' AS a_date,
		count(*) OVER (PARTITION BY opportunity_id) AS times
	FROM csv_rows) AS r,
	LATERAL (VALUES
		(opportunity_id IS NULL, 'no opportunity_id'),
		(opportunity_id IS NOT NULL AND times > 1, format('opportunity_id "%s" is there %s times', opportunity_id, times)),
		(deal_stage IS NULL, 'no deal_stage'),
		(deal_stage NOT IN ('Prospecting', 'Engaging', 'Won', 'Lost'), format('unknown deal_stage "%s"', deal_stage)),
		(engage_date !~ a_date, format('engage_date "%s" is not a date like 2024-12-31', engage_date)),
		(close_date !~ a_date, format('close_date "%s" is not a date like 2024-12-31', close_date)),
		(is_engaged AND engage_date IS NULL, format('%s, but no engage_date', deal_stage)),
		(is_closed AND close_date IS NULL, format('%s, but no close_date', deal_stage)),
		(NOT is_engaged AND engage_date IS NOT NULL, format('%s, but with an engage_date', deal_stage)),
		(NOT is_closed AND close_date IS NOT NULL, format('%s, but with a close_date', deal_stage)),
		-- Dates of this form sort as text.
		(close_date < engage_date, 'close_date before engage_date'),
		(close_value !~ '^-?\d{1,15}(\.\d{1,4})?$', format('close_value "%s" is not an amount', close_value))
	) AS checks (fails, problem)
WHERE fails;

DO $$
DECLARE
	problems bigint := (SELECT count(*) FROM csv_problems);
	first_ones text := (SELECT string_agg(format('row %s: %s', row_no, problem), E'\n')
		FROM (SELECT * FROM csv_problems ORDER BY row_no, problem LIMIT 10) AS p);
BEGIN
	IF problems > 0 THEN
		RAISE EXCEPTION 'the file has % mistake(s); nothing was imported', problems
			USING ERRCODE = 'data_exception', DETAIL = first_ones;
	END IF;
	IF NOT EXISTS (SELECT FROM csv_rows) THEN
		RAISE EXCEPTION 'the file has no rows; nothing was imported'
			USING ERRCODE = 'data_exception';
	END IF;
END
$$;

DROP VIEW csv_problems;

-- 3. The file with its types.  It has no dates of creation: the day of engagement
-- is used or, for deals that were never engaged, the first day in the file.

CREATE TEMP TABLE opportunities ON COMMIT DROP AS
SELECT opportunity_id,
	sales_agent,
	product,
	account,
	deal_stage,
	coalesce(engage_date::timestamptz, min(engage_date::timestamptz) OVER (), date_trunc('day', now())) AS created_at,
	engage_date::timestamptz AS engaged_at,
	close_date::timestamptz AS closed_at,
	close_value::numeric AS close_value
FROM csv_rows;

ANALYZE opportunities;

-- 4. The pipeline and its stages.

INSERT INTO pipelines (name) VALUES (:'pipeline')
RETURNING id AS pipeline_id \gset

INSERT INTO stages (pipeline_id, name, position, deal_status, probability)
VALUES (:'pipeline_id', 'Prospecting', 1, 'open', 0.2),
	(:'pipeline_id', 'Engaging', 2, 'open', 0.5),
	(:'pipeline_id', 'Won', 3, 'won', 1),
	(:'pipeline_id', 'Lost', 4, 'lost', 0);

-- 5. Every deal, in the first stage.  Agents and accounts have names but no uuids:
-- crm_external_uuid() always makes the same uuid of the same name.

INSERT INTO deals (stage_id, title, amount, owner_id, organization_id, external_id, metadata, created_at)
SELECT s.id,
	coalesce(concat_ws(', ', o.account, o.product), o.opportunity_id),
	o.close_value,
	crm_external_uuid('sales_agent', o.sales_agent),
	crm_external_uuid('account', o.account),
	o.opportunity_id,
	jsonb_strip_nulls(jsonb_build_object('product', o.product, 'account', o.account, 'sales_agent', o.sales_agent)),
	o.created_at
FROM opportunities AS o, stages AS s
WHERE s.pipeline_id = :'pipeline_id' AND s.name = 'Prospecting';

-- 6. The moves, in the order of time.

UPDATE deals AS d
SET stage_id = s.id, stage_entered_at = o.engaged_at
FROM opportunities AS o, stages AS s
WHERE d.pipeline_id = :'pipeline_id' AND d.external_id = o.opportunity_id
	AND o.engaged_at IS NOT NULL
	AND s.pipeline_id = :'pipeline_id' AND s.name = 'Engaging';

UPDATE deals AS d
SET stage_id = s.id, stage_entered_at = o.closed_at
FROM opportunities AS o, stages AS s
WHERE d.pipeline_id = :'pipeline_id' AND d.external_id = o.opportunity_id
	AND o.closed_at IS NOT NULL
	AND s.pipeline_id = :'pipeline_id' AND s.name = o.deal_stage;

SELECT count(*) AS deals, sum(move_no) AS moves
FROM deals WHERE pipeline_id = :'pipeline_id' \gset

COMMIT;
ANALYZE :"crm".deals, :"crm".stage_changes;

\echo Imported :deals deals with :moves moves into the pipeline :'pipeline'.
