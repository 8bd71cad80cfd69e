-- An upsert is the update it becomes: the ways in which real clients write one,
-- with the union of columns, with nulls and DEFAULT, with whole rows.
BEGIN;
\ir include/setup.sql
SELECT t.make_pipelines() \g /dev/null
SELECT plan(49);

CREATE FUNCTION t.deal(name text, stage text DEFAULT 'Lead', amount numeric DEFAULT 100) RETURNS void LANGUAGE sql AS $$
    INSERT INTO crm.deals (id, external_id, title, stage_id, stage_entered_at, amount, value_period, metadata)
    VALUES (t.id(name), name, name, t.id(stage), '2024-01-01', amount, 'monthly', '{"a": 1}')
$$;
-- A deal: place, moves, amount, currency, how it was closed.
CREATE FUNCTION t.shown(deal text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(' ', t.place(deal), move_no, trim_scale(amount), currency, won_at::date, lost_at::date, lost_reason) FROM crm.deals WHERE id = t.id(deal)
$$;

-- The union of keys: null where a client has nothing.
SELECT deal('won', 'Won') \g /dev/null
INSERT INTO deals (external_id, title, amount, currency, stage_id, pipeline_id, status, probability, won_at, lost_at, stage_entered_at, created_at, value_period, metadata, version, move_no)
VALUES ('won', 'won', 120, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = excluded.title, amount = excluded.amount, currency = excluded.currency, stage_id = excluded.stage_id,
    pipeline_id = excluded.pipeline_id, status = excluded.status, probability = excluded.probability, won_at = excluded.won_at, lost_at = excluded.lost_at,
    stage_entered_at = excluded.stage_entered_at, created_at = excluded.created_at, value_period = excluded.value_period, metadata = excluded.metadata,
    version = excluded.version, move_no = excluded.move_no;
SELECT is(shown('won'), 'Sales / Won / won / 1.0000 0 120 USD 2024-01-01', 'a won deal of 100 USD is a won deal of 120 USD');
SELECT ok(value_period = 'monthly' AND metadata = '{"a": 1}' AND created_at = '2024-01-01' AND version = 2 AND title = 'won', 'and keeps all else') FROM deals WHERE id = id('won');
SELECT is(history('won'), 'none', 'it has not moved');
SELECT is((SELECT count(*) FROM deal_changes WHERE deal_id = id('won')), 2::bigint, 'a change, no creation');
SELECT deal('eur', 'Due', 5) \g /dev/null
INSERT INTO deals (external_id, title, amount, stage_id) VALUES ('eur', 'eur', 6, NULL)
ON CONFLICT (tenant_id, external_id) DO UPDATE SET amount = excluded.amount, currency = excluded.currency, stage_id = excluded.stage_id;
SELECT is(shown('eur'), 'Renewals / Due / open / 0.8000 0 6 EUR', 'what is assigned though it was not in the list is not given either');
-- The same with DEFAULT, as PostgREST has it (Prefer: missing=default).
INSERT INTO deals (external_id, title, amount, stage_id, status, created_at) VALUES ('won', 'won', 130, DEFAULT, DEFAULT, DEFAULT), ('new', 'new', DEFAULT, id('Won'), DEFAULT, '2024-05-05')
ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = excluded.title, amount = excluded.amount, stage_id = excluded.stage_id, status = excluded.status, created_at = excluded.created_at;
SELECT is(shown('won'), 'Sales / Won / won / 1.0000 0 130 USD 2024-01-01', 'DEFAULT of stage_id and status is not given');
SELECT results_eq($$SELECT status, stage_entered_at FROM deals WHERE external_id = 'new'$$, $$VALUES ('won', '2024-05-05'::timestamptz)$$, '(and one beside it is new)');
-- The id, given by none or as DEFAULT.
INSERT INTO deals (id, external_id, title) VALUES (DEFAULT, 'won', 'W1') ON CONFLICT (tenant_id, external_id) DO UPDATE SET id = excluded.id, title = excluded.title;
INSERT INTO deals (id, external_id, title) VALUES (NULL, 'won', 'W2') ON CONFLICT (tenant_id, external_id) DO UPDATE SET id = excluded.id, title = excluded.title;
SELECT is(title, 'W2', 'an id that is not given is the old one') FROM deals WHERE id = id('won');
UPDATE deals SET id = DEFAULT WHERE id = id('won');
SELECT is(count(*), 1::bigint, 'also in an UPDATE') FROM deals WHERE id = id('won');
SELECT throws_ok($$INSERT INTO deals (id, external_id, title) VALUES (id('else'), 'won', 'W') ON CONFLICT (tenant_id, external_id) DO UPDATE SET id = excluded.id$$, '23514',
    'column "id" of table "deals" never changes', 'one that is given must be the old one');
SELECT throws_ok($$INSERT INTO deals (external_id, title) VALUES ('won', NULL) ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = excluded.title$$, '23502', NULL, 'no title is an error');
INSERT INTO deals (external_id, amount) VALUES ('won', 140) ON CONFLICT (tenant_id, external_id) DO UPDATE SET amount = excluded.amount;
SELECT is(shown('won'), 'Sales / Won / won / 1.0000 0 140 USD 2024-01-01', 'but it need not be given');
INSERT INTO deals (external_id, amount) VALUES ('won', NULL) ON CONFLICT (tenant_id, external_id) DO UPDATE SET amount = excluded.amount;
SELECT is(amount, NULL, 'null where null means something is given') FROM deals WHERE id = id('won');

-- What failed though the UPDATE did not.
SELECT deal('lost', 'Lost') \g /dev/null
INSERT INTO deals (external_id, title, lost_reason) VALUES ('lost', 'lost', 'price') ON CONFLICT (tenant_id, external_id) DO UPDATE SET lost_reason = excluded.lost_reason;
SELECT is(shown('lost'), 'Sales / Lost / lost / 0.0000 0 100 USD 2024-01-01 price', 'lost_reason of a lost deal');
INSERT INTO deals (external_id, title, lost_at) VALUES ('lost', 'lost', '2024-01-05') ON CONFLICT (tenant_id, external_id) DO UPDATE SET lost_at = excluded.lost_at;
SELECT is(lost_at, '2024-01-05', 'lost_at') FROM deals WHERE id = id('lost');
SELECT deal('b'), deal('q', 'Qualified'), deal('r', 'Due') \g /dev/null
SELECT deal('w') \g /dev/null
UPDATE deals SET status = 'won', stage_entered_at = '2024-01-02' WHERE id = id('w');
INSERT INTO stages (id, pipeline_id, name, position, deal_status) VALUES (id('Won 2'), id('Sales'), 'Won 2', 7, 'won');
INSERT INTO deals (external_id, title, status, amount) VALUES ('w', 'w', 'won', 111) ON CONFLICT (tenant_id, external_id) DO UPDATE SET status = excluded.status, amount = excluded.amount;
SELECT is(shown('w'), 'Sales / Won / won / 1.0000 1 111 USD 2024-01-02', 'status won again, with two won stages');
UPDATE stages SET archived_at = '2024-02-01' WHERE id = id('Qualified');
UPDATE pipelines SET archived_at = '2024-02-01' WHERE id = id('Renewals');
INSERT INTO deals (external_id, title, stage_id, amount) VALUES ('q', 'q', id('Qualified'), 111), ('r', 'r', id('Due'), 111)
ON CONFLICT (tenant_id, external_id) DO UPDATE SET stage_id = excluded.stage_id, amount = excluded.amount;
SELECT is(shown('q') || ', ' || shown('r'), 'Sales / Qualified / open / 0.5000 0 111 USD, Renewals / Due / open / 0.8000 0 111 EUR', 'in an archived stage, in an archived pipeline');
UPDATE pipelines SET is_default = false;
INSERT INTO deals (external_id, title, amount) VALUES ('b', 'b', 112) ON CONFLICT (tenant_id, external_id) DO UPDATE SET amount = excluded.amount;
SELECT is(shown('b'), 'Sales / Lead / open / 0.1000 0 112 USD', 'without a default pipeline');
UPDATE pipelines SET is_default = true WHERE id = id('Sales');

-- A whole row, with one thing changed: PUT, and object-relational mappers.
CREATE FUNCTION t.put(saved jsonb, key text DEFAULT 'id') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE (SELECT format('INSERT INTO crm.deals (%1$s) SELECT %1$s FROM jsonb_populate_record(NULL::crm.deals, $1) ON CONFLICT (%2$s) DO UPDATE SET %3$s',
            string_agg(quote_ident(attname), ', ' ORDER BY attnum), key, string_agg(format('%1$I = excluded.%1$I', attname), ', ' ORDER BY attnum))
        FROM pg_attribute WHERE attrelid = 'crm.deals'::regclass AND attnum > 0 AND NOT attisdropped) USING saved;
END $$;
CREATE FUNCTION t.read(deal text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_object_agg(key, CASE WHEN key LIKE '%\_at' AND value <> 'null'
        THEN to_jsonb(date_trunc('milliseconds', (value #>> '{}')::timestamptz)) ELSE value END)
    FROM crm.deals AS d, jsonb_each(to_jsonb(d)) WHERE d.id = t.id(deal)
$$;
SELECT deal('p') \g /dev/null
DELETE FROM stages WHERE id = id('Won 2');
SELECT put(read('p') || '{"status": "won"}') \g /dev/null
SELECT ok(place('p') = 'Sales / Won / won / 1.0000' AND won_at > now(), 'status alone, by id') FROM deals WHERE id = id('p');
SELECT put(read('p') || '{"status": "open"}', 'tenant_id, external_id') \g /dev/null
SELECT ok(place('p') = 'Sales / Lead / open / 0.1000' AND won_at IS NULL, 'and back, by external_id') FROM deals WHERE id = id('p');
SELECT put(read('p') || jsonb_build_object('stage_id', id('Paused'))) \g /dev/null
SELECT is(place('p'), 'Sales / Paused / open / 0.1000', 'stage_id alone');
SELECT put(read('p') || jsonb_build_object('stage_id', id('Lost'), 'lost_reason', 'late')) \g /dev/null
SELECT ok(place('p') = 'Sales / Lost / lost / 0.0000' AND lost_reason = 'late', 'stage_id and lost_reason') FROM deals WHERE id = id('p');
SELECT put(read('p') || jsonb_build_object('stage_id', id('Lead'), 'probability', 0.25)) \g /dev/null
SELECT is(place('p'), 'Sales / Lead / open / 0.2500', 'reopened with a probability');
SELECT put(read('p')) \g /dev/null
SELECT results_eq($$SELECT move_no, (SELECT count(*) FROM stage_changes WHERE deal_id = id('p')) FROM deals WHERE id = id('p')$$, $$VALUES (5, 5::bigint)$$, 'each move once; saved again without one');
SELECT put(jsonb_build_object('id', id('put'), 'title', 'made by PUT')) \g /dev/null
SELECT is(place('put'), 'Sales / Lead / open / 0.1000', 'a row that is new');

-- Errors are the update's.
SELECT deal('e') \g /dev/null
SELECT is(error_of($$INSERT INTO deals (id, title, won_at) VALUES (id('e'), 'e', '2024-02-01') ON CONFLICT (id) DO UPDATE SET won_at = excluded.won_at$$),
    format(E'23514\nwon_at is given, but deal %s is open\nWrite status or stage_id as well, or leave won_at out.', id('e')), 'won_at of an open deal');
SELECT is(error_of($$INSERT INTO deals (id, title, status) VALUES (id('e'), 'e', 'lost') ON CONFLICT (id) DO UPDATE SET status = excluded.status$$),
    error_of($$UPDATE deals SET status = 'lost' WHERE id = id('e')$$), 'several lost stages');
SELECT is(error_of($$INSERT INTO deals (id, title, status) VALUES (id('e'), 'e', 'Won') ON CONFLICT (id) DO UPDATE SET status = excluded.status$$),
    E'23514\n"Won" is not a status of a deal\nUse open, won or lost.', 'no status');
SELECT throws_ok($$INSERT INTO deals (id, title) VALUES (id('e'), 'e')$$, '23505', 'duplicate key value violates unique constraint "deals_pkey"', 'without ON CONFLICT: the id');
SELECT throws_ok($$INSERT INTO deals (external_id, title) VALUES ('e', 'e')$$, '23505', 'duplicate key value violates unique constraint "deals_external_id_key"', 'and the external_id');
SELECT throws_ok($$INSERT INTO stages (pipeline_id, name) VALUES (id('Sales'), 'LEAD')$$, '23505', 'duplicate key value violates unique constraint "stages_name_key"', 'a name');
SELECT throws_ok($$INSERT INTO deals (id, external_id, title, amount) VALUES (id('e'), 'p', 'e', 7) ON CONFLICT (id) DO UPDATE SET external_id = excluded.external_id$$, '23505', NULL, 'keys of two deals');
INSERT INTO deals (id, external_id, amount) VALUES (id('e'), 'lost', 7) ON CONFLICT (tenant_id, external_id) DO UPDATE SET amount = excluded.amount, stage_id = excluded.stage_id, status = excluded.status;
SELECT is(shown('lost') || ', ' || shown('e'), 'Sales / Lost / lost / 0.0000 0 7 USD 2024-01-05 price, Sales / Lead / open / 0.1000 0 100 USD',
    'of these the one named by ON CONFLICT is updated, and not from the other');

-- DO NOTHING does nothing, whatever has become of the deal; retries are safe.
SELECT deal('n') \g /dev/null
UPDATE deals SET stage_id = id('Paused'), stage_entered_at = '2024-03-01' WHERE id = id('n');
UPDATE stages SET archived_at = '2024-02-01' WHERE id = id('Lead');
CREATE TEMP TABLE before AS TABLE deals;
SELECT lives_ok($$INSERT INTO deals (id, external_id, title, stage_id, stage_entered_at) VALUES (id('n'), 'n', 'n', id('Lead'), '2024-01-01') ON CONFLICT (id) DO NOTHING$$, 'the row as it once came');
SELECT lives_ok($$INSERT INTO deals (id, title, status, won_at) VALUES (id('n'), 'n', 'won', '2023-01-01'), (id('w'), 'w', NULL, NULL) ON CONFLICT DO NOTHING$$, 'rows that could not become updates');
SELECT set_eq('TABLE deals', 'TABLE before', 'nothing happened');
UPDATE stages SET archived_at = NULL;

-- Several rows; the same key twice; conditions and expressions.
INSERT INTO deals (external_id, title, status) VALUES ('b', 'B', 'won'), ('fresh', 'Fresh', NULL), ('q', 'Q', NULL)
ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = excluded.title, status = excluded.status;
SELECT is((SELECT string_agg(title || ' ' || status || ' ' || move_no, ', ' ORDER BY title) FROM deals WHERE external_id IN ('b', 'fresh', 'q')), 'B won 1, Fresh open 0, Q open 0', 'each row by itself');
SELECT throws_ok($$INSERT INTO deals (external_id, title) VALUES ('twice', '1'), ('twice', '2') ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = excluded.title$$, '21000', NULL, 'the same key twice');
INSERT INTO deals (external_id, title) VALUES ('twice', '1'), ('twice', '2') ON CONFLICT DO NOTHING;
SELECT is((SELECT count(*) FROM deals WHERE external_id = 'twice'), 1::bigint, 'or ignored');
INSERT INTO deals (external_id, title, amount) VALUES ('b', 'not this', 1) ON CONFLICT (tenant_id, external_id) DO UPDATE SET title = excluded.title WHERE deals.amount < excluded.amount;
INSERT INTO deals (external_id, amount) VALUES ('b', 1) ON CONFLICT (tenant_id, external_id) DO UPDATE SET amount = deals.amount + excluded.amount, stage_id = coalesce(excluded.stage_id, deals.stage_id), probability = 1;
SELECT is(shown('b') || title, 'Sales / Won / won / 1.0000 1 113 USD ' || current_date || 'B', 'WHERE, and expressions') FROM deals WHERE id = id('b');
SELECT is((SELECT count(*) FROM deals WHERE external_id = 'b' AND won_at::date = current_date), 1::bigint, '(won today)');
PREPARE with_excluded AS INSERT INTO deals (external_id, title) VALUES ('b', 'B') ON CONFLICT (tenant_id, external_id) DO UPDATE SET description = concat_ws(' ', excluded.status, excluded.probability, excluded.won_at IS NOT NULL) RETURNING description;
SELECT results_eq('with_excluded', $$VALUES ('won 1.0000 t')$$, 'EXCLUDED has the old values where none are given');
-- Users' own columns, keys and triggers.
CREATE SEQUENCE codes;
ALTER TABLE deals ADD region text NOT NULL DEFAULT 'EMEA', ADD code int NOT NULL DEFAULT nextval('crm.codes') UNIQUE, ADD slug text;
CREATE UNIQUE INDEX ON deals (lower(slug)) WHERE slug IS NOT NULL;
CREATE FUNCTION t.shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.title := upper(NEW.title); RETURN NEW; END $$;
CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION t.shout();
UPDATE deals SET region = 'APAC', code = 77, slug = 'Slug' WHERE id = id('w');
INSERT INTO deals (code, title, region, stage_id, amount) VALUES (77, 'by code', NULL, NULL, 222) ON CONFLICT (code) DO UPDATE SET title = excluded.title, region = excluded.region, stage_id = excluded.stage_id, amount = excluded.amount;
SELECT is(shown('w') || ' ' || title || ' ' || region, 'Sales / Won / won / 1.0000 1 222 USD 2024-01-02 BY CODE APAC', 'by a key of the user''s own') FROM deals WHERE id = id('w');
INSERT INTO deals (slug, title, stage_id, amount) VALUES ('SLUG', 'by slug', NULL, 223) ON CONFLICT (lower(slug)) WHERE slug IS NOT NULL DO UPDATE SET stage_id = excluded.stage_id, amount = excluded.amount, code = excluded.code;
SELECT is(shown('w'), 'Sales / Won / won / 1.0000 1 223 USD 2024-01-02', 'by an expression') FROM deals WHERE id = id('w');
-- MERGE has its own UPDATE, whose rows have nothing to do with those that it inserts.
MERGE INTO deals AS d USING (VALUES ('merged', NULL::uuid, 1), ('q', id('Lead'), 2), ('fresh', id('Lead'), 3)) AS s (external_id, stage_id, amount) ON d.external_id = s.external_id
    WHEN MATCHED THEN UPDATE SET stage_id = s.stage_id, amount = s.amount
    WHEN NOT MATCHED THEN INSERT (external_id, title, stage_id, amount) VALUES (s.external_id, 'M', s.stage_id, s.amount);
SELECT is((SELECT string_agg(d.external_id || ' ' || s.name || ' ' || trim_scale(amount) || ' ' || move_no, ', ' ORDER BY d.external_id) FROM deals AS d JOIN stages AS s ON s.id = d.stage_id
    WHERE d.external_id IN ('merged', 'q', 'fresh')), 'fresh Lead 3 0, merged Lead 1 0, q Lead 2 1', 'MERGE');
-- An upsert in a trigger within an upsert.
CREATE FUNCTION t.nested() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.external_id = 'outer' AND pg_trigger_depth() = 1 THEN
        INSERT INTO crm.deals (external_id, title, stage_id) VALUES ('inner', 'inner', NULL) ON CONFLICT (tenant_id, external_id) DO UPDATE SET stage_id = excluded.stage_id;
    END IF;
    RETURN NEW; END $$;
CREATE TRIGGER nested BEFORE UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION t.nested();
INSERT INTO deals (id, external_id, title, stage_id) VALUES (id('outer'), 'outer', 'outer', id('Won')), (id('inner'), 'inner', 'inner', id('Lost'));
INSERT INTO deals (external_id, title, stage_id, lost_reason) VALUES ('outer', 'outer', NULL, NULL) ON CONFLICT (tenant_id, external_id) DO UPDATE SET stage_id = excluded.stage_id, lost_reason = excluded.lost_reason;
SELECT is(place('outer') || ', ' || place('inner'), 'Sales / Won / won / 1.0000, Sales / Lost / lost / 0.0000', 'nested');

SELECT is_empty($$SELECT * FROM extensions.crm_check_totals('crm')$$, 'the totals are right');
SELECT is_empty($$SELECT FROM deals AS d WHERE move_no <> (SELECT count(*) FROM stage_changes WHERE deal_id = d.id)$$, 'as is the number of moves');
SELECT is_empty($$SELECT FROM deals AS d WHERE (SELECT count(*) FROM deal_changes WHERE deal_id = d.id AND change = 'created') <> 1$$, 'each deal was created once');

SELECT * FROM finish();
ROLLBACK;
