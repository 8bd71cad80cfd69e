-- pipeline_summary_as_of() and deal_changes: the worked example
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT crm_install('analytics_as_of');
SET search_path = analytics_as_of, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set example :abs_srcdir '/sql/include/analytics.sql'
\i :example
\set sales '\'00000000-0000-0000-0000-000000000001\''
\set empty '\'00000000-0000-0000-0000-000000000002\''
SET crm.effective_at = '2024-02-10';
UPDATE deals SET amount = 500, expected_close_date = '2024-06-30' WHERE title = 'Epsilon';
RESET crm.effective_at;

CREATE FUNCTION told(at timestamptz) RETURNS TABLE (stage text, deals text, value text, weighted_value text) LANGUAGE sql
	SET search_path FROM CURRENT
	AS $$ SELECT s ->> 'name', s ->> 'total_deals', s ->> 'total_value', s ->> 'weighted_value'
		FROM pipeline_summary_as_of('00000000-0000-0000-0000-000000000001', at) AS r,
			jsonb_array_elements((r -> 'stages') || jsonb_build_array((r -> 'open') || '{"name": "all open ones"}', r || '{"name": "all"}'::jsonb)) AS s $$;
SELECT * FROM told('2024-01-12');
SELECT * FROM told('2024-02-05');
SELECT * FROM told('2024-02-10');
-- the first deal came on January 1
SELECT * FROM told('2023-12-31 23:59:59.999999') WHERE stage = 'all';
SELECT * FROM told('2024-01-01') WHERE stage IN ('Lead', 'all');
-- the archived one went on March 1
SELECT deals, value FROM told('2024-02-29 23:59:59.999999') WHERE stage = 'Won';
SELECT deals, value FROM told('2024-03-01') WHERE stage = 'Won';
-- the whole of it
SELECT jsonb_pretty(pipeline_summary_as_of(:sales, '2024-01-12') - 'stages');
SELECT pipeline_summary_as_of(:empty, '2024-01-12') - 'stages' AS empty;
SELECT pipeline_summary_as_of(:sales, now()) - '{as_of,source}'::text[] = pipeline_summary(:sales) - '{as_of,source}'::text[] AS now;

-- the changes of the deals
SELECT coalesce(d.title, 'Deleted') AS deal, c.change, s.name AS stage, c.status, c.changed_at < '2025-01-01' AND c.changed_at::date IS NOT NULL AS dated,
	c.version, c.old_amount, c.new_amount, c.old_expected_close_date AS old_close, c.new_expected_close_date AS new_close,
	c.old_archived_at::date, c.new_archived_at::date
FROM deal_changes AS c JOIN stages AS s ON s.id = c.stage_id LEFT JOIN deals AS d ON d.id = c.deal_id
ORDER BY c.deal_id, c.changed_at, c.version;

-- errors
\set VERBOSITY terse
SELECT pipeline_summary_as_of('00000000-0000-0000-0000-00000000dead', '2024-01-12');
SELECT pipeline_summary_as_of(:sales, NULL);
SELECT pipeline_summary_as_of(NULL, '2024-01-12');
SELECT pipeline_summary_as_of(:sales, '2999-01-01');
SELECT pipeline_summary_as_of(:sales, 'infinity');
SELECT pipeline_summary_as_of(:sales, '-infinity') ->> 'total_deals' AS deals;

RESET search_path;
DROP SCHEMA analytics_as_of CASCADE;
