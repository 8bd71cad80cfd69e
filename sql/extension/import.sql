-- Importing the deals of another system with their history, and the policies for what
-- the files leave open.  All of it runs with the caller's rights.

-- The only list of the policies; the first choice is the default.
CREATE FUNCTION @extschema@.crm_import_policies()
	RETURNS TABLE (name text, choices text[], decides text)
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT p.name, string_to_array(p.choices, ' '), p.decides
	FROM (VALUES
		('rejects', 'stop skip', 'while something is rejected: import nothing, or import everything else'),
		('duplicates', 'reject first last', 'several different lines for one deal: reject the deal, or use the first or the last line. Identical lines count as one'),
		('unknown_stages', 'reject create', 'a pipeline or stage that exists neither in the CRM nor in the mapping: reject the deal, or create it'),
		('unknown_owners', 'derive reject', 'an owner without a mapping: compute a uuid from the name, or reject the deal'),
		('amount_scale', 'reject round', 'an amount with more than 4 decimals: reject the deal, or round the amount'),
		('out_of_order', 'sort reject', 'moves that are not in the order of time in the file: sort them, or reject the deal'),
		('ties', 'reject lines', 'several moves at the same time, which their stages do not put in order: reject the deal, or use the order of lines'),
		('gaps', 'reject bridge ignore', 'a move that starts in another stage than the move before ended in: reject the deal, add a move between them at the same time, or ignore where the move started'),
		('missing_first_stage', 'first_known first_open reject', 'the stage at the creation is not known: begin the history with the first known stage, assume the first open stage of the pipeline, or reject the deal'),
		('missing_created', 'first_move reject', 'no time of creation: use the time of the first move or of closing, or reject the deal'),
		('undated', 'reject now earliest', 'no time at all: reject the deal, or use the time of the import or the earliest time of all deals'),
		('moved_before_created', 'first_move reject', 'a move before the creation: use its time as the time of creation, or reject the deal'),
		('closed_without_date', 'reject last_known now', 'a closed deal without the time of closing: reject the deal, or use the time of its last move or of the import'),
		('close_differs', 'history closed_at reject', 'the history closes the deal at another time than the deal says: use the time of the history or of the deal, or reject the deal'),
		('ends_elsewhere', 'reject history now', 'the history ends in another stage than the deal is in: reject the deal, use the stage of the history, or add a move at the time of the import'),
		('values_end_elsewhere', 'now history reject', 'the changes of values end with other values than the deal has: add a change at the time of the import, use the values of the history, or reject the deal'),
		('changed_here', 'reject keep replace', 'the file has more history of a deal that was changed or deleted in the CRM since its import, or that did not come from this source: reject the deal, keep it, or replace it')
	) AS p (name, choices, decides);
END;
COMMENT ON FUNCTION @extschema@.crm_import_policies() IS
	'What crm_import() is to do where the files leave something open: each policy, its choices, the first one being the default, and what it decides';

CREATE FUNCTION @extschema@.crm_import_chosen(policies jsonb) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wrong record;
BEGIN
	IF jsonb_typeof(policies) <> 'object' THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'policies must be an object, such as {"rejects": "skip"}';
	END IF;
	SELECT c.key, c.value, p.choices INTO wrong
	FROM jsonb_each_text(policies) AS c LEFT JOIN @extschema@.crm_import_policies() AS p ON p.name = c.key
	WHERE p.name IS NULL OR c.value IS NULL OR c.value <> ALL (p.choices) ORDER BY c.key LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = '22023',
			MESSAGE = CASE WHEN wrong.choices IS NULL THEN format('there is no policy "%s"', wrong.key)
				ELSE format('policy "%s" cannot be "%s"', wrong.key, wrong.value) END,
			HINT = CASE WHEN wrong.choices IS NULL THEN 'crm_import_policies() lists them.'
				ELSE format('One of %s.', array_to_string(wrong.choices, ', ')) END;
	END IF;
	RETURN (SELECT jsonb_object_agg(p.name, coalesce(policies ->> p.name, p.choices[1])) FROM @extschema@.crm_import_policies() AS p);
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_import_chosen(jsonb) IS
	'All policies, those that are not given being the defaults. Errors: 22023 for an unknown policy or choice';

CREATE FUNCTION @extschema@.crm_import_drop_work(import_schema text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	table_name text;
BEGIN
	FOR table_name IN SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE n.nspname = import_schema AND c.relkind = 'r' AND c.relname LIKE 'work\_%'
	LOOP
		EXECUTE format('DROP TABLE %I.%I', import_schema, table_name);
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_import_drop_work(text) IS
	'Drops what crm_import() makes in the schema of an import while it runs';

-- Reads and checks all files; changes nothing in the CRM, except that it may create stages.
CREATE FUNCTION @extschema@.crm_import_check(crm text, import_schema text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	creates boolean;
BEGIN
	EXECUTE format('SELECT r.policies ->> ''unknown_stages'' = ''create'' FROM %I.run AS r', import_schema) INTO creates;
	EXECUTE format('TRUNCATE %1$I.rejects, %1$I.report RESTART IDENTITY', import_schema);
	EXECUTE format('INSERT INTO %1$I.rejects SELECT r.file, r.line, r.external_id, r.column_name, r.record, r.problem FROM %1$I.rows AS r WHERE r.problem IS NOT NULL',
		import_schema);
	EXECUTE format('ANALYZE %1$I.run, %1$I.mapping, %1$I.imported, %1$I.deals, %1$I.moves, %1$I.value_changes', import_schema);
	RAISE NOTICE 'import: reading deals';
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_read_deals(), crm, import_schema);
	EXECUTE format('ANALYZE %1$I.work_deals', import_schema);
	RAISE NOTICE 'import: reading moves and changes of values';
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_read_moves(), crm, import_schema);
	EXECUTE format('ANALYZE %1$I.work_moves, %1$I.work_values', import_schema);
	RAISE NOTICE 'import: finding stages, owners, currencies';
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_places(), crm, import_schema);
	IF creates THEN
		PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_make_places(), crm, import_schema);
	END IF;
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_find_places(), crm, import_schema);
	EXECUTE format('ANALYZE %1$I.work_pipelines, %1$I.work_stages, %1$I.work_places, %1$I.work_endings', import_schema);
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_resolve_deals(), crm, import_schema);
	EXECUTE format('ANALYZE %1$I.work_people, %1$I.work_final, %1$I.rejects', import_schema);
	RAISE NOTICE 'import: putting moves in order';
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_order_moves(), crm, import_schema);
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_plan_deals(), crm, import_schema);
	EXECUTE format('ANALYZE %1$I.rejects', import_schema);
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_make_visits(), crm, import_schema);
	RAISE NOTICE 'import: putting changes of values in order';
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_make_changes(), crm, import_schema);
	RAISE NOTICE 'import: comparing with what is here';
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_make_ready(), crm, import_schema);
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_target(), crm, import_schema);
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_report(), crm, import_schema);
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_import_check(text, text) IS
	'Works out, from the tables of an import, the deals and their history as they are to be, what cannot be used, and the report';

-- Writes the results to the CRM.
CREATE FUNCTION @extschema@.crm_import_write(crm text, import_schema text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	batch CONSTANT bigint := 20000;
	last_no bigint;
	replaced bigint;
	restoring text := current_setting('crm.restoring');
	effective_at text := current_setting('crm.effective_at');
	writes text[] := ARRAY[
		@extschema@.crm_import_text(@extschema@.crm_import_sql_write_deals(), crm, import_schema),
		@extschema@.crm_import_text(@extschema@.crm_import_sql_write_moves(), crm, import_schema),
		@extschema@.crm_import_text(@extschema@.crm_import_sql_write_changes(), crm, import_schema)];
	statement text;
BEGIN
	EXECUTE format('SELECT max(t.no), count(*) FILTER (WHERE t.action = ''replace'') FROM %I.work_target AS t', import_schema)
		INTO last_no, replaced;
	PERFORM set_config('crm.restoring', 'off', true), set_config('crm.effective_at', '', true);
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_supersede(), crm, import_schema);
	FOR start_no IN 1 .. coalesce(last_no, 0) BY batch LOOP
		-- The rows are complete and are stored as they are, as their history is written, too.
		PERFORM set_config('crm.restoring', 'on', true);
		FOREACH statement IN ARRAY writes LOOP
			EXECUTE statement USING start_no, start_no + batch;
		END LOOP;
		PERFORM set_config('crm.restoring', 'off', true);
		RAISE NOTICE 'import: % of % deals written', least(start_no + batch - 1, last_no), last_no;
	END LOOP;
	IF replaced > 0 THEN
		PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_follow(), crm, import_schema);
	END IF;
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_write_links(), crm, import_schema);
	PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_finish(), crm, import_schema);
	PERFORM set_config('crm.restoring', restoring, true), set_config('crm.effective_at', effective_at, true);
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_import_write(text, text) IS
	'Writes the deals and the history that crm_import_check() has worked out';

CREATE FUNCTION @extschema@.crm_require_undistributed(crm text) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	schemas CONSTANT regclass := to_regclass('pg_catalog.pg_dist_schema');
	is_distributed boolean := false;
BEGIN
	IF schemas IS NOT NULL THEN
		EXECUTE format('SELECT EXISTS (SELECT FROM %s AS s WHERE s.schemaid = to_regnamespace($1)::oid)', schemas)
			INTO is_distributed USING quote_ident(crm);
	END IF;
	IF is_distributed THEN
		RAISE EXCEPTION USING ERRCODE = '0A000', MESSAGE = format('nothing can be imported into schema "%s", which Citus has distributed', crm),
			DETAIL = 'The tables of the import are on this node, and Citus does not join them with those of the CRM.',
			HINT = 'Import into a CRM that is not distributed, then call crm_distribute(), or crm_export() and crm_import_export().';
	END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_require_undistributed(text) IS
	'Errors: 0A000 if Citus has distributed the CRM in that schema; for crm_import()';

CREATE FUNCTION @extschema@.crm_import(schema_name text, source text, import_schema text DEFAULT 'crm_import',
	amount_format text DEFAULT '1234.56', time_format text DEFAULT 'iso', time_zone text DEFAULT 'UTC',
	currency text DEFAULT NULL, policies jsonb DEFAULT '{}', check_only boolean DEFAULT false)
	RETURNS TABLE (what text, number bigint)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET work_mem = '64MB'
AS $$
DECLARE
	tenancy text;
	chosen jsonb := @extschema@.crm_import_chosen(coalesce(crm_import.policies, '{}'));
	rejected bigint;
	creates boolean := chosen ->> 'unknown_stages' = 'create';
BEGIN
	PERFORM @extschema@.crm_require_import(import_schema);
	PERFORM @extschema@.crm_require_own_crm(schema_name);
	PERFORM @extschema@.crm_require_undistributed(schema_name);
	SELECT i.tenancy INTO tenancy FROM @extschema@.crm_installations() AS i WHERE i.schema_name = crm_import.schema_name;
	IF coalesce(btrim(source), '') = '' THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'source must be the name of the system that the deals come from';
	END IF;
	IF currency IS NOT NULL AND NOT @extschema@.crm_is_currency(currency) THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('"%s" is no currency of ISO 4217', currency);
	END IF;
	-- Evaluated here so that a wrong argument is an error even if the files are empty.
	PERFORM @extschema@.crm_import_amount('', amount_format), @extschema@.crm_import_time('', time_format, time_zone);
	-- One import at a time.
	EXECUTE format('LOCK TABLE %I.run IN ACCESS EXCLUSIVE MODE', import_schema);
	EXECUTE format('DELETE FROM %I.run', import_schema);
	EXECUTE format('INSERT INTO %I.run VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)', import_schema)
		USING schema_name, source, CASE tenancy WHEN 'shared' THEN @extschema@.crm_current_tenant()
			ELSE '00000000-0000-0000-0000-000000000000' END,
			amount_format, time_format, time_zone, currency, chosen, @extschema@.crm_current_actor(), clock_timestamp(),
			clock_timestamp() + current_setting('crm.clock_tolerance')::interval;
	EXECUTE format('SELECT count(*) FROM (SELECT FROM %1$I.deals UNION ALL SELECT FROM %1$I.rows AS r WHERE r.problem IS NOT NULL) AS d', import_schema) INTO rejected;
	IF rejected = 0 THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'there are no deals to import';
	END IF;
	PERFORM @extschema@.crm_import_drop_work(import_schema);
	PERFORM @extschema@.crm_import_check(schema_name, import_schema);
	EXECUTE format('SELECT count(*) FROM %I.rejects', import_schema) INTO rejected;
	IF rejected > 0 THEN
		RAISE NOTICE 'import: % lines rejected, see table %.rejects', rejected, quote_ident(import_schema);
	END IF;
	IF NOT coalesce(check_only, false) AND (rejected = 0 OR chosen ->> 'rejects' = 'skip') THEN
		PERFORM @extschema@.crm_import_write(schema_name, import_schema);
		EXECUTE format('INSERT INTO %I.report (what, number) VALUES (''written'', 1)', import_schema);
	ELSE
		IF creates THEN
			PERFORM @extschema@.crm_import_step(@extschema@.crm_import_sql_unmake_places(), schema_name, import_schema);
		END IF;
		EXECUTE format('INSERT INTO %I.report (what, number) VALUES (''written'', 0)', import_schema);
	END IF;
	PERFORM @extschema@.crm_import_drop_work(import_schema);
	FOR what, number IN EXECUTE format('SELECT r.what, r.number FROM %I.report AS r ORDER BY r.no', import_schema) LOOP
		RETURN NEXT;
	END LOOP;
END;
$$;
COMMENT ON FUNCTION @extschema@.crm_import(text, text, text, text, text, text, text, jsonb, boolean) IS
	'Imports the deals, moves and changes of values in the tables of the import''s schema into a CRM, with their whole history, set-based and in the transaction of the call: all of it or, by policy rejects, nothing. source names the system that they come from. Formats are declared, see crm_import_amount() and crm_import_time(); currency is that of amounts that come without one, else the pipeline''s. policies are those of crm_import_policies(). Deals that were imported before get the history that the files have now, if it is another one; what they had is kept in deal_changes. check_only writes nothing. Returns a report; what could not be used is in the table rejects. For the CRM''s owner. Errors: 22023 for an unknown CRM, format or policy.';
