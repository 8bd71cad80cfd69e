-- move_deal() and undo_move()
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT crm_install('api_deals');
SET search_path = api_deals, public;

INSERT INTO pipelines (id, name, is_default) VALUES
	('00000000-0000-0000-0000-000000000001', 'Sales', true);
INSERT INTO stages (id, pipeline_id, name, deal_status, probability, archived_at) VALUES
	('00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-000000000001', 'Lead', 'open', 0.1, NULL),
	('00000000-0000-0000-0000-0000000000a2', '00000000-0000-0000-0000-000000000001', 'Talks', 'open', 0.5, NULL),
	('00000000-0000-0000-0000-0000000000a3', '00000000-0000-0000-0000-000000000001', 'Won', 'won', 1, NULL),
	('00000000-0000-0000-0000-0000000000a4', '00000000-0000-0000-0000-000000000001', 'Lost', 'lost', 0, NULL),
	('00000000-0000-0000-0000-0000000000a5', '00000000-0000-0000-0000-000000000001', 'Old', 'open', NULL, '2026-01-01');
INSERT INTO deals (id, title, amount, created_at) VALUES
	('00000000-0000-0000-0000-0000000000d1', 'One', 100, '2026-01-01 10:00:00.123456+00'),
	('00000000-0000-0000-0000-0000000000d2', 'Two', 200, '2026-01-01 10:00+00');
CREATE VIEW seen AS SELECT d.title, s.name AS stage, d.status, d.stage_entered_at, d.lost_reason, d.move_no, d.version
	FROM deals AS d JOIN stages AS s ON s.id = d.stage_id;

-- dated, and now
SELECT title, stage_id, status, probability, stage_entered_at, move_no
FROM move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a2', '2026-01-02 10:00:00.123456+00');
SELECT title, stage_entered_at > now() - interval '1 hour' AS now, move_no
FROM move_deal('00000000-0000-0000-0000-0000000000d2', '00000000-0000-0000-0000-0000000000a2');
-- the same request again: no move
SELECT title, stage_entered_at, move_no, version
FROM move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a2', '2026-01-02 10:00:00.123456+00');
SELECT title, stage_entered_at, move_no, version
FROM move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a2');
-- also by JavaScript, which knows no microseconds
SELECT title, stage_entered_at, move_no, version
FROM move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a2', '2026-01-02 10:00:00.123+00');
-- the same stage at another time is a contradiction
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a2', '2026-01-03 10:00+00');
\echo :LAST_ERROR_SQLSTATE
-- two moves at the same time
SELECT title, stage_entered_at, lost_at, lost_reason, move_no
FROM move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a4', '2026-01-02 10:00:00.123456+00', 'price');
SELECT changed_at, entered_at, move_no FROM stage_changes
WHERE deal_id = '00000000-0000-0000-0000-0000000000d1' ORDER BY move_no;
-- the reason again, and another one
SELECT lost_reason, move_no, version
FROM move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a4', lost_reason => 'price');
SELECT lost_reason, move_no, version
FROM move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a4', lost_reason => 'timing');

-- the setting for imports, which an argument overrides
BEGIN;
SET LOCAL crm.effective_at = '2026-01-05 10:00+00';
SELECT stage_entered_at, lost_reason, move_no
FROM move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a1', NULL, NULL, NULL);
SELECT stage_entered_at, move_no
FROM move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a2', '2026-01-06 10:00+00');
SHOW crm.effective_at;
COMMIT;

-- from where it is thought to be
SELECT stage_entered_at, won_at, move_no
FROM move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a3', '2026-01-07 10:00+00',
	expected_stage_id => '00000000-0000-0000-0000-0000000000a2');
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a4',
	expected_stage_id => '00000000-0000-0000-0000-0000000000a2');
\echo :LAST_ERROR_SQLSTATE
-- which comes first: the move was another's
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a3',
	expected_stage_id => '00000000-0000-0000-0000-0000000000a2');
\echo :LAST_ERROR_SQLSTATE
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a4',
	expected_stage_id => '00000000-0000-0000-0000-00000000dead');
SELECT * FROM seen ORDER BY title LIMIT 1;

-- wrong input
SELECT move_deal(NULL, '00000000-0000-0000-0000-0000000000a3');
\echo :LAST_ERROR_SQLSTATE
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT move_deal('00000000-0000-0000-0000-00000000dead', '00000000-0000-0000-0000-0000000000a3');
\echo :LAST_ERROR_SQLSTATE
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a4', 'infinity');
\echo :LAST_ERROR_SQLSTATE
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a4', '2026-01-06 10:00+00');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY sqlstate
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a4', now() + interval '1 day');
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a5');
\set VERBOSITY default
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a2', lost_reason => 'price');
\echo :LAST_ERROR_SQLSTATE
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a3', lost_reason => 'price');
SELECT * FROM seen ORDER BY title LIMIT 1;

-- undo
SELECT title, stage_id, status, won_at, stage_entered_at, probability, move_no
FROM undo_move('00000000-0000-0000-0000-0000000000d1');
SELECT title, stage_id, move_no FROM undo_move('00000000-0000-0000-0000-0000000000d1');
SELECT title, stage_id, lost_reason, move_no FROM undo_move('00000000-0000-0000-0000-0000000000d1');
SELECT move_no FROM undo_move('00000000-0000-0000-0000-0000000000d1');
SELECT stage_id, stage_entered_at, move_no FROM undo_move('00000000-0000-0000-0000-0000000000d1');
SELECT undo_move('00000000-0000-0000-0000-0000000000d1');
\echo :LAST_ERROR_SQLSTATE
SELECT undo_move('00000000-0000-0000-0000-00000000dead');
\echo :LAST_ERROR_SQLSTATE
SELECT undo_move(NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT move_no, reverts_id IS NOT NULL AS reverts FROM stage_changes
WHERE deal_id = '00000000-0000-0000-0000-0000000000d1' ORDER BY move_no;

-- who may: what is not given need not be theirs to write
CREATE ROLE regress_api_deals;
GRANT USAGE ON SCHEMA api_deals TO regress_api_deals;
\set VERBOSITY terse
SET ROLE regress_api_deals;
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a2');
SELECT undo_move('00000000-0000-0000-0000-0000000000d1');
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA api_deals TO regress_api_deals;
SET ROLE regress_api_deals;
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a2');
SELECT undo_move('00000000-0000-0000-0000-0000000000d1');
RESET ROLE;
GRANT SELECT ON deals TO regress_api_deals;
SET ROLE regress_api_deals;
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a2');
SELECT undo_move('00000000-0000-0000-0000-0000000000d2');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
GRANT UPDATE (stage_id) ON deals TO regress_api_deals;
SET ROLE regress_api_deals;
SELECT title, stage_id FROM move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a2');
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a1', now());
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a4', NULL, 'price');
\echo :LAST_ERROR_SQLSTATE
\set VERBOSITY default
-- names of stages only for those who may read them
DO $$
DECLARE
	text text;
BEGIN
	PERFORM move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a1',
		expected_stage_id => '00000000-0000-0000-0000-0000000000a3');
EXCEPTION WHEN SQLSTATE 'PT409' THEN
	GET STACKED DIAGNOSTICS text = PG_EXCEPTION_DETAIL;
	RAISE WARNING '%', regexp_replace(text, 'since [^,]*', 'since ...');
END $$;
RESET ROLE;

-- a deal that is hidden is not there; one that is kept stays
ALTER TABLE deals ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON deals FOR SELECT USING (title = 'One');
CREATE POLICY keep ON deals FOR UPDATE USING (title = 'One') WITH CHECK (status <> 'won');
SET ROLE regress_api_deals;
SELECT move_deal('00000000-0000-0000-0000-0000000000d2', '00000000-0000-0000-0000-0000000000a1');
\echo :LAST_ERROR_SQLSTATE
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a3');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER keep BEFORE UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION keep();
SELECT move_deal('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000a1');
\echo :LAST_ERROR_SQLSTATE
DROP TRIGGER keep ON deals;

-- columns of one's own, whenever they come; a schema that is renamed; and a
-- session in which everything goes by another name
ALTER TABLE deals ADD COLUMN mine text, ADD COLUMN x integer DEFAULT 7;
ALTER TABLE deals DROP COLUMN mine, ADD COLUMN crm_row integer DEFAULT 8;
ALTER SCHEMA api_deals RENAME TO "API deals";
CREATE SCHEMA api_evil;
CREATE FUNCTION api_evil.same(uuid, uuid) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE OPERATOR api_evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = api_evil.same);
CREATE FUNCTION api_evil.crm_move_deal(regnamespace, uuid, uuid, timestamptz, text, uuid) RETURNS uuid
	LANGUAGE sql AS $$ SELECT NULL::uuid $$;
CREATE DOMAIN api_evil.text AS integer;
CREATE TEMP TABLE deals (id uuid);
CREATE TEMP TABLE stages (id uuid);
CREATE TEMP TABLE stage_changes (id uuid);
SET search_path = api_evil, pg_temp, public, pg_catalog;
SELECT title, x, crm_row, lost_reason FROM "API deals".move_deal('00000000-0000-0000-0000-0000000000d1',
	'00000000-0000-0000-0000-0000000000a4', lost_reason => 'evil');
SELECT title, x, crm_row, lost_reason FROM "API deals".undo_move('00000000-0000-0000-0000-0000000000d1');
SELECT d.title, s.name FROM "API deals".deals AS d JOIN "API deals".stages AS s
	ON s.id OPERATOR(pg_catalog.=) d.stage_id ORDER BY title;

SET client_min_messages = error;
DROP SCHEMA "API deals", api_evil CASCADE;
DROP ROLE regress_api_deals;
