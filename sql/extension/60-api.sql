-- What the functions of an installed CRM call.  All of it runs with the
-- caller's rights.

CREATE FUNCTION crm_current_row(type anyelement, id uuid) RETURNS anyelement
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION crm_current_row(anyelement, uuid) IS
'The row of that id in the table whose row type the first argument has, as it is now, also if it changed since the calling statement began; null if there is none';

CREATE FUNCTION crm_set_default_pipeline(pipelines regclass, pipeline_id uuid) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION crm_set_default_pipeline(regclass, uuid) IS
'Makes a pipeline its tenant''s default; what set_default_pipeline of an installed CRM calls';

CREATE FUNCTION crm_reorder_stages(stages regclass, pipeline_id uuid, stage_ids uuid[]) RETURNS uuid[]
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION crm_reorder_stages(regclass, uuid, uuid[]) IS
'Puts the stages of a pipeline in that order; what reorder_stages of an installed CRM calls';

CREATE FUNCTION crm_delete_stage(stages regclass, stage_id uuid, move_deals_to uuid) RETURNS integer
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION crm_delete_stage(regclass, uuid, uuid) IS
'Moves the deals of a stage to another one and deletes it; what delete_stage of an installed CRM calls';

CREATE FUNCTION crm_move_deal(deals regclass, deal_id uuid, stage_id uuid, effective_at timestamptz,
	lost_reason text, expected_stage_id uuid) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION crm_move_deal(regclass, uuid, uuid, timestamptz, text, uuid) IS
'Moves a deal to a stage; what move_deal of an installed CRM calls';

CREATE FUNCTION crm_set_primary_contact(deal_contacts regclass, deal_id uuid, contact_id uuid) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION crm_set_primary_contact(regclass, uuid, uuid) IS
'Makes a contact the primary one of its deal; what set_primary_contact of an installed CRM calls';

-- The argument stages of create_pipeline, checked, one row a stage.
CREATE FUNCTION crm_stages_from_json(stages jsonb)
	RETURNS TABLE (number integer, name text, deal_status text, probability numeric,
		rotting_days integer, forecast_category text, external_id text, metadata jsonb)
	LANGUAGE sql VOLATILE PARALLEL SAFE
BEGIN ATOMIC
	SELECT e.n::integer, o.stage ->> 'name', o.stage ->> 'deal_status',
		(o.stage ->> 'probability')::numeric, (o.stage ->> 'rotting_days')::numeric::integer,
		o.stage ->> 'forecast_category', o.stage ->> 'external_id', nullif(o.stage -> 'metadata', 'null')
	FROM (SELECT coalesce(nullif(stages, 'null'), '[]')) AS given (stages)
		CROSS JOIN LATERAL jsonb_array_elements(
			CASE WHEN jsonb_typeof(given.stages) = 'array' OR crm_raise('22023',
				format('stages must be an array, not %s', jsonb_typeof(given.stages)), NULL,
				'Its elements are names, or objects such as {"name": "Proposal", "probability": 0.6}.')
			THEN given.stages END)
		WITH ORDINALITY AS e (element, n)
		CROSS JOIN LATERAL (SELECT
			CASE jsonb_typeof(e.element)
				WHEN 'string' THEN jsonb_build_object('name', e.element)
				WHEN 'object' THEN e.element
				ELSE jsonb_build_object('name', crm_raise('22023',
					format('stage %s must be a name or an object, not %s', e.n, jsonb_typeof(e.element))))
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
				THEN crm_raise('22023', format('stage %s has the unknown key "%s"', e.n, k.key), o.shown,
					'The keys are name, deal_status, probability, rotting_days, forecast_category, external_id and metadata.')
				WHEN jsonb_typeof(k.value) = 'null' THEN true
				WHEN jsonb_typeof(k.value) <> t.type
				THEN crm_raise('22023', format('%s of stage %s must be %s %s, not %s', k.key, e.n,
						CASE t.type WHEN 'object' THEN 'an' ELSE 'a' END, t.type, jsonb_typeof(k.value)), o.shown)
				WHEN k.key = 'deal_status' AND k.value #>> '{}' NOT IN ('open', 'won', 'lost')
				THEN crm_raise('22023', format('deal_status of stage %s must be open, won or lost', e.n), o.shown)
				WHEN k.key = 'probability' AND (k.value #>> '{}')::numeric NOT BETWEEN 0 AND 1
				THEN crm_raise('22023', format('probability of stage %s must be between 0 and 1', e.n), o.shown)
				WHEN k.key = 'rotting_days' AND ((k.value #>> '{}')::numeric NOT BETWEEN 1 AND 2147483647
					OR (k.value #>> '{}')::numeric <> trunc((k.value #>> '{}')::numeric))
				THEN crm_raise('22023', format('rotting_days of stage %s must be a whole number, at least 1', e.n), o.shown)
				WHEN k.key = 'forecast_category' AND NOT k.value #>> '{}' = ANY (o.categories)
				THEN crm_raise('22023', format('forecast_category of stage %s must be %s', e.n, array_to_string(o.categories, ' or ')), o.shown)
				ELSE true END)
			FROM jsonb_each(o.stage) AS k
				CROSS JOIN LATERAL (SELECT CASE k.key WHEN 'metadata' THEN 'object'
					WHEN 'probability' THEN 'number' WHEN 'rotting_days' THEN 'number'
					ELSE 'string' END) AS t (type)
		) IS NOT FALSE AND o.stage ->> 'name' ~ '[^[:space:]]' THEN true
		ELSE crm_raise('22023', format('stage %s has no name', e.n), o.shown) END
	ORDER BY e.n;
END;
COMMENT ON FUNCTION crm_stages_from_json(jsonb) IS
'The stages that the argument of create_pipeline describes, checked: a row for each';
