-- Reports of the past decode stored rows themselves, so long as the tables are whole: they
-- tell the same after whatever the owner does to the tables between writes, as what was
-- told at the time, and as PostgreSQL decodes the rows.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT no_plan();

CREATE FUNCTION t.pick(what anyarray) RETURNS anyelement LANGUAGE sql AS $$ SELECT what[1 + floor(random() * cardinality(what))::int] $$;
-- Too long for a row unless it is compressed, or so that it is not compressed, or as usual.
CREATE FUNCTION t.long_text() RETURNS text LANGUAGE sql AS $$
    SELECT CASE floor(random() * 4)::int WHEN 0 THEN repeat('long ', 600) WHEN 1 THEN (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 100))
        WHEN 2 THEN repeat('x', (100 + random() * 100)::int) ELSE 'x' END
$$;
CREATE FUNCTION t.random_write() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    deal uuid := (SELECT id FROM crm.deals WHERE title <> 'filler' ORDER BY random() LIMIT 1);
    stages text[] := '{Lead,Qualified,Paused,Won,Lost,Due,Contacted,Renewed,Churned}';
BEGIN
    CASE floor(random() * 7)::int
        WHEN 0 THEN
            INSERT INTO crm.deals (title, description, stage_id, amount, currency, value_period)
            VALUES (left(t.long_text(), 500), t.long_text(), t.id(t.pick(stages)), nullif((random() * 100)::int, 7), t.pick('{USD,EUR,CHF}'::text[]), t.pick('{one_time,monthly}'::text[]));
        WHEN 1, 2 THEN
            UPDATE crm.deals SET stage_id = t.id(t.pick(stages)) WHERE id = deal;
        WHEN 3 THEN
            UPDATE crm.deals SET amount = nullif((random() * 1e12)::numeric, 7), currency = t.pick('{USD,EUR,NULL}'::text[]), description = t.long_text(),
                owner_id = t.pick(ARRAY[NULL, t.id('ann'), t.id('bob')]), expected_close_date = t.pick(ARRAY[NULL, '2024-02-10']::date[]) WHERE id = deal;
        WHEN 4 THEN
            UPDATE crm.deals SET probability = round(random()::numeric, 4), lost_reason = NULL, metadata = jsonb_build_object('a', t.long_text()) WHERE id = deal AND status = 'open';
        WHEN 5 THEN
            UPDATE crm.deals SET archived_at = CASE WHEN archived_at IS NULL THEN clock_timestamp() END WHERE id = deal;
        WHEN 6 THEN
            IF random() < 0.3 THEN
                DELETE FROM crm.deals WHERE id = deal;
            END IF;
    END CASE;
END $$;

-- Columns of the owner's, of each length and alignment, with and without values in the rows
-- there are; rows written anew; columns that are stored otherwise.
CREATE TABLE t.altered (statement text);
CREATE FUNCTION t.random_alter(n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    statement text := format('ALTER TABLE crm.%I ', t.pick('{deals,stage_changes,deal_changes}'::text[]))
        || format(t.pick(ARRAY['ADD COLUMN x%s bigint', 'ADD COLUMN x%s text', 'ADD COLUMN x%s point', 'ADD COLUMN x%s name',
            'ADD COLUMN x%s uuid NOT NULL DEFAULT gen_random_uuid()', 'ADD COLUMN x%s int[]', 'ADD COLUMN x%s double precision DEFAULT random()']), n);
BEGIN
    EXECUTE statement;
    INSERT INTO t.altered VALUES (statement);
END $$;

-- What a report has, without what says where it is from.
CREATE FUNCTION t.plain(report jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$ SELECT report - '{as_of,source}'::text[] $$;
CREATE TABLE t.told (n int, at timestamptz, pipeline uuid, report jsonb);
CREATE FUNCTION t.tell(n int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO t.told SELECT n, clock_timestamp(), p, t.plain(crm.pipeline_summary(p)) FROM unnest(ARRAY[t.id('Sales'), t.id('Renewals')]) AS p
$$;
CREATE TABLE t.finish (at timestamptz);
CREATE FUNCTION t.untrue() RETURNS TABLE (n int, pipeline uuid, told jsonb, is jsonb) LANGUAGE sql AS $$
    SELECT n, pipeline, report, t.plain(crm.pipeline_summary_as_of(pipeline, at)) FROM t.told WHERE t.plain(crm.pipeline_summary_as_of(pipeline, at)) <> report
$$;
-- All that is read of the tables: sums, each group of a trend, bars; in a currency, too.
CREATE FUNCTION t.reports() RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object(
        'sums', (SELECT jsonb_agg(crm.pipeline_summary_as_of(pipeline, at, 'USD') ORDER BY n, pipeline) FROM t.told WHERE n % 5 = 0),
        'trend', (SELECT jsonb_agg(r ORDER BY to_jsonb(r)::text) FROM unnest(ARRAY[t.id('Sales'), t.id('Renewals')]) AS p, unnest('{owner,expected_close_date,stage,currency}'::text[]) AS g, t.finish AS f,
            crm.pipeline_trend(p, f.at - interval '90 days', f.at, 'week', group_by => g) AS r),
        'bars', (SELECT jsonb_agg(w ORDER BY to_jsonb(w)::text) FROM unnest(ARRAY[t.id('Sales'), t.id('Renewals')]) AS p,
            unnest(ARRAY[NULL, t.id('ann')]) AS o, crm.pipeline_waterfall(p, '-infinity', 'infinity', owner_id => o) AS w))
$$;
-- The same where PostgreSQL decodes: a table that lost a column is read by the columns needed.
CREATE FUNCTION t.decoded() RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    result jsonb;
BEGIN
    ALTER TABLE crm.deals ADD COLUMN gone integer;
    ALTER TABLE crm.stage_changes ADD COLUMN gone integer;
    ALTER TABLE crm.deal_changes ADD COLUMN gone integer;
    ALTER TABLE crm.deals DROP COLUMN gone;
    ALTER TABLE crm.stage_changes DROP COLUMN gone;
    ALTER TABLE crm.deal_changes DROP COLUMN gone;
    result := t.reports();
    RAISE SQLSTATE 'RBACK';
EXCEPTION WHEN SQLSTATE 'RBACK' THEN
    RETURN result;
END $$;

SELECT setseed(0.3) \g /dev/null
INSERT INTO exchange_rates (base, quote, valid_from, rate) VALUES ('EUR', 'USD', '2020-01-01', 1.1), ('CHF', 'USD', '2020-01-01', 1.2);
INSERT INTO deals (title, stage_id, amount) SELECT 'x', id('Lead'), i FROM generate_series(1, 20) AS i;
DO $$
BEGIN
    FOR n IN 1 .. 60 LOOP
        IF n > 10 AND n % 2 = 0 THEN
            PERFORM t.random_alter(n);
        END IF;
        FOR i IN 1 .. 8 LOOP
            PERFORM t.random_write();
        END LOOP;
        PERFORM t.tell(n);
    END LOOP;
END $$;
SELECT is(count(*), 25::bigint, 'columns were added between writes') FROM t.altered;
SELECT cmp_ok((SELECT count(DISTINCT report) FROM t.told), '>', 100::bigint, 'and the sums were many');
SELECT cmp_ok((SELECT count(*) FROM deals WHERE pg_column_size(description) > 2000), '>', 5::bigint, 'with values that are stored elsewhere');
SELECT is_empty('SELECT * FROM t.untrue()', 'as was told then');

-- With times, too.
INSERT INTO deals (title, stage_id, amount, stage_entered_at) SELECT 'dated', id('Lead'), i, now() - i * interval '2 days' FROM generate_series(1, 40) AS i;
DO $$
DECLARE
    deal record;
BEGIN
    FOR n IN 101 .. 300 LOOP
        IF n % 20 = 0 THEN
            PERFORM t.random_alter(n);
        END IF;
        SELECT id, stage_entered_at AS entered INTO deal FROM crm.deals WHERE title = 'dated' ORDER BY random() LIMIT 1;
        PERFORM set_config('crm.effective_at', (deal.entered + random() * least(clock_timestamp() - deal.entered, '10 days'))::text, true);
        IF random() < 0.7 THEN
            UPDATE crm.deals SET stage_id = t.id(t.pick('{Lead,Qualified,Paused,Won,Lost,Due,Contacted,Renewed}'::text[])) WHERE id = deal.id;
        ELSE
            UPDATE crm.deals SET amount = (random() * 100)::int, currency = t.pick('{USD,EUR}'::text[]), owner_id = t.pick(ARRAY[NULL, t.id('ann'), t.id('bob')]) WHERE id = deal.id;
        END IF;
    END LOOP;
    PERFORM set_config('crm.effective_at', '', true);
END $$;
INSERT INTO t.finish VALUES (clock_timestamp());
CREATE TABLE t.known AS SELECT t.reports() AS reports;
CREATE FUNCTION t.is_known(description text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT t.is(md5(t.reports()::text), md5(reports::text), description) FROM t.known
    UNION ALL SELECT t.is(md5(t.decoded()::text), md5(reports::text), description || ', as PostgreSQL decodes it') FROM t.known
$$;
SELECT cmp_ok(count(DISTINCT r -> 'open_value'), '>', 50::bigint, 'the trend has many sums') FROM t.known, jsonb_array_elements(reports -> 'trend') AS r;
SELECT t.is_known('what was altered');

-- A large pipeline, of which the tables are read whole, without conditions.
ALTER TABLE deals DISABLE TRIGGER USER;
INSERT INTO deals (tenant_id, pipeline_id, stage_id, title, status, archived_at, stage_entered_at, created_at)
    SELECT p.tenant_id, p.id, s.id, 'filler', 'open', '2023-01-02', '2023-01-01', '2023-01-01'
    FROM pipelines AS p JOIN stages AS s ON s.id IN (id('Lead'), id('Contacted')) AND s.pipeline_id = p.id, generate_series(1, 1001);
SELECT t.is_known('a large pipeline');

-- Our columns behind those of others, and of a type of the owner's.
-- (A column that is renamed and made again is where a table made by others has it.)
CREATE DOMAIN t.money AS numeric;
CREATE DOMAIN t.code AS text;
ALTER TABLE stage_changes DISABLE TRIGGER USER;
ALTER TABLE deal_changes DISABLE TRIGGER USER;
CREATE FUNCTION t.move_column(the_table text, the_column text, type text, required text DEFAULT '', others text[] DEFAULT '{bigint,text}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE crm.%I ADD COLUMN %I %s, ADD COLUMN %I %s', the_table, 'one_' || the_column, others[1], 'two_' || the_column, others[2]);
    EXECUTE format('ALTER TABLE crm.%I RENAME COLUMN %I TO %I', the_table, the_column, 'old_' || the_column);
    EXECUTE format('ALTER TABLE crm.%I ADD COLUMN %I %s', the_table, the_column, type);
    -- Rows without a value stay as they are, shorter than others.
    EXECUTE format('UPDATE crm.%I SET %I = %I WHERE %3$I IS NOT NULL', the_table, the_column, 'old_' || the_column);
    EXECUTE format('ALTER TABLE crm.%I ALTER COLUMN %I %s', the_table, the_column, coalesce(nullif(required, ''), 'DROP NOT NULL'));
END $$;
SELECT t.move_column('stage_changes', 'entered_at', 'timestamptz', 'SET NOT NULL') \g /dev/null
SELECT t.move_column('stage_changes', 'from_probability', 'numeric') \g /dev/null
SELECT t.move_column('deal_changes', 'old_amount', 'numeric') \g /dev/null
SELECT t.move_column('deal_changes', 'old_currency', 'text') \g /dev/null
SELECT t.move_column('deal_changes', 'status', 'text', 'SET NOT NULL') \g /dev/null
SELECT t.move_column('deals', 'expected_close_date', 'date') \g /dev/null
SELECT t.is_known('columns elsewhere');
ALTER TABLE deal_changes ALTER COLUMN old_amount TYPE t.money, ALTER COLUMN old_currency TYPE t.code;
SELECT t.is_known('domains');

-- NOT NULL that does not hold: a child of the table may be without it, until PostgreSQL 18; from then on it may be
-- not valid.  A row in which there is nothing where something has to be is passed over, and ends no server.
SELECT current_setting('server_version_num')::int >= 180000 AS children_keep_it \gset
CREATE FUNCTION t.require_nothing(the_table text, the_column text, children_keep_it boolean) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    known text := (SELECT md5(reports::text) FROM t.known); read text; decoded text;
BEGIN
    BEGIN
        EXECUTE format('ALTER TABLE crm.%I DROP CONSTRAINT IF EXISTS deals_check', the_table);
        IF children_keep_it THEN
            EXECUTE format('ALTER TABLE crm.%I ALTER %I DROP NOT NULL', the_table, the_column);
        END IF;
        EXECUTE format('CREATE TABLE crm.child () INHERITS (crm.%I)', the_table);
        EXECUTE format('ALTER TABLE crm.child ALTER %I DROP NOT NULL', the_column);
        EXECUTE format('INSERT INTO crm.child SELECT * FROM ONLY crm.%I LIMIT 50', the_table);
        EXECUTE format('UPDATE crm.child SET %I = NULL', the_column);
        IF children_keep_it THEN
            EXECUTE format('ALTER TABLE crm.%I ADD CONSTRAINT nothing NOT NULL %I NOT VALID', the_table, the_column);
        END IF;
        read := md5(t.reports()::text);
        decoded := md5(t.decoded()::text);
        RAISE SQLSTATE 'RBACK';
    EXCEPTION WHEN SQLSTATE 'RBACK' THEN
        NULL;
    END;
    RETURN NEXT t.is(read, known, format('nothing in %s.%s', the_table, the_column));
    RETURN NEXT t.is(decoded, known, format('nothing in %s.%s, as PostgreSQL decodes it', the_table, the_column));
END $$;
SELECT require_nothing(r[1], r[2], :'children_keep_it')
    FROM unnest('{deals.stage_id,deals.pipeline_id,stage_changes.from_stage_id,stage_changes.to_status,deal_changes.change,deal_changes.deal_id}'::text[]) AS c,
        string_to_array(c, '.') AS r;

-- More columns than are decoded here.
SELECT format('ALTER TABLE crm.%I %s', n, (SELECT string_agg(format('ADD COLUMN many%s %s', i, CASE WHEN i % 2 = 0 THEN 'int DEFAULT 1' ELSE 'text' END), ', ') FROM generate_series(1, 70) AS i))
    FROM unnest('{deals,stage_changes,deal_changes}'::text[]) AS n \gexec
SELECT t.is_known('a hundred columns');
-- Of a byte, of two, and with values that old rows do not have: PostgreSQL decodes them.

SELECT t.move_column('deals', 'probability', 'numeric', '', ARRAY['boolean NOT NULL DEFAULT true', 'smallint']) \g /dev/null
SELECT t.move_column('stage_changes', 'reverts_no', 'int', '', ARRAY['"char"', 'smallint NOT NULL DEFAULT 7']) \g /dev/null
SELECT t.move_column('deal_changes', 'old_owner_id', 'uuid', '', ARRAY['timetz DEFAULT ''10:00''', 'text DEFAULT repeat(''y'', 300)']) \g /dev/null
SELECT t.is_known('columns behind them');

SELECT * FROM finish();
ROLLBACK;
