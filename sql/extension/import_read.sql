-- Reading files for an import: a schema of the import's own, and the CSV files that
-- were copied into it.  All of it runs with the caller's rights.

-- A step of an import, for a CRM and the import's schema.
CREATE FUNCTION @extschema@.crm_import_step(step text, crm text, import_schema text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- @plpgsql_check_options: security_warnings = off
	-- step is a text of the extension's, the names in it are quoted.
	EXECUTE @extschema@.crm_import_text(step, crm, import_schema);
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_import_step(text, text, text) IS
	'Runs a text of an import, such as crm_import_sql_read_moves(), over these schemas';

CREATE FUNCTION @extschema@.crm_import_text(step text, crm text, import_schema text) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	-- Each part is replaced only once, as a schema's name could contain a placeholder.
	SELECT string_agg(CASE WHEN p.part = 'crm' AND p.no % 2 = 0 THEN quote_ident(crm_import_text.crm)
			WHEN p.part = 'import' AND p.no % 2 = 0 THEN quote_ident(crm_import_text.import_schema)
			WHEN p.part = 'extension' AND p.no % 2 = 0 THEN quote_ident(x.nspname)
			ELSE p.part END, '' ORDER BY p.no)
	FROM string_to_table(step, '@') WITH ORDINALITY AS p (part, no)
		CROSS JOIN (SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
			WHERE e.extname = 'crm') AS x;
END;
COMMENT ON FUNCTION @extschema@.crm_import_text(text, text, text) IS
	'The text of a step of an import, with the names of the schemas in place of crm, import and extension between two signs @; it has no others';

CREATE FUNCTION @extschema@.crm_may_run_code_of(owner text) RETURNS boolean
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	-- A superuser has everybody's rights, and would run what anybody has attached to a table.
	SELECT CASE WHEN u.rolsuper THEN (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = crm_may_run_code_of.owner)
		ELSE pg_has_role(crm_may_run_code_of.owner::name, 'USAGE') END
	FROM pg_roles AS u WHERE u.rolname = current_user
$$;
COMMENT ON FUNCTION @extschema@.crm_may_run_code_of(text) IS
	'Whether the caller imports from and into tables of that role, and so runs the triggers that it has attached to them: one whose rights the caller has; for a superuser, another superuser.';

CREATE FUNCTION @extschema@.crm_require_import(import_schema text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
			WHERE n.nspname = import_schema AND c.relname = 'imported' AND c.relkind = 'r') THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('schema "%s" is none of an import', import_schema),
			HINT = 'Call crm_prepare_import() first.';
	END IF;
	IF EXISTS (SELECT FROM (SELECT n.nspowner FROM pg_namespace AS n WHERE n.nspname = import_schema
			UNION SELECT c.relowner FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = import_schema) AS o (owner)
		WHERE NOT @extschema@.crm_may_run_code_of(pg_get_userbyid(o.owner))) THEN
		RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = format('schema "%s" is not yours, or has tables of others', import_schema),
			HINT = 'Choose another schema for the import, or SET ROLE to the owner of this one.';
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_require_import(text) IS
	'Refuses a schema that crm_prepare_import() did not make, or that is not the caller''s.';

CREATE FUNCTION @extschema@.crm_prepare_import(import_schema text DEFAULT 'crm_import') RETURNS text
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF to_regnamespace(quote_ident(import_schema)) IS NULL THEN
		EXECUTE format('CREATE SCHEMA %I', import_schema);
		PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_tables(), import_schema, import_schema);
	ELSE
		PERFORM @extschema@.crm_require_import(import_schema);
		EXECUTE format('TRUNCATE %1$I.lines, %1$I.rows, %1$I.deals, %1$I.moves, %1$I.value_changes RESTART IDENTITY', import_schema);
	END IF;
	RETURN import_schema;
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_prepare_import(text) IS
	'Makes the schema of an import, with the tables that files are copied into: deals, moves, value_changes, and mapping for what their values are called here. Of one that is there it empties those tables but mapping, for another file. Returns the name of the schema.';

CREATE FUNCTION @extschema@.crm_import_records(import_schema text)
	RETURNS TABLE (line bigint, record text)
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	has_open_quotes boolean;
BEGIN
	-- @plpgsql_check_options: extra_warnings = off
	-- plpgsql_check does not see the columns of dynamic queries.
	EXECUTE format('SELECT EXISTS (SELECT FROM %I.lines AS l WHERE (length(l.text) - length(replace(l.text, ''"'', ''''))) %% 2 = 1)', import_schema)
		INTO has_open_quotes;
	IF NOT has_open_quotes THEN
		RETURN QUERY EXECUTE format('SELECT l.line, l.text FROM %I.lines AS l', import_schema);
	ELSE
		-- A record ends with the line where its quotes are closed.
		RETURN QUERY EXECUTE format($query$
			SELECT min(s.line), string_agg(s.text, E'\n' ORDER BY s.line)
			FROM (SELECT o.line, o.text, count(*) FILTER (WHERE o.quotes_before %% 2 = 0) OVER (ORDER BY o.line) AS no
				FROM (SELECT q.line, q.text, coalesce(sum(q.quotes) OVER (ORDER BY q.line ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
						AS quotes_before
					FROM (SELECT l.line, l.text, length(l.text) - length(replace(l.text, '"', '')) AS quotes FROM %I.lines AS l) AS q) AS o) AS s
			GROUP BY s.no
		$query$, import_schema);
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_import_records(text) IS
	'The records of the file that was copied into the table lines, with the number of the line in which each begins';

CREATE FUNCTION @extschema@.crm_import_header(record text, delimiter text) RETURNS text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT array_agg(CASE
			WHEN n.name = '' THEN format('column %s', n.no)
			WHEN n.time > 1 THEN format('%s (%s)', n.name, n.time)
			ELSE n.name END ORDER BY n.no)
	FROM (SELECT f.no, f.name, row_number() OVER (PARTITION BY f.name ORDER BY f.no) AS time
		FROM (SELECT c.no, btrim(coalesce(c.name, '')) AS name
			FROM unnest(@extschema@.crm_import_fields(
				-- the byte order mark, if there is one
				CASE WHEN getdatabaseencoding() = 'UTF8' AND left(record, 1) = convert_from('\xefbbbf', 'UTF8')
					THEN substr(record, 2) ELSE record END, delimiter))
				WITH ORDINALITY AS c (name, no)) AS f) AS n;
END;
COMMENT ON FUNCTION @extschema@.crm_import_header(text, text) IS
	'The names in the first line of a CSV file, without a byte order mark; one that comes again gets a number';

CREATE FUNCTION @extschema@.crm_import_read(import_schema text, file text, delimiter text DEFAULT ',', required text[] DEFAULT '{}')
	RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	header text[];
	first_line bigint;
	missing text;
	number bigint;
	extension name := (SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'crm');
BEGIN
	PERFORM @extschema@.crm_require_import(import_schema);
	SELECT r.line, @extschema@.crm_import_header(r.record, delimiter) INTO first_line, header
	FROM @extschema@.crm_import_records(import_schema) AS r
	WHERE btrim(r.record) <> '' ORDER BY r.line LIMIT 1;
	IF first_line IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('file "%s" is empty', file);
	ELSIF header IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('the header of file "%s" is not CSV with the delimiter "%s"', file, delimiter);
	END IF;
	SELECT string_agg(format('"%s"', q.name), ', ') INTO missing
	FROM unnest(required) AS q (name) WHERE q.name <> ALL (header);
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('file "%s" has no column %s', file, missing),
			DETAIL = format('Its columns are %s.', (SELECT string_agg(format('"%s"', h.name), ', ') FROM unnest(header) AS h (name))),
			HINT = CASE WHEN cardinality(header) = 1 THEN format('Its delimiter may be another one than "%s".', delimiter)
				ELSE 'Columns may be in any order, but have to have these names.' END;
	END IF;
	EXECUTE format($query$
		INSERT INTO %1$I.rows (file, line, fields, problem, record)
		SELECT $1, f.line,
			CASE WHEN f.problem IS NULL THEN jsonb_object($2, f.fields[:cardinality($2)]) END,
			f.problem, CASE WHEN f.problem IS NOT NULL THEN left(f.record, 200) END
		FROM (SELECT r.line, r.record, r.fields, CASE
					WHEN r.fields IS NULL THEN 'quotes that do not end, or something behind them'
					WHEN cardinality(r.fields) < cardinality($2)
						OR EXISTS (SELECT FROM unnest(r.fields[cardinality($2) + 1:]) AS x (value) WHERE x.value IS NOT NULL)
					THEN format('%%s fields, and the header has %%s', cardinality(r.fields), cardinality($2)) END AS problem
			FROM (SELECT q.line, q.record, %2$I.crm_import_fields(q.record, $3) AS fields
				FROM %2$I.crm_import_records($4) AS q
				WHERE q.line > $5 AND btrim(q.record) <> '') AS r
			WHERE r.fields IS NULL OR EXISTS (SELECT FROM unnest(r.fields) AS x (value) WHERE btrim(x.value) <> '')) AS f
	$query$, import_schema, extension) USING file, header, delimiter, import_schema, first_line;
	GET DIAGNOSTICS number = ROW_COUNT;
	EXECUTE format('TRUNCATE %I.lines RESTART IDENTITY', import_schema);
	RETURN number;
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_import_read(text, text, text, text[]) IS
	'Takes the CSV file apart whose lines were copied into the table lines of the import''s schema: rows of the table rows, under that name of the file, by the names in its header, in whatever order. Returns their number. Errors: 22023 for an empty file, one whose header is not CSV with that delimiter, or that lacks a column of required.';
