-- History and totals are stored without SQL, or by an INSERT where the table needs
-- one: what is stored, and each error, is the same either way.  With one snapshot
-- nothing is summed up meanwhile.
BEGIN ISOLATION LEVEL REPEATABLE READ;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(69);
SET LOCAL crm.effective_at = '2025-01-01';

-- Whether rows were last written to the table by INSERT: else the session has a plan for them.
CREATE FUNCTION t.is_by_sql(target text) RETURNS boolean LANGUAGE sql AS $$
    SELECT NOT EXISTS (SELECT FROM pg_backend_memory_contexts WHERE name = 'crm row plan' AND ident = target)
$$;

-- All kinds of writes to deals.
CREATE FUNCTION t.write() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO deals (id, title, amount, value_period) VALUES (id('a'), 'a', 12.5, 'monthly'), (id('b'), 'b', NULL, 'one_time'), (id('c'), 'c', 7, 'annual');
    UPDATE deals SET stage_id = id('Qualified') WHERE id = id('a');
    SET LOCAL crm.effective_at = '2025-01-02';
    UPDATE deals SET stage_id = id('Paused'), amount = 1234.5678 WHERE id IN (id('a'), id('b'));
    SET LOCAL crm.actor = 'somebody';
    UPDATE deals SET stage_id = id('Lost'), lost_reason = 'price "x"' WHERE id = id('b');
    UPDATE deals SET stage_id = id('Won') WHERE id = id('c');
    SET LOCAL crm.effective_at = '2025-01-03';
    UPDATE deals SET stage_id = id('Lead') WHERE id = id('b');
    UPDATE deals SET pipeline_id = id('Renewals');
    PERFORM undo_move(id('c'));
    UPDATE deals SET archived_at = '2025-01-04' WHERE id = id('a');
    DELETE FROM deals WHERE id = id('b');
    RESET crm.actor;
END $$;

-- What is stored then, but for ids and clocks; the totals may have been summed up or not.
CREATE FUNCTION t.stored() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(line, E'\n' ORDER BY regexp_replace(line, '"extra": [^,]*, ', '') COLLATE "C") FROM (
        SELECT 'move ' || (to_jsonb(c) - 'id' - 'recorded_at' - 'reverts_id' - 'changed_at')::text
                || CASE WHEN reverts_id IS NULL THEN changed_at::text ELSE 'undone' END FROM stage_changes AS c
        UNION ALL SELECT format('total %s %s %s %s %s %s %s', tenant_id, pipeline_id, stage_id, currency, value_period, sum(deals), sum(value))
                || ' ' || sum(weighted_value) || ' ' || sum(deals_without_amount) || ' ' || sum(deals_without_probability)
            FROM stage_totals GROUP BY tenant_id, pipeline_id, stage_id, currency, value_period
            HAVING sum(deals) <> 0) AS l (line)
$$;

-- Which tables are written to by INSERT after a variation, and what is stored;
-- nothing of it stays.
CREATE FUNCTION t.after(variation text, OUT by_sql text, OUT stored text) LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text;
BEGIN
    EXECUTE variation;
    INSERT INTO deals (id, title) VALUES (id('x'), 'x');
    UPDATE deals SET stage_id = id('Paused') WHERE id = id('x');
    by_sql := concat_ws(' and ', CASE WHEN t.is_by_sql('stage_changes') THEN 'changes' END,
        CASE WHEN t.is_by_sql('stage_totals') THEN 'totals' END);
    DELETE FROM deals WHERE id = id('x');
    PERFORM t.write();
    RAISE EXCEPTION USING ERRCODE = 'UNDOI', MESSAGE = by_sql, DETAIL = t.stored();
EXCEPTION WHEN SQLSTATE 'UNDOI' THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    by_sql := message;
    stored := detail;
END $$;

CREATE FUNCTION t.let_pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
-- What takes an INSERT, whatever else the tables have.
CREATE FUNCTION t.by_insert() RETURNS text LANGUAGE sql AS $$
    SELECT 'CREATE TRIGGER by_insert AFTER INSERT ON stage_changes FOR EACH STATEMENT EXECUTE FUNCTION t.let_pass(); '
        'CREATE TRIGGER by_insert AFTER INSERT ON stage_totals FOR EACH STATEMENT EXECUTE FUNCTION t.let_pass(); '
$$;
CREATE DOMAIN t.color AS text DEFAULT 'red';
CREATE DOMAIN t.named AS text CHECK (VALUE IS NOT NULL);
CREATE TABLE t.plain AS SELECT * FROM t.after('SELECT');

SELECT is(by_sql, '', 'no INSERT writes to the tables that crm_install makes') FROM t.plain;
SELECT matches(stored, 'move .*move .*total ', 'and something is stored in them') FROM t.plain;

-- The same is stored by INSERT: where a column has a value besides, without it.
CREATE FUNCTION t.check_variation(variation text, expected text, what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    outcome record := t.after(variation);
    inserted record := t.after(t.by_insert() || variation);
BEGIN
    RETURN NEXT is(outcome.by_sql, expected, what || ': the path');
    RETURN NEXT is(concat_ws(E'\n', inserted.by_sql, inserted.stored), E'changes and totals\n' || outcome.stored, what || ': what INSERT stores');
    outcome.stored := regexp_replace(outcome.stored, '"extra": ([0-9]+|null|"[a-z]+"), ', '', 'g');
    RETURN NEXT is(outcome.stored, (SELECT stored FROM t.plain), what || ': what is stored');
END $$;

SELECT t.check_variation('CREATE TRIGGER x BEFORE INSERT ON stage_changes FOR EACH ROW EXECUTE FUNCTION t.let_pass(); '
    'CREATE TRIGGER x BEFORE INSERT ON stage_totals FOR EACH ROW EXECUTE FUNCTION t.let_pass()', '', 'BEFORE ROW triggers');
SELECT t.check_variation('CREATE TRIGGER x AFTER INSERT ON stage_changes FOR EACH STATEMENT EXECUTE FUNCTION t.let_pass()', 'changes', 'an AFTER STATEMENT trigger');
SELECT t.check_variation('ALTER TABLE stage_changes ADD CHECK (move_no > 0); ALTER TABLE stage_totals ADD CHECK (deals < 9)', '', 'CHECKs');
SELECT t.check_variation('CREATE INDEX ON stage_changes (lower(changed_by))', '', 'an index on an expression');
SELECT t.check_variation('CREATE INDEX ON stage_changes (to_stage_id) WHERE move_no > 1', '', 'a partial index');
SELECT t.check_variation('CREATE INDEX ON stage_changes (to_stage_id) WHERE closing IS NULL AND reverts_id IS NOT NULL', '', 'a partial index by nulls');
SELECT t.check_variation('CREATE INDEX ON stage_totals USING hash (stage_id)', '', 'an index that is neither B-tree nor BRIN');
SELECT t.check_variation('CREATE INDEX ON stage_totals USING brin (stage_id)', '', 'a BRIN index');
SELECT t.check_variation('ALTER TABLE stage_changes ADD UNIQUE (deal_id, move_no) DEFERRABLE', '', 'a deferrable key');
SELECT t.check_variation('ALTER TABLE stage_changes ADD extra integer DEFAULT 7; ALTER TABLE stage_totals ADD extra integer DEFAULT 7', '', 'a column with a default');
SELECT t.check_variation('ALTER TABLE stage_changes ADD extra integer; ALTER TABLE stage_totals ADD extra integer', '', 'a column without one');
SELECT t.check_variation('ALTER TABLE stage_changes ADD extra integer; ALTER TABLE stage_changes DROP extra', '', 'a dropped column');
SELECT t.check_variation('ALTER TABLE stage_changes ADD extra integer GENERATED ALWAYS AS (1) STORED', '', 'a generated column');
SELECT t.check_variation('ALTER TABLE stage_changes ADD extra t.color', '', 'a column of a domain');
SELECT t.check_variation('ALTER TABLE stage_changes ALTER recorded_by SET DEFAULT current_user', '', 'a default of the user''s');
SELECT t.check_variation('ALTER TABLE stage_changes ADD extra integer GENERATED BY DEFAULT AS IDENTITY', '', 'an identity column');
SELECT t.check_variation('CREATE FUNCTION t.count_deals() RETURNS integer LANGUAGE sql STABLE AS ''SELECT count(*)::integer FROM crm.deals''; '
    'ALTER TABLE stage_changes ADD extra integer DEFAULT t.count_deals()', '', 'a default that reads tables');
SELECT t.check_variation('CREATE TRIGGER x AFTER INSERT ON stage_changes FOR EACH ROW EXECUTE FUNCTION t.let_pass(); '
    'CREATE CONSTRAINT TRIGGER y AFTER INSERT ON stage_totals DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION t.let_pass()',
    -- where a deferrable one may do harm, SQL refuses it (table_owner_rights.sql)
    'totals', 'AFTER ROW triggers');
SELECT t.check_variation('ALTER TABLE stage_changes ADD FOREIGN KEY (to_stage_id) REFERENCES stages', '', 'a foreign key');
SELECT t.check_variation('CREATE RULE x AS ON INSERT TO stage_totals WHERE false DO INSTEAD NOTHING', 'totals', 'a rule');

-- The path is chosen anew when the table is altered.
SELECT t.check_variation('SELECT', '', 'again');

-- What a column's type makes of values is made of them.
CREATE TABLE t.rounded (by_sql text, stored text);
INSERT INTO t.rounded SELECT * FROM t.after('DROP FUNCTION pipeline_summary_as_of CASCADE; DROP VIEW move_facts CASCADE; ALTER TABLE stage_changes ALTER amount TYPE numeric(12,1)');
INSERT INTO t.rounded SELECT * FROM t.after(t.by_insert() || 'DROP FUNCTION pipeline_summary_as_of CASCADE; DROP VIEW move_facts CASCADE; ALTER TABLE stage_changes ALTER amount TYPE numeric(12,1)');
SELECT is((SELECT array_agg(by_sql ORDER BY by_sql) FROM t.rounded)::text, '{"","changes and totals"}', 'both paths round');
SELECT is((SELECT count(DISTINCT stored) FROM t.rounded), 1::bigint, 'and store the same');

-- Errors are the same: nine, and not that of the division.
CREATE FUNCTION t.errors(variation text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(regexp_replace(t.error_of(variation || '; ' || change || '; SELECT t.write(); SELECT 1 / 0'),
        'Failing row contains .*', ''), E'\n\n') FROM unnest(ARRAY[
        'ALTER TABLE stage_changes ALTER closing SET NOT NULL',
        'DROP FUNCTION pipeline_summary_as_of CASCADE; DROP VIEW move_facts CASCADE; ALTER TABLE stage_changes ALTER amount TYPE numeric(4,2)',
        'ALTER TABLE stage_totals ALTER currency SET NOT NULL',
        'CREATE UNIQUE INDEX ON stage_changes (tenant_id)',
        'ALTER TABLE stage_changes ADD CONSTRAINT c CHECK (move_no < 2)',
        'ALTER TABLE stage_changes ADD extra t.named',
        'ALTER TABLE stage_changes ADD CONSTRAINT f FOREIGN KEY (to_stage_id) REFERENCES pipelines',
        'ALTER TABLE stage_changes ALTER move_no ADD GENERATED ALWAYS AS IDENTITY',
        'DROP FUNCTION pipeline_summary_as_of CASCADE; DROP VIEW move_facts CASCADE; ALTER TABLE stage_changes DROP closing']) AS change
$$;
SELECT is(t.errors('SELECT'), t.errors(t.by_insert()),
    'errors are the same');
SELECT doesnt_match(t.errors('SELECT'), '22012', 'and each is one');

SELECT * FROM finish();
ROLLBACK;
