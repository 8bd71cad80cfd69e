-- Exporting all data of a CRM, and importing it again, with the caller's rights.

CREATE FUNCTION @extschema@.crm_export_tables() RETURNS TABLE (no bigint, name text)
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT t.no, t.name
	FROM unnest(ARRAY['pipelines', 'stages', 'deals', 'deal_contacts', 'tags', 'deal_tags', 'exchange_rates', 'stage_changes', 'deal_changes'])
		WITH ORDINALITY AS t (name, no);
END;
COMMENT ON FUNCTION @extschema@.crm_export_tables() IS
	'The tables that crm_export() writes, in the order in which they can be filled';

CREATE FUNCTION @extschema@.crm_export_columns(schema_name text, table_name text) RETURNS text[]
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg(a.attname::text ORDER BY a.attnum)
	FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
	WHERE n.nspname = schema_name AND c.relname = table_name AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
$$;
COMMENT ON FUNCTION @extschema@.crm_export_columns(text, text) IS
	'The columns of a table that have values of their own, the user''s too';

CREATE FUNCTION @extschema@.crm_require_crm(schema_name text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM @extschema@.crm_installations() AS i WHERE i.schema_name = crm_require_crm.schema_name) THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('there is no CRM in schema "%s"', schema_name),
			HINT = 'crm_installations() lists them.';
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_require_crm(text) IS 'Refuses a schema in which there is no CRM.';

CREATE FUNCTION @extschema@.crm_require_own_crm(schema_name text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM @extschema@.crm_require_crm(schema_name);
	IF NOT EXISTS (SELECT FROM @extschema@.crm_installations() AS i
			WHERE i.schema_name = crm_require_own_crm.schema_name AND @extschema@.crm_may_run_code_of(i.owner)) THEN
		RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('only the owner of the CRM in schema "%s" can import', schema_name),
			HINT = 'SET ROLE to the owner.';
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_require_own_crm(text) IS 'Refuses a schema in which there is no CRM of the caller''s.';

CREATE FUNCTION @extschema@.crm_export(schema_name text DEFAULT 'crm', format text DEFAULT 'jsonl', table_name text DEFAULT NULL)
	RETURNS SETOF text
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC'
	SET datestyle = 'ISO, YMD'
	SET intervalstyle = 'iso_8601'
	SET bytea_output = 'hex'
	SET extra_float_digits = 1
AS $$
DECLARE
	names text[] := (SELECT array_agg(t.name ORDER BY t.no) FROM @extschema@.crm_export_tables() AS t
		WHERE crm_export.table_name IS NULL OR t.name = crm_export.table_name);
	columns text[];
	one text;
BEGIN
	PERFORM @extschema@.crm_require_crm(schema_name);
	IF format <> ALL (ARRAY['jsonl', 'csv']) OR format IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('there is no format "%s"', format), HINT = 'One of jsonl, csv.';
	END IF;
	IF names IS NULL OR (format = 'csv' AND table_name IS NULL) THEN
		RAISE EXCEPTION USING ERRCODE = '22023',
			MESSAGE = CASE WHEN names IS NULL THEN format('crm_export() has no table "%s"', table_name)
				ELSE 'a CSV file is of one table: name it' END,
			HINT = format('One of %s.', (SELECT string_agg(t.name, ', ' ORDER BY t.no) FROM @extschema@.crm_export_tables() AS t));
	END IF;
	FOREACH one IN ARRAY names LOOP
		columns := @extschema@.crm_export_columns(schema_name, one);
		IF format = 'jsonl' THEN
			RETURN QUERY EXECUTE format('SELECT json_build_object(''table'', %L, ''row'', row_to_json(r))::text FROM (SELECT %s FROM %I.%I AS t) AS r',
				one, (SELECT string_agg(format('t.%I', c.name), ', ') FROM unnest(columns) AS c (name)), schema_name, one);
		ELSE
			RETURN NEXT (SELECT string_agg('"' || replace(c.name, '"', '""') || '"', ',') FROM unnest(columns) AS c (name));
			-- Every value in quotes, so that null is not the empty text.
			RETURN QUERY EXECUTE format('SELECT concat_ws('','', %s) FROM %I.%I AS t',
				(SELECT string_agg(format('coalesce(''"'' || replace(t.%I::text, ''"'', ''""'') || ''"'', '''')', c.name), ', ')
					FROM unnest(columns) AS c (name)), schema_name, one);
		END IF;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_export(text, text, text) IS
	'Everything that a CRM has and the caller may read, history and columns of your own included, as text: ''jsonl'', a line {"table": ..., "row": ...} for each row of all tables or of one, or ''csv'', of one table, with a header; null is an empty field, the empty text is "". Times are in UTC. crm_import_export() puts the lines back. Errors: 22023 for an unknown CRM, format or table.';

CREATE FUNCTION @extschema@.crm_import_rows(import_schema text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	line bigint;
	record text;
BEGIN
	EXECUTE format('CREATE UNLOGGED TABLE %1$I.work_rows AS SELECT j.line ->> ''table'' AS name, j.line -> ''row'' AS fields '
		'FROM (SELECT l.text::jsonb AS line FROM %1$I.lines AS l WHERE btrim(l.text) <> '''') AS j', import_schema);
EXCEPTION WHEN invalid_text_representation THEN
	FOR line, record IN EXECUTE format('SELECT l.line, l.text FROM %1$I.lines AS l WHERE btrim(l.text) <> '''' ORDER BY l.line', import_schema) LOOP
		BEGIN
			PERFORM record::jsonb;
		EXCEPTION WHEN invalid_text_representation THEN
			RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('line %s is not JSON', line), DETAIL = left(record, 200),
				HINT = 'The file must be what crm_export() has written as jsonl.';
		END;
	END LOOP;
	RAISE;
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_import_rows(text) IS
	'Makes rows of the lines that crm_export() has written. Errors: 22023 with the number of the first line that is not JSON';

CREATE FUNCTION @extschema@.crm_import_export(schema_name text DEFAULT 'crm', import_schema text DEFAULT 'crm_import')
	RETURNS TABLE (table_name text, number bigint)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC'
	SET datestyle = 'ISO, YMD'
	SET intervalstyle = 'iso_8601'
AS $$
DECLARE
	columns text[];
	unknown text;
	restoring text;
	detail text;
BEGIN
	PERFORM @extschema@.crm_require_import(import_schema);
	PERFORM @extschema@.crm_require_own_crm(schema_name);
	PERFORM @extschema@.crm_import_drop_work(import_schema);
	PERFORM @extschema@.crm_import_rows(import_schema);
	EXECUTE format('SELECT min(format(''"%%s"'', r.name)) FROM %I.work_rows AS r '
		'WHERE coalesce(r.name, '''') NOT IN (SELECT t.name FROM %I.crm_export_tables() AS t)', import_schema,
		(SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'crm')) INTO unknown;
	IF unknown IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('a line is of table %s, which crm_export() does not write', unknown);
	END IF;
	-- @plpgsql_check_options: security_warnings = off
	-- The list of columns is quoted, name by name.
	-- The setting is not defined before the first call of the library.
	PERFORM @extschema@.crm_version();
	restoring := current_setting('crm.restoring');
	PERFORM set_config('crm.restoring', 'on', true);
	FOR table_name IN SELECT t.name FROM @extschema@.crm_export_tables() AS t ORDER BY t.no LOOP
		columns := @extschema@.crm_export_columns(schema_name, table_name);
		EXECUTE format('SELECT min(format(''"%%s"'', k)) FROM (SELECT DISTINCT jsonb_object_keys(r.fields) AS k FROM %I.work_rows AS r WHERE r.name = $1) AS o '
			'WHERE o.k <> ALL ($2)', import_schema) INTO unknown USING table_name, columns;
		IF unknown IS NOT NULL THEN
			RAISE EXCEPTION USING ERRCODE = '22023', HINT = 'Add it first.',
				MESSAGE = format('table "%s" has no column %s, which the export has', table_name, unknown);
		END IF;
		BEGIN
			EXECUTE format('INSERT INTO %1$I.%2$I (%3$s) SELECT %3$s FROM (SELECT r.fields FROM %4$I.work_rows AS r WHERE r.name = $1) AS r '
				'CROSS JOIN LATERAL jsonb_populate_record(NULL::%1$I.%2$I, r.fields) AS t', schema_name, table_name,
				(SELECT string_agg(quote_ident(c.name), ', ') FROM unnest(columns) AS c (name)), import_schema) USING table_name;
			GET DIAGNOSTICS number = ROW_COUNT;
		EXCEPTION WHEN unique_violation THEN
			GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
			RAISE EXCEPTION USING ERRCODE = '23505', MESSAGE = format('table "%s" has rows of the export already', table_name), DETAIL = detail,
				HINT = 'Load the lines into an empty CRM: SELECT crm_install(''other'').';
		END;
		RETURN NEXT;
	END LOOP;
	PERFORM set_config('crm.restoring', restoring, true);
	EXECUTE format('TRUNCATE %I.lines RESTART IDENTITY', import_schema);
	PERFORM @extschema@.crm_import_drop_work(import_schema);
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_import_export(text, text) IS
	'Puts the lines that crm_export() wrote as ''jsonl'', copied into the table lines of an import''s schema, into a CRM as they are: ids, history, times and all. For the owner of a CRM that has none of these rows. Returns how many rows each table got. Errors: 22023 for lines of other tables or columns, 23505 for rows that are there.';
