-- The functions of an installed CRM, and what they call.  All of it runs with
-- the caller's rights.
--
-- A function NAME of a CRM's schema is declared once, in sql/api/NAME.sql, as
-- crm_NAME(crm regnamespace, ...) with its arguments, defaults and COMMENT.
-- crm_install() makes a function NAME with the same arguments, defaults and COMMENT, but
-- without a body: it is of the language crm, whose functions call crm_NAME with their
-- own schema.
CREATE FUNCTION @extschema@.crm_call() RETURNS language_handler
LANGUAGE c VOLATILE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_call() IS
'Calls what a function of the language crm stands for: NAME of a schema for crm_NAME(regnamespace, ...) of the extension, with that schema';

CREATE FUNCTION @extschema@.crm_validate(function oid) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION @extschema@.crm_validate(oid) IS
'Refuses a function of the language crm that stands for nothing';

CREATE TRUSTED LANGUAGE crm HANDLER @extschema@.crm_call VALIDATOR @extschema@.crm_validate;
COMMENT ON LANGUAGE crm IS
'The language of the functions that crm_install() makes; they have no body';

-- The only list of them.  levels are the levels of crm_grant_access() that may execute
-- the function.  returns is its result type where this differs from crm_NAME's: the
-- table or view whose rows it returns where crm_NAME returns ids or columns, or a domain
-- over the type that crm_NAME returns.
CREATE FUNCTION @extschema@.crm_api_functions()
	RETURNS TABLE (name text, levels text[], returns text)
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT f.name, string_to_array(f.levels, ' '), f.returns
	FROM (VALUES
		('apply_stage_probability', 'admin', NULL),
		('board_page', 'read', 'text/html'),
		('changes_since', 'read', NULL),
		('context_for_deal', 'read', NULL),
		('context_for_person', 'read', NULL),
		('correct_move', 'admin', 'deals'),
		('create_pipeline', 'admin', 'pipelines'),
		('deal_history', 'read', NULL),
		('delete_stage', 'admin', NULL),
		('exchange_rate', 'read', NULL),
		('forecast', 'read', NULL),
		('funnel', 'read', NULL),
		('lost_reasons', 'read', NULL),
		('mcp', 'read', NULL),
		('merge_deals', 'admin', 'deals'),
		('move_deal', 'write agent', 'deals'),
		('pipeline_chart', 'read', NULL),
		('pipeline_page', 'read', 'text/html'),
		('pipeline_summary', 'read', NULL),
		('pipeline_summary_as_of', 'read', NULL),
		('pipeline_trend', 'read', NULL),
		('pipeline_waterfall', 'read', NULL),
		('recurring_revenue', 'read', NULL),
		('reorder_stages', 'admin', 'stages'),
		('replace_history', 'admin', 'deals'),
		('rotting_deals', 'read', 'rotting_deals'),
		('sales_cycle', 'read', NULL),
		('sales_velocity', 'read', NULL),
		('set_default_pipeline', 'admin', 'pipelines'),
		('set_primary_contact', 'write agent', 'deal_contacts'),
		('slippage', 'read', NULL),
		('stage_conversion', 'read', NULL),
		('stage_flow', 'read', NULL),
		('stage_probabilities', 'read', NULL),
		('time_in_stage', 'read', NULL),
		('undo_move', 'write agent', 'deals'),
		('unmerge_deals', 'admin', 'deals'),
		('win_rate', 'read', NULL)) AS f (name, levels, returns);
END;
COMMENT ON FUNCTION @extschema@.crm_api_functions() IS
'The functions of a CRM: the levels of crm_grant_access() that may execute each one, and the table or view whose rows it returns, or the domain that its result is of, if any';

-- The argument stages of create_pipeline, checked, one row a stage.
CREATE FUNCTION @extschema@.crm_stages_from_json(stages jsonb)
	RETURNS TABLE (number integer, name text, deal_status text, probability numeric,
		rotting_days integer, forecast_category text, external_id text, metadata jsonb)
	LANGUAGE sql VOLATILE PARALLEL SAFE
BEGIN ATOMIC
	SELECT e.n::integer, o.stage ->> 'name', o.stage ->> 'deal_status',
		(o.stage ->> 'probability')::numeric, (o.stage ->> 'rotting_days')::numeric::integer,
		o.stage ->> 'forecast_category', o.stage ->> 'external_id', nullif(o.stage -> 'metadata', 'null')
	FROM (SELECT coalesce(nullif(stages, 'null'), '[]')) AS given (stages)
		CROSS JOIN LATERAL jsonb_array_elements(
			CASE WHEN jsonb_typeof(given.stages) = 'array' OR @extschema@.crm_raise('22023',
				format('stages must be an array, not %s', jsonb_typeof(given.stages)), NULL,
				'Its elements are names, or objects such as {"name": "Proposal", "probability": 0.6}.')
			THEN given.stages END)
		WITH ORDINALITY AS e (element, n)
		CROSS JOIN LATERAL (SELECT
			CASE jsonb_typeof(e.element)
				WHEN 'string' THEN jsonb_build_object('name', e.element)
				WHEN 'object' THEN e.element
				ELSE jsonb_build_object('name', @extschema@.crm_raise('22023',
					format('stage %s must be a name or an object, not %s', e.n, jsonb_typeof(e.element)), NULL,
					'Write it as "Proposal", or as an object such as {"name": "Proposal", "probability": 0.6}.'))
			END,
			format('It is %s.', left(e.element::text, 200)),
			CASE coalesce(e.element ->> 'deal_status', 'open')
				WHEN 'won' THEN ARRAY['closed', 'omitted']
				WHEN 'lost' THEN ARRAY['omitted']
				ELSE ARRAY['pipeline', 'best_case', 'commit', 'omitted']
			END) AS o (stage, shown, categories)
	WHERE CASE WHEN (SELECT bool_and(CASE
				WHEN k.key NOT IN ('name', 'deal_status', 'probability', 'rotting_days', 'forecast_category',
					'external_id', 'metadata')
				THEN @extschema@.crm_raise('22023', format('stage %s has the unknown key "%s"', e.n, left(k.key, 40)), o.shown,
					'The keys are name, deal_status, probability, rotting_days, forecast_category, external_id and metadata.')
				WHEN jsonb_typeof(k.value) = 'null' THEN true
				WHEN jsonb_typeof(k.value) <> t.type
				THEN @extschema@.crm_raise('22023', format('%s of stage %s must be of the type %s, not %s', k.key, e.n,
						t.type, jsonb_typeof(k.value)), o.shown, format('Write it as a JSON %s.', t.type))
				WHEN k.key = 'deal_status' AND k.value #>> '{}' NOT IN ('open', 'won', 'lost')
				THEN @extschema@.crm_raise('22023', format('deal_status of stage %s must not be "%s"', e.n, left(k.value #>> '{}', 40)), o.shown,
					'It is open, won or lost.')
				WHEN k.key = 'probability' AND (k.value #>> '{}')::numeric NOT BETWEEN 0 AND 1
				THEN @extschema@.crm_raise('22023', format('probability of stage %s must not be %s', e.n, left(k.value #>> '{}', 40)), o.shown,
					'It is from 0 to 1.')
				WHEN k.key = 'rotting_days' AND ((k.value #>> '{}')::numeric NOT BETWEEN 1 AND 2147483647
					OR (k.value #>> '{}')::numeric <> trunc((k.value #>> '{}')::numeric))
				THEN @extschema@.crm_raise('22023', format('rotting_days of stage %s must not be %s', e.n, left(k.value #>> '{}', 40)), o.shown,
					'It is a whole number of days, 1 or more.')
				WHEN k.key = 'forecast_category' AND NOT k.value #>> '{}' = ANY (o.categories)
				THEN @extschema@.crm_raise('22023', format('forecast_category of stage %s must not be "%s"', e.n, left(k.value #>> '{}', 40)), o.shown,
					format('Of a stage with its deal_status it is one of %s.', array_to_string(o.categories, ', ')))
				ELSE true END)
			FROM jsonb_each(o.stage) AS k
				CROSS JOIN LATERAL (SELECT CASE k.key WHEN 'metadata' THEN 'object'
					WHEN 'probability' THEN 'number' WHEN 'rotting_days' THEN 'number'
					ELSE 'string' END) AS t (type)
		) IS NOT FALSE AND o.stage ->> 'name' ~ '[^[:space:]]' THEN true
		ELSE @extschema@.crm_raise('22023', format('stage %s has no name', e.n), o.shown, 'Give it the key name, or write its name alone.') END
	ORDER BY e.n;
END;
COMMENT ON FUNCTION @extschema@.crm_stages_from_json(jsonb) IS
'The stages that the argument of create_pipeline describes, checked: a row for each';
